"""The caged child: decodes one picture after another with memory, CPU and file limits on itself.

Started by annotation.ingest.cage in a process of its own, never imported by the web process; it knows no Django. Each
line on stdin is a JSON request {source, folder, max_pixels, mapping}; each line on stdout the answer: {width, height,
media_type, display, conversion, mapping, georeference, pixel_size} after writing display.(jpg|png) and thumbnail.jpg
into `folder`, or {code, message}.
"""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import sys
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from annotation.ingest import depth, dicom, scale, tiff
from annotation.ingest.refusal import Refused

BASE_BYTES = 1 << 30  # address space of the child, and so much more per pixel of the picture at hand:
BYTES_PER_PIXEL = 12  # Pillow's four, twice for a turned one, and once more on the way to sRGB
CPU_SECONDS = 20  # of one picture, and so much more per megapixel:
CPU_SECONDS_PER_MEGAPIXEL = 0.6
FILE_BYTES = 1 << 29
THUMBNAIL = 320  # pixels of the long side
FORMATS = {
    "JPEG": "image/jpeg",
    "PNG": "image/png",
    "WEBP": "image/webp",
    "TIFF": "image/tiff",
    "BMP": "image/bmp",
    "GIF": "image/gif",
    "HEIF": "image/heic",
    "AVIF": "image/avif",
}
LOSSY = ("JPEG", "HEIF", "AVIF")
DEEP = ("I", "F")  # and I;16 in its variants
TRANSPARENT = ("LA", "PA", "La", "RGBA", "RGBa")
TURNED: dict[int, Callable[[Any], Any]] = {  # EXIF orientation -> what makes HxW[xC] upright
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: values[::-1].swapaxes(0, 1),
    7: lambda values: values[::-1, ::-1].swapaxes(0, 1),
    8: lambda values: values[:, ::-1].swapaxes(0, 1),
}
KINDS = "JPEG, PNG, WebP, TIFF, BMP, GIF, HEIC, AVIF or DICOM"
HEIC_MARKS = (b"ftypheic", b"ftypheix", b"ftyphevc")  # bytes 4 to 12 of such files


def cage() -> None:
    """Limit this process for good; the CPU limit is moved on with every picture."""
    for name, amount in (
        ("RLIMIT_FSIZE", FILE_BYTES),
        ("RLIMIT_CORE", 0),
        ("RLIMIT_NOFILE", 64),
    ):
        limit = getattr(resource, name)
        hard = resource.getrlimit(limit)[1]
        value = amount if hard == resource.RLIM_INFINITY else min(amount, hard)
        resource.setrlimit(limit, (value, value))


def allow(pixels: int) -> None:
    """Limit CPU and address space to what a picture of this size needs; past the first the kernel ends the process."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    seconds = CPU_SECONDS + int(pixels / 1e6 * CPU_SECONDS_PER_MEGAPIXEL)
    for name, soft in (
        (resource.RLIMIT_CPU, int(usage.ru_utime + usage.ru_stime) + seconds),
        (resource.RLIMIT_AS, BASE_BYTES + pixels * BYTES_PER_PIXEL),
    ):
        hard = resource.getrlimit(name)[1]
        resource.setrlimit(name, (soft if hard == resource.RLIM_INFINITY else min(soft, hard), hard))


@dataclass(frozen=True)
class Deep:
    """Values that are mapped to 8 bits to be shown: HxW or HxWxC, any real dtype, upright like the display file.

    `window` is the (low, high) that the file asks for, `inverted` whether low is white, `colours` whether the first
    three channels are red, green and blue of one picture.
    """

    values: Any
    window: tuple[float, float] | None = None
    inverted: bool = False
    colours: bool = False


class Decoding:
    """One picture on its way to 8-bit RGB."""

    def __init__(self, max_pixels: int, mapping: dict[str, Any] | None) -> None:
        self.max_pixels = max_pixels
        self.wanted = mapping
        self.media_type = ""
        self.lossy = False
        self.notes: list[str] = []
        self.mapping: dict[str, Any] | None = None
        self.place: dict[str, Any] | None = None

    def read(self, source: Path) -> Any:
        """The picture upright as a Pillow RGB image. Raises Refused and what the libraries raise."""
        opened = self.open(source)
        return self._shown(opened) if isinstance(opened, Deep) else opened

    def open(self, source: Path) -> Any:
        """`Deep` values, or a Pillow RGB image of what has 8 bits; upright. Raises as `read`."""
        with source.open("rb") as file:
            head = file.read(132)
        if dicom.is_dicom(head):
            self.media_type = "application/dicom"
            values, window, inverted, notes = dicom.read(source, self.max_pixels)
            self.notes += notes
            return _deep_or_rgb(Deep(values, window, inverted))
        if tiff.is_tiff(head):
            try:
                reading = tiff.read(source, self.max_pixels)
            except (ValueError, KeyError, NotImplementedError, TypeError, IndexError):
                reading = tiff.Reading()  # Pillow reads kinds that tifffile does not, and says why it reads none
            self.place = reading.place
            self.notes += reading.notes
            if reading.values is not None:
                self.media_type = FORMATS["TIFF"]
                allow(reading.values.size)
                values = self._turned(reading.values, reading.orientation)
                return _deep_or_rgb(Deep(values, None, reading.inverted, reading.colours))
        return self._read_plain(source)

    def _read_plain(self, source: Path) -> Any:
        """What Pillow reads."""
        from PIL import Image, ImageOps

        Image.MAX_IMAGE_PIXELS = None  # our own limit comes first, from the header
        with Image.open(source, formats=list(FORMATS)) as opened:
            self._check(*opened.size)
            kind = str(opened.format)
            self.media_type = FORMATS[kind]
            if getattr(opened, "n_frames", 1) > 1:
                self.notes.append("first frame only")
            if kind == "PNG" and _is_deep_png(source):
                self.notes.append("16 bits to 8 bits per channel")
            opened.load()
            self.lossy = kind in LOSSY or (kind == "WEBP" and not _is_lossless_webp(source))
            upright = ImageOps.exif_transpose(opened)
            if upright.size != opened.size or opened.getexif().get(0x0112, 1) not in (0, 1, 9):
                self.notes.append("turned upright")
                self.place = None
            if upright.mode in DEEP or upright.mode.startswith("I;16"):
                import numpy as np

                return Deep(np.asarray(upright))
            return _to_rgb(upright, self.notes)

    def _check(self, width: int, height: int) -> None:
        """The limit of pixels, from the header, and room for what is allowed."""
        if width < 1 or height < 1:
            raise Refused("image_empty", "The picture has no pixels.")
        if width * height > self.max_pixels:
            limit = f"{self.max_pixels / 1e6:.0f} megapixels"
            raise Refused("image_too_large", f"The picture is {width} x {height} pixels; the limit is {limit}.")
        allow(width * height)

    def _shown(self, deep: Deep) -> Any:
        """Deep values or many channels by the mapping."""
        from PIL import Image

        try:
            rgb, self.mapping = depth.to_rgb(
                deep.values, self.wanted, deep.window, inverted=deep.inverted, colours=deep.colours
            )
        except depth.NoValues:
            raise Refused("image_empty", "The picture holds no finite value.") from None
        self.notes.append(depth.sentence(self.mapping))
        return Image.fromarray(rgb)

    def _turned(self, values: Any, orientation: int) -> Any:
        """HxW or HxWxC upright, as a view."""
        if orientation == 1:
            return values
        self.notes.append("turned upright")
        return TURNED[orientation](values)


def _deep_or_rgb(deep: Deep) -> Any:
    """8-bit RGB is shown as it is."""
    from PIL import Image

    values = deep.values
    if values.ndim == 3 and values.shape[2] == 3 and values.dtype.name == "uint8":
        return Image.fromarray(values)
    return deep


def decode(source: Path, folder: Path, max_pixels: int, mapping: dict[str, Any] | None = None) -> dict[str, Any]:
    """Upright 8-bit RGB without metadata as display file, and a thumbnail. Raises Refused and what libraries raise."""
    decoding = Decoding(max_pixels, mapping)
    rgb = decoding.read(source)
    size = rgb.size
    display = write(rgb, folder, lossy=decoding.lossy)
    return {
        "width": size[0],
        "height": size[1],
        "media_type": decoding.media_type,
        "display": display,
        "conversion": ", ".join(decoding.notes)[:255],
        "mapping": decoding.mapping,
        "georeference": decoding.place,
        "pixel_size": scale.pixel_size(source),
    }


def write(rgb: Any, folder: Path, *, lossy: bool) -> str:
    """A Pillow RGB image as display.(jpg|png), and thumbnail.jpg; the name of the display file."""
    from PIL import Image

    rgb.info.clear()  # no EXIF, no profile, no comment gets into what is served
    display = "display.jpg" if lossy else "display.png"
    if lossy:
        rgb.save(folder / display, "JPEG", quality=95, subsampling=0)
    else:
        rgb.save(folder / display, "PNG", compress_level=4)
    if max(rgb.size) > THUMBNAIL:
        rgb = rgb.resize(_fit(rgb.size), Image.Resampling.LANCZOS, reducing_gap=2)
    rgb.save(folder / "thumbnail.jpg", "JPEG", quality=85)
    return display


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
    """Any 8-bit mode to RGB by stated rules; what was done is added to `notes`."""
    from PIL import Image

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


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Decode for one request."""
    from PIL import Image

    def decoded() -> dict[str, Any]:
        folder, limit = Path(request["folder"]), int(request["max_pixels"])
        source = Path(request["source"])
        if "HEIF" not in Image.OPEN and source.open("rb").read(12)[4:] in HEIC_MARKS:
            raise Refused("not_an_image", "HEIC pictures cannot be read here: pillow-heif is not installed.")
        return decode(source, folder, limit, request.get("mapping"))

    return attempted(decoded)


def attempted(work: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """The answer of `work`; every way in which a library refuses becomes a sentence."""
    from PIL import Image, UnidentifiedImageError

    try:
        allow(0)
        return work()
    except Refused as refused:
        return {"code": refused.args[0], "message": refused.args[1]}
    except (MemoryError, Image.DecompressionBombError):
        return {"code": "image_too_large", "message": "The picture needs more memory than one picture may take."}
    except UnidentifiedImageError:
        return {"code": "not_an_image", "message": f"This is not a {KINDS} picture."}
    except (OSError, SyntaxError, ValueError, NotImplementedError, OverflowError, EOFError, Warning) as problem:
        text = str(problem).lower()
        if "truncated" in text or "broken data stream" in text or "unexpected end" in text or "end of file" in text:
            return {"code": "image_truncated", "message": "The picture is incomplete: the file ends too early."}
        return {"code": "image_damaged", "message": "The picture is damaged and cannot be decoded."}
    except Exception as problem:  # the cage is where decoders may go wrong in ways nobody has seen yet
        print(f"{type(problem).__name__}: {problem}", file=sys.stderr)  # noqa: T201  the parent logs it
        return {"code": "image_damaged", "message": "The picture is damaged and cannot be decoded."}


def serve(prepare: Callable[[], None], reply: Callable[[dict[str, Any]], dict[str, Any]]) -> None:
    """Answer requests until stdin ends. `prepare` brings in the libraries, before memory is limited."""
    warnings.simplefilter("ignore")
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # whatever a C library prints cannot get between the answers
    prepare()
    cage()
    for line in sys.stdin:
        answers.write(json.dumps(reply(json.loads(line))) + "\n")
        answers.flush()


def load() -> None:
    """The libraries that decode pictures."""
    from PIL import Image, ImageCms, ImageOps  # noqa: F401  loaded before memory is limited

    Image.preinit()
    Image.init()
    # Its wheel holds parts under the GPL: who ships the product may leave it out (docs/operations.md).
    with contextlib.suppress(ModuleNotFoundError):
        import pillow_heif

        pillow_heif.register_heif_opener(thumbnails=False)


def main() -> None:
    """The child that decodes pictures."""
    serve(load, answer)
