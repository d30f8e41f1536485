"""What was found against what is there; boxes as COCO counts them (cocoapi, COCOeval): one class, all sizes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelzoo import rle

FloatArray = npt.NDArray[np.float64]
IOU_STEPS = np.arange(0.5, 0.96, 0.05)
RECALL_STEPS = np.linspace(0, 1, 101)


@dataclass(frozen=True)
class Found:
    """Of one picture: boxes N x 4 (XYXY) with scores N, best first, and the true boxes M x 4."""

    boxes: FloatArray
    scores: FloatArray
    truth: FloatArray


def box_iou(first: npt.ArrayLike, second: npt.ArrayLike) -> FloatArray:
    """IoU of every pair of boxes N x 4 and M x 4 (XYXY) -> N x M."""
    a, b = np.asarray(first, np.float64).reshape(-1, 1, 4), np.asarray(second, np.float64).reshape(1, -1, 4)
    sides = np.maximum(np.minimum(a[..., 2:], b[..., 2:]) - np.maximum(a[..., :2], b[..., :2]), 0)
    shared = sides.prod(-1)
    union = (a[..., 2:] - a[..., :2]).prod(-1) + (b[..., 2:] - b[..., :2]).prod(-1) - shared
    return np.asarray(shared / np.maximum(union, 1e-9), np.float64)


def matched(ious: FloatArray, threshold: float) -> npt.NDArray[np.bool_]:
    """Which of N boxes (best first) meets a true one of M that no better box has taken, at IoU >= `threshold`."""
    free = np.ones(ious.shape[1], bool)
    hits = np.zeros(len(ious), bool)
    for row in range(len(ious)):
        candidates = np.where(free, ious[row], -1.0)
        if candidates.size and candidates.max() >= threshold:
            free[int(candidates.argmax())] = False
            hits[row] = True
    return hits


def average_precision(pictures: Sequence[Found], threshold: float) -> float:
    """Area under the precision-recall curve at one IoU, interpolated at 101 recalls; 0 without a true box."""
    total = sum(len(one.truth) for one in pictures)
    if total == 0:
        return 0.0
    hits = np.concatenate([matched(box_iou(one.boxes, one.truth), threshold) for one in pictures])
    scores = np.concatenate([one.scores for one in pictures])
    right = np.cumsum(hits[np.argsort(-scores, kind="stable")])
    if len(right) == 0:
        return 0.0
    precision = right / np.arange(1, len(right) + 1)
    best_later = np.maximum.accumulate(precision[::-1])[::-1]
    place = np.searchsorted(right / total, RECALL_STEPS, side="left")
    return float(np.where(place < len(right), best_later[np.minimum(place, len(right) - 1)], 0.0).mean())


def recall(pictures: Sequence[Found], most: int, thresholds: Sequence[float]) -> float:
    """Share of true boxes that the best `most` boxes of each picture meet, mean over the IoU thresholds."""
    total = sum(len(one.truth) for one in pictures)
    if total == 0:
        return 0.0
    ious = [box_iou(one.boxes[:most], one.truth) for one in pictures]
    return float(np.mean([sum(int(matched(one, step).sum()) for one in ious) / total for step in thresholds]))


def detection_figures(pictures: Sequence[Found]) -> dict[str, float]:
    """ap50, ap (mean of IoU 0.50 to 0.95), recall_50 (50 boxes, IoU 0.5), ar_50 (50 boxes, mean of 0.50 to 0.95)."""
    return {
        "ap50": round(average_precision(pictures, 0.5), 4),
        "ap": round(float(np.mean([average_precision(pictures, step) for step in IOU_STEPS])), 4),
        "recall_50": round(recall(pictures, 50, [0.5]), 4),
        "ar_50": round(recall(pictures, 50, list(IOU_STEPS)), 4),
    }


def best_ious(masks: Sequence[rle.RLE], others: Sequence[rle.RLE]) -> list[float]:
    """Of each mask the IoU with the one of `others` that it meets best; 0 where it meets none."""
    theirs = [(rle.bbox(other), other) for other in others]
    best = []
    for mask in masks:
        box = rle.bbox(mask)
        met = (rle.iou(mask, other) for where, other in theirs if rle.boxes_meet(box, where))
        best.append(max(met, default=0.0))
    return best
