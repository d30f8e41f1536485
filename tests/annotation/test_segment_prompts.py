"""Prompts of other systems: many at once, a mask with its measures for each, so many requests a minute."""

from __future__ import annotations

import numpy as np
import pytest

from annotation import ports
from annotation.api.segment import PromptThrottle
from annotation.measures import pose
from annotation.models import Image
from annotation.services.people import token_create
from modelzoo import rle
from tests.cast import client_of


@pytest.fixture(autouse=True)
def fake(monkeypatch):
    """A decoder that fills discs and boxes."""

    def size_of(image_id):
        return Image.objects.values_list("height", "width").get(pk=image_id)

    monkeypatch.setattr(ports, "_segmenter", ports.FakeSegmenter(size_of, radius=8))


def segment(as_, cast, image, **body):
    return as_(cast.ben).post(f"/api/images/{image.pk}/segment/", body)


def test_every_prompt_gets_its_mask_in_its_order(cast, as_, image):
    box, point = {"name": "tray 1", "box": [10, 5, 30, 25]}, {"points": [[40, 20]]}
    told = segment(as_, cast, image, prompts=[box, point]).json()
    assert (told["width"], told["height"], told["model"]) == (60, 40, "fake")
    first, second = told["masks"]
    assert (first["name"], first["bbox"], first["area"]) == ("tray 1", [10, 5, 20, 20], 400)
    assert first["centroid"] == [20, 15]
    assert second["name"] == ""
    assert np.allclose(second["centroid"], [40.5, 20.5])
    assert rle.decode(second["segmentation"])[20, 40]
    assert {one["pose"] for one in told["masks"]} == {None}
    assert not image.masks.exists()  # nothing is saved


def test_areas_have_units_where_the_scale_is_known(cast, as_, image):
    prompts = [{"box": [10, 5, 30, 25]}]
    told = segment(as_, cast, image, prompts=prompts).json()
    assert (told["pixel_size"], told["masks"][0]["area_m2"]) == (None, None)
    cast.dataset.pixel_size = 10
    cast.dataset.save()
    assert segment(as_, cast, image, prompts=prompts).json()["masks"][0]["area_m2"] == 40_000
    Image.objects.filter(pk=image.pk).update(pixel_size=0.5)
    told = segment(as_, cast, image, prompts=prompts).json()
    assert (told["pixel_size"], told["masks"][0]["area_m2"]) == (0.5, 100)


@pytest.mark.parametrize(
    ("angle", "expected"), [(0, 0), (30, 30), (90, 90), (-60, -60), (150, -30)], ids=lambda value: f"{value}"
)
def test_a_gripper_learns_how_a_bar_is_turned(angle, expected):
    """Clockwise as the picture is seen: y points down."""
    rows, columns = np.mgrid[:200, :240] + 0.5
    along, across = np.cos(np.radians(angle)), np.sin(np.radians(angle))
    u, v = (columns - 120) * along + (rows - 90) * across, (rows - 90) * along - (columns - 120) * across
    found = pose(rle.encode((np.abs(u) <= 60) & (np.abs(v) <= 10)))
    assert abs(found.x - 120) < 0.5
    assert abs(found.y - 90) < 0.5
    assert abs((found.angle - expected + 90) % 180 - 90) < 0.5
    # Of a rectangle the ellipse with its moments has axes of 2 / sqrt(3) times its sides.
    assert found.major == pytest.approx(120 * 2 / 3**0.5, rel=0.02)
    assert found.minor == pytest.approx(20 * 2 / 3**0.5, rel=0.05)


def test_orientation_is_told_when_asked_for(cast, as_, image):
    told = segment(as_, cast, image, prompts=[{"box": [10, 5, 40, 15]}], orientation=True).json()
    shown = told["masks"][0]["pose"]
    assert shown["angle"] == pytest.approx(0)
    assert shown["major"] > shown["minor"]


def test_where_the_model_finds_nothing_the_answer_says_so(cast, as_, image):
    [mask] = segment(as_, cast, image, prompts=[{"box": [500, 500, 510, 510]}], orientation=True).json()["masks"]
    assert (mask["area"], mask["centroid"], mask["pose"], mask["bbox"]) == (0, None, None, [0, 0, 0, 0])


@pytest.mark.parametrize(
    "prompts",
    [
        [],
        [{}],
        [{"points": [[1, 2]], "labels": []}],
        [{"points": [[1, 2]], "labels": [1, 1]}],
        [{"points": [[1]]}],
        [{"points": [[1e300, 2]]}],
        [{"box": [10, 10, 5, 5]}],
        [{"box": [1, 2, 3]}],
        [{"box": "1 2 3 4"}],
        [{"points": [[1, 2]] * 21}],
        [{"points": [[1, 2]]}] * 65,
        "all",
        None,
    ],
)
def test_bad_prompts(cast, as_, image, prompts):
    answer = segment(as_, cast, image, prompts=prompts)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_too_many_requests_are_told_when_to_come_again(cast, as_, image, monkeypatch):
    """Each token has a rate of its own: one program that asks too often does not stop another."""
    monkeypatch.setattr(PromptThrottle, "THROTTLE_RATES", {"prompts": "2/min"})
    first, second = (token_create(user=cast.ben, name=name)[1] for name in ("robot", "detector"))
    client, body = client_of(None), {"prompts": [{"points": [[5, 5]]}]}

    def ask(token):
        return client.post(f"/api/images/{image.pk}/segment/", body, headers={"Authorization": f"Token {token}"})

    assert [ask(first).status_code for _ in range(3)] == [200, 200, 429]
    refused = ask(first)
    assert refused.json()["code"] == "throttled"
    assert 0 < int(refused.headers["Retry-After"]) <= 60
    spaced = client.post(f"/api/images/{image.pk}/segment/", body, headers={"Authorization": f"token  {first}"})
    assert spaced.status_code == 429  # the same token, however it is written
    assert ask(second).status_code == 200
    assert segment(as_, cast, image, **body).status_code == 200
