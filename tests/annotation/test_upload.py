"""Upload: the good part is kept, every bad file is named with its reason, nothing is left half-written."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image as Picture

from annotation import storage
from annotation.models import Image, Task
from tests.cast import picture


@pytest.fixture
def upload(cast, as_):
    """upload((name, bytes), ...) as the lead -> response."""

    def send(*files, user=None):
        client = as_(user or cast.ana)
        parts = [SimpleUploadedFile(name, data) for name, data in files]
        return client.post(f"/api/datasets/{cast.dataset.pk}/images/", {"files": parts}, format="multipart")

    return send


def saved(kind="PNG", mode="RGB", size=(60, 40), array=None, **options) -> bytes:
    buffer = io.BytesIO()
    made = Picture.fromarray(array) if array is not None else Picture.new(mode, size)
    made.save(buffer, kind, **options)
    return buffer.getvalue()


def zipped(**members) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name.replace("__", "."), data)
    return buffer.getvalue()


def display(image: Image) -> np.ndarray:
    return np.asarray(Picture.open(storage.full(image.display_path)))


def test_a_good_picture_becomes_an_image_with_an_open_task(upload, cast):
    data = picture(600, 400, seed=1)
    answer = upload(("holiday photo.jpg", data))
    assert answer.status_code == 201, answer.json()
    told = answer.json()["accepted"][0]
    assert (told["file_name"], told["width"], told["height"]) == ("holiday photo.jpg", 600, 400)
    assert told["task_state"] == "open"
    assert told["mask_count"] == 0
    assert told["overlay_url"] is None
    image = Image.objects.get()
    assert image.byte_size == len(data)
    assert storage.full(image.original_path).read_bytes() == data
    with Picture.open(storage.full(image.thumbnail_path)) as small:
        assert max(small.size) == 320
    assert Task.objects.get().image == image


def test_image_uploaded_is_announced_after_the_commit(upload, django_capture_on_commit_callbacks):
    from annotation.signals import image_uploaded

    heard = []

    def listen(image_id, **kwargs):
        heard.append(image_id)

    image_uploaded.connect(listen)
    try:
        with django_capture_on_commit_callbacks(execute=True):
            upload(("a.jpg", picture()))
            assert heard == []
        assert heard == [Image.objects.get().pk]
    finally:
        image_uploaded.disconnect(listen)


BAD = {
    "text named jpg": (b"hello, I am a text file\n" * 50, "not_an_image"),
    "empty": (b"", "not_an_image"),
    "truncated JPEG": (picture(400, 300)[:-3000], "image_truncated"),
    "JPEG without its end": (picture(400, 300)[:-2], "image_truncated"),
    "damaged PNG": (picture(kind="PNG")[:60] + b"\xff\x00" + picture(kind="PNG")[62:], None),
    "SVG": (b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>', "not_an_image"),
    "more pixels than allowed": (saved("PNG", "1", (20_000, 20_000)), "image_too_large"),
    "PSD": (b"8BPS\x00\x01" + b"\x00" * 60, "not_an_image"),
}


@pytest.mark.parametrize("name", BAD)
def test_a_bad_picture_is_refused_with_a_sentence(upload, name, data_folder):
    data, code = BAD[name]
    answer = upload((f"{name}.jpg", data))
    body = answer.json()
    assert answer.status_code == 400
    assert body["code"] == "upload_rejected"
    rejected = body["details"]["rejected"][0]
    assert rejected["name"] == f"{name}.jpg"
    assert rejected["message"].endswith(".")
    if code:
        assert rejected["code"] == code
    assert Image.objects.count() == Task.objects.count() == 0
    assert not [path for path in data_folder.rglob("*") if path.is_file()], "nothing is left on disk"


def test_the_good_part_is_kept(upload):
    answer = upload(("good.jpg", picture(seed=1)), ("bad.jpg", b"nope"), ("fine.png", picture(seed=2, kind="PNG")))
    body = answer.json()
    assert answer.status_code == 201
    assert [row["file_name"] for row in body["accepted"]] == ["good.jpg", "fine.png"]
    assert [row["name"] for row in body["rejected"]] == ["bad.jpg"]


def test_a_zip_with_one_bad_member_keeps_the_rest(upload):
    archive = zipped(a__jpg=picture(seed=1), b__jpg=b"not a picture", c__png=picture(seed=2, kind="PNG"))
    body = upload(("pictures.zip", archive)).json()
    assert sorted(row["file_name"] for row in body["accepted"]) == ["a.jpg", "c.png"]
    assert [(row["name"], row["code"]) for row in body["rejected"]] == [("b.jpg", "not_an_image")]


def test_the_same_bytes_are_the_same_image(upload, cast):
    first = upload(("a.jpg", picture())).json()["accepted"][0]
    body = upload(("b.jpg", picture()), ("c.jpg", picture(seed=5))).json()
    assert [(row["name"], row["image"]["id"]) for row in body["duplicates"]] == [("b.jpg", first["id"])]
    assert len(body["accepted"]) == 1
    assert upload(("b.jpg", picture())).status_code == 201, "nothing new is no error"


def test_a_file_over_the_limit_is_refused(upload, settings):
    settings.ANYMASK_MAX_IMAGE_BYTES = 2000
    body = upload(("big.png", picture(300, 200, kind="BMP")), ("small.jpg", picture(20, 20))).json()
    assert [row["code"] for row in body["rejected"]] == ["image_file_too_large"]
    assert len(body["accepted"]) == 1


def test_an_upload_over_the_limit_is_refused_before_it_is_read(upload, settings):
    settings.ANYMASK_MAX_UPLOAD_BYTES = 1000
    answer = upload(("big.jpg", picture(600, 400)))
    assert answer.status_code == 413
    assert answer.json()["code"] == "upload_too_large"


def test_without_files(cast, as_):
    answer = as_(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/images/", {}, format="multipart")
    assert (answer.status_code, answer.json()["code"]) == (400, "upload_empty")


CORNERS = {  # orientation -> where the marked top left corner of the upright picture lies in the stored one
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, 1),
    7: lambda a: np.rot90(a, 2).transpose(1, 0, 2),
    8: lambda a: np.rot90(a, -1),
}


@pytest.mark.parametrize("orientation", CORNERS)
def test_every_orientation_is_turned_upright_once(upload, orientation):
    upright = np.zeros((40, 60, 3), np.uint8)
    upright[:10, :15] = 255
    upright[30:, :15] = 128
    exif = Picture.Exif()
    exif[0x0112] = orientation
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0)}  # GPS
    stored = np.ascontiguousarray(CORNERS[orientation](upright))
    answer = upload((f"{orientation}.png", saved("PNG", array=stored, exif=exif)))
    assert answer.status_code == 201
    image = Image.objects.get()
    assert (image.width, image.height) == (60, 40)
    assert np.array_equal(display(image), upright)
    with Picture.open(storage.full(image.display_path)) as shown:
        assert not dict(shown.getexif()), "no orientation, no GPS in what is served"
    assert ("turned upright" in image.conversion) == (orientation != 1)


def ramp16() -> np.ndarray:
    return np.linspace(1000, 5000, 60 * 40).reshape(40, 60).astype(np.uint16)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("16 bit grey", saved("TIFF", array=ramp16())),
        ("16 bit PNG", saved("PNG", array=ramp16())),
        ("float", saved("TIFF", array=ramp16().astype(np.float32) / 65535)),
        ("int32", saved("TIFF", array=ramp16().astype(np.int32))),
    ],
)
def test_deep_greys_are_stretched_and_it_is_said(upload, name, data):
    assert upload((name, data)).status_code == 201
    image = Image.objects.get()
    pixels = display(image)
    assert (int(pixels.min()), int(pixels.max())) == (0, 255)
    assert len(np.unique(pixels)) > 200, "not clipped to white or black"
    assert "mapped to 0 to 255" in image.conversion


def test_nan_is_black_and_nothing_finite_is_refused(upload):
    values = ramp16().astype(np.float32)
    values[0, 0] = np.nan
    assert upload(("nan.tif", saved("TIFF", array=values))).status_code == 201
    assert display(Image.objects.get())[0, 0].tolist() == [0, 0, 0]
    answer = upload(("all nan.tif", saved("TIFF", array=np.full((4, 4), np.nan, np.float32))))
    assert answer.json()["details"]["rejected"][0]["code"] == "image_empty"


def test_transparency_is_laid_on_white(upload):
    array = np.zeros((40, 60, 4), np.uint8)
    array[..., 0] = 255  # transparent red
    array[:, 30:, 3] = 255
    upload(("a.png", saved("PNG", array=array)))
    image = Image.objects.get()
    assert display(image)[0, 0].tolist() == [255, 255, 255]
    assert display(image)[0, 59].tolist() == [255, 0, 0]
    assert image.conversion == "transparency on white"


@pytest.mark.parametrize(
    ("data", "media_type", "suffix"),
    [
        (saved("JPEG", "CMYK"), "image/jpeg", ".jpg"),
        (saved("PNG", "P"), "image/png", ".png"),
        (saved("GIF", "P"), "image/gif", ".png"),
        (saved("BMP"), "image/bmp", ".png"),
        (saved("WEBP"), "image/webp", ".jpg"),
        (saved("WEBP", lossless=True), "image/webp", ".png"),
        (saved("TIFF", "L"), "image/tiff", ".png"),
        (saved("PNG", "1"), "image/png", ".png"),
        (saved("PNG", "LA"), "image/png", ".png"),
    ],
)
def test_every_kind_ends_as_8_bit_rgb(upload, data, media_type, suffix):
    """JPEG at quality 95 without colour subsampling for sources that were lossy, PNG for the others."""
    assert upload(("x", data)).status_code == 201
    image = Image.objects.get()
    assert image.media_type == media_type
    assert image.display_path.endswith(suffix)
    assert display(image).shape == (40, 60, 3)


def test_of_an_animation_the_first_frame_is_taken_and_it_is_said(upload):
    frames = [Picture.new("RGB", (60, 40), colour) for colour in ("red", "blue")]
    buffer = io.BytesIO()
    frames[0].save(buffer, "GIF", save_all=True, append_images=frames[1:])
    upload(("a.gif", buffer.getvalue()))
    image = Image.objects.get()
    assert display(image)[0, 0].tolist() == [255, 0, 0]
    assert image.conversion == "first frame only"


@pytest.mark.parametrize("name", ["../../etc/passwd", "..\\..\\x.jpg", "/abs.jpg", "a\x00b.jpg", "\u202e.jpg", ""])
def test_names_are_data_and_never_paths(cast, as_, name, data_folder):
    """Raw multipart, not the polite test client, which cleans names itself."""
    data = picture()
    head = f'--B\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n\r\n'.encode()
    client = as_(cast.ana)
    answer = client.generic(
        "POST",
        f"/api/datasets/{cast.dataset.pk}/images/",
        head + data + b"\r\n--B--\r\n",
        content_type="multipart/form-data; boundary=B",
    )
    assert answer.status_code in (201, 400)
    files = [path for path in data_folder.rglob("*") if path.is_file()]
    assert all(path.is_relative_to(data_folder / "images") for path in files)
    assert all("/" not in image.file_name and "\x00" not in image.file_name for image in Image.objects.all())


def test_deleting_an_image_removes_its_files(upload, cast, as_, data_folder, django_capture_on_commit_callbacks):
    pk = upload(("a.jpg", picture())).json()["accepted"][0]["id"]
    with django_capture_on_commit_callbacks(execute=True):
        assert as_(cast.ana).delete(f"/api/images/{pk}/").status_code == 204
    assert not [path for path in data_folder.rglob("*") if path.is_file()]
