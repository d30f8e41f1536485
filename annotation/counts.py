"""How much a dataset holds, without reading a million rows at every look.

A handful of grouped queries answer for all asked datasets. Of large ones the answer is kept for as long as fifty times
the asking took, ten minutes at the most: of small datasets every mask is seen at once, of large ones soon.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from django.core.cache import cache
from django.db.models import Count, Exists, OuterRef, QuerySet

from annotation.models import Image, Mask, Task

T = TypeVar("T")
LARGE = 200_000  # images and masks together, from which an answer is kept
KEPT = 50  # times as long as it took
LONGEST = 600  # seconds


def counts_of(datasets: Iterable[int]) -> dict[int, dict[str, Any]]:
    """By dataset id: {"images", "masks" (accepted), "gold" (gold images with masks), "tasks": {state: number}}."""
    ids = list(datasets)
    if not ids:
        return {}
    known = cache.get_many([_key(pk) for pk in ids])
    found = {pk: known[_key(pk)] for pk in ids if _key(pk) in known}
    missing = [pk for pk in ids if pk not in found]
    if not missing:
        return found
    start = time.monotonic()
    fresh = _ask(missing)
    took = time.monotonic() - start
    large = {_key(pk): row for pk, row in fresh.items() if row["images"] + row["masks"] > LARGE}
    if large:
        cache.set_many(large, timeout=int(min(LONGEST, max(1, took * KEPT))))
    return found | fresh


def kept(name: str, dataset: int, ask: Callable[[], T]) -> T:
    """What `ask` says of a dataset; of a large one as of a while ago. `name` says what is asked, None is not kept."""
    held = counts_of([dataset])[dataset]
    if held["images"] + held["masks"] <= LARGE:
        return ask()
    key = f"{name}-{dataset}"
    answer: T | None = cache.get(key)
    if answer is None:
        start = time.monotonic()
        answer = ask()
        cache.set(key, answer, timeout=int(min(LONGEST, max(1, (time.monotonic() - start) * KEPT))))
    return answer


def _key(dataset: int) -> str:
    return f"counts-{dataset}"


def _ask(ids: list[int]) -> dict[int, dict[str, Any]]:
    accepted = Mask.objects.filter(status=Mask.Status.ACCEPTED)
    images = Image.objects.filter(dataset__in=ids)
    gold = images.filter(Exists(accepted.filter(image=OuterRef("pk"))), gold=True)
    tasks = Task.objects.filter(image__dataset__in=ids, kind=Task.Kind.ANNOTATE).order_by()
    by_image = _by(images, "dataset")
    by_gold = _by(gold, "dataset")
    by_mask = _by(accepted.filter(image__dataset__in=ids), "image__dataset")
    states: dict[int, dict[str, int]] = {pk: dict.fromkeys(Task.State.values, 0) for pk in ids}
    for pk, state, number in tasks.values_list("image__dataset", "state").annotate(n=Count("pk")):
        states[pk][state] = number
    return {
        pk: {
            "images": by_image.get(pk, 0),
            "masks": by_mask.get(pk, 0),
            "gold": by_gold.get(pk, 0),
            "tasks": states[pk],
        }
        for pk in ids
    }


def _by(rows: QuerySet[Any], field: str) -> dict[int, int]:
    return dict(rows.order_by().values_list(field).annotate(n=Count("pk")))
