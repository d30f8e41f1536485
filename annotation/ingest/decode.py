"""The caged child: decodes one picture after another with memory, CPU and file limits on itself.

Run as a script by annotation.ingest.cage, isolated (`python -I`), never imported by the web process. Each line on stdin
is a JSON request {source, folder, max_pixels}; each line on stdout the answer: {width, height, media_type, display,
conversion} after writing display.(jpg|png) and thumbnail.jpg into `folder`, or {code, message}.
"""

from __future__ import annotations

import io
import json
import os
import resource
import sys
import warnings
from pathlib import Path
from typing import Any

MEMORY_BYTES = 1 << 30
CPU_SECONDS = 20  # of one picture
FILE_BYTES = 1 << 29
THUMBNAIL = 320  # pixels of the long side
FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "GIF": "image/gif",
}
DEEP = ("I", "F")  # and I;16 in its variants
TRANSPARENT = ("LA", "PA", "La", "RGBA", "RGBa")


class Refused(Exception):
    """A picture that cannot be used: (code, sentence)."""


def cage() -> None:
    """Limit this process for good; the CPU limit is moved on with every picture."""
    for name, amount in (
        ("RLIMIT_AS", MEMORY_BYTES),
        ("RLIMIT_FSIZE", FILE_BYTES),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NOFILE", 64),
    ):
        limit = getattr(resource, name)
        hard = resource.getrlimit(limit)[1]
        value = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(limit, (value, value))


def allow_cpu() -> None:
    """Allow CPU_SECONDS more; past it the kernel ends this process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    soft = int(usage.ru_utime + usage.ru_stime) + CPU_SECONDS
    resource.setrlimit(resource.RLIMIT_CPU, (soft, resource.getrlimit(resource.RLIMIT_CPU)[1]))


def decode(source: Path, folder: Path, max_pixels: int) -> dict[str, Any]:
    """Upright 8-bit RGB without metadata as display file, and a thumbnail. Raises Refused and what Pillow raises."""
    from PIL import Image, ImageOps

    Image.MAX_IMAGE_PIXELS = None  # our own limit comes first, from the header
    with Image.open(source, formats=list(FORMATS)) as opened:
        width, height = opened.size
        if width < 1 or height < 1:
            raise Refused("image_empty", "The picture has no pixels.")
        if width * height > max_pixels:
            limit = f"{max_pixels / 1e6:.0f} megapixels"
            raise Refused("image_too_large", f"The picture is {width} x {height} pixels; the limit is {limit}.")
        kind = str(opened.format)
        notes: list[str] = []
        if getattr(opened, "n_frames", 1) > 1:
            notes.append("first frame only")
        if kind == "PNG" and _is_deep_png(source):
            notes.append("16 bits to 8 bits per channel")
        opened.load()
        lossy = kind == "JPEG" or (kind == "WEBP" and not _is_lossless_webp(source))
        upright = ImageOps.exif_transpose(opened)
        if upright.size != opened.size or opened.getexif().get(0x0112, 1) not in (0, 1, 9):
            notes.append("turned upright")
        rgb = _to_rgb(upright, notes)
    display = "display.jpg" if lossy else "display.png"
    rgb.info.clear()  # no EXIF, no profile, no comment gets into what is served
    if lossy:
        rgb.save(folder / display, "JPEG", quality=95, subsampling=0)
    else:
        rgb.save(folder / display, "PNG", compress_level=4)
    if max(rgb.size) > THUMBNAIL:
        rgb = rgb.resize(_fit(rgb.size), Image.Resampling.LANCZOS, reducing_gap=2)
    rgb.save(folder / "thumbnail.jpg", "JPEG", quality=85)
    return {
        "width": upright.width,
        "height": upright.height,
        "media_type": FORMATS[kind],
        "display": display,
        "conversion": ", ".join(notes)[:255],
    }


def _fit(size: tuple[int, int]) -> tuple[int, int]:
    scale = THUMBNAIL / max(size)
    return max(1, round(size[0] * scale)), max(1, round(size[1] * scale))


def _is_lossless_webp(source: Path) -> bool:
    with source.open("rb") as file:
        return b"VP8L" in file.read(4096)


def _is_deep_png(source: Path) -> bool:
    """Whether a PNG has 16 bits in several channels, which Pillow opens as 8 without a word."""
    with source.open("rb") as file:
        header = file.read(26)
    return header[24:26] in (b"\x10\x02", b"\x10\x04", b"\x10\x06")


def _to_rgb(picture: Any, notes: list[str]) -> Any:
    """Any mode to RGB by stated rules; what was done is added to `notes`."""
    from PIL import Image

    if picture.mode in DEEP or picture.mode.startswith("I;16"):
        return _stretch(picture, notes).convert("RGB")
    if picture.mode in TRANSPARENT or "transparency" in picture.info:
        notes.append("transparency on white")
        layer = picture.convert("RGBA")
        ground = Image.new("RGB", picture.size, "white")
        ground.paste(layer, mask=layer.getchannel("A"))
        return ground
    picture = _to_srgb(picture, notes)
    if picture.mode != "RGB":
        if picture.mode == "CMYK":
            notes.append("CMYK to RGB")
        picture = picture.convert("RGB")
    return picture


def _to_srgb(picture: Any, notes: list[str]) -> Any:
    """Colours as the embedded profile means them; an unusable profile is ignored."""
    from PIL import Image, ImageCms

    profile = picture.info.get("icc_profile")
    if not profile or picture.mode not in ("RGB", "CMYK"):
        return picture
    try:
        embedded = ImageCms.ImageCmsProfile(io.BytesIO(profile))
        if "sRGB" in ImageCms.getProfileDescription(embedded):
            return picture
        converted = ImageCms.profileToProfile(picture, embedded, ImageCms.createProfile("sRGB"), outputMode="RGB")
    except (ImageCms.PyCMSError, OSError, ValueError, TypeError):
        return picture
    assert isinstance(converted, Image.Image)
    notes.append("colours to sRGB")
    return converted


def _stretch(picture: Any, notes: list[str]) -> Any:
    """16-bit, 32-bit and float greys: the lowest finite value becomes 0, the highest 255, linear; NaN becomes 0."""
    import numpy as np
    from PIL import Image

    values = np.asarray(picture)
    low, high = np.inf, -np.inf
    rows = max(1, (1 << 20) // max(1, values.shape[1]))  # bands, so that no float copy of the whole picture is made
    for top in range(0, values.shape[0], rows):
        band = values[top : top + rows]
        finite = band[np.isfinite(band)]
        if finite.size:
            low, high = min(low, float(finite.min())), max(high, float(finite.max()))
    if not np.isfinite(low):
        raise Refused("image_empty", "The picture holds no finite value.")
    scale = 255.0 / (high - low) if high > low else 0.0
    grey = np.zeros(values.shape, np.uint8)
    for top in range(0, values.shape[0], rows):
        band = np.nan_to_num(values[top : top + rows].astype(np.float64), nan=low, posinf=high, neginf=low)
        grey[top : top + rows] = np.rint((band - low) * scale)
    notes.append(f"grey values {low:g} to {high:g} mapped to 0 to 255")
    return Image.fromarray(grey)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Decode for one request; every way in which Pillow refuses becomes a sentence."""
    from PIL import Image, UnidentifiedImageError

    try:
        allow_cpu()
        return decode(Path(request["source"]), Path(request["folder"]), int(request["max_pixels"]))
    except Refused as refused:
        return {"code": refused.args[0], "message": refused.args[1]}
    except (MemoryError, Image.DecompressionBombError):
        return {"code": "image_too_large", "message": "The picture needs more memory than one picture may take."}
    except UnidentifiedImageError:
        return {"code": "not_an_image", "message": "This is not a JPEG, PNG, WebP, TIFF, BMP or GIF picture."}
    except (OSError, SyntaxError, ValueError, NotImplementedError, OverflowError, EOFError, Warning) as problem:
        text = str(problem).lower()
        if "truncated" in text or "broken data stream" in text or "unexpected end" in text or "end of file" in text:
            return {"code": "image_truncated", "message": "The picture is incomplete: the file ends too early."}
        return {"code": "image_damaged", "message": "The picture is damaged and cannot be decoded."}
    except Exception as problem:  # the cage is where decoders may go wrong in ways nobody has seen yet
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)  # noqa: T201  the parent logs it
        return {"code": "image_damaged", "message": "The picture is damaged and cannot be decoded."}


def main() -> None:
    """Answer requests until stdin ends."""
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a C library prints cannot get between the answers
    import numpy  # noqa: F401  loaded before memory is limited, like Pillow
    from PIL import Image, ImageCms, ImageOps  # noqa: F401

    Image.preinit()
    Image.init()
    cage()
    for line in sys.stdin:
        answers.write(json.dumps(answer(json.loads(line))) + "\n")
        answers.flush()


if __name__ == "__main__":
    main()
