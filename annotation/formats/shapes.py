"""Simple shapes of other programs as rings x1, y1, x2, y2, ... in image pixels; the mask codec checks their numbers."""

from __future__ import annotations

import math
from collections.abc import Iterable

STEPS = 96  # corners of an ellipse


def flat(points: Iterable[tuple[float, float]]) -> list[float]:
    """[(x, y), ...] as one list."""
    return [value for point in points for value in point]


def rectangle(left: float, top: float, right: float, bottom: float, degrees: float = 0.0) -> list[float]:
    """A rectangle from two opposite corners, turned clockwise round the first."""
    corners = [(left, top), (right, top), (right, bottom), (left, bottom)]
    return flat(turned(corners, left, top, degrees))


def ellipse(x: float, y: float, radius_x: float, radius_y: float, degrees: float = 0.0) -> list[float]:
    """An ellipse round (x, y), turned clockwise round its centre."""
    steps = [2 * math.pi * step / STEPS for step in range(STEPS)]
    corners = [(x + radius_x * math.cos(step), y + radius_y * math.sin(step)) for step in steps]
    return flat(turned(corners, x, y, degrees))


def turned(points: list[tuple[float, float]], x: float, y: float, degrees: float) -> list[tuple[float, float]]:
    """Points turned clockwise, as seen on the screen, round (x, y)."""
    if not degrees:
        return points
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    return [(x + (px - x) * cosine - (py - y) * sine, y + (px - x) * sine + (py - y) * cosine) for px, py in points]
