"""The Celery application: six queues, messages that only wake, worker pulses."""

from __future__ import annotations

import os
from typing import Any

from celery import Celery, signals
from kombu.entity import Exchange, Queue
from kombu.transport import TRANSPORT_ALIASES

os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
TRANSPORT_ALIASES["filesystem"] = "config.broker:Transport"

SEND_SECONDS = 0.5  # for connecting, and for each answer of the broker, when a message is sent


class Application(Celery):  # type: ignore[misc]  # Celery publishes no types
    """Celery with little patience when it sends: people wait for the answer, and a message is only a wake-up."""

    def connection_for_write(self, url: str | None = None, **options: Any) -> Any:
        """A connection for sending. Workers wait for messages on others, which may stay silent for long."""
        if str(self.conf.broker_url).startswith("redis"):
            limits = {"socket_timeout": SEND_SECONDS, "socket_connect_timeout": SEND_SECONDS}
            options["transport_options"] = limits | (options.get("transport_options") or {})
        return super().connection_for_write(url, **options)


app = Application("anymask")
app.config_from_object("django.conf:settings", namespace="CELERY")
# An exchange of its own for each queue: on a shared one every worker would get every message.
app.conf.task_queues = [
    Queue(name, Exchange(name), routing_key=name)
    for name in ("interactive", "io", "exports", "webhooks", "batch", "training")
]
# Lazy: the modules are imported by workers and beat when they start. The web process sends by name and stays light.
app.autodiscover_tasks(["annotation", "engine"], related_name="jobs")


def _keep_django_logging(**_kwargs: Any) -> None:
    """Workers log through settings.LOGGING like the web process."""


def _worker_ready(sender: Any, **_kwargs: Any) -> None:
    from annotation import jobkit, jobs, pulses

    queues = sorted(queue.name for queue in sender.task_consumer.queues)
    pulses.pulse_start(name=sender.hostname, queues=queues, at_end=jobs.worker_stopping)
    jobkit.worker_started()


def _worker_shutting_down(sender: Any, **_kwargs: Any) -> None:
    from annotation import pulses

    pulses.pulse_stop()


def _beat_entries(sender: Any, **_kwargs: Any) -> None:
    from annotation import jobkit

    app.conf.beat_schedule = jobkit.beat_schedule()


signals.setup_logging.connect(_keep_django_logging)
signals.worker_ready.connect(_worker_ready)
signals.worker_shutting_down.connect(_worker_shutting_down)
signals.import_modules.connect(_beat_entries)
