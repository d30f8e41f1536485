"""The parts of "segment everything" that need no network: grids, crops, scores, duplicates, small regions (no torch).

Segment Anything, section 4 "Fully automatic stage" and appendix B. Boxes are XYXY in pixels with *inclusive* corners:
(x of the first column, y of the first row, x of the last column, y of the last row), as the reference computes them.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import product
from typing import Any, Literal

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from modelzoo.geometry import BAND, Band, Frame, Size, row_bands, upscale_matrices

Box = tuple[int, int, int, int]
BoolArray = npt.NDArray[np.bool_]

# Low-res pixels this little below a level are still looked at. Interpolation cannot rise above its inputs except by
# rounding, and rounding is a thousand times smaller.
LEVEL_MARGIN = 1e-3


def point_grid(points_per_side: int) -> npt.NDArray[np.float64]:
    """Centres of an n x n division of the unit square, (n * n) x 2 as (x, y), row by row."""
    if points_per_side < 1:
        raise ValueError(f"A grid needs at least one point per side, got {points_per_side}.")
    steps = (np.arange(points_per_side) + 0.5) / points_per_side
    x, y = np.meshgrid(steps, steps)
    return np.stack([x, y], axis=-1).reshape(-1, 2)


def layer_grids(points_per_side: int, layers: int, downscale: int) -> list[npt.NDArray[np.float64]]:
    """One grid per crop layer 0..layers; layer i has int(points_per_side / downscale**i) points per side."""
    return [point_grid(int(points_per_side / downscale**layer)) for layer in range(layers + 1)]


def crop_boxes(size: Size, layers: int, overlap_ratio: float) -> tuple[list[Box], list[int]]:
    """Crops of an image of (h, w): the whole image, then 4**i overlapping crops for each layer i = 1..layers.

    Returns the boxes, XYXY with exclusive ends (`image[y0:y1, x0:x1]`), and the layer of each. The overlap is
    `overlap_ratio` of the short side for layer 1 and halves with every layer. Within a layer columns come first.
    """
    height, width = size
    boxes: list[Box] = [(0, 0, width, height)]
    layer_of = [0]
    for layer in range(1, layers + 1):
        per_side = 2**layer
        overlap = int(overlap_ratio * min(height, width) * (2 / per_side))
        crop_w = math.ceil((overlap * (per_side - 1) + width) / per_side)
        crop_h = math.ceil((overlap * (per_side - 1) + height) / per_side)
        for column, row in product(range(per_side), repeat=2):
            x, y = (crop_w - overlap) * column, (crop_h - overlap) * row
            if x < width and y < height:  # an image of a few pixels has no room for the last crops
                boxes.append((x, y, min(x + crop_w, width), min(y + crop_h, height)))
                layer_of.append(layer)
    return boxes, layer_of


STABILITY_OFFSET = 1.0  # logits up and down (paper section 5), where nothing else is asked


def stability_score(
    logits: npt.NDArray[np.floating[Any]], mask_threshold: float, offset: float
) -> npt.NDArray[np.float32]:
    """IoU of each mask cut at `mask_threshold + offset` and at `mask_threshold - offset`; logits (..., h, w) -> (...).

    NaN for a mask with no pixel above the lower level: it passes no threshold.
    """
    high = np.count_nonzero(logits > mask_threshold + offset, axis=(-2, -1)).astype(np.float32)
    low = np.count_nonzero(logits > mask_threshold - offset, axis=(-2, -1)).astype(np.float32)
    with np.errstate(invalid="ignore"):
        return np.asarray(high / low, np.float32)


def mask_box(mask: BoolArray) -> Box:
    """Inclusive XYXY box of a bool mask h x w; (0, 0, 0, 0) when it is empty."""
    rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
    if len(rows) == 0:
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def non_maximum_suppression(boxes: npt.ArrayLike, scores: npt.ArrayLike, iou_threshold: float) -> list[int]:
    """Indices of the boxes (N x 4, XYXY) that are kept, best score first; ties keep their order.

    Greedy: a box goes when its IoU with a kept one is strictly above `iou_threshold`. In float32 with areas
    (x1 - x0) * (y1 - y0), so two boxes without area have IoU NaN and both stay.
    """
    corners = np.asarray(boxes, np.float32).reshape(-1, 4)
    order = np.argsort(-np.asarray(scores, np.float32), kind="stable")
    areas = (corners[:, 2] - corners[:, 0]) * (corners[:, 3] - corners[:, 1])
    threshold = np.float64(iou_threshold)  # a Python float would be rounded to float32 before comparing
    kept: list[int] = []
    while len(order):
        best, rest = order[0], order[1:]
        kept.append(int(best))
        top_left = np.maximum(corners[best, :2], corners[rest, :2])
        bottom_right = np.minimum(corners[best, 2:], corners[rest, 2:])
        sides = np.maximum(bottom_right - top_left, np.float32(0))
        shared = sides[:, 0] * sides[:, 1]
        with np.errstate(invalid="ignore"):
            iou = shared / (areas[best] + areas[rest] - shared)
        order = rest[~(iou > threshold)]
    return kept


def near_crop_edge(boxes: npt.ArrayLike, crop_box: Box, image_size: Size, tolerance: float = 20.0) -> BoolArray:
    """Which boxes (N x 4, XYXY in crop pixels) touch an edge of the crop that is not an edge of the image.

    Such a mask is probably cut off; another crop sees it whole. `tolerance` is in pixels, inclusive.
    """
    corners = np.asarray(boxes, np.float64).reshape(-1, 4) + np.array([*crop_box[:2], *crop_box[:2]])
    at_crop = np.abs(corners - np.array(crop_box)) <= tolerance
    at_image = np.abs(corners - np.array([0, 0, image_size[1], image_size[0]])) <= tolerance
    return np.asarray((at_crop & ~at_image).any(axis=1))


def remove_small_regions(mask: BoolArray, area: float, mode: Literal["holes", "islands"]) -> tuple[BoolArray, bool]:
    """Fill holes or drop islands of fewer than `area` pixels (8-connected); returns the mask and whether it changed.

    If every island is small, the largest stays: the reference does so, while the paper (appendix B) drops the mask.
    """
    holes = mode == "holes"
    regions, count = ndimage.label(~mask if holes else mask, structure=np.ones((3, 3), int))
    sizes = np.bincount(regions.ravel(), minlength=count + 1)
    small = sizes < area
    small[0] = False  # 0 is whatever is not a region
    if not small.any():
        return mask, False
    if holes:
        return mask | small[regions], True
    kept = ~small
    kept[0] = False
    if not kept.any():
        kept[1 + int(np.argmax(sizes[1:]))] = True
    return kept[regions], True


def with_margin(y: int, x: int, mask: BoolArray, margin: int, size: Size) -> tuple[int, int, BoolArray]:
    """(y, x, mask) with `margin` pixels of background on every side, as far as the image of (h, w) goes.

    With a margin of n pixels `remove_small_regions` below n pixels does what it does to the whole image: background
    that reaches the end of the margin has at least n pixels within it.
    """
    top, left = max(0, y - margin), max(0, x - margin)
    bottom, right = min(size[0], y + mask.shape[0] + margin), min(size[1], x + mask.shape[1] + margin)
    return top, left, np.pad(mask, ((y - top, bottom - y - mask.shape[0]), (x - left, right - x - mask.shape[1])))


@dataclass(frozen=True, eq=False)
class View:
    """A rectangle of a picture that low-res logits are to be seen in, enlarged a strip of rows at a time.

    rows and columns: of the picture. values: the low-res logits that the rectangle is mixed from, k x j float32, the
    first of them row `first` of the map; across: weights of its columns, width x j; bands: weights of its rows.
    """

    rows: slice
    columns: slice
    values: npt.NDArray[np.float32]
    first: int
    across: npt.NDArray[np.float32]
    bands: tuple[Band, ...]

    @property
    def shape(self) -> Size:
        """Height and width of the rectangle."""
        return self.rows.stop - self.rows.start, self.columns.stop - self.columns.start

    def strips(self) -> Iterator[tuple[slice, npt.NDArray[np.float32]]]:
        """Full-size logits from top to bottom: rows within the rectangle, and their logits n x width."""
        wide = self.values @ self.across.T
        for band in self.bands:
            top, bottom = max(band.rows.start, self.rows.start), min(band.rows.stop, self.rows.stop)
            weights = band.weights[top - band.rows.start : bottom - band.rows.start]
            sources = slice(band.sources.start - self.first, band.sources.stop - self.first)
            yield slice(top - self.rows.start, bottom - self.rows.start), weights @ wide[sources]

    def judged(self, threshold: float, offset: float) -> tuple[np.float32, Box | None]:
        """`stability_score` of the mask, and its box in the picture (None for an empty mask), without drawing it."""
        high = low = 0
        rows, columns = np.zeros(self.shape[0], bool), np.zeros(self.shape[1], bool)
        for strip, logits in self.strips():
            high += int(np.count_nonzero(logits > threshold + offset))
            low += int(np.count_nonzero(logits > threshold - offset))
            inside = logits > threshold
            inside.any(axis=1, out=rows[strip])
            columns |= inside.any(axis=0)
        with np.errstate(invalid="ignore"):
            stability = np.float32(high) / np.float32(low)
        return stability, self._box(rows, columns)

    def _box(self, rows: BoolArray, columns: BoolArray) -> Box | None:
        """From which rows and columns of the rectangle have a pixel."""
        if not rows.any():
            return None
        y, x = np.flatnonzero(rows) + self.rows.start, np.flatnonzero(columns) + self.columns.start
        return int(x[0]), int(y[0]), int(x[-1]), int(y[-1])

    def drawn(self, threshold: float) -> BoolArray:
        """The mask inside the rectangle, bool of `shape`."""
        mask = np.empty(self.shape, bool)
        for strip, logits in self.strips():
            np.greater(logits, threshold, out=mask[strip])
        return mask


class Enlarger:
    """Evaluates low-res logits at full size, but only inside the rectangle where a mask can be.

    One per picture (or crop): `low_size` (h, w) of the logits, `frame` of the picture. Interpolated logits never rise
    above their inputs, so outside the rows and columns that see a high low-res pixel nothing needs to be computed.
    """

    def __init__(self, low_size: Size, frame: Frame) -> None:
        rows, self.columns = upscale_matrices(low_size, frame)
        self.bands = row_bands(low_size, frame)
        self._row_reach, self._column_reach = _reach(rows), _reach(self.columns)

    def view(self, logits: npt.NDArray[np.float32], level: float) -> View | None:
        """Low-res logits h x w -> the rectangle that holds every pixel above `level`; None where there is none.

        It keeps the logits that it needs, not the map that they come from.
        """
        high = logits > level - LEVEL_MARGIN
        rows = _span(np.flatnonzero(high.any(axis=1)), self._row_reach)
        columns = _span(np.flatnonzero(high.any(axis=0)), self._column_reach)
        if rows.start == rows.stop or columns.start == columns.stop:
            return None
        bands = self.bands[rows.start // BAND : -(-rows.stop // BAND)]
        down = slice(bands[0].sources.start, bands[-1].sources.stop)
        used = np.flatnonzero(self.columns[columns].any(axis=0))
        along = slice(int(used[0]), int(used[-1]) + 1)
        values = logits[down, along].copy()
        return View(rows, columns, values, down.start, self.columns[columns, along], bands)

    def window(self, logits: npt.NDArray[np.float32], level: float) -> tuple[int, int, npt.NDArray[np.float32]]:
        """Low-res logits h x w -> (y, x, patch): every pixel of the picture above `level` lies in the patch.

        The patch holds full-size logits, its first pixel is row y, column x of the picture; it may be empty.
        """
        view = self.view(logits, level)
        if view is None:
            return 0, 0, np.zeros((0, 0), np.float32)
        return view.rows.start, view.columns.start, np.concatenate([strip for _, strip in view.strips()])


Reach = tuple[npt.NDArray[np.intp], npt.NDArray[np.intp]]


def _reach(matrix: npt.NDArray[np.float32]) -> Reach:
    """Per column of an upscaling matrix: first row with a weight in it and the row after the last."""
    used = matrix > 0
    seen = used.any(axis=0)
    first = np.where(seen, used.argmax(axis=0), len(matrix))
    end = np.where(seen, len(matrix) - used[::-1].argmax(axis=0), 0)
    return first, end


def _span(high: npt.NDArray[np.intp], reach: Reach) -> slice:
    """The full-size rows (or columns) that see any of the low-res ones in `high`."""
    first, end = reach[0][high], reach[1][high]
    return slice(int(first.min()), int(end.max())) if len(first) and first.min() < end.max() else slice(0, 0)
