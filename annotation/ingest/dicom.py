"""DICOM: one frame, with the window that the file asks for. Imported by the caged child alone.

Only the elements that pixels need are kept; nothing of the patient leaves this module. Uncompressed, RLE, JPEG and
JPEG 2000 pixels are read (pydicom, Pillow); JPEG-LS is not.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from annotation.ingest.refusal import Refused

TAGS = [
    "SamplesPerPixel", "PhotometricInterpretation", "PlanarConfiguration", "NumberOfFrames", "Rows", "Columns",
    "BitsAllocated", "BitsStored", "HighBit", "PixelRepresentation", "PixelData", "FloatPixelData",
    "DoubleFloatPixelData", "RescaleSlope", "RescaleIntercept", "ModalityLUTSequence", "WindowCenter", "WindowWidth",
    "RedPaletteColorLookupTableDescriptor", "GreenPaletteColorLookupTableDescriptor",
    "BluePaletteColorLookupTableDescriptor", "RedPaletteColorLookupTableData", "GreenPaletteColorLookupTableData",
    "BluePaletteColorLookupTableData", "BurnedInAnnotation",
]  # fmt: skip


def is_dicom(head: bytes) -> bool:
    """Whether a file starts like a DICOM file (PS3.10: 128 bytes, then DICM)."""
    return head[128:132] == b"DICM"


def read(source: Path, max_pixels: int) -> tuple[Any, tuple[float, float] | None, bool, list[str]]:
    """(values HxW or HxWx3, the window as (low, high) or None, whether low is white, notes). Raises Refused."""
    import pydicom
    from pydicom.pixels.processing import apply_color_lut, apply_modality_lut
    from pydicom.pixels.utils import pixel_array

    header = pydicom.dcmread(source, stop_before_pixels=True, specific_tags=TAGS)
    rows, columns = int(header.get("Rows") or 0), int(header.get("Columns") or 0)
    if rows < 1 or columns < 1:
        raise Refused("image_empty", "This DICOM file holds no picture.")
    if rows * columns > max_pixels:
        limit = f"{max_pixels / 1e6:.0f} megapixels"
        raise Refused("image_too_large", f"The picture is {columns} x {rows} pixels; the limit is {limit}.")
    data = pydicom.dcmread(source, specific_tags=TAGS)
    notes = []
    try:
        values = pixel_array(data, index=0)
    except (AttributeError, KeyError):
        raise Refused("image_empty", "This DICOM file holds no picture.") from None
    except (NotImplementedError, RuntimeError) as problem:
        if isinstance(problem, RecursionError):
            raise
        name = getattr(data.file_meta.get("TransferSyntaxUID"), "name", "its compression")
        raise Refused(
            "dicom_compression", f"This DICOM file cannot be read: {str(name)[:80]} is not supported."
        ) from None
    if int(data.get("NumberOfFrames") or 1) > 1:
        notes.append("first frame only")
    if str(data.get("BurnedInAnnotation", "")).upper() == "YES":
        notes.append("text is burned into the picture")
    kind = str(data.get("PhotometricInterpretation", ""))
    if kind == "PALETTE COLOR":
        values = apply_color_lut(values, data)
    if values.ndim == 3:
        return (values >> 8).astype(np.uint8) if values.dtype == np.uint16 else values, None, False, notes
    values = apply_modality_lut(values, data)
    return values, _window(data), kind == "MONOCHROME1", notes


def _window(data: Any) -> tuple[float, float] | None:
    """The first window of the file, PS3.3 C.11.2.1.2, as the values that become black and white."""
    centre, width = data.get("WindowCenter"), data.get("WindowWidth")
    try:
        centre = float(centre[0] if isinstance(centre, (list, tuple)) or hasattr(centre, "__len__") else centre)
        width = float(width[0] if isinstance(width, (list, tuple)) or hasattr(width, "__len__") else width)
    except (TypeError, ValueError, IndexError):
        return None
    if not (np.isfinite(centre) and np.isfinite(width)) or width < 1:
        return None
    return centre - 0.5 - (width - 1) / 2, centre - 0.5 + (width - 1) / 2
