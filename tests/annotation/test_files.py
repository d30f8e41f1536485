"""Files and overlays: cached by what they are, never sniffed, private."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image as Picture

from annotation import overlay
from tests.cast import add_image, add_mask, ellipse


@pytest.mark.parametrize("name", ["file_url", "thumbnail_url"])
def test_pictures_are_kept_for_ever_under_their_digest(cast, as_, image, name):
    client = as_(cast.vic)
    url = client.get(f"/api/images/{image.pk}/").json()[name]
    assert image.sha256[:12] in url
    answer = client.get(url)
    assert answer["Content-Type"] == "image/jpeg"
    assert answer["Cache-Control"] == "private, max-age=31536000, immutable"
    assert answer["X-Content-Type-Options"] == "nosniff"
    again = client.get(url, headers={"If-None-Match": answer["ETag"]})
    assert (again.status_code, again.content) == (304, b"")


def test_a_lost_file_is_a_404(cast, as_, image, data_folder):
    (data_folder / image.thumbnail_path).unlink()
    answer = as_(cast.vic).get(f"/api/images/{image.pk}/thumbnail/")
    assert (answer.status_code, answer.json()["code"]) == (404, "file_missing")


def test_the_overlay_changes_its_address_with_the_masks(cast, as_, image):
    client = as_(cast.ben)

    def address():
        return client.get(f"/api/images/{image.pk}/").json()["overlay_url"]

    assert address() is None
    mask = add_mask(image)
    first = address()
    answer = client.get(first)
    assert answer["Content-Type"] == "image/png"
    assert "immutable" in answer["Cache-Control"]
    assert client.get(first, headers={"If-None-Match": answer["ETag"]}).status_code == 304
    add_mask(image, ellipse(image, size=0.1))
    second = address()
    assert second != first
    assert "immutable" not in client.get(first)["Cache-Control"], "an old address may not pin the new picture"
    client.delete(f"/api/masks/{mask.uuid}/")
    assert address() not in (first, second, None)


def test_the_overlay_shows_every_mask_in_the_editors_colour(cast):
    image = add_image(cast.dataset, width=800, height=500)
    left, right = ellipse(image, x=0.25, size=0.15), ellipse(image, x=0.75, size=0.15)
    masks = [add_mask(image, left), add_mask(image, right)]
    with Picture.open(io.BytesIO(overlay.render(image, masks))) as made:
        assert made.size == (320, 200)
        pixels = np.asarray(made)
    assert pixels[0, 0, 3] == 0
    for mask, x in zip(masks, (80, 240), strict=True):
        assert pixels[100, x].tolist() == [*overlay.colour_of(str(mask.uuid)).tolist(), overlay.FILL]
    assert (pixels[..., 3] == overlay.EDGE).any()
    share = float((pixels[..., 3] > 0).mean())
    assert share == pytest.approx(float((left | right).mean()), abs=0.01)


def test_the_colour_is_the_one_of_the_front_end():
    """FNV-1a, as in frontend/src/core/palette.ts; one value worked out by hand there and here."""
    value = 2166136261
    for character in "00000000-0000-4000-8000-000000000000":
        value = ((value ^ ord(character)) * 16777619) % 2**32
    assert overlay.colour_of("00000000-0000-4000-8000-000000000000").tolist() == overlay.COLOURS[value % 10].tolist()
