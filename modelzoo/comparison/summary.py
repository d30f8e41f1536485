"""From rows to figures: means with intervals for every set and method, by object size; trust in predicted IoUs."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np

from modelzoo.training.evaluate import BOUNDARY_CLICKS, GOALS, REPORTED_CLICKS, Row, best_said, iou_after, prompt_pairs
from modelzoo.training.metrics import (
    Bootstrap,
    FloatArray,
    Interval,
    Reliability,
    interval,
    rank_correlation,
    reliability,
)

# Upper limits of an object's share of its picture.
SIZES = {"< 1 %": 0.01, "1-3 %": 0.03, "3-10 %": 0.10, "> 10 %": 1.0}


@dataclass(frozen=True)
class Trust:
    """How well predicted and true IoU agree over `pairs` masks: in order (rank), in level (error), on average."""

    pairs: int
    rank: Interval | None
    error: Interval
    mean_said: float
    mean_true: float
    bins: Reliability


@dataclass(frozen=True)
class MethodSummary:
    """Figures of one method on one set. ahead: the first model's figure minus this one's, mask by mask."""

    figures: dict[str, Interval]
    sizes: dict[str, dict[str, Interval]] = field(default_factory=dict)
    ahead: dict[str, Interval] = field(default_factory=dict)
    trust: dict[str, Trust] = field(default_factory=dict)


@dataclass(frozen=True)
class SetSummary:
    """One set: what was counted, and what every method reached on it, in the order they were run.

    resampled: method -> figure -> its mean in every resample; `over_sets` combines these.
    """

    name: str
    masks: int
    pictures: int
    groups: int
    methods: dict[str, MethodSummary]
    resampled: dict[str, dict[str, FloatArray]]


def figures_of(row: Row) -> dict[str, float]:
    """Every figure that one row gives; a method that takes no box, or no third click, has no such figure."""
    found: dict[str, float] = {}
    if "iou" in row:
        most = row.get("clicks", max(REPORTED_CLICKS))
        found |= {f"miou_{count}": iou_after(row, count) for count in REPORTED_CLICKS if count <= most}
    for name in ("1_oracle", "box", "box_click"):
        if f"iou_{name}" in row:
            found[f"miou_{name}"] = row[f"iou_{name}"]
    for name in (*(f"boundary_{place}" for place in (*BOUNDARY_CLICKS, "box")), *GOALS):
        if name in row:
            found[name] = row[name]
    if "box_masks" in row:
        found["miou_box_best_said"] = best_said(row["box_masks"])
        found["miou_box_oracle"] = max(true for _, true in row["box_masks"])
    return found


def summarise_set(name: str, rows: Sequence[Row]) -> SetSummary:
    """Figures of one set. The masks are those of the first method; others may lack some (no second annotator)."""
    by_method: dict[str, list[Row]] = {}
    for row in rows:
        by_method.setdefault(row["method"], []).append(row)
    first, judged = next(iter(by_method.items()))
    place = {row["id"]: number for number, row in enumerate(judged)}
    bootstrap = Bootstrap([row["group"] for row in judged])
    shares = np.array([row["share"] for row in judged])
    values = {method: columns(found, place) for method, found in by_method.items()}
    methods, resampled = {}, {}
    for method, of_method in values.items():
        figures = intervals(bootstrap, of_method)
        both = {key: values[first][key] - numbers for key, numbers in of_method.items() if key in values[first]}
        methods[method] = MethodSummary(
            figures=figures,
            sizes={label: intervals(bootstrap, part) for label, part in by_size(of_method, shares)},
            ahead={} if method == first else intervals(bootstrap, both),
            trust=trust_of(by_method[method], place, bootstrap) if "candidates" in by_method[method][0] else {},
        )
        resampled[method] = {key: bootstrap.means(of_method[key]) for key in figures}
    pictures = {row["image"] for row in judged}
    return SetSummary(name, len(judged), len(pictures), len(bootstrap.names), methods, resampled)


def columns(rows: Iterable[Row], place: dict[str, int]) -> dict[str, FloatArray]:
    """Figure -> its value for every mask, NaN where there is none."""
    found: dict[str, FloatArray] = {}
    for row in rows:
        for key, value in figures_of(row).items():
            found.setdefault(key, np.full(len(place), np.nan))[place[row["id"]]] = value
    return found


def intervals(bootstrap: Bootstrap, values: dict[str, FloatArray]) -> dict[str, Interval]:
    found = {key: bootstrap.mean(numbers) for key, numbers in values.items()}
    return {key: one for key, one in found.items() if one is not None}


def by_size(values: dict[str, FloatArray], shares: FloatArray) -> Iterable[tuple[str, dict[str, FloatArray]]]:
    """The same columns with NaN for the masks that belong to another size, for each size that occurs."""
    lower = 0.0
    for label, upper in SIZES.items():
        inside = (shares >= lower) & (shares < upper) | ((upper == 1.0) & (shares == 1.0))
        if inside.any():
            yield label, {key: np.where(inside, numbers, np.nan) for key, numbers in values.items()}
        lower = upper


def trust_of(rows: Sequence[Row], place: dict[str, int], bootstrap: Bootstrap) -> dict[str, Trust]:
    """Trust in the candidates of one click, and in what is predicted over all prompts."""
    kinds = {"one click": [row["candidates"] for row in rows], "all prompts": [prompt_pairs(row) for row in rows]}
    found = {}
    for kind, lists in kinds.items():
        said, true = np.array([pair for pairs in lists for pair in pairs]).T
        mask_of = [place[row["id"]] for row, pairs in zip(rows, lists, strict=True) for _ in pairs]
        found[kind] = pairs_trust(said, true, mask_of, bootstrap)
    return found


def pairs_trust(said: FloatArray, true: FloatArray, mask_of: Sequence[int], bootstrap: Bootstrap) -> Trust:
    error = bootstrap.statistic(mask_of, lambda weights: reliability(said, true, weights).calibration_error)
    if error is None:
        raise ValueError("There is no prediction to judge.")
    return Trust(
        pairs=len(said),
        rank=bootstrap.statistic(mask_of, lambda weights: rank_correlation(said, true, weights)),
        error=error,
        mean_said=float(said.mean()),
        mean_true=float(true.mean()),
        bins=reliability(said, true),
    )


def over_sets(sets: Sequence[SetSummary]) -> dict[str, dict[str, Interval]]:
    """method -> figure -> mean of the sets' means, each set counting once; only what every set has.

    The count is that of all masks together. The sets are resampled independently of one another; there is no interval
    where one of them has none.
    """
    found: dict[str, dict[str, Interval]] = {}
    for method, summary in sets[0].methods.items():
        if any(method not in one.methods for one in sets):
            continue
        common = [key for key in summary.figures if all(key in one.methods[method].figures for one in sets)]
        for key in common:
            parts = [one.methods[method].figures[key] for one in sets]
            mean, count = float(np.mean([part.value for part in parts])), sum(part.count for part in parts)
            whole = Interval(mean, None, None, count)
            if all(part.low is not None for part in parts):
                whole = interval(mean, np.mean([one.resampled[method][key] for one in sets], axis=0), count)
            found.setdefault(method, {})[key] = whole
    return found
