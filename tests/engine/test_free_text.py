"""Free text: refused with a sentence without an encoder, found and proposed with one that the owner supplies."""

from __future__ import annotations

from pathlib import Path

import pytest

from annotation.models import Mask
from engine.models import StageResult
from modelzoo.text import finder
from tests.engine.halves import LEFT, find, half, propose

TINY = Path(__file__).parents[1] / "golden" / "tiny_clip"
RED_THING = "a red thing"


@pytest.fixture
def encoder(settings, monkeypatch):
    """A small random encoder: what it finds means nothing, that it is asked does."""
    settings.ANYMASK_TEXT_ENCODER = str(TINY)
    monkeypatch.setattr(finder, "FAINTEST", 0)


def test_without_an_encoder_a_sentence_says_what_is_missing(cast, as_, fruit):
    for path in (f"images/{fruit.first.pk}", f"datasets/{cast.dataset.pk}"):
        answer = as_(cast.ana).post(f"/api/{path}/alike/", {"text": RED_THING, "threshold": 0.5})
        assert (answer.status_code, answer.json()["code"]) == (400, "no_text_encoder")
        assert "text encoder" in answer.json()["message"]
    assert as_(cast.ana).get("/api/session/").json()["free_text"] is False


def test_an_annotator_finds_what_a_text_speaks_of(cast, as_, fruit, encoder, base):
    assert as_(cast.ben).get("/api/session/").json()["free_text"] is True
    job = find(as_(cast.ben), fruit.others[0], text=RED_THING)
    assert job["state"] == "succeeded", job
    told = job["result"]
    assert (told["model"], told["category"]) == (base.digest, "")
    assert told["masks"]
    for mask in told["masks"]:
        assert mask["prompts"][0] == {"type": "text", "text": RED_THING}
        assert 0 < mask["score"] <= 1
    assert Mask.objects.count() == 1


def test_a_found_mask_is_saved_with_the_text(cast, as_, fruit, encoder):
    [best, *_] = find(as_(cast.ben), fruit.others[0], text=RED_THING)["result"]["masks"]
    body = {"image": fruit.others[0].pk, "source": "model", "segmentation": best["segmentation"]}
    answer = as_(cast.ben).put(
        "/api/masks/0b7cdb26-2d4f-4b0a-9a50-6a5f3c0d6a11/", {**body, "prompts": best["prompts"]}, format="json"
    )
    assert answer.status_code == 201, answer.json()
    assert answer.json()["prompts"][0] == {"type": "text", "text": RED_THING}


def test_a_text_that_is_a_name_already_gives_the_name(cast, as_, fruit, encoder):
    assert find(as_(cast.ben), fruit.others[0], text="PLUM")["result"]["category"] == "plum"


def test_other_names_are_what_it_is_told_from(cast, as_, fruit, encoder, monkeypatch):
    half(fruit.first, LEFT, category="pear")
    half(fruit.first, LEFT, category="pear")
    asked: list[object] = []

    def search(**about):
        asked.append(about["others"])
        return lambda image, progress: []

    monkeypatch.setattr("engine.exemplars.text_search", search)
    find(as_(cast.ben), fruit.others[0], text="Plum")
    find(as_(cast.ben), fruit.others[0], text=RED_THING)
    assert asked == [["pear"], ["pear", "plum"]]


def test_images_that_wait_get_proposals_once_for_an_encoder(cast, as_, fruit, encoder, settings):
    ask = {"text": RED_THING, "threshold": 0}
    job = propose(as_(cast.ana), cast.dataset, **ask)
    assert (job["state"], job["result"]["images"], job["result"]["failed"]) == ("succeeded", 2, [])
    assert job["result"]["masks"] == Mask.objects.filter(status="proposed").count() > 0
    assert propose(as_(cast.ana), cast.dataset, **ask)["result"]["images"] == 0
    assert StageResult.objects.count() == 2


@pytest.mark.parametrize("folder", ["nowhere", "."])
def test_an_encoder_that_cannot_be_read_fails_the_job_with_a_sentence(
    cast, as_, fruit, encoder, settings, folder, tmp_path
):
    settings.ANYMASK_TEXT_ENCODER = str(tmp_path / folder)
    for job in (
        find(as_(cast.ben), fruit.others[0], text=RED_THING),
        propose(as_(cast.ana), cast.dataset, text=RED_THING),
    ):
        assert (job["state"], job["error"]["code"]) == ("failed", "text_encoder_unusable")
        assert job["error"]["message"].startswith("The text encoder cannot be used: ")


def test_one_thing_is_looked_for_at_a_time(cast, as_, fruit, encoder):
    for body in ({"text": "a", "category": "plum"}, {"text": "a", "examples": [str(fruit.example.uuid)]}):
        answer = as_(cast.ben).post(f"/api/images/{fruit.first.pk}/alike/", body)
        assert (answer.status_code, answer.json()["code"]) == (400, "nothing_sought")
