"""Masks that were written, read again: each must be legal and have the area and the box that are told of it."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import islice
from typing import Any

from annotation.formats.manifest import VerifyError
from annotation.formats.source import measured_masks
from modelzoo import rle

TOGETHER = 1000  # masks of one image that are in memory


def verify_masks(rows: Iterable[dict[str, Any]], height: int, width: int, place: str = "") -> int:
    """Check masks of one image and return their number; rows have `id`, `segmentation`, `area` and `bbox`.

    Raises VerifyError at the first that differs; `place` is where it stands.
    """
    number = 0
    waiting = iter(rows)
    while batch := list(islice(waiting, TOGETHER)):
        found = measured_masks([row["segmentation"] for row in batch], height, width)
        for row, read in zip(batch, found, strict=True):
            name = f"{place}mask {row['id']}"
            if isinstance(read, rle.RLEError):
                raise VerifyError(f"{name}: {read}")
            if (read.area, read.bbox) != (row["area"], row["bbox"]):
                raise VerifyError(f"{name}: area or box differ")
        number += len(batch)
    return number
