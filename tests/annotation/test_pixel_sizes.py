"""How large a pixel is, as files tell it; what only looks like a size is not taken for one."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import tifffile

from annotation.ingest.cage import Cage
from annotation.ingest.scale import pixel_size
from annotation.models import Image
from annotation.services.images import Incoming, image_add
from tests.cast import make_cast, picture

PIXELS = np.arange(40 * 60, dtype=np.uint16).reshape(40, 60)


def tiff(folder: Path, **options) -> Path:
    path = folder / "picture.tif"
    tifffile.imwrite(path, PIXELS, **options)
    return path


@pytest.mark.parametrize(
    ("options", "size", "said"),
    [
        ({"resolution": (10_000, 10_000), "resolutionunit": "CENTIMETER"}, 1e-6, "TIFF resolution"),
        ({"resolution": (300, 300), "resolutionunit": "INCH"}, 0.0254 / 300, "TIFF resolution"),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "um"}}, 2.5e-7, "ImageJ TIFF"),
        ({"imagej": True, "resolution": (4, 4), "metadata": {"unit": "micron"}}, 2.5e-7, "ImageJ TIFF"),
        ({"ome": True, "metadata": {"axes": "YX", "PhysicalSizeX": 0.65, "PhysicalSizeY": 0.65}}, 6.5e-7, "OME-TIFF"),
        (
            {
                "ome": True,
                "metadata": {
                    "axes": "YX",
                    "PhysicalSizeX": 65,
                    "PhysicalSizeXUnit": "nm",
                    "PhysicalSizeY": 65,
                    "PhysicalSizeYUnit": "nm",
                },
            },
            6.5e-8,
            "OME-TIFF",
        ),
    ],
)
def test_a_tiff_tells_the_size_of_its_pixels(tmp_path, options, size, said):
    assert pixel_size(tiff(tmp_path, **options)) == (pytest.approx(size, rel=1e-3), said)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"resolution": (72, 72), "resolutionunit": "INCH"},
        {"resolution": (96, 96), "resolutionunit": "INCH"},
        {"resolution": (300, 150), "resolutionunit": "INCH"},
        {"imagej": True, "resolution": (4, 4), "metadata": {"unit": "furlong"}},
    ],
)
def test_what_says_nothing_of_the_object_is_no_size(tmp_path, options):
    assert pixel_size(tiff(tmp_path, **options)) is None


@pytest.mark.parametrize(("unit", "size"), [(9001, 0.5), (9002, None), (None, None)])
def test_a_map_tells_it_where_its_unit_is_the_metre(tmp_path, unit, size):
    keys = [(1, 1, 0, 2 if unit else 1), (1024, 0, 1, 1)] + ([(3076, 0, 1, unit)] if unit else [])
    directory = tuple(value for key in keys for value in key)
    tags = [(33550, 12, 3, (0.5, 0.5, 0.0), True), (34735, 3, len(directory), directory, True)]
    found = pixel_size(tiff(tmp_path, extratags=tags))
    assert found == ((size, "GeoTIFF") if size else None)


def test_dicom_tells_it_in_millimetres(tmp_path):
    pydicom = pytest.importorskip("pydicom")
    from pydicom.uid import ExplicitVRLittleEndian

    data = pydicom.Dataset()
    data.file_meta = pydicom.dataset.FileMetaDataset()
    data.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    data.SOPClassUID = data.SOPInstanceUID = "1.2.3"
    data.ImagerPixelSpacing = [0.2, 0.2]
    path = tmp_path / "picture.dcm"
    data.save_as(path, enforce_file_format=True)
    assert pixel_size(path) == (pytest.approx(2e-4), "DICOM, at the detector")
    data.PixelSpacing = [0.1, 0.1]
    data.save_as(path, enforce_file_format=True)
    assert pixel_size(path) == (pytest.approx(1e-4), "DICOM")


@pytest.mark.parametrize("data", [b"", b"II*\0", b"II*\0\xff\xff\xff\xff", b"\0" * 128 + b"DICM" + b"\xff" * 40])
def test_a_damaged_file_tells_nothing(tmp_path, data):
    path = tmp_path / "picture"
    path.write_bytes(data)
    assert pixel_size(path) is None


@pytest.mark.django_db
def test_an_image_keeps_what_its_file_tells(tmp_path):
    cast = make_cast()
    told = tiff(tmp_path, resolution=(10_000, 10_000), resolutionunit="CENTIMETER")
    silent = tmp_path / "picture.jpg"
    silent.write_bytes(picture())
    with Cage() as cage:
        for path in (told, silent):
            image_add(dataset=cast.dataset, incoming=Incoming(path.name, path), user=cast.ana, cage=cage)
    first, second = Image.objects.order_by("pk")
    assert (first.pixel_size, first.pixel_size_from) == (pytest.approx(1e-6), "TIFF resolution")
    assert (second.pixel_size, second.pixel_size_from) == (None, "")
