"""The caged child that cuts display files into tiles: like annotation.ingest.decode, one picture after another.

Each line on stdin is a JSON request {source, folder, max_pixels}; each line on stdout the answer {levels} after writing
LEVEL-COLUMN-ROW.(jpg|png) into `folder`, or {code, message}. Level 0 has the pixels of the picture, each further one
half as many on a side (rounded up, 2 x 2 means), the last is one tile.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from annotation.ingest.decode import allow, serve

TILE = 1024  # pixels on a side; those at the right and lower edge are smaller
OPTIONS: dict[str, dict[str, Any]] = {
    "JPEG": {"quality": 92, "subsampling": 0},
    "PNG": {"compress_level": 3},
}


def cut(source: Path, folder: Path, max_pixels: int) -> int:
    """Write the tiles of all levels; how many levels there are."""
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # our own limit comes first, from the header
    with Image.open(source, formats=tuple(OPTIONS)) as opened:
        if opened.width * opened.height > max_pixels:
            raise ValueError("too many pixels")
        allow(opened.width * opened.height)
        kind = str(opened.format)
        picture = opened.convert("RGB")
    level = 0
    while True:
        for top in range(0, picture.height, TILE):
            for left in range(0, picture.width, TILE):
                box = (left, top, min(left + TILE, picture.width), min(top + TILE, picture.height))
                name = f"{level}-{left // TILE}-{top // TILE}.{'jpg' if kind == 'JPEG' else 'png'}"
                picture.crop(box).save(folder / name, kind, **OPTIONS[kind])
        level += 1
        if max(picture.size) <= TILE:
            return level
        picture = picture.reduce(2)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Cut for one request."""
    try:
        allow(0)
        return {"levels": cut(Path(request["source"]), Path(request["folder"]), int(request["max_pixels"]))}
    except Exception as problem:  # the display file is our own: what goes wrong here is not its sender's fault
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)  # noqa: T201  the parent logs it
        return {"code": "tiles_failed", "message": "The picture could not be cut into tiles."}


def _load() -> None:
    from PIL import Image

    Image.preinit()


def main() -> None:
    """The child that cuts tiles."""
    serve(_load, answer)
