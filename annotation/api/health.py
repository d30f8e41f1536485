"""Without sign-in and without secrets: GET /healthz, does everything that this installation needs answer? GET /readyz,
may this process be sent requests?"""

from __future__ import annotations

import logging
import threading
import time
from typing import Any

from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.http import HttpRequest, JsonResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe

from annotation import object_store, ports, pulses, storage

logger = logging.getLogger(__name__)
_started = time.monotonic()
STARTING_SECONDS = 90


@require_safe
@never_cache
def healthz(request: HttpRequest) -> JsonResponse:
    """{status, database, storage, workers, scheduler, ...}: 200, or 503 if the database or the storage is away.

    `status` is the worst of its parts: ok, starting (workers may still come up) or degraded.
    """
    parts: dict[str, dict[str, Any]] = {"database": _database(), "storage": _storage()}
    usable = all(part["status"] == "ok" for part in parts.values())
    if usable:
        parts |= _workers() | _object_store()
        for name, look in ports.health_parts().items():
            try:
                parts[name] = look()
            except Exception:
                logger.exception("health part %s failed", name)
                parts[name] = {"status": "degraded"}
    states = {part["status"] for part in parts.values()}
    worst = next(state for state in ("degraded", "starting", "ok") if state in states)
    return JsonResponse({"status": worst, **parts}, status=200 if usable else 503)


@require_safe
@never_cache
def readyz(request: HttpRequest) -> JsonResponse:
    """200 once this web process can do its work: database, its tables up to date, storage; else 503."""
    parts = {"database": _database(), "storage": _storage()}
    if parts["database"]["status"] == "ok":
        parts["migrations"] = {"status": "ok" if _migrated() else "starting"}
    ready = all(part["status"] == "ok" for part in parts.values())
    return JsonResponse({"status": "ok" if ready else "starting", **parts}, status=200 if ready else 503)


_up_to_date = threading.Event()  # tables do not go back while a process lives


def _migrated() -> bool:
    if not _up_to_date.is_set():
        executor = MigrationExecutor(connection)
        if not executor.migration_plan(executor.loader.graph.leaf_nodes()):
            _up_to_date.set()
    return _up_to_date.is_set()


def _database() -> dict[str, Any]:
    try:
        with connection.cursor() as cursor:
            cursor.execute("SELECT 1")
            cursor.fetchone()
    except DatabaseError:
        logger.exception("the database does not answer")
        return {"status": "degraded"}
    return {"status": "ok", "vendor": connection.vendor}


def _storage() -> dict[str, Any]:
    return {"status": "ok" if storage.is_writable() else "degraded"}


def _object_store() -> dict[str, dict[str, Any]]:
    """Not asked for by readyz: without it masks are still saved, and pictures that are on this disk still shown."""
    if not object_store.is_used():
        return {}
    return {"object_store": {"status": "ok" if object_store.answers() else "degraded"}}


def _workers() -> dict[str, dict[str, Any]]:
    absent = "starting" if time.monotonic() - _started < STARTING_SECONDS else "degraded"
    alive = pulses.workers_alive()
    workers = [row for row in alive if row.name != pulses.SCHEDULER]
    queues = sorted({queue for row in workers for queue in row.queues})
    missing = sorted(set(pulses.QUEUES) - set(queues))
    return {
        "workers": {"status": absent if missing else "ok", "count": len(workers), "queues": queues},
        "scheduler": {"status": "ok" if len(workers) < len(alive) else absent},
    }
