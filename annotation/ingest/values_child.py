"""The caged child that keeps the values of deep pictures as they are, in tiles that a browser can window.

Like annotation.ingest.decode, one picture after another. Each line on stdin is a JSON request {source, folder,
max_pixels, max_values}; each line on stdout the answer {} or {code, message}. Written into `folder`:

- index.json: {"kind", "levels", "inverted", "channels": [{"low", "high", "minimum", "maximum"}]}, ends of the values as
  annotation.ingest.depth chooses them;
- CHANNEL-LEVEL-COLUMN-ROW.gz: the values of a tile, row after row, little-endian, gzip. Kinds: uint8, uint16 and int16
  as in the file, float32 for everything else. Levels are those of annotation.ingest.tile_child: 0 has the picture's own
  values, each further one the means of 2 x 2, the last is one tile.
"""

from __future__ import annotations

import gzip
import json
from pathlib import Path
from typing import Any

from annotation.ingest import depth
from annotation.ingest.decode import Decoding, Deep, allow, attempted, load, serve
from annotation.ingest.refusal import Refused
from annotation.ingest.tile_child import TILE

INDEX = "index.json"
KINDS = {"uint8": "uint8", "uint16": "uint16", "int16": "int16", "int8": "int16"}


def keep(source: Path, folder: Path, max_pixels: int, max_values: int) -> None:
    """Write index and tiles. Raises Refused and what the libraries raise."""
    import numpy as np

    deep = Decoding(max_pixels, None).open(source)
    if not isinstance(deep, Deep):
        raise Refused("values_absent", "This picture has 8 bits per channel: it is shown with the values it has.")
    values = deep.values[..., None] if deep.values.ndim == 2 else deep.values
    if values.size > max_values:
        raise Refused("values_too_many", f"The picture has more than {max_values / 1e6:.0f} million values.")
    allow(values.size)
    kind = np.dtype(KINDS.get(values.dtype.newbyteorder("=").name, "float32")).newbyteorder("<")
    channels: list[dict[str, float]] = []
    levels = 0
    for channel in range(values.shape[2]):
        channels.append(_ends(values[..., channel], deep.window))
        with np.errstate(over="ignore"):  # what float32 cannot hold is infinite, and so white or black
            levels = _write(values[..., channel].astype(kind), folder, channel)
    index = {"kind": kind.name, "levels": levels, "inverted": deep.inverted, "channels": channels}
    (folder / INDEX).write_text(json.dumps(index))


def _ends(plane: Any, window: tuple[float, float] | None) -> dict[str, float]:
    try:
        (low, high), (minimum, maximum) = depth.bounds(plane, window)
    except depth.NoValues:
        low, high, minimum, maximum = 0.0, 1.0, 0.0, 1.0
    return {"low": low, "high": high, "minimum": minimum, "maximum": maximum}


def _write(plane: Any, folder: Path, channel: int) -> int:
    """The tiles of one channel at all levels; how many levels there are."""
    level = 0
    while True:
        for top in range(0, plane.shape[0], TILE):
            for left in range(0, plane.shape[1], TILE):
                name = f"{channel}-{level}-{left // TILE}-{top // TILE}.gz"
                tile = plane[top : top + TILE, left : left + TILE].tobytes()
                (folder / name).write_bytes(gzip.compress(tile, compresslevel=1, mtime=0))
        level += 1
        if max(plane.shape) <= TILE:
            return level
        plane = halved(plane)


def halved(plane: Any) -> Any:
    """Means of 2 x 2 values of HxW, rounded for whole numbers; the last row or column stands twice where it is odd."""
    import numpy as np

    rows, columns = plane.shape[0] % 2, plane.shape[1] % 2
    if rows or columns:
        plane = np.pad(plane, ((0, rows), (0, columns)), mode="edge")
    total = plane[::2, ::2].astype(np.float32 if plane.dtype.kind == "f" else np.int32)
    for row, column in ((0, 1), (1, 0), (1, 1)):
        total += plane[row::2, column::2]
    mean = total / 4 if plane.dtype.kind == "f" else (total + 2) >> 2
    return mean.astype(plane.dtype)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Keep the values for one request."""

    def kept() -> dict[str, Any]:
        limits = int(request["max_pixels"]), int(request["max_values"])
        keep(Path(request["source"]), Path(request["folder"]), *limits)
        return {}

    return attempted(kept)


def main() -> None:
    """The child that keeps values."""
    serve(load, answer)
