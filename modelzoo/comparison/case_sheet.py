"""worst.png: the worst answers to one click and the middling ones, with what people drew."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw

from modelzoo import rle
from modelzoo.checkpoint import load_checkpoint
from modelzoo.comparison.compare import Comparison
from modelzoo.comparison.drawing import FAINT, INK, ORANGE, PAPER, TEAL, outlined, ring, tinted, words
from modelzoo.predictor import Predictor
from modelzoo.training.data import load_picture
from modelzoo.training.evaluate import Row
from modelzoo.training.metrics import mask_iou

TILE, CAPTION, GAP, HEADING = 220, 42, 12, 40
WORST, MIDDLING = 3, 1  # of each set
MOST_TILES = 8  # beside one another


@dataclass(frozen=True)
class Case:
    """A mask to show: why, what the first model made of it, where it lies."""

    why: str
    row: Row
    path: Path
    mask: rle.RLE


def case_sheet(comparison: Comparison, models: Mapping[str, Path]) -> Image.Image:
    """For each set the worst masks of the first model at one click, at most one of a picture, and the median."""
    predictors = {name: Predictor(load_checkpoint(path)) for name, path in models.items()}
    tiles = 2 + len(models)
    beside = max(1, MOST_TILES // tiles)
    width = beside * (tiles * (TILE + 4) + GAP) + GAP
    bands = []
    for one in comparison.sets:
        strips = [case_strip(case, predictors) for case in cases(comparison, one.name, next(iter(models)))]
        bands.append(set_band(f"{one.name}: worst and median at one click", strips, beside, width))
    sheet = Image.new("RGB", (width, sum(band.height for band in bands)), PAPER)
    top = 0
    for band in bands:
        sheet.paste(band, (0, top))
        top += band.height
    return sheet


def cases(comparison: Comparison, set_name: str, model: str) -> list[Case]:
    """The cases of a set, worst first; equal ones in the order of their ids."""
    rows = [row for row in comparison.rows if row["set"] == set_name and row["method"] == model]
    ordered = sorted(rows, key=lambda row: (row["iou"][0], row["id"]))
    chosen: list[tuple[str, Row]] = []
    for row in ordered:
        if len(chosen) < WORST and row["image"] not in {other["image"] for _, other in chosen}:
            chosen.append(("worst", row))
    middle = len(ordered) // 2
    chosen += [("median", row) for row in ordered[middle : middle + MIDDLING] if row not in [one for _, one in chosen]]
    places = {
        (picture.path.name, identity): (picture.path, mask)
        for picture in comparison.pictures
        if picture.set_name == set_name
        for identity, mask in zip(picture.ids, picture.masks, strict=True)
    }
    return [Case(why, row, *places[row["image"], row["id"]]) for why, row in chosen]


def case_strip(case: Case, predictors: Mapping[str, Predictor]) -> Image.Image:
    """The picture with the click, what was drawn, and each model's answer with the drawn outline over it."""
    image, target = load_picture(case.path), rle.decode(case.mask)
    window = around(target)
    click = case.row["click"]
    share = f"{case.row['share']:.1%} of the picture"
    strips = [
        tile(image, window, click, (f"{case.why}: mask {case.row['id']}", share)),
        tile(tinted(image, target, TEAL), window, click, ("what a person drew", "")),
    ]
    for name, predictor in predictors.items():
        answer = predictor.decode(predictor.encode(image), np.array([click]), np.array([1]))
        best = int(answer.iou_predictions.argmax())
        mask = answer.masks[best]
        label = f"IoU {mask_iou(mask, target):.2f}, predicted {answer.iou_predictions[best]:.2f}"
        strips.append(tile(tinted(image, mask, ORANGE), window, click, (label, name), target))
    strip = Image.new("RGB", (len(strips) * (TILE + 4), TILE + CAPTION), PAPER)
    for number, one in enumerate(strips):
        strip.paste(one, (number * (TILE + 4), 0))
    return strip


def around(target: np.ndarray) -> tuple[slice, slice]:
    """Rows and columns of a square on a mask: three times its longer side, 96 pixels at least, inside the picture."""
    found = []
    rows, columns = np.flatnonzero(target.any(1)), np.flatnonzero(target.any(0))
    reach = max(48.0, 1.5 * max(rows[-1] - rows[0] + 1, columns[-1] - columns[0] + 1))
    for inside, length in ((rows, target.shape[0]), (columns, target.shape[1])):
        middle = (inside[0] + inside[-1] + 1) / 2
        side = min(length, round(2 * reach))
        start = int(np.clip(round(middle - reach), 0, length - side))
        found.append(slice(start, start + side))
    return found[0], found[1]


def tile(
    pixels: np.ndarray,
    window: tuple[slice, slice],
    click: Sequence[float],
    lines: tuple[str, str],
    outline: np.ndarray | None = None,
) -> Image.Image:
    """A window of a picture in a square, the click and perhaps a mask's outline on it, two lines of words under it."""
    cut = Image.fromarray(np.ascontiguousarray(pixels[window]))
    scale = TILE / max(cut.size)
    size = max(1, round(cut.width * scale)), max(1, round(cut.height * scale))
    shown = cut.resize(size, Image.Resampling.BICUBIC)
    if outline is not None:
        drawn = Image.fromarray(outline[window]).resize(size, Image.Resampling.NEAREST)
        shown = Image.fromarray(outlined(np.asarray(shown), np.asarray(drawn)))
    canvas = Image.new("RGB", (TILE, TILE + CAPTION), PAPER)
    left, top = (TILE - size[0]) // 2, (TILE - size[1]) // 2
    canvas.paste(Image.new("RGB", (TILE, TILE), (241, 243, 245)), (0, 0))
    canvas.paste(shown, (left, top))
    draw = ImageDraw.Draw(canvas)
    ring(draw, left + (click[0] - window[1].start) * scale, top + (click[1] - window[0].start) * scale)
    words(draw, (2, TILE + 5), lines[0], 13, INK)
    words(draw, (2, TILE + 22), lines[1], 12, FAINT)
    return canvas


def set_band(heading: str, strips: Sequence[Image.Image], beside: int, width: int) -> Image.Image:
    """The strips of one set under a heading, `beside` of them in a line."""
    lines = -(-len(strips) // beside)
    height = TILE + CAPTION + GAP
    band = Image.new("RGB", (width, HEADING + lines * height), PAPER)
    draw = ImageDraw.Draw(band)
    words(draw, (GAP, HEADING - 12), heading, 18, INK, "ls")
    draw.line([(GAP, HEADING - 6), (width - GAP, HEADING - 6)], fill=(206, 212, 218))
    for number, strip in enumerate(strips):
        place = GAP + number % beside * (strip.width + GAP), HEADING + number // beside * height
        band.paste(strip, place)
    return band
