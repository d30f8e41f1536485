"""A comparison on paper: report.json with every row, report.md with the tables for a model card."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from modelzoo.comparison.compare import Comparison
from modelzoo.comparison.summary import SIZES, SetSummary, Trust, over_sets
from modelzoo.training.metrics import Interval

CLICK_COLUMNS = {
    "miou_1": "1 click",
    "miou_1_oracle": "best of 3",
    "miou_2": "2 clicks",
    "miou_3": "3 clicks",
    "miou_5": "5 clicks",
    "noc85": "NoC@85",
    "noc90": "NoC@90",
}
BOX_COLUMNS = {
    "miou_box": "box",
    "miou_box_best_said": "box, best predicted",
    "miou_box_oracle": "box, best of 4",
    "miou_box_click": "box + click",
}
BOUNDARY_COLUMNS = {"boundary_1": "1 click", "boundary_5": "5 clicks", "boundary_box": "box"}
SIZE_COLUMNS = {
    "miou_1": "1 click",
    "miou_1_oracle": "best of 3",
    "miou_3": "3 clicks",
    "miou_5": "5 clicks",
    "miou_box": "box",
}
AHEAD_COLUMNS = {"miou_1": "1 click", "miou_3": "3 clicks", "miou_5": "5 clicks", "miou_box": "box"}
NOTHING = ""


def write_json(comparison: Comparison, path: Path) -> None:
    """Everything. The figures of the first model over all masks of all sets stand at the top level."""
    document = comparison.first | {
        "about": comparison.about,
        "sets": {one.name: plain(one) for one in comparison.sets},
        "mean_of_sets": plain(over_sets(comparison.sets)),
        "rows": comparison.rows,
    }
    path.write_text(json.dumps(document, indent=1, allow_nan=False) + "\n", encoding="utf-8")


def plain(value: Any) -> Any:
    """JSON-able copy; numbers rounded to five digits, resamples left out."""
    if dataclasses.is_dataclass(value):
        names = [item.name for item in dataclasses.fields(value) if item.name != "resampled"]
        return {name: plain(getattr(value, name)) for name in names}
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, np.ndarray):
        return [plain(item) for item in value.tolist()]
    return round(value, 5) if isinstance(value, float) else value


def markdown(comparison: Comparison) -> str:
    """The tables, models and baselines side by side; 95 % intervals in brackets."""
    about, sets = comparison.about, comparison.sets
    parts = ["# Evaluation", preamble(comparison), "## Sets", sets_table(comparison)]
    if len(sets) > 1:
        parts += ["## Mean of the sets' means", method_table(CLICK_COLUMNS | BOX_COLUMNS, over_sets(sets))]
    for one in sets:
        parts += [f"## {one.name}: {counted(one.masks, 'mask')}, {counted(one.pictures, 'picture')}"]
        figures = {name: method.figures for name, method in one.methods.items()}
        parts += ["Mean IoU from clicks, and clicks to an IoU of 0.85 and 0.90", method_table(CLICK_COLUMNS, figures)]
        parts += ["Mean IoU from a box", method_table(BOX_COLUMNS, figures)]
        parts += ["Mean boundary IoU", method_table(BOUNDARY_COLUMNS, figures)]
        parts += ["Mean IoU by the object's share of the picture", size_table(one)]
        ahead = {name: method.ahead for name, method in one.methods.items() if method.ahead}
        if ahead:
            parts += [
                f"How far {about['models'][0]['name']} is ahead, mask by mask",
                method_table(AHEAD_COLUMNS, ahead, signed),
            ]
    if any(method.trust for one in sets for method in one.methods.values()):
        parts += ["## Predicted IoU", trust_table(sets)]
    return "\n\n".join(parts) + "\n"


def preamble(comparison: Comparison) -> str:
    about = comparison.about
    lines = [
        f"- {model['name']}: sha256 `{model['sha256']}`, {model['megabytes']} MB; encoder {model['encoder_ms']} ms, "
        f"decoder {model['decoder_ms']} ms (medians, one thread, shared with the other work of this run)"
        for model in about["models"]
    ]
    lines.append(
        f"- seed {about['seed']}, at most {about['max_clicks']} clicks, {about['processes']} processes, "
        f"{about['seconds']} s in all, on {about['machine']}"
    )
    lines.append("- what each figure means: docs/evaluation.md. Brackets: 95 % intervals, from resampling pictures")
    return "\n".join(lines)


def sets_table(comparison: Comparison) -> str:
    notes = comparison.about["sets"]
    rows = [
        [one.name, str(one.masks), str(one.pictures), str(one.groups), notes[one.name]["drawn"]]
        for one in comparison.sets
    ]
    return table(["set", "masks", "pictures", "groups resampled", "which masks"], rows)


def method_table(
    titles: Mapping[str, str],
    methods: Mapping[str, Mapping[str, Interval]],
    shown: Callable[[Interval], str] | None = None,
) -> str:
    """One line for each method that has any of the figures."""
    cell = shown or bracketed
    used = {key: title for key, title in titles.items() if any(key in figures for figures in methods.values())}
    rows = [
        [name, *(cell(figures[key]) if key in figures else NOTHING for key in used)]
        for name, figures in methods.items()
        if any(key in figures for key in used)
    ]
    return table(["method", *used.values()], rows)


def size_table(one: SetSummary) -> str:
    rows = []
    for size in SIZES:
        for name, method in one.methods.items():
            figures = method.sizes.get(size, {})
            cells = [bracketed(figures[key]) if key in figures else NOTHING for key in SIZE_COLUMNS]
            if any(cells):
                rows.append([size, str(max(part.count for part in figures.values())), name, *cells])
    return table(["share", "masks", "method", *SIZE_COLUMNS.values()], rows)


def trust_table(sets: Sequence[SetSummary]) -> str:
    rows = []
    for one in sets:
        for name, method in one.methods.items():
            rows += [[one.name, name, kind, *trust_cells(trust)] for kind, trust in method.trust.items()]
    titles = [
        "set",
        "model",
        "prompts",
        "pairs",
        "rank correlation",
        "calibration error",
        "mean predicted",
        "mean true",
    ]
    return table(titles, rows)


def trust_cells(trust: Trust) -> list[str]:
    rank = NOTHING if trust.rank is None else bracketed(trust.rank)
    return [str(trust.pairs), rank, bracketed(trust.error), f"{trust.mean_said:.2f}", f"{trust.mean_true:.2f}"]


def counted(number: int, thing: str) -> str:
    return f"{number} {thing}" if number == 1 else f"{number} {thing}s"


def bracketed(one: Interval) -> str:
    digits = 1 if one.value > 1.5 else 2  # clicks need fewer
    if one.low is None or one.high is None:
        return f"{one.value:.{digits}f}"
    return f"{one.value:.{digits}f} ({one.low:.{digits}f}–{one.high:.{digits}f})"


def signed(one: Interval) -> str:
    if one.low is None or one.high is None:
        return f"{one.value:+.2f}"
    return f"{one.value:+.2f} ({one.low:+.2f} to {one.high:+.2f})"


def table(titles: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [titles, ["---"] * len(titles), *rows]
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)
