"""The gate: may a candidate replace the serving model? Pure numbers; no database, no torch.

Both models were judged on the same held-out masks with the same seeded clicks, so every mask gives a pair and
the question is about the mean of the paired differences. A paired bootstrap gives its interval. Masks of one
image share light, subject and annotator, hence are not independent: with enough images, images are resampled.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

CLICKS = (1, 3, 5)
METRICS = (*(f"iou_{k}" for k in CLICKS), "iou_box")
METRIC_NAMES = {"iou_1": "1 click", "iou_3": "3 clicks", "iou_5": "5 clicks", "iou_box": "a box"}

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Rules:
    """Every number of the decision, in IoU units (0..1) unless said otherwise."""

    min_masks: int = 10
    margin: float = 0.005
    tolerance: float = 0.005
    guard: float = 0.02
    min_group: int = 8
    min_images: int = 8
    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class Difference:
    """Candidate minus serving over ``masks`` pairs: both means, the mean difference and its interval."""

    serving: float
    candidate: float
    mean: float
    low: float
    high: float
    masks: int


@dataclass(frozen=True)
class Verdict:
    """``promote`` and one sentence for people; ``numbers`` holds everything that led there (JSON-able)."""

    promote: bool
    code: str
    reason: str
    numbers: dict[str, Any] = field(default_factory=dict)


def bootstrap_mean(values: Floats, groups: Sequence[object] | None, rules: Rules) -> tuple[float, float]:
    """Interval of the mean of ``values`` (shape N) at ``rules.confidence`` by resampling groups with replacement.

    ``groups`` (length N) names what each value belongs to; None makes every value its own group. The same values,
    groups and seed give the same interval. N must be at least 1.
    """
    sums: Floats = values
    sizes: Floats = np.ones(len(values))
    if groups is not None:
        index = np.unique(np.asarray([str(group) for group in groups]), return_inverse=True)[1]
        sums = np.bincount(index, weights=values).astype(np.float64)
        sizes = np.bincount(index).astype(np.float64)
    rng = np.random.default_rng(rules.seed)
    means = np.empty(rules.resamples)
    # Index matrices stay small (about 1M entries) so that 100k held-out masks do not cost gigabytes.
    block = max(1, 1_000_000 // len(sums))
    for start in range(0, rules.resamples, block):
        drawn = rng.integers(0, len(sums), size=(min(block, rules.resamples - start), len(sums)))
        means[start : start + len(drawn)] = sums[drawn].sum(axis=1) / sizes[drawn].sum(axis=1)
    tail = (1 - rules.confidence) / 2
    low, high = np.quantile(means, [tail, 1 - tail])
    return float(low), float(high)


def compare(serving: Floats, candidate: Floats, groups: Sequence[object] | None, rules: Rules) -> Difference:
    """Paired comparison of two score vectors of shape N, same order, IoU units."""
    difference = candidate - serving
    low, high = bootstrap_mean(difference, groups, rules)
    return Difference(
        serving=float(serving.mean()),
        candidate=float(candidate.mean()),
        mean=float(difference.mean()),
        low=low,
        high=high,
        masks=len(difference),
    )


def scores(row: Mapping[str, Any]) -> list[float]:
    """The four scores of one evaluation row, in the order of ``METRICS``.

    A model that stopped early (the mask was good enough) keeps its last IoU for the clicks it did not need.
    """
    clicks = row["iou"]
    return [float(clicks[min(k, len(clicks)) - 1]) for k in CLICKS] + [float(row["iou_box"])]


def judge(
    serving: Iterable[Mapping[str, Any]],
    candidate: Iterable[Mapping[str, Any]],
    *,
    images: Mapping[str, object] | None = None,
    stages: Mapping[str, str] | None = None,
    rules: Rules | None = None,
) -> Verdict:
    """Decide from the evaluation rows of both models, paired by mask id.

    ``images`` and ``stages`` say, by mask id, which image a mask lies on and in which stage it was made.
    Promoted when the combined score (mean of the four metrics) is better by the margin, its interval's lower bound
    is above minus the tolerance, and no metric and no stage is clearly worse. ValueError if the ids differ.
    """
    rules = rules or Rules()
    old = {str(row["id"]): scores(row) for row in serving}
    new = {str(row["id"]): scores(row) for row in candidate}
    if old.keys() != new.keys():
        raise ValueError("The two models were not judged on the same masks.")
    ids = sorted(old)
    if len(ids) < rules.min_masks:
        numbers = {"masks": len(ids), "rules": asdict(rules)}
        reason = (
            f"Refused: {len(ids)} held-out masks are too few to judge a model, {rules.min_masks} are needed. "
            "The serving model stays."
        )
        return Verdict(False, "too_few_masks", reason, numbers)
    before, after = np.array([old[i] for i in ids]), np.array([new[i] for i in ids])
    groups = [images[i] for i in ids] if images else None
    if groups is not None and len(set(groups)) < rules.min_images:
        groups = None
    combined = compare(before.mean(axis=1), after.mean(axis=1), groups, rules)
    metrics = {name: compare(before[:, k], after[:, k], groups, rules) for k, name in enumerate(METRICS)}
    by_stage = _by_stage(ids, before.mean(axis=1), after.mean(axis=1), groups, stages or {}, rules)
    numbers = {
        "masks": len(ids),
        "images": len(set(images[i] for i in ids)) if images else None,
        "resampled": "images" if groups is not None else "masks",
        "combined": asdict(combined),
        "metrics": {name: asdict(value) for name, value in metrics.items()},
        "stages": {name: asdict(value) for name, value in by_stage.items()},
        "rules": asdict(rules),
    }
    return _decide(combined, metrics, by_stage, numbers, rules)


def _by_stage(
    ids: list[str],
    before: Floats,
    after: Floats,
    groups: Sequence[object] | None,
    stages: Mapping[str, str],
    rules: Rules,
) -> dict[str, Difference]:
    """Comparison of the combined score for every stage with enough masks to say something."""
    found: dict[str, Difference] = {}
    for stage in sorted(set(stages.values())):
        pick = [k for k, mask in enumerate(ids) if stages.get(mask) == stage]
        if len(pick) >= rules.min_group:
            found[stage] = compare(before[pick], after[pick], [groups[k] for k in pick] if groups else None, rules)
    return found


def _decide(
    combined: Difference,
    metrics: Mapping[str, Difference],
    stages: Mapping[str, Difference],
    numbers: dict[str, Any],
    rules: Rules,
) -> Verdict:
    """The rules in the order people would ask them; the first that fails names the refusal."""
    worse = [f"with {METRIC_NAMES[name]}" for name, value in metrics.items() if _clearly_worse(value, rules)]
    worse += [f"on {name.replace('_', '-')} masks" for name, value in stages.items() if _clearly_worse(value, rules)]
    told = (
        f"mean IoU {combined.serving:.3f} to {combined.candidate:.3f} ({combined.mean:+.3f}, "
        f"{rules.confidence:.0%} interval {combined.low:+.3f} to {combined.high:+.3f}) "
        f"on {combined.masks} held-out masks"
    )
    if combined.mean < rules.margin:
        code = "not_better" if combined.mean > -rules.margin else "worse"
        lead = "the candidate is not better" if code == "not_better" else "the candidate is worse"
        return Verdict(False, code, f"Refused: {lead}, {told}; at least {rules.margin:+.3f} is asked.", numbers)
    if combined.low < -rules.tolerance:
        reason = f"Refused: the gain may be chance, {told}; the lower end must be above {-rules.tolerance:+.3f}."
        return Verdict(False, "uncertain", reason, numbers)
    if worse:
        reason = f"Refused: better on the whole, {told}, but clearly worse {' and '.join(worse)}."
        return Verdict(False, "worse_somewhere", reason, {**numbers, "worse": worse})
    return Verdict(True, "better", f"Promoted: {told}.", numbers)


def _clearly_worse(value: Difference, rules: Rules) -> bool:
    """Worse by more than the guard, and not by chance."""
    return value.mean < -rules.guard and value.high < 0
