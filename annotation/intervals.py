"""Intervals of shares and means: how far a figure of few may be from the truth. Pure arithmetic."""

from __future__ import annotations

import math

Z = 1.959964  # of the 95 % interval


def wilson(hits: int, of: int) -> tuple[float, float]:
    """95 % interval of a share of `of` (at least 1) by Wilson (1927), 0..1."""
    share, z2 = hits / of, Z * Z
    middle = share + z2 / (2 * of)
    spread = Z * math.sqrt(share * (1 - share) / of + z2 / (4 * of * of))
    return max(0.0, (middle - spread) / (1 + z2 / of)), min(1.0, (middle + spread) / (1 + z2 / of))


def of_mean(total: float, squares: float, of: int) -> tuple[float, float]:
    """95 % interval of a mean from sum and sum of squares of `of` (at least 2) values, by the normal distribution."""
    mean = total / of
    variance = max(0.0, (squares - total * total / of) / (of - 1))
    spread = Z * math.sqrt(variance / of)
    return mean - spread, mean + spread
