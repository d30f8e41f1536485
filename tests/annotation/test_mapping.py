"""Deep values are shown otherwise on request: new pixels under a new address, masks where they were, faces gone."""

from __future__ import annotations

import numpy as np
import pytest
from PIL import Image as Picture

from annotation import jobkit, jobs, storage  # noqa: F401  what a worker imports
from annotation.errors import UserError
from annotation.ingest import faces
from annotation.ingest.cage import Cage
from annotation.models import Dataset, Image, Mask
from annotation.services.images import Incoming, image_add
from annotation.signals import image_changed
from tests.cast import add_image, add_mask, ellipse, picture
from tests.pictures import tiff16


@pytest.fixture
def add(cast, tmp_path):
    def one(data: bytes) -> Image:
        path = tmp_path / "incoming.bin"
        path.write_bytes(data)
        with Cage() as cage:
            dataset = Dataset.objects.get(pk=cast.dataset.pk)
            return image_add(dataset=dataset, incoming=Incoming("x", path), user=cast.ana, cage=cage)[0]

    return one


def grey(image: Image) -> np.ndarray:
    return np.asarray(Picture.open(storage.full(image.display_path)))[..., 0]


def test_other_ends_make_other_pixels_under_another_address(add, cast, as_):
    image = add(tiff16())
    mask = add_mask(image, ellipse(image))
    client, heard = as_(cast.ana), []

    def listen(image_id, **_):
        heard.append(image_id)

    image_changed.connect(listen)
    before = client.get(f"/api/images/{image.pk}/").json()
    answer = client.post(f"/api/images/{image.pk}/mapping/", {"low": [2000], "high": [2500], "inverted": True})
    assert answer.status_code == 202, answer.json()
    jobkit.run_pending(dataset=cast.dataset)
    image_changed.disconnect(listen)
    after = client.get(f"/api/images/{image.pk}/").json()
    assert after["file_url"] != before["file_url"]
    assert after["thumbnail_url"] != before["thumbnail_url"]
    assert (after["mapping"]["method"], after["mapping"]["low"], after["mapping"]["high"]) == ("window", [2000], [2500])
    image.refresh_from_db()
    assert grey(image)[100, 150] == 0, "high is dark now"
    assert client.get(after["file_url"]).status_code == 200
    assert Mask.objects.get().segmentation == mask.segmentation
    assert len(list(storage.full(image.display_path).parent.iterdir())) == 3, "the earlier pixels are gone"
    client.post(f"/api/images/{image.pk}/mapping/", {})
    jobkit.run_pending(dataset=cast.dataset)
    image.refresh_from_db()
    assert image.mapping["method"] == "percentile"
    assert image.revision == 2


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"low": [1]}, "mapping_ends"),
        ({"low": [5], "high": [5]}, "mapping_ends"),
        ({"low": [1, 2], "high": [5, 6]}, "mapping_ends"),
        ({"channels": [1]}, "mapping_channels"),
        ({"channels": [-1]}, "invalid"),
        ({"low": ["x"], "high": [1]}, "invalid"),
    ],
)
def test_a_mapping_that_cannot_be_is_refused(add, cast, as_, body, code):
    image = add(tiff16())
    answer = as_(cast.ana).post(f"/api/images/{image.pk}/mapping/", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_eight_bits_have_nothing_to_map(cast, as_):
    answer = as_(cast.ana).post(f"/api/images/{add_image(cast.dataset).pk}/mapping/", {})
    assert answer.json()["code"] == "mapping_absent"


def find_left(pixels: np.ndarray) -> list[tuple[float, float, float, float]]:
    """A detector that can be plugged in: the left third."""
    return [(0, 0, pixels.shape[1] / 3, pixels.shape[0])]


def test_what_a_plugged_in_detector_finds_is_blurred_before_anybody_sees_it(add, cast, as_, settings, data_folder):
    settings.ANYMASK_BLUR_DETECTORS = [f"{__name__}.find_left"]
    Dataset.objects.update(blur_faces=True)
    noise = np.random.default_rng(1).integers(0, 255, (120, 180, 3), dtype=np.uint8)
    path = data_folder / "noise.png"
    Picture.fromarray(noise).save(path)
    image = add(path.read_bytes())
    shown = np.asarray(Picture.open(storage.full(image.display_path)))
    assert shown[50:70, 10:50].std() < noise[50:70, 10:50].std() / 2
    assert np.array_equal(shown[:, 100:], noise[:, 100:])
    assert image.conversion == "1 face blurred"
    kept = [file.read_bytes() for file in storage.full(image.display_path).parent.iterdir()]
    assert path.read_bytes() not in kept, "the original is not kept"
    assert image.pixels_sha256 != image.sha256, "its embedding is not that of the same picture elsewhere"
    answer = as_(cast.ana).post(f"/api/images/{image.pk}/mapping/", {})
    assert answer.json()["code"] == "mapping_absent"


def test_the_built_in_detector_finds_a_frontal_face():
    from skimage import data

    face = data.astronaut()
    boxes = faces.frontal_faces(face)
    assert any(x < 225 < x + width and y < 115 < y + height for x, y, width, height in boxes)
    assert faces.frontal_faces(np.full((200, 300, 3), 128, np.uint8)) == []


def test_a_picture_without_a_face_is_kept_as_it_is(add):
    Dataset.objects.update(blur_faces=True)
    image = add(picture(300, 200))
    assert image.conversion.endswith("0 faces blurred")


def test_the_mapping_of_a_blurred_picture_cannot_bring_the_face_back(add, cast, as_):
    Dataset.objects.update(blur_faces=True)
    image = add(tiff16())
    answer = as_(cast.ana).post(f"/api/images/{image.pk}/mapping/", {})
    assert (answer.status_code, answer.json()["code"]) == (409, "original_not_kept")


def test_no_values_is_a_sentence(add):
    with pytest.raises(UserError):
        add(b"II*\0")
