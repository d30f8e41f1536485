"""Questions to an installation, asked from a process of its own that has its settings: one JSON object out.

python -m benchmarks.reliability.inside QUESTION '{"argument": 1}'
python -m benchmarks.reliability.inside serve
"""

from __future__ import annotations

import hashlib
import json
import os
import sys
import tempfile
import time
import uuid
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

if __name__ == "__main__":
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "benchmarks.reliability.settings")
    import django

    django.setup()

from django.contrib.auth.models import User
from django.db import connection, transaction
from django.utils import timezone

from annotation import jobkit, pulses, storage
from annotation.models import Dataset, Image, Job, Mask, Member, Task, split_for
from annotation.services.people import token_create
from benchmarks.reliability import fuzz, races, rounds
from benchmarks.reliability.annotators import HEIGHT, WIDTH


def make(*, images: int, people: int, role: str = "annotator", webhook: str = "") -> dict[str, Any]:
    """A dataset of `images` pictures that share their files, and `people` with tokens, led by `lead`."""
    from annotation.models import Webhook
    from tests.cast import picture

    lead, _ = User.objects.get_or_create(username="lead", defaults={"is_staff": True})
    dataset = Dataset.objects.create(name=f"Trial {uuid.uuid4().hex[:8]}", created_by=lead)
    data = picture(WIDTH, HEIGHT)
    path = f"{storage.image_folder(dataset.pk, hashlib.sha256(data).hexdigest())}/display.jpg"
    storage.write_atomic(path, data)
    rows = []
    for number in range(images):
        sha256 = hashlib.sha256(f"{dataset.pk} {number}".encode()).hexdigest()
        fields = {"width": WIDTH, "height": HEIGHT, "media_type": "image/jpeg", "byte_size": len(data)}
        fields |= {"original_path": path, "display_path": path, "thumbnail_path": path, "created_by": lead}
        rows.append(Image(dataset=dataset, file_name=f"{number}.jpg", sha256=sha256, split=split_for(sha256), **fields))
    made = Image.objects.bulk_create(rows, batch_size=500)
    Task.objects.bulk_create([Task(image=image) for image in made], batch_size=500)
    Member.objects.create(dataset=dataset, user=lead, role="lead")
    if webhook:
        Webhook.objects.create(dataset=dataset, url=webhook, secret="whsec_eA==", events=["mask.saved"])
    tokens = [token_create(user=lead, name="trial")[1]]
    for number in range(people):
        user, _ = User.objects.get_or_create(username=f"annotator-{number}")
        Member.objects.create(dataset=dataset, user=user, role=role)
        tokens.append(token_create(user=user, name="trial")[1])
    return {"dataset": dataset.pk, "images": [image.pk for image in made], "lead": tokens[0], "tokens": tokens[1:]}


def encode_all(*, dataset: int) -> dict[str, int]:
    """Embeddings of every image. The pictures are the same, so one is encoded and its file serves all."""
    from engine.embeddings import image_embed
    from engine.models import Embedding
    from engine.serving import serving_version

    images = list(Image.objects.filter(dataset=dataset))
    first = image_embed(image=images[0], version=serving_version(dataset))
    fields = ("version_id", "path", "layout", "frame", "byte_size")
    same = {name: getattr(first, name) for name in fields}
    Embedding.objects.bulk_create([Embedding(image=image, **same) for image in images[1:]], batch_size=500)
    return {"encoded": len(images)}


def saved() -> dict[str, Any]:
    """What is stored: masks by id with their runs and status, submitted tasks, and whether the database is whole."""
    rows = Mask.objects.values_list("uuid", "segmentation", "status")
    found = {str(key): [segmentation["counts"], status] for key, segmentation, status in rows.iterator()}
    done = list(Task.objects.filter(state="submitted").values_list("pk", flat=True))
    return {"masks": found, "submitted": done, "integrity": _integrity()}


def _integrity() -> str:
    with connection.cursor() as cursor:
        if connection.vendor == "sqlite":
            cursor.execute("PRAGMA integrity_check")
            return str(cursor.fetchone()[0])
        # Reads every row of every table, which fails on a torn page, and every row again by its key.
        for table in (Mask._meta.db_table, Task._meta.db_table, Image._meta.db_table, Job._meta.db_table):
            cursor.execute(f"SELECT count(*) FROM {table}")
            cursor.execute(f"SELECT md5(string_agg(x::text, '')) FROM {table} x")
    return "ok"


def enqueue(*, kind: str, keys: list[str], seconds: float | None = None, pause: float = 0) -> dict[str, int]:
    """Queue a job for each key, as a service does."""
    for key in keys:
        payload: dict[str, Any] = {"key": key} if seconds is None else {"key": key, "seconds": seconds}
        with transaction.atomic():
            jobkit.enqueue(kind, payload)
        time.sleep(pause)
    return {"queued": len(keys)}


def ledger(*, kind: str) -> dict[str, Any]:
    """Jobs of a kind by state, effects and starts by key, the largest number of attempts."""
    from benchmarks.reliability.probe.models import Effect, Start

    jobs = Job.objects.filter(kind=kind)
    states = Counter(jobs.values_list("state", flat=True))
    return {
        "states": dict(states),
        "open": jobs.filter(state__in=Job.OPEN).count(),
        "effects": dict(Counter(Effect.objects.values_list("key", flat=True))),
        "starts": [
            [key, attempt, at.timestamp()] for key, attempt, at in Start.objects.values_list("key", "attempt", "at")
        ],
        "attempts": max(jobs.values_list("attempts", flat=True), default=0),
        "errors": dict(Counter(jobs.values_list("error_code", flat=True))),
        "running": [[row.payload.get("key"), row.attempts] for row in jobs.filter(state="running")],
    }


def alive() -> dict[str, int]:
    """Living workers by queue; a pulse outlives its process for half a minute, so the process is looked for."""
    rows = [row for row in pulses.workers_alive() if Path(f"/proc/{row.name.rpartition('-')[2]}").exists()]
    found = Counter(queue for row in rows for queue in row.queues)
    return {queue: found[queue] for queue in pulses.QUEUES}


def holder(*, key: str) -> dict[str, int]:
    """The process that holds the job with this key; 0 if none does."""
    row = Job.objects.filter(payload__key=key, state="running").first()
    return {"pid": int(row.holder.split()[-2]) if row is not None and row.holder else 0}


def withdraw(*, key: str) -> dict[str, int]:
    """Cancel the open job with this key."""
    rows = list(Job.objects.filter(payload__key=key, state__in=Job.OPEN))
    for row in rows:
        jobkit.cancel(row)
    return {"cancelled": len(rows)}


def effects() -> list[list[Any]]:
    """[[key, attempt]] of every effect."""
    from benchmarks.reliability.probe.models import Effect

    return [list(row) for row in Effect.objects.values_list("key", "attempt")]


def deliveries() -> dict[str, int]:
    """Messages to webhooks that wait, and that were taken."""
    from annotation.models import Delivery

    waiting = Delivery.objects.filter(delivered_at=None).count()
    return {"waiting": waiting, "delivered": Delivery.objects.count() - waiting}


def checkpoints(*, kills: int, seed: int) -> dict[str, int]:
    """A child writes one checkpoint after another into the same place and is killed; what is there is loaded."""
    import random
    import signal

    from modelzoo.build import build
    from modelzoo.checkpoint import load_checkpoint, save_checkpoint

    path, dice, half = storage.root() / "model.safetensors", random.Random(seed), 0
    model = build("anymask_compact")
    save_checkpoint(model, path)
    for _ in range(kills):
        child = os.fork()
        if child == 0:
            while True:
                save_checkpoint(model, path)
        time.sleep(dice.uniform(0.05, 0.5))
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
        try:
            load_checkpoint(path)
        except ValueError:
            half += 1
    return {"kills": kills, "half": half}


def digests() -> dict[str, Any]:
    """Rows and stored files by their digests, to compare two installations."""
    found = {}
    for one in storage.stored("images"):
        with storage.reading(one.path) as file:
            found[one.path] = hashlib.file_digest(file, "sha256").hexdigest()
    rows = {
        str(row.uuid): [row.segmentation["counts"], row.image.sha256] for row in Mask.objects.select_related("image")
    }
    return {"masks": rows, "images": sorted(Image.objects.values_list("sha256", flat=True)), "files": found}


def jobs_of(*, dataset: int, kind: str) -> list[dict[str, Any]]:
    """Jobs of a kind as the ledger has them, oldest first."""
    fields = ("id", "state", "attempts", "error_code", "result")
    rows = Job.objects.filter(dataset=dataset, kind=kind).order_by("created_at").values(*fields)
    return [{**row, "id": str(row["id"])} for row in rows]


def count(*, dataset: int) -> dict[str, int]:
    """Images, masks, and masks that stand twice on an image."""
    drawn = Counter((row.image_id, row.segmentation["counts"]) for row in Mask.objects.filter(image__dataset=dataset))
    doubles = sum(number - 1 for number in drawn.values())
    return {"images": Image.objects.filter(dataset=dataset).count(), "masks": sum(drawn.values()), "doubles": doubles}


def overdue(*, name: str, minutes: int, every: int) -> dict[str, int]:
    """A row of the clock that counts `probe.tick` every so many minutes and was last run long ago."""
    from django_celery_beat.models import IntervalSchedule, PeriodicTask

    schedule, _ = IntervalSchedule.objects.get_or_create(every=every, period=IntervalSchedule.MINUTES)
    last = timezone.now() - timedelta(minutes=minutes)
    row = PeriodicTask.objects.create(
        name=name, task="probe.tick", interval=schedule, queue="interactive", kwargs=json.dumps({"key": name})
    )
    PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=last)
    return {"row": row.pk}


def clock_moved(*, minutes: int) -> dict[str, int]:
    """As if the machine's clock had been set back: what the clock's rows remember lies ahead; how many."""
    from django.db.models import F
    from django_celery_beat.models import PeriodicTask, PeriodicTasks

    rows = PeriodicTask.objects.filter(task="probe.tick", last_run_at__isnull=False)
    moved = rows.update(last_run_at=F("last_run_at") + timedelta(minutes=minutes))
    PeriodicTasks.update_changed()
    return {"rows": moved}


def hostile(*, url: str, token: str, dataset: int, image: int) -> dict[str, int]:
    """The hostile bodies of the tests, sent to every route that takes one: status of each."""
    import requests

    from tests.annotation.test_hostile_requests import BODIES

    task = Task.objects.get(image=image)
    routes = {
        "POST /api/datasets/": "/api/datasets/",
        "PATCH dataset": f"/api/datasets/{dataset}/",
        "PUT mask": f"/api/masks/{uuid.uuid4()}/",
        "POST next": f"/api/datasets/{dataset}/tasks/next/",
        "POST submit": f"/api/tasks/{task.pk}/submit/",
        "POST export": f"/api/datasets/{dataset}/exports/",
        "POST webhook": f"/api/datasets/{dataset}/webhooks/",
        "POST token": "/api/tokens/",
    }
    headers = {"Authorization": f"Token {token}", "Content-Type": "application/json"}
    told = {}
    for route, path in routes.items():
        for name, body in BODIES.items():
            answer = requests.request(route.split()[0], url + path, data=body, headers=headers, timeout=120)
            told[f"{route}: {name}"] = answer.status_code
    return told


def fuzz_masks(*, count: int, seed: int) -> dict[str, Any]:
    """See benchmarks.reliability.fuzz, also for the next three."""
    return fuzz.masks(count=count, seed=seed)


def fuzz_legal(*, count: int, seed: int) -> dict[str, int]:
    """Legal masks."""
    return fuzz.legal(count=count, seed=seed)


def fuzz_archives(*, count: int, seed: int) -> dict[str, Any]:
    """Archives."""
    with tempfile.TemporaryDirectory() as folder:
        return fuzz.archives(count=count, seed=seed, folder=folder)


def fuzz_documents(*, count: int, seed: int) -> dict[str, Any]:
    """Documents."""
    with tempfile.TemporaryDirectory() as folder:
        return fuzz.documents(count=count, seed=seed, folder=folder)


QUESTIONS: dict[str, Callable[..., Any]] = {
    function.__name__: function
    for function in (
        *(make, encode_all, saved, enqueue, ledger, alive, holder, withdraw, effects, deliveries, checkpoints),
        *(races.leases, races.writes, rounds.round_trips, digests, hostile, jobs_of, count, overdue, clock_moved),
        *(fuzz_masks, fuzz_legal, fuzz_archives, fuzz_documents),
    )
}


def serve() -> None:
    """Answer one question a line as long as somebody asks: [question, arguments] -> [answer] or {"error": text}."""
    for line in sys.stdin:
        question, arguments = json.loads(line)
        try:
            told: Any = [QUESTIONS[question](**arguments)]
        except Exception as problem:
            told = {"error": f"{question}: {type(problem).__name__}: {problem}"[:2000]}
        finally:
            connection.close()
        print(json.dumps(told), flush=True)


if __name__ == "__main__":
    if sys.argv[1:] == ["serve"]:
        serve()
    else:
        print(json.dumps(QUESTIONS[sys.argv[1]](**json.loads(sys.argv[2]))))
