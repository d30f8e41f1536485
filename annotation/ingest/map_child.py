"""The caged child that reads label maps: like annotation.ingest.decode, but the values of the pixels stay as they are.

Each line on stdin is a JSON request {source, target, max_pixels, rgb}; each line on stdout the answer {width, height}
after writing the values as uint32 (H, W) into `target` (.npy), or {code, message}.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from annotation.ingest.decode import allow, serve
from annotation.ingest.refusal import Refused

FORMATS = ("PNG", "TIFF", "BMP", "GIF")


def read(source: Path, target: Path, max_pixels: int, rgb: bool) -> dict[str, Any]:
    """Grey values, palette numbers, or red + 256 green + 256^2 blue; grey stored as three equal channels is grey."""
    import numpy as np
    from PIL import Image

    Image.MAX_IMAGE_PIXELS = None  # our own limit comes first, from the header
    with Image.open(source, formats=FORMATS) as opened:
        width, height = opened.size
        if width < 1 or height < 1 or width * height > max_pixels:
            raise Refused("map_too_large", f"The map is {width} x {height} pixels, which is none or too many.")
        opened.load()
        plain = opened.convert(opened.mode[:-1]) if opened.mode in ("LA", "RGBA") else opened
        values = np.asarray(plain)
    if values.ndim == 3:
        if rgb or (values != values[..., :1]).any():
            values = values.astype(np.uint32) @ np.array([1, 256, 65536], np.uint32)
        else:
            values = values[..., 0]
    if values.ndim != 2 or values.dtype.kind not in "bui" or values.min() < 0:
        raise Refused("map_values", "The values of a map must be whole numbers from 0.")
    np.save(target, values.astype(np.uint32))
    return {"width": width, "height": height}


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Read for one request; every way in which Pillow refuses becomes a sentence."""
    try:
        allow(int(request["max_pixels"]))
        return read(Path(request["source"]), Path(request["target"]), int(request["max_pixels"]), bool(request["rgb"]))
    except Refused as refused:
        return {"code": refused.args[0], "message": refused.args[1]}
    except MemoryError:
        return {"code": "map_too_large", "message": "The map needs more memory than one picture may take."}
    except Exception as problem:  # the cage is where decoders may go wrong in ways nobody has seen yet
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)  # noqa: T201  the parent logs it
        return {"code": "map_damaged", "message": "The map is no PNG, TIFF, BMP or GIF picture that can be read."}


def _load() -> None:
    import numpy  # noqa: F401  loaded before memory is limited, like Pillow
    from PIL import Image

    Image.preinit()
    Image.init()


def main() -> None:
    """The child that reads label maps."""
    serve(_load, answer)
