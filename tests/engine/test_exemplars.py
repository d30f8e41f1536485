"""Everything like these: found on one image by a job, proposed on those that wait, never over people's masks."""

from __future__ import annotations

import uuid

import pytest

from annotation.jobkit import run, run_pending
from annotation.models import Job, Mask, Task
from annotation.services.tasks import task_claim_image
from engine import exemplars
from engine.forgetting import image_forget
from engine.models import StageResult
from engine.similarity import index_request
from modelzoo import rle
from tests.cast import add_image, add_mask
from tests.engine.halves import BLUE, LEFT, RED, RIGHT, find, half, picture, propose


def sides(image) -> list[str]:
    """In which halves masks are proposed."""
    masks = Mask.objects.filter(image=image, status="proposed")
    return sorted("left" if x + w / 2 < 30 else "right" for x, _, w, _ in masks.values_list("bbox", flat=True))


def test_a_job_finds_the_like_of_an_example_on_another_image_and_saves_nothing(cast, as_, fruit, base):
    job = find(as_(cast.ben), fruit.others[1], examples=[str(fruit.example.uuid)])
    assert job["state"] == "succeeded", job
    told = job["result"]
    assert (told["model"], told["category"]) == (base.digest, "plum")
    best = told["masks"][0]
    assert rle.decode(best["segmentation"])[20, 45]
    assert best["score"] > 0.3
    assert [one for one in told["masks"] if one["score"] > 0.3] == [best]
    assert Mask.objects.count() == 1


def test_a_category_is_looked_for_by_its_masks_and_told_from_others(cast, as_, fruit):
    half(fruit.first, RIGHT, category="sky")
    told = find(as_(cast.ben), fruit.others[0], category="plum")["result"]
    assert rle.decode(told["masks"][0]["segmentation"])[20, 15]
    assert told["category"] == "plum"
    sky = find(as_(cast.ben), fruit.others[0], category="sky")["result"]
    assert rle.decode(sky["masks"][0]["segmentation"])[20, 45]


def test_vectors_that_are_described_already_are_used(cast, as_, fruit, monkeypatch):
    from datetime import timedelta

    from engine import similarity

    monkeypatch.setattr(similarity, "SETTLED", timedelta(0))
    index_request(dataset=cast.dataset)
    run_pending()
    monkeypatch.setattr(similarity, "pooled", None)  # nothing is to be described anew
    assert find(as_(cast.ben), fruit.others[0], category="plum")["state"] == "succeeded"


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({}, 400, "nothing_sought"),
        ({"examples": [], "category": ""}, 400, "invalid"),
        ({"examples": ["x"]}, 400, "invalid"),
        ({"examples": [str(uuid.uuid4())]}, 404, "mask_missing"),
        ({"category": "moon"}, 404, "unknown_category"),
        ({"examples": [str(uuid.uuid4()) for _ in range(21)]}, 400, "invalid"),
    ],
)
def test_what_cannot_be_looked_for(cast, as_, fruit, body, status, code):
    answer = as_(cast.ben).post(f"/api/images/{fruit.first.pk}/alike/", body)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert answer.json()["message"]


def test_an_example_of_another_dataset_is_none(cast, as_, fruit):
    from tests.cast import make_cast

    other = make_cast("Elsewhere")
    foreign = add_mask(add_image(other.dataset, seed=77))
    answer = as_(cast.ben).post(f"/api/images/{fruit.first.pk}/alike/", {"examples": [str(foreign.uuid)]})
    assert answer.status_code == 404


def test_images_that_wait_get_proposals_once(cast, as_, fruit, base):
    client, examples = as_(cast.ana), [str(fruit.example.uuid)]
    job = propose(client, cast.dataset, examples=examples)
    assert (job["result"]["images"], job["result"]["masks"], job["result"]["failed"]) == (2, 2, [])
    assert [sides(image) for image in fruit.others] == [["left"], ["right"]]
    mask = Mask.objects.get(image=fruit.others[0])
    assert (mask.category, mask.source, mask.model, mask.created_by) == ("plum", "model", base.digest, None)
    assert mask.prompts
    assert propose(client, cast.dataset, examples=examples)["result"]["images"] == 0
    StageResult.objects.all().delete()  # as after a worker that was killed between two images
    assert propose(client, cast.dataset, examples=examples)["result"]["masks"] == 0
    assert Mask.objects.filter(status="proposed").count() == 2
    later = picture(cast, base, 9, RED, BLUE)
    assert propose(client, cast.dataset, examples=examples)["result"]["images"] == 1
    assert sides(later) == ["left"]


def test_what_people_masked_or_threw_away_is_not_proposed(cast, as_, fruit):
    client = as_(cast.ana)
    half(fruit.others[0], LEFT)
    propose(client, cast.dataset, category="plum")
    assert [sides(image) for image in fruit.others] == [[], ["right"]]
    thrown = Mask.objects.get(image=fruit.others[1])
    assert as_(cast.ben).delete(f"/api/masks/{thrown.uuid}/").status_code == 204
    assert propose(client, cast.dataset, category="plum", threshold=0.2)["result"]["masks"] == 0


def test_what_somebody_works_on_is_left_alone(cast, as_, fruit):
    Task.objects.filter(image=fruit.others[0]).update(state=Task.State.CLAIMED, assignee=cast.ben)
    job = propose(as_(cast.ana), cast.dataset, category="plum")
    assert job["result"]["images"] == 1
    assert sides(fruit.others[0]) == []


def test_what_somebody_takes_up_during_the_search_is_left_alone(cast, as_, fruit, monkeypatch):
    maps_of = exemplars.image_maps

    def taken_meanwhile(image, version):
        if image == fruit.others[0]:
            task_claim_image(image=image, user=cast.ben)
        return maps_of(image, version)

    monkeypatch.setattr(exemplars, "image_maps", taken_meanwhile)
    propose(as_(cast.ana), cast.dataset, category="plum")
    assert [sides(image) for image in fruit.others] == [[], ["right"]]
    assert not StageResult.objects.filter(image=fruit.others[0]).exists()


def test_a_threshold_keeps_weak_ones_out(cast, as_, fruit):
    assert propose(as_(cast.ana), cast.dataset, category="plum", threshold=1)["result"]["masks"] == 0


def test_it_stops_when_somebody_cancels_it(cast, as_, fruit, monkeypatch):
    client = as_(cast.ana)
    answer = client.post(f"/api/datasets/{cast.dataset.pk}/alike/", {"threshold": 0.3, "category": "plum"})
    job, maps_of = answer.json()["id"], exemplars.image_maps

    def cancelled_meanwhile(image, version):
        assert client.post(f"/api/jobs/{job}/cancel/").status_code == 200
        return maps_of(image, version)

    monkeypatch.setattr(exemplars, "image_maps", cancelled_meanwhile)
    run(job)
    assert Job.objects.get(pk=job).state == "cancelled"
    assert not Mask.objects.filter(status="proposed").exists()


def test_what_was_found_goes_with_a_picture_that_is_removed(cast, as_, fruit):
    job = find(as_(cast.ben), fruit.others[0], category="plum")
    image = fruit.others[0]
    image_forget(dataset=cast.dataset, image_id=image.pk, sha256=image.sha256)
    assert not Job.objects.filter(pk=job["id"]).exists()
