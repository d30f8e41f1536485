"""Which masks of two people show the same object, and how well they agree. Pure: RLE in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelzoo import rle

BOUNDARY_SHARE = 0.02  # of the image's diagonal (Cheng et al. 2021, section 5.1)
SAME_OBJECT = 0.5  # IoU from which two masks are the same object, as in COCO's and panoptic matching


@dataclass(frozen=True)
class Matching:
    """Pairs (index in a, index in b, IoU), best first, and what is left of either side."""

    pairs: list[tuple[int, int, float]]
    only_a: list[int]
    only_b: list[int]


def match(a: Sequence[rle.RLE], b: Sequence[rle.RLE]) -> Matching:
    """Match two sets of masks of one image (compressed RLE, same size): the best IoU first, each mask once.

    At an IoU above one half the partner of a mask is unique where masks do not overlap; greedy settles the rest.
    """
    boxes_a, boxes_b = [rle.bbox(mask) for mask in a], [rle.bbox(mask) for mask in b]
    found = [
        (rle.iou(a[i], b[j]), i, j)
        for i, box in enumerate(boxes_a)
        for j, other in enumerate(boxes_b)
        if rle.boxes_meet(box, other)
    ]
    pairs: list[tuple[int, int, float]] = []
    left_a, left_b = set(range(len(a))), set(range(len(b)))
    for iou, i, j in sorted(found, key=lambda item: (-item[0], item[1], item[2])):
        if iou >= SAME_OBJECT and i in left_a and j in left_b:
            pairs.append((i, j, iou))
            left_a.remove(i)
            left_b.remove(j)
    return Matching(pairs, sorted(left_a), sorted(left_b))


def boundary_iou(a: rle.RLE, b: rle.RLE) -> float:
    """IoU of the boundary bands of two masks of one image (compressed RLE), 0..1; Cheng et al., CVPR 2021, equation 3.

    A band is what of a mask lies within d pixels of its outline: d is 2 % of the image's diagonal, rounded, at least 1,
    in the distance of a square, and the image's edge is outline too. As modelzoo.training.metrics, without scipy.
    """
    height, width = a["size"]
    reach = max(1, round(BOUNDARY_SHARE * float(np.hypot(height, width))))
    (ax, ay, aw, ah), (bx, by, bw, bh) = rle.bbox(a), rle.bbox(b)
    x, y = min(ax, bx), min(ay, by)
    box = [x, y, max(ax + aw, bx + bw) - x, max(ay + ah, by + bh) - y]
    return rle.mask_iou(_band(rle.decode_box(a, box), reach), _band(rle.decode_box(b, box), reach))


def _band(mask: NDArray[np.bool_], reach: int) -> NDArray[np.bool_]:
    """What of a bool mask HxW lies within `reach` pixels of what is not mask; beyond the array nothing is."""
    side = 2 * reach + 1
    sums = np.pad(mask, reach).astype(np.int64)
    sums = np.pad(sums.cumsum(0).cumsum(1), ((1, 0), (1, 0)))
    inside = sums[side:, side:] - sums[:-side, side:] - sums[side:, :-side] + sums[:-side, :-side]
    band: NDArray[np.bool_] = mask & (inside < side * side)
    return band
