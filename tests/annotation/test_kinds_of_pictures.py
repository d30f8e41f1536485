"""Deep, many-channelled, medical and geographic pictures: shown by a rule that is stored, the original kept."""

from __future__ import annotations

import io
import json
import subprocess
import sys

import numpy as np
import pytest
import tifffile
from PIL import Image as Picture

from annotation import storage
from annotation.errors import UserError
from annotation.ingest.cage import Cage
from annotation.models import Image
from annotation.services.images import Incoming, image_add
from tests import cast as people
from tests.pictures import dicom, geotiff, heic, tiff16


@pytest.fixture(scope="module")
def cage():
    with Cage() as one:
        yield one


@pytest.fixture
def add(cast, cage, tmp_path):
    def one(data: bytes) -> Image:
        path = tmp_path / "incoming.bin"
        path.write_bytes(data)
        image, _ = image_add(dataset=cast.dataset, incoming=Incoming("x", path), user=cast.ana, cage=cage)
        return image

    return one


def shown(image: Image) -> np.ndarray:
    return np.asarray(Picture.open(storage.full(image.display_path)))


def saved(array: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def test_16_bits_are_shown_between_percentiles_and_kept(add):
    data = tiff16(hot=65_535)
    image = add(data)
    assert storage.full(image.original_path).read_bytes() == data
    assert (image.media_type, image.width, image.height) == ("image/tiff", 300, 200)
    mapping = image.mapping
    assert (mapping["method"], mapping["channels"], mapping["count"]) == ("percentile", [0], 1)
    assert mapping["maximum"] == [65_535]
    assert mapping["high"][0] < 6000, "one hot pixel does not darken the rest"
    assert shown(image).std() > 40
    assert "mapped to 0 to 255" in image.conversion


@pytest.mark.parametrize("compression", [None, "zlib", "lzw", "packbits", "zstd"])
def test_compressed_deep_tiffs_are_read(add, compression):
    array = np.linspace(0, 60_000, 60 * 40).reshape(40, 60).astype(np.uint16)
    image = add(saved(array, compression=compression))
    assert np.corrcoef(shown(image)[..., 0].ravel(), array.ravel())[0, 1] > 0.999


@pytest.mark.parametrize(("planar", "shape"), [("contig", (40, 60, 5)), ("separate", (5, 40, 60))])
def test_of_many_channels_the_first_three_are_shown(add, planar, shape):
    array = np.zeros(shape, np.uint16)
    first = array[..., 0] if planar == "contig" else array[0]
    first[:, 30:] = 4000
    image = add(saved(array, photometric="minisblack", planarconfig=planar))
    assert (image.mapping["channels"], image.mapping["count"]) == ([0, 1, 2], 5)
    assert shown(image)[0, 0].tolist() == [0, 0, 0]
    assert shown(image)[0, 59].tolist() == [255, 0, 0]
    assert "channels 1, 2, 3 of 5 shown" in image.conversion


def test_channels_of_a_microscope_that_are_pages_are_channels(add):
    array = np.zeros((2, 40, 60), np.uint16)
    array[0, :20] = 100
    array[1, :, :30] = 1000
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, imagej=True, metadata={"axes": "CYX"})
    image = add(buffer.getvalue())
    assert image.mapping["count"] == 2
    assert shown(image)[0, 0].tolist() == [255, 255, 0]
    assert shown(image)[39, 59].tolist() == [0, 0, 0]


def test_deep_colours_keep_their_hue(add):
    array = np.zeros((40, 60, 3), np.uint16)
    array[:20] = (60_000, 30_000, 15_000)
    image = add(saved(array, photometric="rgb"))
    red, green, blue = shown(image)[0, 0].astype(int)
    assert red == 255
    assert abs(green - 128) <= 2
    assert abs(blue - 64) <= 2


def test_white_is_zero_where_the_file_says_so(add):
    array = np.linspace(0, 1000, 60 * 40).reshape(40, 60).astype(np.uint16)
    image = add(saved(array, photometric="miniswhite"))
    assert image.mapping["inverted"]
    assert shown(image)[0, 0, 0] > shown(image)[-1, -1, 0]


def test_a_turned_deep_tiff_is_turned_upright(add):
    array = np.zeros((40, 60), np.uint16)
    array[0] = 1000  # its first row is the right side: orientation 6
    image = add(saved(array, extratags=[(274, "H", 1, 6, True)]))
    assert (image.width, image.height) == (40, 60)
    assert shown(image)[:, -1].min() == 255
    assert "turned upright" in image.conversion


def test_dicom_is_shown_by_its_window(add):
    image = add(dicom())
    assert image.media_type == "application/dicom"
    assert image.mapping["method"] == "window"
    # Centre 40, width 400 in units after rescaling: -160 is black, 239 white.
    assert image.mapping["low"] == [-160.0]
    assert image.mapping["high"] == [239.0]
    pixels = shown(image)[..., 0]
    assert pixels[0, 0] == 0, "air, -1000"
    assert pixels[100, 150] == 255, "bone, 1000"
    assert abs(int(pixels[100, 60]) - 128) <= 1, "tissue, 40"


def test_nothing_of_the_patient_is_stored_beside_the_original(add):
    image = add(dicom(patient="Mustermann^Erika"))
    for row in Image.objects.filter(pk=image.pk).values():
        assert "Mustermann" not in str(row)
    for path in storage.full(image.display_path).parent.iterdir():
        if not path.name.startswith("original"):
            assert b"Mustermann" not in path.read_bytes()


def test_a_low_white_dicom_is_inverted_and_colours_stay(add):
    assert add(dicom(photometric="MONOCHROME1")).mapping["inverted"]
    image = add(dicom(colour=True))
    assert image.mapping is None
    assert shown(image)[100, 60].tolist() == [200, 100, 50]


def test_a_geotiff_tells_its_place(add):
    image = add(geotiff())
    assert image.georeference == {
        "crs": "EPSG:32632",
        "transform": [10.0, 0.0, 500_000.0, 0.0, -10.0, 5_400_000.0],
        "pixel_is": "area",
    }
    point = add(geotiff(point=True)).georeference
    assert point["transform"][2] == 499_995.0, "a tie point in a pixel's centre is moved to its corner"


def test_without_its_library_heic_is_refused_and_the_rest_is_read(tmp_path):
    (tmp_path / "one.heic").write_bytes(heic())
    (tmp_path / "two.jpg").write_bytes(people.picture())
    asked = []
    for name in ("one.heic", "two.jpg"):
        folder = tmp_path / f"of {name}"
        folder.mkdir()
        asked.append({"folder": str(folder), "source": str(tmp_path / name), "max_pixels": 10**6})
    program = "import sys; sys.modules['pillow_heif'] = None; from annotation.ingest import decode; decode.main()"
    lines = "\n".join(json.dumps(request) for request in asked)
    done = subprocess.run([sys.executable, "-c", program], input=lines, capture_output=True, text=True, timeout=60)
    refused, read = map(json.loads, done.stdout.splitlines())
    assert (refused["code"], "pillow-heif is not installed" in refused["message"]) == ("not_an_image", True)
    assert (read["width"], read["height"]) == (60, 40)


def test_heic_of_a_telephone(add):
    image = add(heic())
    assert (image.media_type, image.width, image.height) == ("image/heic", 120, 80)
    assert image.display_path.endswith(".jpg")


HOSTILE = {
    "DICOM without pixels": (dicom()[:600], None),
    "DICOM of nothing but a head": (b"\0" * 128 + b"DICM", None),
    "DICOM that announces 60000 x 60000": (dicom(rows=60_000, columns=60_000), "image_too_large"),
    "DICOM with less pixels than announced": (dicom(rows=400, columns=3000), None),
    "DICOM of nested sequences": (dicom(nested=3000), None),
    "DICOM in a compression that is not read": (dicom(syntax="1.2.840.10008.1.2.4.80"), "dicom_compression"),
    "TIFF of 60000 x 60000": (
        saved(np.zeros((4, 4), np.uint16)).replace(
            b"\x00\x01\x04\x00\x01\x00\x00\x00\x04\x00\x00\x00", b"\x00\x01\x04\x00\x01\x00\x00\x00\x60\xea\x00\x00"
        ),
        None,
    ),
    "TIFF whose directory points at itself": (b"II*\0\x08\0\0\0\0\0\x08\0\0\0", None),
    "TIFF with 65535 tags": (b"II*\0\x08\0\0\0\xff\xff" + b"\0" * 4000, None),
    "TIFF cut off": (tiff16()[:5000], None),
    "complex TIFF": (saved(np.zeros((40, 60), np.complex64)), "tiff_values"),
    "TIFF volume of 100 channels": (
        saved(np.zeros((9, 9, 100), np.uint16), photometric="minisblack", planarconfig="contig"),
        "tiff_layout",
    ),
    "HEIC cut off": (heic()[:400], None),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_files_are_refused_with_a_sentence(add, name, data_folder):
    data, code = HOSTILE[name]
    with pytest.raises(UserError) as caught:
        add(data)
    assert caught.value.message.endswith(".")
    assert code is None or caught.value.code == code
    assert Image.objects.count() == 0
    assert not list((data_folder / "images").rglob("*.*")) if (data_folder / "images").exists() else True
