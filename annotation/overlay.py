"""Masks painted small: a transparent PNG that lies over a thumbnail. Cost does not depend on the size of the image."""

from __future__ import annotations

import io
from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from annotation.models import Image, Mask
from modelzoo import rle

LONG_SIDE = 320
# The editor's colours (frontend/src/core/palette.ts): Okabe and Ito's set and three tints, apart for every eye.
COLOURS = np.array(
    [
        (86, 180, 233),
        (230, 159, 0),
        (0, 158, 115),
        (240, 228, 66),
        (204, 121, 167),
        (213, 94, 0),
        (0, 114, 178),
        (148, 220, 190),
        (255, 190, 160),
        (190, 170, 240),
    ],
    np.uint8,
)
FILL, EDGE = 110, 255


def colour_of(mask_id: str) -> NDArray[np.uint8]:
    """The colour a mask has in the editor too: it follows from the id (FNV-1a)."""
    value = 2166136261
    for character in mask_id:
        value = ((value ^ ord(character)) * 16777619) & 0xFFFFFFFF
    colour: NDArray[np.uint8] = COLOURS[value % len(COLOURS)]
    return colour


def render(image: Image, masks: Iterable[Mask]) -> bytes:
    """PNG, RGBA, of the thumbnail's size: every mask filled half transparent with a firm edge, later ones on top."""
    scale = min(1.0, LONG_SIDE / max(image.width, image.height))
    width, height = max(1, round(image.width * scale)), max(1, round(image.height * scale))
    columns = _centres(width, image.width)
    rows = _centres(height, image.height)
    canvas = np.zeros((height, width, 4), np.uint8)
    for mask in masks:
        inside = _sample(mask.segmentation, rows, columns)
        canvas[inside, :3] = colour_of(str(mask.uuid))
        canvas[inside, 3] = FILL
        canvas[inside & ~_eroded(inside), 3] = EDGE
    buffer = io.BytesIO()
    Picture.fromarray(canvas).save(buffer, "PNG")
    return buffer.getvalue()


def _centres(count: int, full: int) -> NDArray[np.int64]:
    """Which of `full` pixels lies under the centre of each of `count` pixels."""
    return np.minimum((np.arange(count) + 0.5) * full / count, full - 1).astype(np.int64)


def _sample(segmentation: rle.RLE, rows: NDArray[np.int64], columns: NDArray[np.int64]) -> NDArray[np.bool_]:
    """The mask at these rows and columns, bool, read from its runs without decoding it."""
    ends = np.cumsum(rle.runs(segmentation))
    positions = columns[None, :] * segmentation["size"][0] + rows[:, None]
    inside: NDArray[np.bool_] = np.searchsorted(ends, positions, side="right") % 2 == 1
    return inside


def _eroded(inside: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Pixels whose four neighbours are inside too."""
    padded = np.pad(inside, 1)
    return padded[:-2, 1:-1] & padded[2:, 1:-1] & padded[1:-1, :-2] & padded[1:-1, 2:]
