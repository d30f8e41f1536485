"""calibration.png: predicted against true IoU in ten bins, a column for each set and a row for each model."""

from __future__ import annotations

from collections.abc import Sequence

from PIL import Image, ImageDraw

from modelzoo.comparison.drawing import FAINT, GRID, ORANGE, PAPER, SCALE, TEAL, Pen
from modelzoo.comparison.summary import SetSummary, Trust
from modelzoo.training.metrics import BINS

SIDE, BARS = 220, 56  # of the diagram and of the histogram under it
HEAD, LEFT, TOP, GAP, FOOT = 44, 64, 104, 44, 64
COLOURS = {"one click": TEAL, "all prompts": ORANGE}


def reliability_figure(sets: Sequence[SetSummary]) -> Image.Image | None:
    """Every set that a model with predicted IoUs was judged on; None where there is no such model."""
    models = list(dict.fromkeys(name for one in sets for name, method in one.methods.items() if method.trust))
    if not models:
        return None
    column, row = SIDE + GAP, TOP + SIDE + BARS + FOOT
    size = LEFT + column * len(sets), HEAD + row * len(models)
    sheet = Image.new("RGB", (size[0] * SCALE, size[1] * SCALE), PAPER)
    pen = Pen(ImageDraw.Draw(sheet))
    legend(pen)
    for line, model in enumerate(models):
        pen.words(LEFT, HEAD + line * row + 8, model, 17)
        for number, one in enumerate(sets):
            trust = one.methods[model].trust
            left, top = LEFT + number * column, HEAD + line * row + TOP
            words_above(pen, left, top, one.name, trust)
            diagram(pen, left, top, trust, labelled=number == 0)
            histogram(pen, left, top + SIDE + 34, trust, labelled=number == 0)
    return sheet.resize(size, Image.Resampling.LANCZOS)


def legend(pen: Pen) -> None:
    left = float(LEFT)
    for kind, colour in COLOURS.items():
        pen.dot(left + 6, 22, 5, colour)
        pen.words(left + 18, 22, kind, 14, anchor="lm")
        left += 44 + 8 * len(kind)
    pen.words(
        left, 22, "across: predicted IoU; up: mean true IoU of that bin; on the line: calibrated", 13, FAINT, "lm"
    )


def words_above(pen: Pen, left: float, top: float, name: str, trust: dict[str, Trust]) -> None:
    pen.words(left, top - 64, name, 15)
    for line, (kind, one) in enumerate(trust.items()):
        rank = "none" if one.rank is None else f"{one.rank.value:.2f}"
        said = f"rank correlation {rank}, calibration error {one.error.value:.2f}"
        pen.words(left, top - 42 + 17 * line, said, 11.4, COLOURS[kind])


def diagram(pen: Pen, left: float, top: float, trust: dict[str, Trust], labelled: bool) -> None:
    for step in range(6):
        value = step / 5
        x, y = left + SIDE * value, top + SIDE * (1 - value)
        pen.line((x, top), (x, top + SIDE), fill=GRID)
        pen.line((left, y), (left + SIDE, y), fill=GRID)
        pen.words(x, top + SIDE + 6, f"{value:.1f}", 11, FAINT, "ma")
        if labelled:
            pen.words(left - 8, y, f"{value:.1f}", 11, FAINT, "rm")
    pen.line((left, top + SIDE), (left + SIDE, top), fill=FAINT)
    for kind, one in trust.items():
        used = [number for number in range(BINS) if one.bins.counts[number] > 0]
        places = [
            (left + SIDE * float(one.bins.said[number]), top + SIDE * (1 - float(one.bins.true[number])))
            for number in used
        ]
        if len(places) > 1:
            pen.line(*places, fill=COLOURS[kind], width=1.6)
        largest = float(one.bins.counts.max())
        for number, (x, y) in zip(used, places, strict=True):
            pen.dot(x, y, 2.5 + 3.5 * (float(one.bins.counts[number]) / largest) ** 0.5, COLOURS[kind])


def histogram(pen: Pen, left: float, top: float, trust: dict[str, Trust], labelled: bool) -> None:
    """Share of the predictions in each bin, the kinds of prompts beside one another."""
    largest = max(float((one.bins.counts / one.pairs).max()) for one in trust.values())
    width = SIDE / BINS
    for place, (kind, one) in enumerate(trust.items()):
        for number in range(BINS):
            height = BARS * float(one.bins.counts[number]) / one.pairs / largest
            x = left + number * width + 2 + place * (width - 4) / 2
            if height:
                pen.bar(x, top + BARS - height, x + (width - 4) / 2 - 1, top + BARS, COLOURS[kind])
    pen.line((left, top + BARS), (left + SIDE, top + BARS), fill=FAINT)
    pen.words(left + SIDE, top + BARS + 6, f"highest bar: {largest:.0%} of the predictions", 11, FAINT, "ra")
    if labelled:
        pen.words(left - 8, top + BARS, "0", 11, FAINT, "rm")
