"""GET /metrics for Prometheus: what requests take, and what the tables of jobs, leases and workers say right now.

The processes below one gunicorn share their counts where PROMETHEUS_MULTIPROC_DIR names a folder, as
docker/start/web.sh sees to.
"""

from __future__ import annotations

import hmac
import os
from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.db.models import Count, Min
from django.db.models.functions import Coalesce
from django.http import Http404, HttpRequest, HttpResponse
from django.utils import timezone
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, REGISTRY, CollectorRegistry, Histogram, generate_latest
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.multiprocess import MultiProcessCollector
from prometheus_client.registry import Collector

from annotation import pulses, storage
from annotation.models import Job, Task, Upload

BUCKETS = (0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"})  # no others: labels are kept for ever

REQUESTS = Histogram(
    "anymask_request_seconds",
    "Time to answer, by route.",
    ("method", "route", "status"),
    buckets=BUCKETS,
)


def observe(method: str, route: str, status: int, seconds: float) -> None:
    """Count one request. `route`: the pattern of its address, empty for none."""
    REQUESTS.labels(method if method in METHODS else "other", route or "none", f"{status // 100}xx").observe(seconds)


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """The exposition, for who knows ANYMASK_METRICS_TOKEN (Authorization: Bearer ...); 404 for everybody else."""
    token = settings.ANYMASK_METRICS_TOKEN
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if not token or not hmac.compare_digest(given.encode(), token.encode()):
        raise Http404
    now = CollectorRegistry()
    now.register(Now())
    return HttpResponse(generate_latest(_requests()) + generate_latest(now), content_type=CONTENT_TYPE_LATEST)


def _requests() -> CollectorRegistry:
    if "PROMETHEUS_MULTIPROC_DIR" not in os.environ:
        return REGISTRY
    registry = CollectorRegistry()
    MultiProcessCollector(registry)
    return registry


class Now(Collector):
    """Gauges that are read from the tables when somebody asks."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        """Jobs, the wait at the head of each queue, workers, leases of tasks, uploads on the way, room on the disk."""
        jobs = GaugeMetricFamily("anymask_jobs", "Jobs that wait or run, and failed ones.", labels=("queue", "state"))
        states = (*Job.OPEN, Job.State.FAILED)
        counted = Job.objects.filter(state__in=states).order_by().values_list("queue", "state")
        found = {(queue, state): count for queue, state, count in counted.annotate(count=Count("pk"))}
        for queue in Job.Queue.values:
            for state in states:
                jobs.add_metric((queue, state), found.get((queue, state), 0))
        yield jobs

        head = GaugeMetricFamily("anymask_job_wait_seconds", "How long the oldest job waits.", labels=("queue",))
        waiting = Job.objects.filter(state=Job.State.QUEUED).order_by().values_list("queue")
        oldest = dict(waiting.annotate(since=Min(Coalesce("queued_at", "created_at"))))
        for queue in Job.Queue.values:
            head.add_metric((queue,), (timezone.now() - oldest[queue]).total_seconds() if queue in oldest else 0)
        yield head

        workers = GaugeMetricFamily("anymask_workers", "Processes alive, by queue.", labels=("queue",))
        alive = pulses.workers_alive()
        serving = Counter(queue for row in alive for queue in row.queues)
        for queue in Job.Queue.values:
            workers.add_metric((queue,), serving[queue])
        yield workers
        clock = any(row.name == pulses.SCHEDULER for row in alive)
        yield GaugeMetricFamily("anymask_scheduler", "1 while the clock gives its pulse.", value=clock)

        held = Task.objects.filter(state=Task.State.CLAIMED, lease_expires_at__gt=timezone.now()).count()
        yield GaugeMetricFamily("anymask_tasks_held", "Images that people hold right now.", value=held)
        on_the_way = Upload.objects.filter(state=Upload.State.RECEIVING).count()
        yield GaugeMetricFamily("anymask_uploads", "Uploads on their way in.", value=on_the_way)
        yield GaugeMetricFamily("anymask_storage_free_bytes", "Room on the disk.", value=storage.free_bytes())
