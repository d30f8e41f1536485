"""Faces blurred before anybody sees a picture; other detectors can be plugged in (setting ANYMASK_BLUR_DETECTORS).

A detector is a function that takes the picture, HxWx3 uint8 RGB, and gives boxes (x, y, width, height) in its pixels.
The built-in one is scikit-image's LBP cascade for frontal faces: it misses turned, covered, small and dark faces, and
takes some other things for faces. docs/privacy.md has the figures; whoever must not miss one plugs in a better one.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from django.utils.module_loading import import_string
from numpy.typing import NDArray
from PIL import Image as Picture
from PIL import ImageFilter

Box = tuple[float, float, float, float]
Detector = Callable[[NDArray[np.uint8]], Sequence[Box]]
LONG_SIDE = 1024  # the cascade looks at a copy of at most this size
SMALLEST = 24  # pixels of a face in that copy
MARGIN = 0.25  # of a box's side, added on every side: hair, ears, chin
THUMBNAIL = 320


def frontal_faces(picture: NDArray[np.uint8]) -> list[Box]:
    """The built-in detector."""
    from skimage.data import lbp_frontal_face_cascade_filename
    from skimage.feature import Cascade

    height, width = picture.shape[:2]
    scale = min(1.0, LONG_SIDE / max(height, width))
    size = max(1, round(width * scale)), max(1, round(height * scale))
    small = np.asarray(Picture.fromarray(picture).resize(size, Picture.Resampling.BILINEAR))
    if min(size) < SMALLEST:
        return []
    cascade = Cascade(lbp_frontal_face_cascade_filename())
    found = cascade.detect_multi_scale(
        img=small,
        scale_factor=1.15,
        step_ratio=1,
        min_size=(SMALLEST, SMALLEST),
        max_size=(min(size), min(size)),
    )
    return [
        (float(one["c"]) / scale, float(one["r"]) / scale, float(one["width"]) / scale, float(one["height"]) / scale)
        for one in found
    ]


def detectors() -> list[Detector]:
    """What the installation has chosen, in order. ImportError for a name that leads nowhere."""
    return [import_string(name) for name in settings.ANYMASK_BLUR_DETECTORS]


def blur_files(display: Path, thumbnail: Path) -> int:
    """Blur what the detectors find, in the display file and its thumbnail; how many places."""
    with Picture.open(display, formats=("JPEG", "PNG")) as opened:
        kind = str(opened.format)
        picture = opened.convert("RGB")
    pixels = np.asarray(picture)
    boxes = [box for detect in detectors() for box in detect(pixels)]
    for box in boxes:
        _blur(picture, box)
    if boxes:
        options: dict[str, Any] = {"quality": 95, "subsampling": 0} if kind == "JPEG" else {"compress_level": 4}
        picture.save(display, kind, **options)
        picture.thumbnail((THUMBNAIL, THUMBNAIL), Picture.Resampling.LANCZOS)
        picture.save(thumbnail, "JPEG", quality=85)
    return len(boxes)


def _blur(picture: Picture.Image, box: Box) -> None:
    """Average over a third of the box, in an ellipse a little larger than it, past any recognition."""
    x, y, width, height = box
    left, top = max(0, int(x - MARGIN * width)), max(0, int(y - MARGIN * height))
    right = min(picture.width, int(np.ceil(x + width * (1 + MARGIN))))
    bottom = min(picture.height, int(np.ceil(y + height * (1 + MARGIN))))
    if right <= left or bottom <= top:
        return
    part = picture.crop((left, top, right, bottom))
    # Down to eight pixels and up again: what a blur leaves could be sharpened, what is gone cannot.
    coarse = part.resize((8, 8), Picture.Resampling.BOX).resize(part.size, Picture.Resampling.BICUBIC)
    rows, columns = np.ogrid[: part.height, : part.width]
    inside = ((columns + 0.5) / part.width - 0.5) ** 2 + ((rows + 0.5) / part.height - 0.5) ** 2 <= 0.25
    soft = Picture.fromarray((inside * 255).astype(np.uint8)).filter(ImageFilter.GaussianBlur(1))
    picture.paste(coarse, (left, top), soft)
