"""What is measured on a followed mask: J and F as DAVIS has them (Perazzi et al., CVPR 2016, section 4.1)."""

from __future__ import annotations

import math

import numpy as np
from scipy import ndimage

from modelzoo.training.metrics import mask_iou

TOLERANCE = 0.008  # of the picture's diagonal, as in the authors' evaluation


def region_similarity(found: np.ndarray, true: np.ndarray) -> float:
    """J: the IoU of two bool H x W masks; 1 where both are empty."""
    return mask_iou(found, true)


def contour(mask: np.ndarray) -> np.ndarray:
    """Bool H x W: pixels that differ from the one to the right, below, or below to the right (`seg2bmap`)."""
    padded = np.pad(mask, ((0, 1), (0, 1)), mode="edge")
    east, south, corner = padded[:-1, 1:], padded[1:, :-1], padded[1:, 1:]
    found: np.ndarray = (mask ^ east) | (mask ^ south) | (mask ^ corner)
    return found


def contour_accuracy(found: np.ndarray, true: np.ndarray) -> float:
    """F: the harmonic mean of precision and recall of two contours, matched within 0.8 % of the diagonal.

    As in the authors' code: a side without a contour has precision or recall 1, and the other one 0 unless both are
    without.
    """
    reach = math.ceil(TOLERANCE * float(np.hypot(*true.shape)))
    ours, theirs = contour(found), contour(true)
    if not ours.any() or not theirs.any():
        return float(ours.any() == theirs.any())
    precision = float(_near(theirs, reach)[ours].mean())
    recall = float(_near(ours, reach)[theirs].mean())
    return 0.0 if precision + recall == 0 else 2 * precision * recall / (precision + recall)


def _near(line: np.ndarray, reach: int) -> np.ndarray:
    """Bool H x W: within `reach` pixels of a line that is not empty."""
    near: np.ndarray = ndimage.distance_transform_edt(~line) <= reach
    return near
