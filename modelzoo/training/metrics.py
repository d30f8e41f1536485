"""What is measured on masks and on predicted IoUs, and how sure one can be of a mean: see docs/evaluation.md."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from scipy import ndimage

FloatArray = npt.NDArray[np.float64]
BOUNDARY_SHARE = 0.02  # of the picture's diagonal (Cheng et al. 2021, section 5.1)
BINS = 10  # of predicted IoU


def mask_iou(first: np.ndarray, second: np.ndarray) -> float:
    """IoU of two bool masks of one size; two empty masks agree (1.0)."""
    union = int(np.count_nonzero(first | second))
    return 1.0 if union == 0 else int(np.count_nonzero(first & second)) / union


def boundary_band(mask: np.ndarray) -> np.ndarray:
    """The pixels of a bool H x W mask that lie within d pixels of its outline; bool H x W.

    d is 2 % of the picture's diagonal, rounded, at least 1; distances are those of a square (the 3 x 3 erosion of the
    authors' code, d times), and the picture's edge is outline, too.
    """
    height, width = mask.shape
    reach = max(1, round(BOUNDARY_SHARE * float(np.hypot(height, width))))
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    band = mask.copy()
    if rows.size:
        # Only the mask's own rectangle: beyond it nothing is mask, which is what cval=0 stands for.
        inner = (slice(rows[0], rows[-1] + 1), slice(columns[0], columns[-1] + 1))
        solid = mask[inner].view(np.uint8)
        for axis in (0, 1):
            solid = ndimage.minimum_filter1d(solid, 2 * reach + 1, axis, mode="constant", cval=0)
        band[inner] &= solid == 0
    return band


def boundary_iou(first: np.ndarray, second: np.ndarray) -> float:
    """Boundary IoU of two bool H x W masks: the IoU of their boundary bands (Cheng et al., CVPR 2021, equation 3)."""
    return mask_iou(boundary_band(first), boundary_band(second))


def rank_correlation(first: npt.ArrayLike, second: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> float | None:
    """Spearman's correlation of two lists of N numbers; equal ones share the mean of their ranks.

    `weights` says how often each pair counts (default: once). None where one side has a single value only.
    """
    one, other = np.asarray(first, np.float64), np.asarray(second, np.float64)
    counted = np.ones(one.shape) if weights is None else np.asarray(weights, np.float64)
    total = counted.sum()
    if total == 0:
        return None
    ranks = []
    for values in (one, other):
        _, place = np.unique(values, return_inverse=True)
        mass = np.bincount(place, counted)
        middle = np.cumsum(mass) - mass / 2
        ranks.append(middle[place] - (counted * middle[place]).sum() / total)
    spread = np.sqrt((counted * ranks[0] ** 2).sum() * (counted * ranks[1] ** 2).sum())
    return float((counted * ranks[0] * ranks[1]).sum() / spread) if spread > 0 else None


@dataclass(frozen=True)
class Reliability:
    """Predictions in BINS equal bins of [0, 1]: how many, their mean predicted and mean true IoU (0 where none)."""

    counts: FloatArray
    said: FloatArray
    true: FloatArray

    @property
    def calibration_error(self) -> float:
        """Expected calibration error: the mean over all predictions of |said - true| of their bin."""
        return float((self.counts * np.abs(self.said - self.true)).sum() / max(self.counts.sum(), 1e-12))


def reliability(said: npt.ArrayLike, true: npt.ArrayLike, weights: npt.ArrayLike | None = None) -> Reliability:
    """Bin N predicted IoUs (cut to [0, 1]) with their true ones; `weights` says how often each pair counts."""
    predicted = np.clip(np.asarray(said, np.float64), 0, 1)
    counted = np.ones(predicted.shape) if weights is None else np.asarray(weights, np.float64)
    place = np.minimum((predicted * BINS).astype(int), BINS - 1)
    counts = np.bincount(place, counted, BINS).astype(np.float64)
    divisor = np.maximum(counts, 1e-12)
    sums = [np.bincount(place, counted * np.asarray(side, np.float64), BINS) for side in (predicted, true)]
    return Reliability(counts, sums[0] / divisor, sums[1] / divisor)


@dataclass(frozen=True)
class Interval:
    """A figure, its 95 % interval (None where it comes from one group alone), and how many masks or pairs it is of."""

    value: float
    low: float | None
    high: float | None
    count: int


class Bootstrap:
    """95 % intervals from resampling groups with replacement: masks of one picture are not independent.

    `groups` names the group of each of N masks: its picture, or its video where a set has frames of videos. The same
    groups and seed give the same resamples, so figures of two methods on the same masks can be subtracted.
    """

    def __init__(self, groups: Sequence[str], seed: int = 0, resamples: int = 1000) -> None:
        self.names, self.group = np.unique(np.asarray(groups, dtype=str), return_inverse=True)
        count = len(self.names)
        random = np.random.default_rng([seed, count])
        # resamples x groups: how often each group was drawn
        self.draws = random.multinomial(count, np.full(count, 1 / count), resamples).astype(np.float64)

    def means(self, values: npt.ArrayLike) -> FloatArray:
        """Mean of N values in every resample; NaN values do not count, a resample without any is NaN."""
        numbers = np.asarray(values, np.float64)
        present = np.isfinite(numbers)
        size = len(self.names)
        sums = self.draws @ np.bincount(self.group, np.where(present, numbers, 0.0), size)
        counts = self.draws @ np.bincount(self.group, present.astype(np.float64), size)
        return np.divide(sums, counts, out=np.full_like(sums, np.nan), where=counts > 0)

    def mean(self, values: npt.ArrayLike) -> Interval | None:
        """Mean of N values, NaN left out, and its interval; None where there is no value."""
        numbers = np.asarray(values, np.float64)
        present = np.isfinite(numbers)
        if not present.any():
            return None
        value, count = float(numbers[present].mean()), int(present.sum())
        if len(np.unique(self.group[present])) < 2:
            return Interval(value, None, None, count)
        return interval(value, self.means(numbers), count)

    def statistic(
        self, mask_of: npt.ArrayLike, compute: Callable[[FloatArray | None], float | None]
    ) -> Interval | None:
        """A statistic of M pairs, pair i of mask mask_of[i]. `compute` gets how often each pair counts; None: once."""
        members = self.group[np.asarray(mask_of, int)]
        value = compute(None)
        if value is None:
            return None
        if len(np.unique(members)) < 2:
            return Interval(value, None, None, len(members))
        drawn = [compute(draw[members]) for draw in self.draws]
        return interval(value, np.array([np.nan if one is None else one for one in drawn]), len(members))


def interval(value: float, resampled: FloatArray, count: int) -> Interval:
    """The middle 95 % of what the resamples gave."""
    known = resampled[np.isfinite(resampled)]
    low, high = np.percentile(known, [2.5, 97.5]) if known.size else (value, value)
    return Interval(value, float(low), float(high), count)
