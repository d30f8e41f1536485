"""The gate: may a candidate replace the serving model? Pure numbers; no database, no torch.

Both models were judged on the same held-out masks with the same seeded clicks, so every mask gives a pair and
the question is about the mean of the paired differences. A paired bootstrap gives its interval (``engine.paired``).
Masks of one image, and frames of one video, are not independent: ``drawn_together`` says what is drawn anew.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from typing import Any

import numpy as np

from engine.paired import Difference, Floats, Resampling, compare_calibration, compare_means, drawn_together

Row = Mapping[str, Any]
MOST_GROUPS = 30  # of a kind that are compared: those with the most masks


@dataclass(frozen=True)
class Metric:
    """One figure of an evaluation row: how people call it, whether more is better (+1) or less (-1), and from which
    difference on, in its own unit, it is clearly worse unless that may be chance."""

    name: str
    label: str
    better: int
    guard: float
    value: Callable[[Row], float]


def after(clicks: int) -> Callable[[Row], float]:
    """IoU after so many clicks. A model that stopped early (the mask was good enough) keeps its last IoU."""
    return lambda row: float(row["iou"][min(clicks, len(row["iou"])) - 1])


def told(name: str) -> Callable[[Row], float]:
    """The row's own figure."""
    return lambda row: float(row[name])


# The score is the mean of these four.
SCORED = (
    Metric("iou_1", "with 1 click", 1, 0.02, after(1)),
    Metric("iou_3", "with 3 clicks", 1, 0.02, after(3)),
    Metric("iou_5", "with 5 clicks", 1, 0.02, after(5)),
    Metric("iou_box", "with a box", 1, 0.02, told("iou_box")),
)
# These decide nothing alone, but being clearly worse in one of them is a refusal.
WATCHED = (
    Metric("boundary_1", "at the boundary with 1 click", 1, 0.03, told("boundary_1")),
    Metric("boundary_5", "at the boundary with 5 clicks", 1, 0.03, told("boundary_5")),
    Metric("boundary_box", "at the boundary with a box", 1, 0.03, told("boundary_box")),
    Metric("noc85", "in clicks to 85 %", -1, 0.4, told("noc85")),
    Metric("noc90", "in clicks to 90 %", -1, 0.4, told("noc90")),
)
CALIBRATION = Metric("calibration", "in judging itself", -1, 0.05, told("predicted_iou"))  # value unused: over pairs


@dataclass(frozen=True)
class Rules:
    """Every number of the decision, in IoU units (0..1) unless said otherwise; guards stand at the metrics."""

    min_masks: int = 10
    margin: float = 0.005
    tolerance: float = 0.005
    guard: float = 0.02
    min_group: int = 8
    min_watched: int = 20
    confidence: float = 0.95
    resamples: int = 2000
    seed: int = 0


@dataclass(frozen=True)
class Verdict:
    """``promote`` and one sentence for people; ``numbers`` holds everything that led there (JSON-able)."""

    promote: bool
    code: str
    reason: str
    numbers: dict[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Pairs:
    """The rows of both models, mask by mask in one order, and where each mask lies, the widest first (may be empty)."""

    serving: list[Row]
    candidate: list[Row]
    places: list[Sequence[object]]

    def __len__(self) -> int:
        return len(self.serving)

    def part(self, places: Sequence[int]) -> Pairs:
        """The pairs at these places."""
        serving, candidate = ([rows[place] for place in places] for rows in (self.serving, self.candidate))
        return Pairs(serving, candidate, [self.places[place] for place in places] if self.places else [])

    def have(self, name: str) -> bool:
        """Whether every row carries this figure."""
        return all(name in row for rows in (self.serving, self.candidate) for row in rows)

    def values(self, metric: Metric) -> tuple[Floats, Floats]:
        """One figure of all masks: serving, candidate."""
        one, other = ([metric.value(row) for row in rows] for rows in (self.serving, self.candidate))
        return np.array(one, np.float64), np.array(other, np.float64)


@dataclass(frozen=True)
class Comparison:
    """The score and every figure of one set of masks."""

    combined: Difference
    metrics: dict[str, Difference]


def judge(
    serving: Iterable[Row],
    candidate: Iterable[Row],
    *,
    places: Mapping[str, Sequence[object]] | None = None,
    stages: Mapping[str, str] | None = None,
    categories: Mapping[str, str] | None = None,
    rules: Rules | None = None,
) -> Verdict:
    """Decide from the evaluation rows of both models, paired by mask id.

    ``places``, ``stages`` and ``categories`` say, by mask id, where a mask lies (its video or image, its image), in
    which stage it was made and what it shows. Promoted when the combined score (mean of SCORED) is better by the
    margin, its interval's lower bound is above minus the tolerance, and no figure, stage or category is clearly worse.
    ValueError if the ids differ.
    """
    rules = rules or Rules()
    old, new = ({str(row["id"]): row for row in rows} for rows in (serving, candidate))
    if old.keys() != new.keys():
        raise ValueError("The two models were not judged on the same masks.")
    ids = sorted(old)
    if len(ids) < rules.min_masks:
        reason = (
            f"Refused: {len(ids)} held-out masks are too few to judge a model, {rules.min_masks} are needed. "
            "The serving model stays."
        )
        return Verdict(False, "too_few_masks", reason, {"masks": len(ids), "rules": asdict(rules)})
    pairs = Pairs([old[i] for i in ids], [new[i] for i in ids], [places[i] for i in ids] if places else [])
    whole = compare(pairs, rules)
    groups = {
        "stage": by_group(pairs, [(stages or {}).get(i) for i in ids], rules),
        "category": by_group(pairs, [(categories or {}).get(i) for i in ids], rules),
    }
    numbers = {
        "masks": len(ids),
        **_drawn(pairs),
        **asdict(whole),
        "groups": {kind: {name: asdict(one) for name, one in found.items()} for kind, found in groups.items()},
        "rules": asdict(rules),
    }
    return _decide(whole, groups, numbers, rules)


def compare(pairs: Pairs, rules: Rules) -> Comparison:
    """The score and every figure that all rows have; figures that rows of earlier days lack are left out.

    Intervals of what is watched are widened (Bonferroni), so that all of it together is as sure as one figure alone:
    on few masks one of six would otherwise look worse by chance too often.
    """

    drawn = drawn_together(pairs.places)

    def resampled(confidence: float) -> Resampling:
        return Resampling(drawn, len(pairs), confidence, rules.resamples, rules.seed)

    resampling, strict = resampled(rules.confidence), resampled(shared(rules.confidence, len(WATCHED) + 1))
    columns = [pairs.values(metric) for metric in SCORED]
    scores = [np.mean([column[side] for column in columns], axis=0) for side in (0, 1)]
    combined = compare_means(scores[0], scores[1], resampling)
    metrics = {
        metric.name: compare_means(*pairs.values(metric), resampling if metric in SCORED else strict)
        for metric in (*SCORED, *WATCHED)
        if metric in SCORED or pairs.have(metric.name)
    }
    if pairs.have("candidates"):
        one, other = ([row["candidates"] for row in rows] for rows in (pairs.serving, pairs.candidate))
        metrics[CALIBRATION.name] = compare_calibration(one, other, strict)
    return Comparison(combined, metrics)


def shared(confidence: float, questions: int) -> float:
    """The confidence that each of so many questions needs for all of them together to have this one (Bonferroni)."""
    return 1 - (1 - confidence) / questions


def by_group(pairs: Pairs, names: Sequence[str | None], rules: Rules) -> dict[str, Comparison]:
    """The same for every group of masks; a mask without a name is in none. Nothing if all masks are in one group.

    Intervals are widened (Bonferroni) so that all groups of a kind together are as sure as one figure alone: with
    thirty categories one would otherwise look worse by chance every other time.
    """
    sizes = Counter(name for name in names if name)
    large = [name for name, size in sizes.most_common(MOST_GROUPS) if size >= rules.min_group]
    if not large or (len(large) == 1 and sizes[large[0]] == len(names)):
        return {}
    strict = replace(rules, confidence=shared(rules.confidence, len(large)))
    return {
        name: compare(pairs.part([place for place, one in enumerate(names) if one == name]), strict)
        for name in sorted(large)
    }


def _drawn(pairs: Pairs) -> dict[str, Any]:
    """How many images the masks lie on, and what the intervals of the whole are drawn from."""
    drawn, images = drawn_together(pairs.places), len({place[-1] for place in pairs.places})
    if drawn is None:
        return {"images": images or None, "resampled": "masks"}
    return {"images": images, "resampled": "images" if len(set(drawn)) == images else "videos"}


def _decide(
    whole: Comparison, groups: Mapping[str, Mapping[str, Comparison]], numbers: dict[str, Any], rules: Rules
) -> Verdict:
    """The rules in the order people would ask them; the first that fails names the refusal."""
    combined = whole.combined
    # A bootstrap over a handful of masks makes intervals that are too narrow to say no by.
    asked = (*SCORED, *WATCHED, CALIBRATION) if combined.masks >= rules.min_watched else SCORED
    worse = [
        metric.label
        for metric in asked
        if metric.name in whole.metrics and _clearly_worse(whole.metrics[metric.name], metric.better, metric.guard)
    ]
    for kind, found in groups.items():
        worse += [
            f"on {name.replace('_', '-')} masks" if kind == "stage" else f"on {name}"
            for name, one in found.items()
            if _clearly_worse(one.combined, 1, rules.guard)
        ]
    text = (
        f"mean IoU {combined.serving:.3f} to {combined.candidate:.3f} ({combined.mean:+.3f}, "
        f"{rules.confidence:.0%} interval {combined.low:+.3f} to {combined.high:+.3f}) "
        f"on {combined.masks} held-out masks"
    )
    if combined.mean < rules.margin:
        code = "not_better" if combined.mean > -rules.margin else "worse"
        lead = "the candidate is not better" if code == "not_better" else "the candidate is worse"
        return Verdict(False, code, f"Refused: {lead}, {text}; at least {rules.margin:+.3f} is asked.", numbers)
    if combined.low < -rules.tolerance:
        reason = f"Refused: the gain may be chance, {text}; the lower end must be above {-rules.tolerance:+.3f}."
        return Verdict(False, "uncertain", reason, numbers)
    if worse:
        reason = f"Refused: better on the whole, {text}, but clearly worse {' and '.join(worse)}."
        return Verdict(False, "worse_somewhere", reason, {**numbers, "worse": worse})
    return Verdict(True, "better", f"Promoted: {text}.", numbers)


def _clearly_worse(value: Difference, better: int, guard: float) -> bool:
    """Worse by more than the guard, and not by chance."""
    return value.mean * better < -guard and max(value.low * better, value.high * better) < 0
