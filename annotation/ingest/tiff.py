"""TIFF that Pillow cannot read as it is meant: deep, float, many channels; and what a GeoTIFF says of its place.

Imported by the caged child alone. Only the first directory is read, or the channels of the first plane where ImageJ or
OME lay them out as pages.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from annotation.ingest.refusal import Refused

MAX_CHANNELS = 64
GEO_CITATION, GEOGRAPHIC, PROJECTED, RASTER = (
    "GTCitationGeoKey",
    "GeographicTypeGeoKey",
    "ProjectedCSTypeGeoKey",
    "GTRasterTypeGeoKey",
)
USER_DEFINED = 32767


def is_tiff(head: bytes) -> bool:
    """Whether a file starts like a TIFF or BigTIFF."""
    return head[:4] in (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass
class Reading:
    """`values` HxW or HxWxC as they lie in the file, None where Pillow reads it as well; how they are to be shown."""

    values: Any = None
    place: dict[str, Any] | None = None
    notes: list[str] = field(default_factory=list)
    orientation: int = 1
    inverted: bool = False  # low is white
    colours: bool = False  # the first three channels are red, green and blue of one picture


def read(source: Path, max_pixels: int) -> Reading:
    """The first picture of a TIFF. Raises Refused."""
    import tifffile

    with tifffile.TiffFile(source, _multifile=False) as file:
        page = file.pages.first
        height, width = int(page.imagelength), int(page.imagewidth)
        if height < 1 or width < 1:
            raise Refused("image_empty", "The picture has no pixels.")
        if height * width > max_pixels:
            limit = f"{max_pixels / 1e6:.0f} megapixels"
            raise Refused("image_too_large", f"The picture is {width} x {height} pixels; the limit is {limit}.")
        if int(page.imagedepth) > 1 or int(page.samplesperpixel) > MAX_CHANNELS:
            raise Refused("tiff_layout", "This TIFF is a volume or has too many channels; send single pictures.")
        reading = Reading(place=_place(page), orientation=_orientation(page))
        if reading.orientation != 1:
            reading.place = None  # it would tell of pixels that lie elsewhere now
        if (stacked := _stacked(file, page)) is not None:
            reading.values = stacked
            reading.notes += ["first plane only"] if len(file.pages) > stacked.shape[2] else []
            return reading
        # 8-bit pictures of up to four channels are Pillow's, with its palettes and colour spaces; 1-bit ones too.
        plain = page.dtype == np.uint8 and int(page.samplesperpixel) in (1, 3, 4)
        if plain or page.dtype is None or int(page.bitspersample) < 8:
            return reading
        if np.dtype(page.dtype).kind not in "uif":
            raise Refused("tiff_values", "The values of this TIFF are complex numbers; they cannot be shown.")
        reading.values, axes = page.asarray(), page.axes
        reading.inverted, reading.colours = int(page.photometric) == 0, int(page.photometric) == 2
        reading.notes += ["first page only"] if _next_directory(file) else []
    if axes.startswith("S") and reading.values.ndim == 3:
        reading.values = np.moveaxis(reading.values, 0, -1)
    if reading.values.ndim not in (2, 3):
        raise Refused("tiff_layout", "This TIFF has more dimensions than a picture has.")
    return reading


def _orientation(page: Any) -> int:
    tag = page.tags.get(274)
    return int(tag.value) if tag is not None and tag.value in range(1, 9) else 1


def _next_directory(file: Any) -> int:
    """Offset of the second directory, 0 if there is none, without following the chain."""
    page, handle, layout = file.pages.first, file.filehandle, file.tiff
    handle.seek(page.offset)
    count = int.from_bytes(handle.read(layout.tagnosize), "little" if layout.byteorder == "<" else "big")
    handle.seek(page.offset + layout.tagnosize + count * layout.tagsize)
    return int.from_bytes(handle.read(layout.offsetsize), "little" if layout.byteorder == "<" else "big")


def _stacked(file: Any, page: Any) -> Any:
    """HxWxC of the channels that ImageJ or OME keep in pages of their own, the first plane of everything else."""
    if not (file.is_imagej or file.is_ome) or int(page.samplesperpixel) != 1:
        return None
    series = file.series[0]
    axes, shape = series.axes, series.shape
    if "C" not in axes or not axes.endswith("YX") or not 2 <= shape[axes.index("C")] <= MAX_CHANNELS:
        return None
    # Pages are in the order of the axes: channel c of the first plane is this far on for each step.
    after = shape[axes.index("C") + 1 : -2]
    step = math.prod(after)
    planes = [series.pages[channel * step].asarray() for channel in range(shape[axes.index("C")])]
    if any(plane.shape != planes[0].shape for plane in planes):
        return None
    return np.stack(planes, axis=-1)


def _place(page: Any) -> dict[str, Any] | None:
    """{"crs", "transform", "pixel_is"}: transform [a, b, c, d, e, f] takes (column, row) of a pixel's corner to
    x = a * column + b * row + c, y = d * column + e * row + f in the coordinate system `crs` ("EPSG:32632", or what
    the file calls it). OGC GeoTIFF 1.1; None without a usable place."""
    try:
        tags = page.geotiff_tags or {}
    except Exception:  # whatever a file says of its place, its pixels can still be used
        return None
    transform = _transform(tags)
    if transform is None:
        return None
    point = int(tags.get(RASTER, 1) or 1) == 2
    if point:  # the tie point is a pixel's centre
        a, b, c, d, e, f = transform
        transform = [a, b, c - (a + b) / 2, d, e, f - (d + e) / 2]
    code = next((int(tags[key]) for key in (PROJECTED, GEOGRAPHIC) if 0 < int(tags.get(key) or 0) < USER_DEFINED), 0)
    crs = f"EPSG:{code}" if code else str(tags.get(GEO_CITATION, ""))[:200]
    return {"crs": crs, "transform": transform, "pixel_is": "point" if point else "area"}


def _transform(tags: dict[str, Any]) -> list[float] | None:
    matrix, scale, tie = (tags.get(name) for name in ("ModelTransformation", "ModelPixelScale", "ModelTiepoint"))
    try:
        if matrix is not None:
            flat = [float(value) for value in np.asarray(matrix).ravel()[:8]]
            values = [flat[0], flat[1], flat[3], flat[4], flat[5], flat[7]]
        elif scale is not None and tie is not None:
            sx, sy = float(scale[0]), float(scale[1])
            column, row, _, x, y = (float(value) for value in np.asarray(tie).ravel()[:5])
            values = [sx, 0.0, x - column * sx, 0.0, -sy, y + row * sy]
        else:
            return None
    except (TypeError, ValueError, IndexError):
        return None
    return values if all(math.isfinite(value) for value in values) else None
