"""Which processes are alive: every worker touches a row every few seconds; beat does through the sweeper."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from datetime import timedelta

from django.db import connection
from django.utils import timezone

from annotation.models import Job, WorkerPulse

logger = logging.getLogger(__name__)

PULSE_SECONDS = 10
SCHEDULER = "scheduler"  # name of the pulse that beat gives through the sweeper
QUEUES: tuple[str, ...] = tuple(Job.Queue.values)

_stop = threading.Event()


def pulse(name: str, queues: list[str]) -> None:
    """Say that a process is alive; forget those that have been silent for a day."""
    now = timezone.now()
    WorkerPulse.objects.update_or_create(name=name[:200], defaults={"queues": queues, "seen_at": now})
    WorkerPulse.objects.filter(seen_at__lt=now - timedelta(days=1)).delete()


def pulse_start(*, name: str, queues: list[str], at_end: Callable[[], None]) -> None:
    """Give a pulse every few seconds from a thread of the worker's main process; `at_end` once that is told to stop.

    It is called here since the signal comes in the middle of a job, perhaps of one of its queries.
    """

    def beat() -> None:
        while True:
            try:
                pulse(name, queues)
            except Exception:
                logger.exception("pulse not written")
            connection.close()
            if _stop.wait(PULSE_SECONDS):
                break
        at_end()
        WorkerPulse.objects.filter(name=name[:200]).delete()
        connection.close()

    threading.Thread(target=beat, name="pulse", daemon=True).start()


def pulse_stop() -> None:
    """The worker is told to stop: its pulse ends and its row goes."""
    _stop.set()


def workers_alive() -> list[WorkerPulse]:
    """Processes that gave a pulse within the last three beats."""
    since = timezone.now() - timedelta(seconds=3 * PULSE_SECONDS)
    return list(WorkerPulse.objects.filter(seen_at__gte=since).order_by("name"))
