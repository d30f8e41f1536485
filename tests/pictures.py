"""Pictures of kinds that cameras do not make, written by the libraries that write them elsewhere."""

from __future__ import annotations

import io

import numpy as np
import tifffile
from PIL import Image as Picture


def scene(height: int = 200, width: int = 300) -> np.ndarray:
    """Values 0..1, HxW float: a soft ground, a disc at (60, 100) and a brighter one at (150, 100), as (x, y)."""
    rows, columns = np.mgrid[:height, :width]
    values = 0.1 + 0.1 * columns / width
    for x, y, value in ((60, 100, 0.5), (150, 100, 0.9)):
        values[(columns - x) ** 2 + (rows - y) ** 2 <= 35**2] = value
    return values


def tiff16(hot: int | None = None) -> bytes:
    """300 x 200, 16 bits, values 1000..5000, and perhaps one hot pixel."""
    values = (1000 + 4000 * scene()).astype(np.uint16)
    if hot is not None:
        values[0, 0] = hot
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values)
    return buffer.getvalue()


def geotiff(*, point: bool = False) -> bytes:
    """300 x 200, 16 bits, pixels of 10 m with the upper left corner at (500 000, 5 400 000) of EPSG:32632."""
    keys = (1, 1, 0, 3, 1024, 0, 1, 1, 1025, 0, 1, 2 if point else 1, 3072, 0, 1, 32632)
    tags = [
        (33550, "d", 3, (10.0, 10.0, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, 500_000.0, 5_400_000.0, 0.0), True),
        (34735, "H", len(keys), keys, True),
    ]
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, (1000 + 4000 * scene()).astype(np.uint16) + point, extratags=tags, compression="lzw")
    return buffer.getvalue()


def dicom(
    *,
    patient: str = "Doe^Jane",
    photometric: str = "MONOCHROME2",
    colour: bool = False,
    rows: int = 200,
    columns: int = 300,
    nested: int = 0,
    syntax: str = "",
) -> bytes:
    """300 x 200, air at the corner (-1000), tissue at x 60 (40), bone at x 150 (1000); window 40 / 400."""
    import pydicom
    from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
    from pydicom.sequence import Sequence
    from pydicom.uid import ExplicitVRLittleEndian, generate_uid

    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2"
    meta.MediaStorageSOPInstanceUID = generate_uid(entropy_srcs=[photometric])
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data = FileDataset(None, {}, file_meta=meta, preamble=b"\0" * 128)
    data.PatientName = patient
    values = np.full((200, 300), -1000.0)
    ground = scene()
    values[ground == 0.5] = 40
    values[ground == 0.9] = 1000
    if colour:
        pixels = np.zeros((200, 300, 3), np.uint8)
        pixels[ground == 0.5] = (200, 100, 50)
        data.SamplesPerPixel, data.PhotometricInterpretation, data.PlanarConfiguration = 3, "RGB", 0
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 8, 8, 7, 0
    else:
        pixels = (values + 1024).astype(np.uint16)
        data.SamplesPerPixel, data.PhotometricInterpretation = 1, photometric
        data.BitsAllocated, data.BitsStored, data.HighBit, data.PixelRepresentation = 16, 12, 11, 0
        data.RescaleSlope, data.RescaleIntercept = 1, -1024
        data.WindowCenter, data.WindowWidth = 40, 400
    data.Rows, data.Columns = rows, columns
    if nested:
        inner = Dataset()
        for _ in range(100):
            outer = Dataset()
            outer.ReferencedSeriesSequence = Sequence([inner])
            inner = outer
        data.ReferencedStudySequence = Sequence([inner])
    data.PixelData = pixels.tobytes()
    buffer = io.BytesIO()
    pydicom.dcmwrite(buffer, data, enforce_file_format=True)
    written = buffer.getvalue()
    if nested:  # deeper than any writer goes: sequences of undefined length that never end
        end = written.index(b"\xe0\x7f\x10\x00")
        item = b"\x08\x00\x15\x11SQ\0\0\xff\xff\xff\xff\xfe\xff\x00\xe0\xff\xff\xff\xff"
        written = written[:end][: written.index(b"\x08\x00\x10\x11")] + item * nested
    if syntax:
        written = written.replace(b"1.2.840.10008.1.2.1\0", syntax.encode().ljust(20, b"\0")[:20])
    return written


def heic() -> bytes:
    """120 x 80, as telephones write it."""
    import pillow_heif

    buffer = io.BytesIO()
    picture = Picture.fromarray((255 * scene(80, 120)).astype(np.uint8)).convert("RGB")
    pillow_heif.from_pillow(picture).save(buffer, quality=80)
    return buffer.getvalue()
