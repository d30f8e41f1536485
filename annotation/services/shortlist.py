"""The tasks that come first in a large dataset's order, kept for a moment by each process.

The orders *random* and *where the model is least sure* read every open task, seconds with a million of them. So of a
large dataset (annotation.counts) the first ones are found once and asked among for a while: who comes next is offered
what was first up to `FRESH` seconds ago, if it is still free and theirs to do.
"""

from __future__ import annotations

import time
from collections.abc import Callable

from annotation.models import Dataset, Figures, QueueOrder

LENGTH = 1000
FRESH = 60.0  # seconds
READING_ALL = (QueueOrder.RANDOM, QueueOrder.UNCERTAINTY)

_kept: dict[tuple[int, str, int, str], tuple[float, list[int]]] = {}


def is_needed(dataset: Dataset) -> bool:
    """Whether asking for the first in this order would read more than a page should wait for."""
    return dataset.queue_order in READING_ALL and Figures.objects.filter(dataset=dataset).exists()


def shortlist(dataset: Dataset, kind: str, find: Callable[[], list[int]], *, anew: bool = False) -> list[int]:
    """Ids of the first open tasks of a kind: those that are kept, or what `find` says now. `anew`: in any case."""
    key = (dataset.pk, dataset.queue_order, dataset.queue_seed, kind)
    found_at, ids = _kept.get(key, (0.0, []))
    if anew or not ids or time.monotonic() - found_at > FRESH:
        ids = find()
        _kept[key] = (time.monotonic(), ids)
    return ids


def forget() -> None:
    """What is kept."""
    _kept.clear()
