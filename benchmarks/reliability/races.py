"""Questions that many threads of one process ask at once: who gets a task, and how long a write waits for another."""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable
from typing import Any

import numpy as np
from django.contrib.auth.models import User
from django.db import DatabaseError, connection

from annotation.errors import UserError
from annotation.models import Dataset, Image
from annotation.services import masks, tasks
from benchmarks.reliability.annotators import HEIGHT, WIDTH
from modelzoo import rle


def leases(*, dataset: int, first: int, threads: int) -> dict[str, Any]:
    """Threads of as many people that take and finish tasks until none is left: [[task, lease]] that each was given."""
    row = Dataset.objects.get(pk=dataset)
    users = [User.objects.get(username=f"annotator-{first + number}") for number in range(threads)]
    held: list[tuple[int, str]] = []
    troubles: Counter[str] = Counter()
    barrier = threading.Barrier(threads)

    def work(user: User) -> None:
        barrier.wait()
        try:
            while (task := tasks.task_claim_next(dataset=row, user=user)) is not None:
                held.append((task.pk, str(task.lease)))
                assert task.lease is not None
                tasks.task_submit(task=task, lease=task.lease, seconds=1, answer="done")
        except (DatabaseError, UserError) as problem:
            troubles[f"{type(problem).__name__} {problem}"[:80]] += 1
        finally:
            connection.close()

    _in_threads([lambda user=user: work(user) for user in users])
    return {"held": held, "troubles": dict(troubles)}


def writes(*, dataset: int, threads: int, count: int) -> dict[str, Any]:
    """`count` masks saved by `threads`: refusals for a lock, milliseconds of each write, and of SQLite's one write lock
    being held (None: a database that has none)."""
    images = list(Image.objects.filter(dataset=dataset).select_related("dataset")[:threads])
    user = User.objects.get(username="lead")
    body = {"segmentation": dict(rle.encode(_disc(7))), "source": "hand"}
    took: list[float] = []
    held: list[float] = []
    troubles: Counter[str] = Counter()

    def work(image: Image) -> None:
        _time_transactions(held)
        try:
            for _ in range(count // threads):
                started = time.perf_counter()
                try:
                    masks.mask_save(image=image, mask_uuid=uuid.uuid4(), user=user, body=body)
                except DatabaseError as problem:
                    troubles[str(problem)[:80]] += 1
                took.append((time.perf_counter() - started) * 1000)
        finally:
            connection.close()

    _in_threads([lambda image=image: work(image) for image in images])
    took.sort()
    held.sort()
    return {
        "troubles": dict(troubles),
        "writes": len(took),
        "p50": took[len(took) // 2],
        "p99": took[int(len(took) * 0.99)],
        "held": {"p99": held[int(len(held) * 0.99)], "longest": held[-1]} if held else None,
    }


def _time_transactions(held: list[float]) -> None:
    """Note the milliseconds between getting the write lock and giving it back, of this thread's connection."""
    if connection.vendor != "sqlite":
        return
    begin, commit = connection._start_transaction_under_autocommit, connection._commit
    started = [0.0]

    def timed_begin() -> None:
        begin()
        started[0] = time.perf_counter()

    def timed_commit() -> Any:
        answer = commit()
        held.append((time.perf_counter() - started[0]) * 1000)
        return answer

    connection._start_transaction_under_autocommit = timed_begin
    connection._commit = timed_commit


def _disc(radius: float, x: float = 30, y: float = 20) -> Any:
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return (rows - y) ** 2 + (columns - x) ** 2 <= radius**2


def _in_threads(calls: list[Callable[[], None]]) -> None:
    threads = [threading.Thread(target=call) for call in calls]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
