"""The one click simulator: training, evaluation and replay all ask it where a person would click next.

All coordinates are (x, y) in the pixels of the arrays given; callers that work on a coarser grid scale them.
"""

from __future__ import annotations

from typing import Literal

import numpy as np
from scipy import ndimage

Rule = Literal["centre", "uniform"]


def innermost_point(region: np.ndarray) -> tuple[int, int]:
    """(x, y) of the pixel of a bool H x W region furthest from its border (the picture's edge counts as border)."""
    x, y, _ = deepest(region)
    return x, y


def deepest(region: np.ndarray) -> tuple[int, int, float]:
    """(x, y, depth) of the innermost pixel of a bool H x W region; depth 0 where the region is empty.

    Only the region's own rectangle is looked at: what lies outside it is not region, so the distances are the same.
    """
    rows, columns = np.flatnonzero(region.any(1)), np.flatnonzero(region.any(0))
    if not rows.size:
        return 0, 0, 0.0
    top, left = int(rows[0]), int(columns[0])
    inner = np.pad(region[top : rows[-1] + 1, left : columns[-1] + 1], 1)
    distance = ndimage.distance_transform_edt(inner)[1:-1, 1:-1]
    y, x = np.unravel_index(int(distance.argmax()), distance.shape)
    return left + int(x), top + int(y), float(distance[y, x])


def uniform_point(region: np.ndarray, random: np.random.Generator) -> tuple[int, int]:
    """(x, y) of a pixel of a bool H x W region, each equally likely."""
    flat = np.flatnonzero(region)
    y, x = divmod(int(flat[random.integers(flat.size)]), region.shape[1])
    return x, y


def first_click(target: np.ndarray, rule: Rule, random: np.random.Generator) -> tuple[int, int, int]:
    """A positive click on a non-empty bool H x W target: (x, y, 1)."""
    x, y = innermost_point(target) if rule == "centre" else uniform_point(target, random)
    return x, y, 1


def corrective_click(
    target: np.ndarray, predicted: np.ndarray, rule: Rule, random: np.random.Generator
) -> tuple[int, int, int] | None:
    """The next click on the difference of two bool H x W masks: (x, y, label), or None where they are equal.

    "centre": the middle of the thickest error, missed or extra, as in RITM and SAM's evaluation; label 1 where
    something is missed. "uniform": any pixel of the error region, as in SAM's training (paper appendix A).
    """
    missed, extra = target & ~predicted, predicted & ~target
    if not missed.any() and not extra.any():
        return None
    if rule == "uniform":
        x, y = uniform_point(missed | extra, random)
        return x, y, int(missed[y, x])
    missed_x, missed_y, missed_depth = deepest(missed)
    extra_x, extra_y, extra_depth = deepest(extra)
    return (missed_x, missed_y, 1) if missed_depth > extra_depth else (extra_x, extra_y, 0)


def tight_box(target: np.ndarray) -> tuple[float, float, float, float]:
    """x0, y0, x1, y1 of a non-empty bool H x W mask; x1 and y1 lie behind the last pixel."""
    columns, rows = np.flatnonzero(target.any(0)), np.flatnonzero(target.any(1))
    return float(columns[0]), float(rows[0]), float(columns[-1] + 1), float(rows[-1] + 1)


def noisy_box(
    target: np.ndarray, random: np.random.Generator, share: float = 0.1, most: float = 20.0
) -> tuple[float, float, float, float]:
    """A tight box with each side moved by at most `share` of its length and `most` pixels (as SAM 2 trains)."""
    x0, y0, x1, y1 = tight_box(target)
    reach_x, reach_y = min(share * (x1 - x0), most), min(share * (y1 - y0), most)
    height, width = target.shape
    moved = np.array([x0, y0, x1, y1]) + random.uniform(-1, 1, 4) * [reach_x, reach_y, reach_x, reach_y]
    left, right = np.clip(moved[[0, 2]], 0, width)
    top, bottom = np.clip(moved[[1, 3]], 0, height)
    return float(left), float(top), float(right), float(bottom)
