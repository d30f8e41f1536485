"""Values of more than 8 bits, or of other than three channels, as 8-bit RGB by a mapping that can be told and changed.

A mapping is {"method": "percentile" | "window", "channels": [i] or [i, j, k], "low": [...], "high": [...],
"inverted": bool}: per shown channel the value that becomes 0 and the one that becomes 255, linear between. What is
known of the picture goes along: "count" of channels, "minimum" and "maximum" of each shown one. Imported by the caged
child: numpy and Pillow only.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

PERCENTILES = (0.1, 99.9)  # a few hot or dead pixels must not darken the rest
SAMPLES = 1 << 20  # pixels that the percentiles are taken from
BAND = 1 << 20  # values mapped at a time, so that no float copy of the whole picture is made
Values = NDArray[Any]


class NoValues(Exception):
    """There is not one finite value."""


def to_rgb(
    values: Values,
    wanted: dict[str, Any] | None,
    window: tuple[float, float] | None = None,
    *,
    inverted: bool = False,
    colours: bool = False,
) -> tuple[NDArray[np.uint8], dict[str, Any]]:
    """values HxW or HxWxC of any real dtype -> (HxWx3 uint8, the mapping that was used).

    `wanted` is a mapping to use again, of which any part may be missing; `window` is the (low, high) that the file
    itself asks for. With `colours` the channels share their ends, so that hues stay. NaN becomes black. Raises
    NoValues.
    """
    if values.ndim == 2:
        values = values[..., None]
    count = values.shape[2]
    wanted = wanted or {}
    channels = _channels(wanted.get("channels"), count)
    inverted = bool(wanted.get("inverted", inverted))
    found = [bounds(values[..., channel], window) for channel in channels]
    if colours:
        shared = min(low for (low, _), _ in found), max(high for (_, high), _ in found)
        found = [(shared, extremes) for _, extremes in found]
    ends = [_chosen(wanted, place) or own for place, (own, _) in enumerate(found)]
    out = np.empty((*values.shape[:2], len(channels)), np.uint8)
    for place, channel in enumerate(channels):
        _map(values[..., channel], *ends[place], out[..., place], inverted=inverted)
    if len(channels) == 1:
        rgb = np.repeat(out, 3, axis=2)
    elif len(channels) == 2:
        rgb = np.concatenate([out, np.zeros_like(out[..., :1])], axis=2)
    else:
        rgb = out
    asked = bool(wanted.get("low")) or window is not None
    mapping = {
        "method": "window" if asked else "percentile",
        "channels": channels,
        "low": [low for low, _ in ends],
        "high": [high for _, high in ends],
        "inverted": inverted,
        "count": count,
        "minimum": [extremes[0] for _, extremes in found],
        "maximum": [extremes[1] for _, extremes in found],
    }
    return rgb, mapping


def sentence(mapping: dict[str, Any]) -> str:
    """What was done, in words."""
    ends = [f"{low:g} to {high:g}" for low, high in zip(mapping["low"], mapping["high"], strict=True)]
    said = f"values {', '.join(dict.fromkeys(ends))} mapped to 0 to 255"
    if mapping["count"] > 1 and mapping["channels"] != list(range(mapping["count"])):
        shown = ", ".join(str(channel + 1) for channel in mapping["channels"])
        said = f"channels {shown} of {mapping['count']} shown, {said}"
    return said


def _channels(wanted: Any, count: int) -> list[int]:
    """Which channels become red, green and blue; one is shown grey."""
    legal = isinstance(wanted, list) and 1 <= len(wanted) <= 3
    if legal and all(isinstance(one, int) and 0 <= one < count for one in wanted):
        return list(wanted)
    return list(range(min(count, 3)))


def _chosen(wanted: dict[str, Any], place: int) -> tuple[float, float] | None:
    low, high = wanted.get("low"), wanted.get("high")
    if isinstance(low, list) and isinstance(high, list) and place < min(len(low), len(high)):
        return float(low[place]), float(high[place])
    return None


def bounds(plane: Values, window: tuple[float, float] | None) -> tuple[tuple[float, float], tuple[float, float]]:
    """((low, high), (minimum, maximum)) of the finite values; the percentiles come from a regular sample."""
    minimum, maximum = np.inf, -np.inf
    rows = max(1, BAND // max(1, plane.shape[1]))
    for top in range(0, plane.shape[0], rows):
        band = plane[top : top + rows]
        finite = band[np.isfinite(band)]
        if finite.size:
            minimum, maximum = min(minimum, float(finite.min())), max(maximum, float(finite.max()))
    if not np.isfinite(minimum):
        raise NoValues
    if window is not None:
        return window, (minimum, maximum)
    step = max(1, int(np.ceil(np.sqrt(plane.size / SAMPLES))))
    sample = plane[::step, ::step]
    sample = sample[np.isfinite(sample)].astype(np.float64)
    low, high = (float(value) for value in np.percentile(sample, PERCENTILES)) if sample.size else (minimum, maximum)
    return ((low, high) if high > low else (minimum, maximum)), (minimum, maximum)


def _map(plane: Values, low: float, high: float, out: NDArray[np.uint8], *, inverted: bool) -> None:
    """Linear from low..high to 0..255, clipped, a band at a time."""
    scale = 255.0 / (high - low) if high > low else 0.0
    rows = max(1, BAND // max(1, plane.shape[1]))
    for top in range(0, plane.shape[0], rows):
        band = plane[top : top + rows].astype(np.float64)
        grey = np.rint(np.nan_to_num((np.clip(band, low, high) - low) * scale, nan=0.0))
        out[top : top + rows] = np.where(np.isnan(band), 0, 255 - grey if inverted else grey)
