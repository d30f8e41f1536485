"""How large a pixel is, where the file tells it. Imported by the caged child alone.

Read anew from the header of the file, so that it holds for every way in which pixels are read. What only says how
large a picture is to be printed is not taken for a size: 72 and 96 pixels per inch are what programs write when they
know nothing.
"""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from annotation.ingest import dicom, tiff

UNITS = {"nm": 1e-9, "um": 1e-6, "µm": 1e-6, "μm": 1e-6, "\\u00b5m": 1e-6, "micron": 1e-6, "microns": 1e-6,
         "mm": 1e-3, "cm": 1e-2, "m": 1.0, "inch": 0.0254}  # fmt: skip
PER_INCH, PER_CENTIMETRE = 2, 3  # ResolutionUnit, TIFF 6.0
SCREENS = (72.0, 96.0)  # pixels per inch
METRE = 9001  # ProjLinearUnitsGeoKey, OGC GeoTIFF 1.1
SQUARE = 0.01  # how far the sides of a pixel may differ


def pixel_size(source: Path) -> tuple[float, str] | None:
    """(side of a pixel in metres, which part of the file says so), None where it says nothing usable."""
    with source.open("rb") as file:
        head = file.read(132)
    try:
        found = _of_dicom(source) if dicom.is_dicom(head) else _of_tiff(source) if tiff.is_tiff(head) else None
    except Exception:  # whatever a file says of its scale, its pixels can still be used
        return None
    if found is None or not all(math.isfinite(side) and 0 < side < 1e6 for side in found[:2]):
        return None
    across, down, said = found
    return ((across + down) / 2, said) if abs(across - down) <= SQUARE * max(across, down) else None


def _of_dicom(source: Path) -> tuple[float, float, str] | None:
    """Pixel Spacing (0028,0030), else that at the detector (0018,1164): millimetres, rows first. PS3.3 10.7.1."""
    import pydicom

    names = {"PixelSpacing": "DICOM", "ImagerPixelSpacing": "DICOM, at the detector"}
    data = pydicom.dcmread(source, stop_before_pixels=True, specific_tags=list(names))
    for name, said in names.items():
        if (spacing := data.get(name)) is not None:
            return float(spacing[1]) / 1e3, float(spacing[0]) / 1e3, said
    return None


def _of_tiff(source: Path) -> tuple[float, float, str] | None:
    """OME, GeoTIFF in metres, ImageJ, the resolution tags: the first that tells."""
    import tifffile

    with tifffile.TiffFile(source, _multifile=False) as file:
        page = file.pages.first
        turned = getattr(page.tags.get(274), "value", 1) in (5, 6, 7, 8)
        found = _ome(file) or _map(page) or _imagej(file, page) or _resolution(page)
    return (found[1], found[0], found[2]) if found and turned else found


def _ome(file: Any) -> tuple[float, float, str] | None:
    """PhysicalSizeX and Y of the first Pixels element; their unit is the micrometre where none is written."""
    if not file.is_ome:
        return None
    told = _pixels_of(file.ome_metadata)
    sizes = [(told.get(f"PhysicalSize{axis}"), told.get(f"PhysicalSize{axis}Unit", "µm")) for axis in "XY"]
    if any(size is None or unit not in UNITS for size, unit in sizes):
        return None
    across, down = (float(str(size)) * UNITS[unit] for size, unit in sizes)
    return across, down, "OME-TIFF"


def _pixels_of(text: str) -> dict[str, str]:
    """Attributes of the first Pixels element of OME-XML, read without an XML parser: it comes from outside."""
    import re

    element = re.search(r"<(?:\w+:)?Pixels\s([^>]{0,4000})>", text[:1_000_000])
    return dict(re.findall(r'(\w+)="([^"]{0,100})"', element.group(1))) if element else {}


def _map(page: Any) -> tuple[float, float, str] | None:
    """ModelPixelScale of a projection whose unit the file says is the metre."""
    tags = page.geotiff_tags or {}
    if int(tags.get("ProjLinearUnitsGeoKey") or 0) != METRE or (scale := tags.get("ModelPixelScale")) is None:
        return None
    return float(scale[0]), float(scale[1]), "GeoTIFF"


def _imagej(file: Any, page: Any) -> tuple[float, float, str] | None:
    """ImageJ writes pixels per unit, and the unit into the description."""
    if not file.is_imagej:
        return None
    unit = str((file.imagej_metadata or {}).get("unit", ""))
    per = _per_unit(page)
    return (UNITS[unit] / per[0], UNITS[unit] / per[1], "ImageJ TIFF") if unit in UNITS and per else None


def _resolution(page: Any) -> tuple[float, float, str] | None:
    unit, per = int(getattr(page.tags.get(296), "value", PER_INCH)), _per_unit(page)
    if per is None or (unit == PER_INCH and per[0] in SCREENS) or unit not in (PER_INCH, PER_CENTIMETRE):
        return None
    side = UNITS["inch"] if unit == PER_INCH else UNITS["cm"]
    return side / per[0], side / per[1], "TIFF resolution"


def _per_unit(page: Any) -> tuple[float, float] | None:
    """XResolution and YResolution, pixels per unit."""
    values = []
    for tag in (282, 283):
        told = page.tags.get(tag)
        if told is None:
            return None
        above, below = told.value
        values.append(above / below if below else 0.0)
    return (values[0], values[1]) if min(values) > 0 else None
