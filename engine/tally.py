"""Count what people's masks took, each mask once: a mask never changes, so a sum over masks stays true.

Masks are counted in the order of their serials up to a moment ago (a save that is being committed may carry a lower
serial than one that is there); what is newer is summed when it is asked for.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.db.models import Case, Count, F, Func, IntegerField, Q, QuerySet, Sum, TextField, Value, When
from django.db.models.fields.json import KeyTextTransform
from django.db.models.functions import Coalesce, TruncDate
from django.utils import timezone

from annotation.models import Mask, Stage, Task
from engine.models import WorkCursor, WorkTally

CHUNK = 20_000  # serials in one transaction
SETTLED = timedelta(minutes=1)  # a save that takes longer than this from serial to commit would not be counted
FRESH = 50_000  # serials that are summed while somebody waits
KEY = ("dataset", "day", "author", "stage", "model")
SUMS = (
    *("masks", "timed", "seconds", "seconds_squared", "prompted", "prompts", "prompts_squared"),
    *("one_click", "decided", "kept", "corrections"),
)


def work_count(*, chunks: int = 10) -> int:
    """Count the next masks; how many serials are left (0: all that has settled is counted)."""
    settled = Mask.objects.filter(created_at__lt=timezone.now() - SETTLED).order_by("-serial")
    last = settled.values_list("serial", flat=True).first() or 0
    here = 0
    for _ in range(chunks):
        with transaction.atomic():
            WorkCursor.objects.get_or_create(pk=1)
            cursor = WorkCursor.objects.select_for_update().get(pk=1)
            here = cursor.serial
            if here >= last:
                return 0
            upto = min(last, here + CHUNK)
            for row in sums_of(Mask.objects.filter(serial__gt=here, serial__lte=upto)):
                _add(row)
            cursor.serial = here = upto
            cursor.save(update_fields=["serial"])
    return last - here


def _add(row: dict[str, Any]) -> None:
    key = {f"{name}_id" if name in ("dataset", "author") else name: row[name] for name in KEY}
    tally, _ = WorkTally.objects.get_or_create(**key)
    WorkTally.objects.filter(pk=tally.pk).update(**{name: F(name) + row[name] for name in SUMS})


class _Length(Func):
    """Number of items of a JSON list."""

    function = "json_array_length"  # SQLite's name
    output_field = IntegerField()

    def as_postgresql(self, compiler: Any, connection: Any, **context: Any) -> Any:
        """The same of a jsonb column."""
        return self.as_sql(compiler, connection, function="jsonb_array_length", **context)


def sums_of(masks: QuerySet[Mask]) -> Iterator[dict[str, Any]]:
    """Rows with `KEY` and `SUMS` over these masks; those of machines, imports and comparisons are left out."""
    rows = masks.filter(Q(task=None) | ~Q(task__kind__in=Task.APART), created_by__isnull=False)
    rows = rows.exclude(source=Mask.Source.IMPORTED)
    # Undo of a decision takes it back, if it comes before the mask is counted: then nobody has decided.
    of_machine = Q(parent__isnull=False, parent__created_by=None, parent__status_changed_by__isnull=False)
    # Nobody decides on the automatic masks that are left as they are, so those that are changed say nothing of a share.
    prefilled = of_machine & ~Q(parent__stage=Stage.FULLY_AUTOMATIC)
    # Run lengths are long: they are read only where there is something to compare them with.
    before = Case(
        When(of_machine, then=KeyTextTransform("counts", "parent__segmentation")),
        default=None,
        output_field=TextField(),
    )
    now = Case(
        When(of_machine, then=KeyTextTransform("counts", "segmentation")), default=None, output_field=TextField()
    )
    rows = rows.annotate(asked=_Length("prompts"), counts_before=before, counts_now=now)
    same = Q(counts_now=F("counts_before"))
    made = Q(parent=None) | (of_machine & ~same)
    timed = made & Q(seconds__gt=0)
    by_model = made & Q(source__in=[Mask.Source.MODEL, Mask.Source.MODEL_EDITED], asked__gt=0)
    grouped = rows.order_by().values("image__dataset", "created_by", "stage", "model", day=TruncDate("created_at"))
    answer: Any = grouped.annotate(
        sum_masks=Count("pk", filter=made),
        sum_timed=Count("pk", filter=timed),
        sum_seconds=_sum(F("seconds"), timed, 0.0),
        sum_seconds_squared=_sum(F("seconds") * F("seconds"), timed, 0.0),
        sum_prompted=Count("pk", filter=by_model),
        sum_prompts=_sum(F("asked"), by_model, 0),
        sum_prompts_squared=_sum(F("asked") * F("asked"), by_model, 0),
        sum_one_click=Count("pk", filter=Q(parent=None, source=Mask.Source.MODEL, asked=1, edits=0)),
        sum_decided=Count("pk", filter=prefilled),
        sum_kept=Count("pk", filter=prefilled & same),
        sum_corrections=Count("pk", filter=Q(parent__isnull=False) & ~Q(parent__created_by=None)),
    )
    for row in answer:
        key = {"dataset": row["image__dataset"], "day": row["day"], "author": row["created_by"]}
        yield key | {"stage": row["stage"], "model": row["model"]} | {name: row[f"sum_{name}"] for name in SUMS}


def _sum(value: Any, where: Q, empty: float) -> Any:
    return Coalesce(Sum(value, filter=where), Value(empty))


def work_of(dataset_id: int) -> tuple[list[dict[str, Any]], int]:
    """(the sums of a dataset's work so far, with `KEY` and `SUMS`; how many newer serials are left out).

    What is not counted yet is summed now, unless it is so much that a job has to do it first.
    """
    rows = list(WorkTally.objects.filter(dataset=dataset_id).values(*KEY, *SUMS))
    here = WorkCursor.objects.filter(pk=1).values_list("serial", flat=True).first() or 0
    newest = Mask.objects.order_by("-serial").values_list("serial", flat=True).first() or 0
    if newest - here > FRESH:
        return rows, newest - here
    fresh = Mask.objects.filter(serial__gt=here, image__dataset=dataset_id)
    return [*rows, *sums_of(fresh)], 0
