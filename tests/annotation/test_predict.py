"""The server's decoder behind the port: prompts in, RLE candidates out."""

from __future__ import annotations

import pytest

from annotation import ports
from annotation.models import Image
from modelzoo import rle


@pytest.fixture
def fake(monkeypatch):
    def size_of(image_id):
        return Image.objects.values_list("height", "width").get(pk=image_id)

    monkeypatch.setattr(ports, "_segmenter", ports.FakeSegmenter(size_of, radius=8))


def predict(as_, cast, image, body):
    return as_(cast.ben).post(f"/api/images/{image.pk}/predict/", body)


def test_a_click_gives_three_candidates(fake, cast, as_, image):
    told = predict(as_, cast, image, {"points": [[30, 20]], "labels": [1]}).json()
    assert told["model"] == "fake"
    areas = [candidate["area"] for candidate in told["candidates"]]
    assert len(areas) == 3
    assert areas == sorted(areas)
    for candidate in told["candidates"]:
        mask = rle.decode(candidate["segmentation"])
        assert mask.shape == (40, 60)
        assert mask[20, 30]
        assert candidate["bbox"] == rle.bbox(candidate["segmentation"])


def test_a_box_and_a_previous_mask(fake, cast, as_, image):
    body = {"box": [5, 5, 30, 30], "mask_input": {"size": [40, 60], "counts": [0, 100, 2300]}, "multimask": False}
    assert len(predict(as_, cast, image, body).json()["candidates"]) == 1


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"points": [], "labels": []},
        {"points": [[1, 2]], "labels": []},
        {"points": [[1, 2, 3]], "labels": [1]},
        {"points": [["1", 2]], "labels": [1]},
        {"points": [[1, 2]], "labels": [7]},
        {"points": [[1e300, 2]], "labels": [1]},
        {"box": [1, 2, 3]},
        {"points": [[1, 2]] * 501, "labels": [1] * 501},
        {"mask_input": {"size": [40, 60], "counts": "5"}},
    ],
)
def test_bad_prompts(fake, cast, as_, image, body):
    answer = predict(as_, cast, image, body)
    assert answer.status_code == 400
    assert answer.json()["message"]


def test_without_a_model_it_says_so(cast, as_, image, monkeypatch):
    monkeypatch.setattr(ports, "_segmenter", ports.NoSegmenter())
    answer = predict(as_, cast, image, {"points": [[1, 2]], "labels": [1]})
    assert (answer.status_code, answer.json()["code"]) == (503, "model_absent")
