"""A picture sheet for the model card: one click each on the sample photographs, and what the model makes of it.

    python -m benchmarks.sheet modelzoo/weights/predictions.jpg

Each row of a picture: the click, then the three candidates with the IoU that the model predicts for them.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np
from PIL import Image, ImageDraw, ImageFont
from skimage import data

from modelzoo.checkpoint import load_checkpoint
from modelzoo.commands.common import DEFAULT_MODEL, weights_path
from modelzoo.predictor import Predictor

TILE = 260
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


def tile(image: np.ndarray, mask: np.ndarray | None, click: tuple[float, float], label: str) -> Image.Image:
    """One picture with a mask in turquoise and the click as a ring."""
    pixels = image.astype(np.float32)
    if mask is not None:
        pixels[mask] = 0.45 * pixels[mask] + 0.55 * np.array([30, 200, 180])
    shown = Image.fromarray(pixels.astype(np.uint8))
    shown.thumbnail((TILE, TILE))
    draw = ImageDraw.Draw(shown)
    x, y = click[0] * shown.width, click[1] * shown.height
    draw.ellipse([x - 5, y - 5, x + 5, y + 5], outline="white", width=3)
    draw.text((6, 4), label, fill="white", font=ImageFont.load_default(16), stroke_width=2, stroke_fill="black")
    canvas = Image.new("RGB", (TILE, TILE), "white")
    canvas.paste(shown, ((TILE - shown.width) // 2, (TILE - shown.height) // 2))
    return canvas


def main(target: Path) -> None:
    """Write the sheet: two pictures a row, four tiles each."""
    predictor = Predictor(load_checkpoint(weights_path(DEFAULT_MODEL)))
    sheet = Image.new("RGB", (8 * TILE, len(CLICKS) // 2 * TILE), "white")
    for number, (loader, place) in enumerate(CLICKS):
        image = np.asarray(Image.fromarray(loader()).convert("RGB"))
        height, width = image.shape[:2]
        point = np.array([[place[0] * width, place[1] * height]])
        prediction = predictor.decode(predictor.encode(image), points=point, labels=np.array([1]))
        order = prediction.iou_predictions.argsort()[::-1]
        tiles = [tile(image, None, place, "click")]
        tiles += [tile(image, prediction.masks[i], place, f"{prediction.iou_predictions[i]:.2f}") for i in order]
        for column, one in enumerate(tiles):
            sheet.paste(one, ((4 * (number % 2) + column) * TILE, number // 2 * TILE))
    sheet.save(target, quality=85)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
