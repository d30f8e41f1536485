"""Small videos as people send them: a white square that moves to the right over a red and a black half."""

from __future__ import annotations

from collections.abc import Sequence
from fractions import Fraction
from pathlib import Path
from typing import Any

import av
import numpy as np

WIDTH, HEIGHT, RATE = 160, 120, 25
CODECS = {".mp4": "libx264", ".mkv": "libx264", ".mov": "mjpeg", ".avi": "mpeg4", ".webm": "libvpx-vp9"}


def picture(number: int) -> np.ndarray:
    """Frame `number`, HxWx3 uint8 RGB: red above, black below; the square's left edge is at 2 * number pixels."""
    array = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    array[: HEIGHT // 2] = (200, 0, 0)
    array[50:70, 2 * number : 2 * number + 20] = 255
    return array


def clip(
    path: Path,
    frames: int = 50,
    *,
    codec: str = "",
    pixels: str = "",
    rotation: int | None = None,
    times: Sequence[int] | None = None,
    every: int = 12,
    fragments: bool = False,
) -> Path:
    """Write a video of 25 frames a second, or one at each of `times` in milliseconds; a key frame `every` frames."""
    codec = codec or CODECS[path.suffix]
    options = {"movflags": "frag_keyframe+empty_moov"} if fragments else {}
    with av.open(str(path), "w", options=options) as container:
        stream: Any = container.add_stream(codec, rate=RATE)
        stream.width, stream.height = WIDTH, HEIGHT
        stream.pix_fmt = pixels or ("yuvj420p" if codec == "mjpeg" else "yuv420p")
        stream.options = {"g": str(every), "deadline": "realtime", "cpu-used": "8"} if codec != "mjpeg" else {}
        if rotation is not None:
            stream.set_display_rotation(rotation)
        if times is not None:
            stream.codec_context.time_base = Fraction(1, 1000)
        for number in range(frames):
            frame = av.VideoFrame.from_ndarray(picture(number), format="rgb24")
            if times is not None:
                frame.pts, frame.time_base = times[number], Fraction(1, 1000)
            container.mux(stream.encode(frame))
        container.mux(stream.encode())
    return path
