"""Who is offered what next: the order a lead chose, and the tasks a person may do at all."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial, reduce
from operator import or_
from typing import Any

from django.db.models import Exists, F, OuterRef, Q, QuerySet, Value
from django.db.models.functions import Substr

from annotation.models import Dataset, Mask, QueueOrder, ReviewItem, Task
from annotation.services.shortlist import LENGTH, is_needed, shortlist

Kind = Task.Kind
DIGITS = 16  # of the picture's digest that make its place in a random order


def in_order(tasks: QuerySet[Task], dataset: Dataset, kind: str = Kind.ANNOTATE) -> QuerySet[Task]:
    """Tasks of a dataset, those with priority first, then as its lead chose; reviews where the model disagrees most.

    Random: by 16 hexadecimal digits of the picture's SHA-256 from the place that the seed names. Pictures that are
    added find their place among the others, and the same seed gives the same order everywhere.
    """
    if kind == Kind.REVIEW:
        return tasks.order_by("-priority", F("disagreement").desc(nulls_last=True), "id")
    if dataset.queue_order == QueueOrder.NEWEST:
        return tasks.order_by("-priority", "-image_id", "id")
    if dataset.queue_order == QueueOrder.RANDOM:
        place = Substr("image__sha256", Value(1 + dataset.queue_seed % Dataset.SEEDS), Value(DIGITS))
        return tasks.order_by("-priority", place, "id")
    if dataset.queue_order == QueueOrder.UNCERTAINTY:
        # What no model has looked at yet comes last: it will have its place soon.
        return tasks.order_by("-priority", F("image__uncertainty").desc(nulls_last=True), "id")
    return tasks.order_by("-priority", "id")


def first_of(dataset: Dataset, kinds: Mapping[str, Q], free: list[Q], limit: int) -> list[Task]:
    """The first `limit` tasks that the filter of their kind and one of `free` hold for, in order; only `pk` and
    `image_id` are read. In a large dataset's slow order, of those that came first a moment ago while there are any.
    """
    if is_needed(dataset):
        for anew in (False, True):
            among = {
                kind: Q(pk__in=shortlist(dataset, kind, partial(_open, dataset, kind), anew=anew)) for kind in kinds
            }
            found = _first(dataset, {kind: may & among[kind] for kind, may in kinds.items()}, free, limit)
            if found:
                return found
    return _first(dataset, kinds, free, limit)


def _first(dataset: Dataset, kinds: Mapping[str, Q], free: list[Q], limit: int) -> list[Task]:
    """As `first_of`, of all tasks.

    Each kind and condition is asked by itself: then a query walks an index from its beginning and stops, where one with
    OR would read and sort everything that is open. Where only one of them finds something, that is in order already.
    """
    tasks = Task.objects.filter(image__dataset=dataset)
    asked = [
        in_order(tasks.filter(may, condition, kind=kind), dataset, kind)
        for kind, may in kinds.items()
        for condition in free
    ]
    found = [rows for rows in (list(rows.only("pk", "image_id")[:limit]) for rows in asked) if rows]
    if len(found) < 2:
        return found[0] if found else []
    first = Kind.REVIEW if list(kinds) == [Kind.REVIEW] else Kind.ANNOTATE
    ids = [task.pk for rows in found for task in rows]
    return list(in_order(Task.objects.filter(pk__in=ids), dataset, first).only("pk", "image_id")[:limit])


def _open(dataset: Dataset, kind: str) -> list[int]:
    """Ids of the open tasks of a kind that come first."""
    tasks = Task.objects.filter(image__dataset=dataset, kind=kind, state=Task.State.OPEN)
    return list(in_order(tasks, dataset, kind).values_list("pk", flat=True)[:LENGTH])


def open_to(user: Any) -> Q:
    """Filter for the tasks that this person may do, of all kinds."""
    return any_of(ways_open_to(user))


def any_of(kinds: Mapping[str, Q]) -> Q:
    """One filter for tasks that the filter of their kind holds for."""
    return reduce(or_, (Q(kind=kind) & way for kind, way in kinds.items()))


def ways_open_to(user: Any) -> dict[str, Q]:
    """Of each kind of task, a filter for those that this person may do.

    A second look, by audit or as the second of two, is for those who made no mask on the image and did not finish its
    labelling; a review for those who did neither label it, answer an earlier review nor make a mask that it looks at.
    A training task is its trainee's alone, returned work its maker's while they are here.
    """
    made = Mask.objects.filter(image=OuterRef("image"), created_by=user).exclude(task=OuterRef("pk"))
    done = Task.objects.filter(image=OuterRef("image"), submitted_by=user)
    finished = done.filter(kind=Kind.ANNOTATE)
    worked = done.filter(kind__in=[Kind.ANNOTATE, Kind.RETURNED])
    second = ~Exists(made) & ~Exists(finished)
    own = ReviewItem.objects.filter(task=OuterRef("pk"), mask__created_by=user)
    return {
        Kind.ANNOTATE: Q(),
        Kind.AUDIT: second,
        Kind.OVERLAP: second,
        Kind.REVIEW: ~Exists(worked) & ~Exists(own),
        Kind.TRAINING: Q(assignee=user),
        Kind.RETURNED: Q(assignee=user) | Q(assignee=None),
    }


def overlap_due(dataset: Dataset, sha256: str) -> bool:
    """Whether a second person masks this image too: by other digits of its digest than the split."""
    return int(sha256[8:16], 16) / 2**32 < dataset.overlap_share
