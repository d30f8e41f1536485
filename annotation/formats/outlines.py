"""Outlines of masks along the borders of pixels, exact: drawing them gives the same pixels again.

Vertices are whole numbers, the corners of pixels: pixel (0, 0) has the corners (0, 0) and (1, 1). Pixels that only meet
at a corner are separate parts; outer rings run clockwise as seen on the screen, holes the other way round.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from modelzoo import rle

Ring = NDArray[np.int64]  # (N, 2) of (x, y), not closed: the last vertex is joined to the first


@dataclass(frozen=True)
class Part:
    """One connected part of a mask (over sides, not corners): its outer ring and the holes in it."""

    outer: Ring
    holes: list[Ring] = field(default_factory=list)


def parts_of(segmentation: rle.RLE, box: Iterable[int]) -> list[Part]:
    """Outlines of a mask in image pixels; `box` is its bounding box [x, y, w, h]. In order of the first pixel."""
    x, y, w, h = box
    offset = np.array([x, y])
    parts = outlines(rle.decode_box(segmentation, [x, y, w, h]))
    return [Part(part.outer + offset, [hole + offset for hole in part.holes]) for part in parts]


def outlines(mask: NDArray[np.bool_]) -> list[Part]:
    """Parts of a bool mask (h, w), in order of their first pixel, row by row."""
    padded = np.pad(mask, 1)
    outer: list[Ring] = []
    holes: list[Ring] = []
    for ring in _rings(padded):
        x, y = ring[0]
        # Tracing starts at the first vertex, row by row, and goes right: below right lies the part, or the hole.
        (outer if padded[y + 1, x + 1] else holes).append(ring)
    if not holes:
        return [Part(ring) for ring in outer]
    from scipy import ndimage  # the web process has no scipy

    labels = ndimage.label(padded)[0]
    found = {int(labels[ring[0][1] + 1, ring[0][0] + 1]): Part(ring) for ring in outer}
    for hole in holes:
        x, y = hole[0]
        found[int(labels[y, x + 1])].holes.append(hole[::-1])  # what lies above the hole is around it
    return list(found.values())


def _rings(padded: NDArray[np.bool_]) -> Iterable[Ring]:
    """Closed borders of a mask that was padded by one pixel, clockwise round parts, as vertices of the unpadded one.

    Vertices are where the border turns. Along every row of them the first is joined to the second, the third to the
    fourth; along every column too; a ring alternates between the two. Where two pixels meet at a corner there are two
    vertices at one place, ordered so that each stays with its own pixel.
    """
    above_left, above_right = padded[:-1, :-1], padded[:-1, 1:]
    below_left, below_right = padded[1:, :-1], padded[1:, 1:]
    turns = above_left ^ above_right ^ below_left ^ below_right
    meets = (above_left == below_right) & (above_right == below_left) & (above_left != above_right)
    rows, columns = np.nonzero(turns | meets)
    double = meets[rows, columns]
    falling = np.repeat(above_left[rows, columns], double + 1)
    second = np.zeros(len(falling), np.int64)  # of two vertices at one place: the one that is joined to the right
    second[np.flatnonzero(np.repeat(double, double + 1))[1::2]] = 1
    x, y = np.repeat(columns, double + 1), np.repeat(rows, double + 1)
    by_column = np.lexsort((np.where(falling, second, 1 - second), y, x))
    vertical = np.empty(len(x), np.int64)
    vertical[by_column[0::2]], vertical[by_column[1::2]] = by_column[1::2], by_column[0::2]
    onwards = vertical.tolist()
    seen = bytearray(len(onwards))
    for start in range(0, len(onwards), 2):
        if seen[start]:
            continue
        ring: list[int] = []
        at = start
        while True:
            ring += (at, at ^ 1)
            seen[at] = seen[at ^ 1] = 1
            at = onwards[at ^ 1]
            if at == start:
                break
        yield np.column_stack((x[ring], y[ring]))


def joined(rings: Iterable[Ring]) -> Ring:
    """Several rings as one, by cuts without width that are walked there and back (a "keyhole").

    Filled by the even-odd rule, which pycocotools uses, or by winding, it covers what the rings cover.
    """
    first, *others = rings
    whole = first
    for ring in others:
        near = int(np.argmin(np.abs(whole - ring[0]).sum(axis=1)))
        whole = np.concatenate((whole[: near + 1], ring, ring[:1], whole[near:]))
    return whole


def polygons_of(segmentation: rle.RLE, box: Iterable[int]) -> list[list[int]] | None:
    """A mask as COCO polygons [[x1, y1, x2, y2, ...], ...], one ring per part with its holes joined to it by cuts.

    None if pycocotools would not draw exactly this mask from them, or if they are beyond what is read again.
    """
    rings = [joined([part.outer, *part.holes]).reshape(-1).tolist() for part in parts_of(segmentation, box)]
    try:
        drawn = rle.from_polygons(rings, *segmentation["size"])
    except rle.RLEError:
        return None
    return rings if drawn["counts"] == segmentation["counts"] else None
