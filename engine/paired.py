"""Paired bootstrap: how sure one can be of a difference between two models asked the same. numpy only.

Efron and Tibshirani, "An Introduction to the Bootstrap" (1993), chapter 16: groups (images) are drawn with replacement,
both models' figures are taken from the same draw, and the middle of the differences is the interval.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
BLOCK = 1_000_000  # numbers in memory at once: 100k held-out masks must not cost gigabytes
BINS = 10  # of predicted IoU, for the calibration error
FEWEST_DRAWN = 8  # groups, below which drawing them anew makes intervals that are far too narrow


@dataclass(frozen=True)
class Difference:
    """Candidate minus serving: both figures, their difference and its interval, and how many masks it rests on."""

    serving: float
    candidate: float
    mean: float
    low: float
    high: float
    masks: int


def place_of(video: int | None, image: object) -> tuple[str, str]:
    """Where a mask lies, the widest first: its video, or its image where there is none, and its image."""
    return (f"image {image}" if video is None else f"video {video}", f"image {image}")


def drawn_together(places: Sequence[Sequence[object]]) -> list[object] | None:
    """The groups that N values are drawn by, for `Resampling`; ``places`` says where each lies, the widest first.

    Frames of one video share what they show, and masks of one image light and annotator. So the widest groups are taken
    of which there are enough; None, each value by itself, where there are never enough.
    """
    for level in zip(*places, strict=True):
        if len(set(level)) >= FEWEST_DRAWN:
            return list(level)
    return None


class Resampling:
    """Groups of N values drawn again and again. ``groups`` names what each value belongs to; None: each is its own.

    The same groups and seed give the same draws, so intervals are repeatable and figures can be compared.
    """

    def __init__(
        self, groups: Sequence[object] | None, count: int, confidence: float, resamples: int, seed: int
    ) -> None:
        self.index = np.arange(count)
        if groups is not None:
            self.index = np.unique(np.asarray([str(group) for group in groups]), return_inverse=True)[1]
        self.size = int(self.index.max()) + 1 if count else 0
        self.confidence, self.resamples, self.seed = confidence, resamples, seed

    def sums(self, values: Floats) -> Floats:
        """Values N x K -> their sums by group, G x K."""
        total = np.zeros((self.size, values.shape[1]))
        np.add.at(total, self.index, values)
        return total

    def interval(self, sums: Floats, figure: Callable[[Floats], Floats]) -> tuple[float, float]:
        """Interval of a figure made of sums over groups: ``sums`` G x K; ``figure`` takes R x K and gives R numbers."""
        values = np.concatenate([figure(draws @ sums) for draws in self._draws()])
        tail = (1 - self.confidence) / 2
        low, high = np.quantile(values, [tail, 1 - tail])
        return float(low), float(high)

    def of_mean(self, values: Floats) -> tuple[float, float]:
        """Interval of the mean of N values."""
        sums = self.sums(np.stack([values, np.ones(len(values))], 1))
        return self.interval(sums, lambda drawn: drawn[:, 0] / drawn[:, 1])

    def _draws(self) -> Iterator[Floats]:
        """How often each group was drawn, R x G in blocks."""
        rng = np.random.default_rng(self.seed)
        block = max(1, BLOCK // self.size)
        for start in range(0, self.resamples, block):
            rows = min(block, self.resamples - start)
            yield rng.multinomial(self.size, np.full(self.size, 1 / self.size), rows).astype(np.float64)


def compare_means(serving: Floats, candidate: Floats, resampling: Resampling) -> Difference:
    """Two score vectors of shape N, same order, N at least 1."""
    difference = candidate - serving
    low, high = resampling.of_mean(difference)
    return Difference(
        serving=float(serving.mean()),
        candidate=float(candidate.mean()),
        mean=float(difference.mean()),
        low=low,
        high=high,
        masks=len(difference),
    )


def compare_calibration(
    serving: Sequence[Sequence[Sequence[float]]],
    candidate: Sequence[Sequence[Sequence[float]]],
    resampling: Resampling,
) -> Difference:
    """Expected calibration error of the predicted IoU: of N masks, each with its [predicted, true] pairs.

    |mean predicted - mean true| of ten equal bins of predicted IoU, weighted by their pairs; 0: "0.8" means 0.8.
    """
    sums = resampling.sums(np.concatenate([_binned(serving), _binned(candidate)], 1))
    width = BINS + 1

    def difference(drawn: Floats) -> Floats:
        return calibration_error(drawn[:, width:]) - calibration_error(drawn[:, :width])

    whole = sums.sum(0, keepdims=True)
    low, high = resampling.interval(sums, difference)
    return Difference(
        serving=float(calibration_error(whole[:, :width])[0]),
        candidate=float(calibration_error(whole[:, width:])[0]),
        mean=float(difference(whole)[0]),
        low=low,
        high=high,
        masks=len(serving),
    )


def calibration_error(sums: Floats) -> Floats:
    """R x (BINS + 1) sums of predicted minus true by bin, and the number of pairs -> R errors."""
    return np.asarray(np.abs(sums[:, :BINS]).sum(1) / np.maximum(sums[:, BINS], 1.0), np.float64)


def _binned(masks: Sequence[Sequence[Sequence[float]]]) -> Floats:
    """Per mask: predicted minus true summed by bin of predicted IoU, and the number of pairs; N x (BINS + 1)."""
    binned = np.zeros((len(masks), BINS + 1))
    for row, pairs in enumerate(masks):
        for said, true in pairs:
            predicted = min(max(float(said), 0.0), 1.0)
            binned[row, min(int(predicted * BINS), BINS - 1)] += predicted - float(true)
            binned[row, BINS] += 1
    return binned
