"""The mask codec: how many masks a second go through validation, encoding and decoding."""

from __future__ import annotations

import numpy as np

from benchmarks.measure import Row, rate
from modelzoo import rle

SIZE = (1000, 1500)
COUNT = 40


def rows() -> list[Row]:
    """Blobs of different sizes on a 1500 x 1000 picture."""
    random = np.random.default_rng(0)
    y, x = np.mgrid[: SIZE[0], : SIZE[1]]
    masks = []
    for _ in range(COUNT):
        centre, radius = random.uniform(0, 1, 2) * SIZE, random.uniform(10, 300)
        wave = 1 + 0.2 * np.sin(8 * np.arctan2(y - centre[0], x - centre[1]))
        masks.append((y - centre[0]) ** 2 + (x - centre[1]) ** 2 < (radius * wave) ** 2)
    encoded = [rle.encode(mask) for mask in masks]
    return [
        rate("RLE encode, 1500 x 1000", lambda: [rle.encode(mask) for mask in masks], COUNT, "masks/s"),
        rate("RLE validate, 1500 x 1000", lambda: [rle.validate(one, *SIZE) for one in encoded], COUNT, "masks/s"),
        rate("RLE decode, 1500 x 1000", lambda: [rle.decode(one) for one in encoded], COUNT, "masks/s"),
    ]
