"""What a simulation brought: OUT.json for machines and OUT.png for people."""

from __future__ import annotations

import json
import os
import platform
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from PIL import Image, ImageDraw

from modelzoo.comparison.drawing import FAINT, GRID, INK, ORANGE, PAPER, SCALE, TEAL, Colour, Pen

WIDE, HIGH = 460, 250  # of one panel's plot
LEFT, TOP, GAP_X, GAP_Y = 56, 92, 76, 104
STEPS = 4  # grid lines above zero
NEAR = 0.15  # of the scale: closer than this, the numbers of two points would touch

DECIDED = {"promote": "promoted", "refuse": "refused"}

Json = dict[str, Any]
Series = tuple[str, Sequence[float | None], Colour]


def write_report(report: Json, path: Path) -> Path:
    """Write the report and its plot; returns the plot's path."""
    report["machine"] = {"processor": platform.processor() or platform.machine(), "cores": os.cpu_count()}
    path.write_text(json.dumps(report, indent=2) + "\n", "utf-8")
    plot = path.with_suffix(".png")
    figure(report).save(plot)
    return plot


def figure(report: Json) -> Image.Image:
    """Four panels over the rounds: work, what people accepted at once, the model on held-out pictures, masks."""
    rounds = report["rounds"]
    panels = [
        (
            "Clicks per mask",
            [
                ("people, new pictures", _values(rounds, "clicks_per_mask"), TEAL),
                ("held-out pictures, always the same", [one["held_out"]["noc85"] for one in rounds], ORANGE),
            ],
            0.0,
        ),
        (
            "Share of masks accepted",
            [
                ("after one click", _values(rounds, "one_click_share"), TEAL),
                ("prefilled, untouched", [one["prefilled"]["share_of_objects"] for one in rounds], ORANGE),
            ],
            1.0,
        ),
        (
            "Held-out mean IoU, one click",
            [
                ("serving", [one["held_out"]["miou_1"] for one in rounds], TEAL),
                ("candidate of this round", [_candidate(one) for one in rounds], ORANGE),
            ],
            0.0,
        ),
        (
            "Masks per picture",
            [
                ("by people", _values(rounds, "masks_per_image"), TEAL),
                ("by the machine alone", [one.get("automatic", {}).get("masks_per_image") for one in rounds], ORANGE),
            ],
            0.0,
        ),
    ]
    size = LEFT + 2 * (WIDE + GAP_X), TOP + 2 * (HIGH + GAP_Y)
    sheet = Image.new("RGB", (size[0] * SCALE, size[1] * SCALE), PAPER)
    pen = Pen(ImageDraw.Draw(sheet))
    pen.words(LEFT, 22, f"{report['dataset']}: {report['pictures']} pictures, {report['objects']} objects", 20)
    for place, (title, series, top) in enumerate(panels):
        left, upper = LEFT + place % 2 * (WIDE + GAP_X), TOP + place // 2 * (HIGH + GAP_Y)
        panel(pen, (left, upper), title, series, [_under(one) for one in rounds], top)
    return sheet.resize(size, Image.Resampling.LANCZOS)


def panel(
    pen: Pen, corner: tuple[int, int], title: str, series: Sequence[Series], labels: Sequence[str], top: float
) -> None:
    """One plot with its left upper ``corner``; ``top`` is the end of its scale (0: whatever the values need)."""
    left, upper = corner
    values = [value for _, line, _ in series for value in line if value is not None]
    top = top or _round_up(max(values, default=1.0))
    for step in range(STEPS + 1):
        y = upper + HIGH * (1 - step / STEPS)
        pen.line((left, y), (left + WIDE, y), fill=GRID)
        pen.words(left - 8, y, f"{top * step / STEPS:.3g}", 12, FAINT, "rm")
    places = [left + WIDE * (number + 0.5) / len(labels) for number in range(len(labels))]
    for x, label in zip(places, labels, strict=True):
        for row, words in enumerate(label.split("\n")):
            pen.words(x, upper + HIGH + 10 + 16 * row, words, 12, FAINT, "ma")
    pen.words(left, upper - 40, title, 16)
    across = float(left)
    heights = _label_heights([line for _, line, _ in series], top)
    for (name, line, colour), shifts in zip(series, heights, strict=True):
        points = [
            (x, upper + HIGH * (1 - value / top)) for x, value in zip(places, line, strict=True) if value is not None
        ]
        if points:
            pen.line(*points, fill=colour, width=2)
        shown = [(value, shift) for value, shift in zip(line, shifts, strict=True) if value is not None]
        for (x, y), (value, above) in zip(points, shown, strict=True):
            pen.dot(x, y, 4, colour)
            if above:
                pen.words(x, y - 8, f"{value:.2f}", 12, INK, "mb")
            elif y + 24 < upper + HIGH:
                pen.words(x, y + 8, f"{value:.2f}", 12, INK, "ma")
            else:  # below it stand the words of the axis
                pen.words(x + 9, y, f"{value:.2f}", 12, INK, "lm")
        pen.dot(across + 5, upper - 12, 4, colour)
        pen.words(across + 14, upper - 12, name, 12, anchor="lm")
        across += 34 + 7 * len(name)


def _label_heights(lines: Sequence[Sequence[float | None]], top: float) -> list[list[bool]]:
    """For every value of every line, whether its number stands above its point: the greatest of a round does, and
    whatever is far from it; the others stand below."""
    rows: list[list[bool]] = []
    for line in lines:
        row = []
        for place, value in enumerate(line):
            others = [other[place] for other in lines if other is not line and other[place] is not None]
            highest = max((one for one in others if one is not None), default=None)
            row.append(value is None or highest is None or value > highest or highest - value > top * NEAR)
        rows.append(row)
    return rows


def _values(rounds: Sequence[Json], name: str) -> list[float | None]:
    return [one[name] for one in rounds]


def _candidate(one: Json) -> float | None:
    """The candidate as it was measured on what is really there; None where none was trained."""
    held_out = one.get("training", {}).get("held_out")
    return held_out["miou_1"] if held_out else None


def _under(one: Json) -> str:
    """What stands under a round: its number, its stage and what the gate decided after it."""
    decision = one.get("training", {}).get("decision")
    return f"{one['round']} {one['stage'].replace('_', '-')}" + (f"\nthen {DECIDED[decision]}" if decision else "")


def _round_up(value: float) -> float:
    """The end of a scale that holds ``value`` with some air: 1, 2, 2.5 or 5 times a power of ten."""
    if value <= 0:
        return 1.0
    power: float = 10.0 ** (len(str(int(value))) - 1) if value >= 1 else 0.1
    return next(power * step for step in (1, 2, 2.5, 5, 10, 20) if power * step >= value * 1.1)
