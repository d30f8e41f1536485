"""Kinds of jobs of the trials, known to every process; some of the wake-up messages are never sent."""

from __future__ import annotations

import os
import random
from typing import Any

from django.apps import AppConfig


class ProbeConfig(AppConfig):
    """Loaded by benchmarks.reliability.settings only."""

    name = "benchmarks.reliability.probe"
    label = "probe"
    default_auto_field = "django.db.models.BigAutoField"

    def ready(self) -> None:
        """Declare and bind the jobs; drop the share of messages that the trial wants."""
        from benchmarks.reliability.probe import jobs  # noqa: F401  it binds

        share = float(os.environ.get("PROBE_DROP", "0"))
        if share:
            _drop(share)


def _drop(share: float) -> None:
    from celery import current_app

    app = current_app._get_current_object()
    send, dice = app.send_task, random.Random(os.getpid())

    def send_task(*args: Any, **options: Any) -> Any:
        return None if dice.random() < share else send(*args, **options)

    app.send_task = send_task
