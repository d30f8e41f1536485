"""How much a dataset holds, without reading millions of rows at every look.

A figure is a function of a dataset's id, marked with `@figure`. Of small datasets it is counted at every call. Of large
ones (`LARGE` images and masks) it says what a job counted last, and a look at what has become old queues that job: a
page never waits for it, and says how old its figures are (`counted_at`). That a dataset is large, or its figures are
old, is seen where its head is shown (`counts_of`), which every page does.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, TypeVar, cast

from django.db import transaction
from django.db.models import Count, Exists, OuterRef, QuerySet
from django.utils import timezone

from annotation import jobkit
from annotation.models import Dataset, Figures, Image, Job, Mask, Task

COUNT = jobkit.declare("count_figures", queue="batch", title="Count a large dataset", lease=120, time_limit=3600)
LARGE = 200_000  # images and masks together, from which figures are kept
KEPT = 20  # times as long as counting took: it may take a twentieth of one core while people look
LONGEST = 600  # seconds after which figures are old, however long counting took
HOLDS = "holds"

Value = TypeVar("Value")

_figures: dict[str, Callable[[int], Any]] = {}


def figure(name: str) -> Callable[[Callable[[int], Value]], Callable[[int], Value]]:
    """Mark a function of a dataset's id as a figure. What it returns goes through JSON: lists, and text as keys."""

    def bind(count: Callable[[int], Value]) -> Callable[[int], Value]:
        _figures[name] = count

        @wraps(count)
        def told(dataset_id: int) -> Value:
            row = Figures.objects.filter(dataset=dataset_id).first()
            if row is None:
                return count(dataset_id)
            if name not in row.values:
                _keep(dataset_id, name, count(dataset_id))
                row.refresh_from_db()
            return cast(Value, row.values[name])

        return told

    return bind


def counts_of(datasets: Iterable[int]) -> dict[int, dict[str, Any]]:
    """By dataset id: {"images", "masks" (accepted), "gold" (gold images with masks), "tasks": {state: number},
    "counted_at": when, null for now}."""
    ids = list(datasets)
    rows = {row.dataset_id: row for row in Figures.objects.filter(dataset__in=ids)}
    missing = [pk for pk in ids if pk not in rows]
    fresh = _ask(missing) if missing else {}
    for pk, found in fresh.items():
        if found["images"] + found["masks"] > LARGE:
            _keep(pk, HOLDS, found)
            _request(pk)
    for row in rows.values():
        if is_old(row):
            _request(row.dataset_id)
    kept = {pk: row.values[HOLDS] | {"counted_at": row.counted_at} for pk, row in rows.items()}
    return kept | {pk: {**found, "counted_at": None} for pk, found in fresh.items()}


def is_old(row: Figures) -> bool:
    """Whether the figures are to be counted anew once somebody looks at them."""
    return timezone.now() - row.counted_at > timedelta(seconds=min(LONGEST, max(1.0, row.seconds * KEPT)))


def counted_at(dataset_id: int) -> datetime | None:
    """When the figures of a large dataset were counted; None for a small one: they are of now."""
    return Figures.objects.filter(dataset=dataset_id).values_list("counted_at", flat=True).first()


def count_all(dataset_id: int, progress: Callable[[float, str], None]) -> dict[str, Any]:
    """Every figure of a dataset, counted now: {name: value}; nothing of one that is not large."""
    found = _ask([dataset_id])[dataset_id]
    if found["images"] + found["masks"] <= LARGE:
        return {}
    values: dict[str, Any] = {HOLDS: found}
    for place, (name, count) in enumerate(_figures.items()):
        progress(place / len(_figures), name)
        values[name] = count(dataset_id)
    return values


def _request(dataset_id: int) -> None:
    dataset = Dataset.objects.filter(pk=dataset_id).first()
    lately = timezone.now() - timedelta(seconds=LONGEST)
    in_vain = Job.objects.filter(dataset=dataset_id, kind=COUNT.name, state=Job.State.FAILED, finished_at__gt=lately)
    if dataset is not None and not in_vain.exists():
        jobkit.enqueue(COUNT.name, {"dataset_id": dataset_id}, dataset=dataset, dedupe_key=str(dataset_id))


def _keep(dataset_id: int, name: str, value: Any) -> None:
    """What was counted while somebody waited stands until the job has counted all."""
    with transaction.atomic():
        if not Dataset.objects.filter(pk=dataset_id).exists():
            return
        Figures.objects.get_or_create(dataset_id=dataset_id, defaults={"counted_at": timezone.now()})
        row = Figures.objects.select_for_update().get(dataset=dataset_id)
        row.values[name] = value
        row.save(update_fields=["values"])


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
