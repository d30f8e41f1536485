"""Gates of the fully automatic stage, fitted to a model on pictures that people have labelled.

Segment Anything, section 4, keeps masks above a predicted IoU of 0.88 and a stability of 0.95: numbers of one model.
What another one says of itself means something else, so its gates are chosen where they hold what is promised: of the
masks that pass, so many are right.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from modelzoo.automatic import AutomaticMaskGenerator
from modelzoo.predictor import Predictor
from modelzoo.training.data import Record, load_picture, spread
from modelzoo.training.detection_metrics import best_ious

FloatArray = npt.NDArray[np.float64]

POINTS_PER_SIDE = 24  # the default model's maps are a quarter of SAM's side: a finer grid finds little more
BOX_NMS = 0.7
MOST_PICTURES = 12
FEWEST_KEPT = 10  # masks that must pass before their share of right ones means anything
STEPS = 40  # values that are tried for each gate

Progress = Callable[[float], None]


@dataclass(frozen=True)
class GridGates:
    """Settings of the grid, named as in the SAM reference, and what they keep on the pictures they were chosen on.

    kept: masks that pass; right: of them, those with the wanted IoU to an accepted mask; pictures: on how many.
    """

    points_per_side: int
    box_nms_thresh: float
    pred_iou_thresh: float
    stability_score_thresh: float
    kept: int
    right: int
    pictures: int


def fit_gates(
    predictor: Predictor,
    records: Sequence[Record],
    *,
    precision: float,
    right_iou: float,
    seconds: float,
    progress: Progress | None = None,
) -> GridGates | None:
    """The gates that keep most right masks while at least `precision` of what they keep is right.

    The grid is run without gates on up to MOST_PICTURES of the pictures, evenly spread, no further after `seconds`.
    None where no gates keep the promise. People skip objects, so the share of right ones is a lower bound.
    """
    generator = AutomaticMaskGenerator(
        predictor,
        points_per_side=POINTS_PER_SIDE,
        pred_iou_thresh=0.0,
        stability_score_thresh=0.0,
        box_nms_thresh=BOX_NMS,
    )
    until = time.monotonic() + seconds
    rows: list[tuple[float, float, float]] = []
    looked = 0
    taken = spread(records, MOST_PICTURES)
    for place in np.random.default_rng(0).permutation(len(taken)):  # mixed, because time may run out
        record = taken[place]
        found = generator.generate(load_picture(record.image_path))
        ious = best_ious([one["segmentation"] for one in found], record.masks)
        rows += [(one["predicted_iou"], one["stability_score"], iou) for one, iou in zip(found, ious, strict=True)]
        looked += 1
        if progress is not None:
            progress(looked / len(taken))
        if time.monotonic() >= until:
            break
    if not rows:
        return None
    values = np.array(rows, np.float64)
    return choose_gates(values[:, 0], values[:, 1], values[:, 2] >= right_iou, precision=precision, pictures=looked)


def choose_gates(
    predicted: FloatArray, stability: FloatArray, right: npt.NDArray[np.bool_], *, precision: float, pictures: int
) -> GridGates | None:
    """The best pair of gates for N masks, or None.

    The share of right ones is taken with one right and one wrong added (Laplace's rule of succession), because the
    best of many pairs on few masks looks better than it is.
    """
    best: GridGates | None = None
    for least in _steps(predicted):
        confident = (predicted > least) | (least <= 0)
        for stable in _steps(stability):
            passed = confident & (stability >= stable)
            kept, good = int(passed.sum()), int((passed & right).sum())
            if kept < FEWEST_KEPT or (good + 1) / (kept + 2) < precision:
                continue
            if best is None or (good, -kept) > (best.right, -best.kept):
                best = GridGates(POINTS_PER_SIDE, BOX_NMS, float(least), float(stable), kept, good, pictures)
    return best


def _steps(values: FloatArray) -> FloatArray:
    """Values to try: 0, which is no gate, then from the lowest, rounded down because people read them."""
    tried = np.floor(np.quantile(values, np.linspace(0, 0.995, STEPS)) * 1000) / 1000
    return np.unique(np.concatenate([[0.0], np.maximum(tried, 0.0)]))
