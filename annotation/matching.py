"""Which masks of two people show the same object, and how well they agree. Pure: RLE in, numbers out."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from modelzoo import rle

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
