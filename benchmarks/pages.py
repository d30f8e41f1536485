"""How long the pages of a large dataset wait for their data, and the queue for its next image, on PostgreSQL.

Each request goes through all of Django, in this process: no network, no browser. "First" is the first time of all,
with nothing in any cache; the figure is the median of the next ones.

    python -m benchmarks.pages 100000 10000000                     a database of its own, thrown away afterwards
    python -m benchmarks.pages 100000 10000000 postgres://...      one that stays: filled once, measured every time
    python -m benchmarks.pages queue 1000 10000 100000 1000000     next image by number of images
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from benchmarks.postgres import binaries, temporary_postgres

if TYPE_CHECKING:
    from benchmarks.measure import Row

IMAGES, MASKS = 5_000, 200_000  # of `make bench`
QUEUES = (1_000, 10_000)
RUNS = 5
ORDERS = ("oldest", "newest", "random", "uncertainty")
# Page -> what it asks for before it shows something. {d}: the dataset, {i}: an image in its middle, {m}: a mask on it.
PAGES: dict[str, list[str]] = {
    "home": ["datasets/", "waiting/"],
    "dataset": ["datasets/{d}/", "datasets/{d}/loop/"],
    "images": ["datasets/{d}/images/", "datasets/{d}/uploads/"],
    "images, filtered": ["datasets/{d}/images/?state=open", "datasets/{d}/images/?state=skipped&stage=assisted"],
    "stages": ["datasets/{d}/stages/"],
    "model": ["datasets/{d}/training-runs/", "datasets/{d}/models/", "datasets/{d}/retraining/"],
    "statistics": ["datasets/{d}/statistics/"],
    "quality": ["datasets/{d}/agreement/", "datasets/{d}/audits/"],
    "review": ["datasets/{d}/reviews/", "datasets/{d}/feedback/"],
    "proof": ["datasets/{d}/proof/"],
    "people": ["datasets/{d}/members/", "datasets/{d}/invitations/"],
    "log": ["datasets/{d}/events/", "datasets/{d}/events/?subject=mask"],
    "jobs": ["datasets/{d}/jobs/", "datasets/{d}/jobs/?state=failed"],
    "export": ["datasets/{d}/export-choices/", "datasets/{d}/versions/", "formats/"],
    "editor": ["images/{i}/", "images/{i}/changes/", "datasets/{d}/categories/"],
    "mask": ["masks/{m}/", "masks/{m}/history/", "masks/{m}/provenance/"],
}


def rows() -> list[Row]:
    """For `make bench`: the slowest request of each page, and the next image, at sizes of seconds."""
    from benchmarks.measure import Row

    if binaries() is None:
        print("PostgreSQL is not installed: no figures of large datasets.", file=sys.stderr)
        return []
    found = []
    told = _child("pages", str(IMAGES), str(MASKS))
    by_page: dict[str, list[dict[str, Any]]] = {}
    for one in told:
        by_page.setdefault(one["page"], []).append(one)
    for page, requests in by_page.items():
        worst = max(requests, key=lambda one: one["ms"])
        note = f"{worst['queries']} queries, first {worst['first_ms']:.0f} ms"
        name = f"page {page}, {IMAGES:,} images, {MASKS:,} masks"
        found.append(Row(name, worst["ms"], "ms", worst["best_ms"], RUNS, note))
    for one in _child("queue", *map(str, QUEUES)):
        name = f"next image, {one['order']}, {one['images']:,} images"
        found.append(Row(name, one["ms"], "ms", one["best_ms"], RUNS))
    return found


def _child(what: str, *sizes: str, database: str = "") -> list[dict[str, Any]]:
    """Run this module in a process of its own, against `database` or one that is thrown away."""
    if not database:
        with temporary_postgres() as address:
            return _child(what, *sizes, database=address)
    with tempfile.TemporaryDirectory(prefix="anymask-bench-") as folder:
        environment = {**os.environ, "ANYMASK_DATA": folder, "DATABASE_URL": database, "LOG_LEVEL": "ERROR"}
        environment["DJANGO_SETTINGS_MODULE"] = "config.settings"
        command = [sys.executable, "-m", "benchmarks.pages", "inside", what, *sizes]
        done = subprocess.run(command, env=environment, stdout=subprocess.PIPE, text=True, check=True)
    return list(json.loads(done.stdout.splitlines()[-1]))


def measure_pages(images: int, masks: int) -> list[dict[str, Any]]:
    """Every request of every page, as its lead: [{"page", "request", "first_ms", "ms", "best_ms", "queries"}]."""
    from django.core.cache import cache

    from annotation.models import Dataset
    from benchmarks import large

    dataset = Dataset.objects.filter(name=large.NAME).first() or large.fill(images, masks)
    cache.clear()
    image = dataset.images.order_by("pk")[images // 2]
    mask = image.masks.filter(created_by__isnull=False).order_by("serial").first()
    names = {"d": dataset.pk, "i": image.pk, "m": mask.uuid if mask else ""}
    get = _client("ana").get
    get("/api/session/")  # the first request of a process imports half of the product
    found = [_counted(get, dataset)]
    for page, requests in PAGES.items():
        for request in requests:
            address = "/api/" + request.format(**names)
            first, queries = _once(get, address)
            times = [_once(get, address)[0] for _ in range(RUNS)]
            found.append(
                {"page": page, "request": request, "first_ms": round(first, 1), "queries": queries}
                | {"ms": round(statistics.median(times), 1), "best_ms": round(min(times), 1)}
            )
            print(f"{page:18} {request:45} {found[-1]['first_ms']:>9} {found[-1]['ms']:>9} ms", file=sys.stderr)
    return found


def _counted(get: Any, dataset: Any) -> dict[str, Any]:
    """The very first look at a dataset, and then what the worker does because of it: it counts every figure."""
    from annotation import jobkit, jobs  # noqa: F401  the jobs are bound where they are imported
    from annotation.models import Figures
    from engine import jobs as more_jobs  # noqa: F401  the same

    Figures.objects.filter(dataset=dataset).delete()
    first, queries = _once(get, f"/api/datasets/{dataset.pk}/")
    jobkit.run_pending(dataset=dataset)
    seconds = Figures.objects.filter(dataset=dataset).values_list("seconds", flat=True).first() or 0.0
    print(f"first look {first / 1000:.1f} s, the job then counts for {seconds:.1f} s", file=sys.stderr)
    told = {"page": "the job that counts", "request": "", "first_ms": round(first, 1), "queries": queries}
    return told | {"ms": round(seconds * 1000, 1), "best_ms": round(seconds * 1000, 1)}


def measure_queue(*sizes: int) -> list[dict[str, Any]]:
    """The next image in each order, every time for another annotator: [{"images", "order", "ms", "best_ms"}]."""
    from annotation.models import Dataset
    from benchmarks import large

    found = []
    for size in sizes:
        name = f"Queue of {size}"
        dataset = Dataset.objects.filter(name=name).first() or large.fill(size, 0, name)
        _counted(_client("ana").get, dataset)  # somebody has looked at it before
        annotators = iter(range(large.ANNOTATORS))
        for order in ORDERS:
            Dataset.objects.filter(pk=dataset.pk).update(queue_order=order)
            address = f"/api/datasets/{dataset.pk}/tasks/next/"
            clients = [_client(f"annotator{next(annotators)}") for _ in range(RUNS + 1)]
            times = [_once(client.post, address)[0] for client in clients][1:]
            found.append({"images": size, "order": order} | {"ms": round(statistics.median(times), 1)})
            found[-1]["best_ms"] = round(min(times), 1)
            print(f"{size:>9} images, {order:12} {found[-1]['ms']:>9} ms", file=sys.stderr)
    return found


def _client(name: str) -> Any:
    from django.contrib.auth import get_user_model
    from rest_framework.test import APIClient

    client = APIClient()
    client.force_login(get_user_model().objects.get(username=name))
    return client


def _once(call: Any, address: str) -> tuple[float, int]:
    """(milliseconds, queries) of one request; it has to be answered well."""
    from django.db import connection
    from django.test.utils import CaptureQueriesContext

    with CaptureQueriesContext(connection) as queries:
        started = time.perf_counter()
        answer = call(address)
        took = (time.perf_counter() - started) * 1000
    if answer.status_code not in (200, 204):
        raise RuntimeError(f"{address}: {answer.status_code} {answer.content[:500]!r}")
    return took, len(queries)


def main() -> None:
    """From the command line; `inside` is the child process with the settings of the product."""
    words = sys.argv[1:]
    if words[:1] == ["inside"]:
        import django

        django.setup()
        from django.conf import settings
        from django.core.management import call_command

        call_command("migrate", verbosity=0)
        settings.ALLOWED_HOSTS = ["testserver"]
        suites: dict[str, Callable[..., list[dict[str, Any]]]] = {"pages": measure_pages, "queue": measure_queue}
        print(json.dumps(suites[words[1]](*map(int, words[2:]))))
        return
    what = words.pop(0) if words[:1] in (["queue"], ["pages"]) else "pages"
    database = words.pop() if words and not words[-1].isdigit() else ""
    _child(what, *words, database=database)


if __name__ == "__main__":
    main()
