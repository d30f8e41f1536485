"""The mask codec: how many masks a second go through validation, encoding and decoding, beside pycocotools bare."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from typing import Any

import numpy as np
from pycocotools import mask as coco_mask  # noqa: TID251  it is what we are compared with

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
    plain = [{"size": list(SIZE), "counts": one["counts"].encode()} for one in encoded]
    pairs = {
        "encode": (
            lambda: [rle.encode(mask) for mask in masks],
            lambda: [coco_mask.encode(np.asfortranarray(mask, np.uint8)) for mask in masks],
        ),
        "validate and measure": (
            lambda: [rle.examine(one, *SIZE) for one in encoded],
            lambda: [(coco_mask.area(one), coco_mask.toBbox(one)) for one in plain],
        ),
        "decode": (
            lambda: [rle.decode(one) for one in encoded],
            lambda: [np.ascontiguousarray(coco_mask.decode(one)) for one in plain],
        ),
    }
    return [beside(f"RLE {what}, 1500 x 1000", ours, theirs) for what, (ours, theirs) in pairs.items()]


def beside(name: str, ours: Callable[[], Any], theirs: Callable[[], Any]) -> Row:
    """Masks per second of `ours`, and the ratio to `theirs`, which checks nothing."""
    row, other = rate(name, ours, COUNT, "masks/s"), rate(name, theirs, COUNT, "masks/s")
    ratio = round(row.lowest / other.lowest, 2)
    return dataclasses.replace(row, ratio=ratio, note=f"pycocotools, unchecked: {other.value:.0f} masks/s")
