"""Masks painted over one another into one map of values."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from modelzoo import rle


def painted_values(
    size: tuple[int, int],
    segmentations: Sequence[rle.RLE],
    boxes: Sequence[Sequence[int]],
    values: Sequence[int],
    dtype: type,
) -> NDArray[Any]:
    """A map (H, W): each mask's pixels get its value, everything else 0. `boxes` are those of the masks.

    Larger masks are painted first, so that of two that overlap the smaller one is seen (equal ones: the later).
    """
    canvas: NDArray[Any] = np.zeros(size, dtype)
    inside = [rle.decode_box(one, box) for one, box in zip(segmentations, boxes, strict=True)]
    areas = [int(np.count_nonzero(one)) for one in inside]
    for place in sorted(range(len(inside)), key=lambda one: (-areas[one], one)):
        x, y, w, h = boxes[place]
        canvas[y : y + h, x : x + w][inside[place]] = values[place]
    return canvas
