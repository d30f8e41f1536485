"""A picture sheet for the model card: one click each on the sample photographs, and what the model makes of it.

    python -m benchmarks.sheet modelzoo/weights/predictions.jpg

Each row of a picture: the click, then the three candidates with the IoU that the model predicts for them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw
from skimage import data

from modelzoo.commands.common import DEFAULT_MODEL, load
from modelzoo.comparison.drawing import PAPER, TEAL, ring, tinted, words
from modelzoo.predictor import Predictor

TILE, CAPTION, GAP = 260, 26, 8
# (loader, click in shares of width and height): objects that a person would click first.
CLICKS = (
    (data.astronaut, (0.44, 0.22)),
    (data.astronaut, (0.75, 0.80)),
    (data.coffee, (0.47, 0.37)),
    (data.chelsea, (0.35, 0.40)),
    (data.rocket, (0.50, 0.55)),
    (data.coins, (0.12, 0.87)),
    (data.camera, (0.30, 0.60)),
    (data.immunohistochemistry, (0.60, 0.82)),
)


def tile(image: np.ndarray, click: tuple[float, float], label: str) -> Image.Image:
    """One picture with the click as a ring, and words under it."""
    shown = Image.fromarray(image)
    shown.thumbnail((TILE, TILE))
    canvas = Image.new("RGB", (TILE, TILE + CAPTION), PAPER)
    left, top = (TILE - shown.width) // 2, (TILE - shown.height) // 2
    canvas.paste(shown, (left, top))
    draw = ImageDraw.Draw(canvas)
    ring(draw, left + click[0] * shown.width, top + click[1] * shown.height)
    words(draw, (left + 2, top + shown.height + 5), label, 14)
    return canvas


def main(target: Path, model: str = DEFAULT_MODEL) -> None:
    """Write the sheet: two pictures a row, four tiles each."""
    predictor = Predictor(load(model))
    step, height = TILE + GAP, TILE + CAPTION + GAP
    sheet = Image.new("RGB", (8 * step, len(CLICKS) // 2 * height), PAPER)
    for number, (loader, place) in enumerate(CLICKS):
        image = np.asarray(Image.fromarray(loader()).convert("RGB"))
        point = np.array([[place[0] * image.shape[1], place[1] * image.shape[0]]])
        prediction = predictor.decode(predictor.encode(image), points=point, labels=np.array([1]))
        order = prediction.iou_predictions.argsort()[::-1]
        tiles = [tile(image, place, "the click")]
        for index in order:
            said = f"predicted IoU {prediction.iou_predictions[index]:.2f}"
            tiles.append(tile(tinted(image, prediction.masks[index], TEAL), place, said))
        for column, one in enumerate(tiles):
            sheet.paste(one, ((4 * (number % 2) + column) * step, number // 2 * height))
    sheet.save(target, quality=85)


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:3])
