"""Figures of a dataset that pages show at once; of a large one they are counted by a job (annotation.counts)."""

from __future__ import annotations

import time
from typing import Any

from django.utils import timezone

from annotation import selectors
from annotation.counts import count_all, figure
from annotation.exported import ExportFilter, export_choices, export_size
from annotation.jobcontext import JobContext
from annotation.models import Dataset, Figures

CATEGORIES = 1000


@figure("categories")
def categories(dataset_id: int) -> list[dict[str, Any]]:
    """Names in use, the most used first: [{"name", "masks"}]."""
    return selectors.categories_of(Dataset.objects.get(pk=dataset_id), CATEGORIES)


@figure("choices")
def choices(dataset_id: int) -> dict[str, list[dict[str, Any]]]:
    """What an export can be filtered by (annotation.exported.export_choices)."""
    return export_choices(Dataset.objects.get(pk=dataset_id))


@figure("size")
def size_of_everything(dataset_id: int) -> dict[str, int]:
    """{"images", "masks"} of an export without filters."""
    return export_size(Dataset.objects.get(pk=dataset_id), ExportFilter())


def size_of(dataset: Dataset, chosen: ExportFilter) -> dict[str, int]:
    """{"images", "masks"} of an export; with filters it is counted now."""
    return size_of_everything(dataset.pk) if chosen == ExportFilter() else export_size(dataset, chosen)


def figures_count(*, ctx: JobContext, dataset_id: int) -> dict[str, Any]:
    """Count every figure of a dataset anew; one that has become small keeps none. The job's result."""
    began, start = timezone.now(), time.monotonic()
    values = count_all(dataset_id, ctx.progress)
    seconds = round(time.monotonic() - start, 3)
    with ctx.fenced():
        if values:
            defaults = {"values": values, "counted_at": began, "seconds": seconds}
            Figures.objects.update_or_create(dataset_id=dataset_id, defaults=defaults)
        else:
            Figures.objects.filter(dataset=dataset_id).delete()
    return {"figures": len(values), "seconds": seconds}
