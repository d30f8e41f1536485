"""What is measured of a mask, in pixels. docs/measurements.md has the definitions and where they come from.

Coordinates have their origin at the top left corner of the picture; the centre of its first pixel is (0.5, 0.5).
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from modelzoo import rle

DIRECTIONS = 4  # of the lines that Crofton's formula counts crossings on


@dataclass(frozen=True)
class Measures:
    """Lengths in pixels, area in square pixels, (x, y) the centroid in pixels of the picture."""

    area: int
    perimeter: float
    length: float
    x: float
    y: float


def measure(segmentation: rle.RLE) -> Measures:
    """Measures of a mask with at least one pixel. Needs scikit-image: for workers. Raises RLEError."""
    from skimage.measure import perimeter_crofton  # the web process does without

    area, (left, top, width, height) = rle.measure(segmentation)
    inside = rle.decode_box(segmentation, [left, top, width, height])
    rows, columns = inside.sum(axis=1), inside.sum(axis=0)
    return Measures(
        area=area,
        perimeter=float(perimeter_crofton(np.pad(inside, 1), directions=DIRECTIONS)),
        length=longest_diameter(inside),
        x=left + float(columns @ (np.arange(width) + 0.5)) / area,
        y=top + float(rows @ (np.arange(height) + 0.5)) / area,
    )


@dataclass(frozen=True)
class Pose:
    """Where an object lies and how it is turned. (x, y): the centroid in pixels of the picture.

    major, minor: full axes, in pixels, of the ellipse with the same second moments. angle: of the major axis to the
    x axis in degrees, above -90 and up to 90, positive clockwise as the picture is seen, since y points down.
    """

    x: float
    y: float
    angle: float
    major: float
    minor: float


def pose(segmentation: rle.RLE) -> Pose:
    """The pose of a mask with at least one pixel, from its second moments, each pixel a square. Raises RLEError."""
    left, top, width, height = rle.bbox(segmentation)
    inside = rle.decode_box(segmentation, [left, top, width, height])
    rows, columns = np.nonzero(inside)
    x, y = float(columns.mean()), float(rows.mean())
    across, down = columns - x, rows - y
    spread_x, spread_y = (float((part @ part) / len(rows)) + 1 / 12 for part in (across, down))
    shared = float(across @ down) / len(rows)
    half, turn = (spread_x + spread_y) / 2, math.hypot((spread_x - spread_y) / 2, shared)
    return Pose(
        x=left + x + 0.5,
        y=top + y + 0.5,
        angle=math.degrees(0.5 * math.atan2(2 * shared, spread_x - spread_y)),
        major=4 * math.sqrt(half + turn),
        minor=4 * math.sqrt(max(0.0, half - turn)),
    )


def longest_diameter(inside: NDArray[np.bool_]) -> float:
    """Maximum Feret diameter of a bool mask HxW, pixels taken as squares: the longest line between two corners."""
    from scipy.spatial import ConvexHull
    from scipy.spatial.distance import pdist

    columns = np.flatnonzero(inside.any(axis=0))
    first = inside.argmax(axis=0)[columns]
    last = inside.shape[0] - inside[::-1].argmax(axis=0)[columns]
    rows = np.concatenate([first, last])
    sides = np.concatenate([columns, columns])
    corners = np.stack([np.concatenate([sides, sides + 1]), np.concatenate([rows, rows])], axis=1)
    return float(pdist(corners[ConvexHull(corners).vertices]).max())


def equivalent_diameter(area: float) -> float:
    """Diameter of the circle with the same area."""
    return 2 * math.sqrt(area / math.pi)
