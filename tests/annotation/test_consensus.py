"""Two people masked one image: a reviewer takes either's masks, both together, or none, and can take it back."""

from __future__ import annotations

import numpy as np
import pytest

from annotation.errors import Conflict
from annotation.matching import boundary_iou
from annotation.models import Comparison, Mask, Task
from annotation.services import consensus
from annotation.services.consensus import merged
from modelzoo import rle
from modelzoo.training import metrics
from tests.cast import add_mask, ellipse


@pytest.fixture
def twice(cast, image):
    """Ben and Vic have one object in common; each has another one that the other has not."""
    Task.objects.filter(image=image).update(state="submitted", assignee=cast.ben)
    task = Task.objects.create(image=image, kind="overlap", state="submitted", assignee=cast.vic)
    add_mask(image, ellipse(image, x=0.3, size=0.2), created_by=cast.ben, category="leaf")
    add_mask(image, ellipse(image, x=0.8, size=0.1), created_by=cast.ben)
    apart = {"created_by": cast.vic, "task": task, "status": "compared"}
    add_mask(image, ellipse(image, x=0.34, size=0.2), **apart)
    add_mask(image, ellipse(image, x=0.6, y=0.8, size=0.1), **apart)
    Comparison.objects.create(task=task, mean_iou=0.7, pairs=[{}], missed=1, extra=1)
    return task


@pytest.fixture
def url(twice):
    return f"/api/tasks/{twice.pk}/consensus/"


def objects(client, url) -> list[dict]:
    """[both, only Ben's, only Vic's]"""
    return client.get(url).json()["objects"]


def take(client, url, one, choice):
    side = {name: one[name] and one[name]["id"] for name in ("first", "second")}
    return client.post(url, {"objects": [{**side, "choice": choice}]})


def standing(image) -> list[np.ndarray]:
    rows = Mask.objects.filter(image=image, status="accepted").order_by("serial")
    return [rle.decode(segmentation) for segmentation in rows.values_list("segmentation", flat=True)]


def snapshot(image) -> list[tuple]:
    rows = Mask.objects.filter(image=image).order_by("serial")
    return list(rows.filter(status__in=["accepted", "compared"]).values_list("serial", "status", "segmentation"))


def test_both_masks_of_every_object_are_shown_with_their_agreement(cast, as_, url):
    both, first, second = objects(as_(cast.rae), url)
    assert (both["first"]["by"], both["second"]["by"]) == ("ben", "vic")
    assert 0.5 < both["iou"] < 1
    assert 0 < both["boundary_iou"] <= both["iou"] + 0.2
    assert (first["second"], second["first"], first["iou"]) == (None, None, None)


@pytest.mark.parametrize("choice", ["second", "union", "intersection"])
def test_what_is_taken_corrects_the_first_persons_mask_and_names_both(cast, as_, url, image, choice):
    both = objects(as_(cast.rae), url)[0]
    a, b = (rle.decode(both[name]["segmentation"]) for name in ("first", "second"))
    assert take(as_(cast.rae), url, both, choice).status_code == 201
    made = Mask.objects.filter(image=image, status="accepted").latest("serial")
    wanted = {"second": b, "union": a | b, "intersection": a & b}[choice]
    assert np.array_equal(rle.decode(made.segmentation), wanted)
    assert (str(made.parent.uuid), made.category, made.created_by) == (both["first"]["id"], "leaf", cast.rae)
    item = made.consensus_items.get()
    assert (str(item.first.uuid), str(item.second.uuid)) == (both["first"]["id"], both["second"]["id"])
    assert Mask.objects.get(uuid=both["second"]["id"]).status == "compared"  # theirs stays as it was


def test_objects_of_one_person_are_kept_added_or_dropped(cast, as_, url, image):
    rae = as_(cast.rae)
    _, first, second = objects(rae, url)
    assert take(rae, url, first, "neither").status_code == 201
    assert take(rae, url, second, "second").status_code == 201
    assert Mask.objects.get(uuid=first["first"]["id"]).status == "deleted"
    assert any(np.array_equal(one, rle.decode(second["second"]["segmentation"])) for one in standing(image))
    assert take(rae, url, objects(rae, url)[0], "first").status_code == 201
    assert len(standing(image)) == 2


@pytest.mark.parametrize("choice", ["first", "second", "union", "intersection", "neither"])
def test_one_undo_brings_back_all_that_was_decided_at_once(cast, as_, url, image, choice):
    rae = as_(cast.rae)
    before = snapshot(image)
    shown = objects(rae, url)
    sides = [{name: one[name] and one[name]["id"] for name in ("first", "second")} for one in shown]
    asked = [choice, "neither", "second"]
    body = {"objects": [{**side, "choice": what} for side, what in zip(sides, asked, strict=True)]}
    decided = rae.post(url, body).json()
    assert decided["decisions"][0]["objects"] == 3
    undone = rae.post(f"{url}{decided['decisions'][0]['id']}/undo/").json()
    assert snapshot(image) == before
    assert [one["settled"] for one in undone["objects"]] == [None] * 3
    again = rae.post(f"{url}{decided['decisions'][0]['id']}/undo/")
    assert again.status_code == 200
    assert snapshot(image) == before


def test_a_decision_stands_until_it_is_undone(cast, as_, url):
    rae = as_(cast.rae)
    take(rae, url, objects(rae, url)[0], "union")
    both = objects(rae, url)[0]
    assert (both["settled"]["choice"], both["settled"]["by"]) == ("union", "rae")
    assert take(rae, url, both, "second").json()["code"] == "consensus_settled"


def test_nothing_is_undone_once_somebody_corrected_what_came_of_it(cast, as_, url, image):
    rae = as_(cast.rae)
    decided = take(rae, url, objects(rae, url)[0], "union").json()["decisions"][0]
    made = Mask.objects.filter(image=image, status="accepted").latest("serial")
    Mask.objects.filter(pk=made.pk).update(status="superseded")
    add_mask(image, ellipse(image, x=0.3, size=0.2), parent=made)
    before = snapshot(image)
    answer = rae.post(f"{url}{decided['id']}/undo/")
    assert (answer.status_code, answer.json()["code"]) == (409, "consensus_changed")
    assert snapshot(image) == before


def test_no_mask_is_undone_where_somebody_took_the_mask_out_of_the_bin(cast, as_, url, image):
    rae = as_(cast.rae)
    before = snapshot(image)
    _, first, _ = objects(rae, url)
    decided = take(rae, url, first, "neither").json()["decisions"][0]
    assert as_(cast.ben).post(f"/api/masks/{first['first']['id']}/restore/").status_code == 200
    undone = rae.post(f"{url}{decided['id']}/undo/")
    assert (undone.status_code, undone.json()["objects"][1]["settled"]) == (200, None)
    assert snapshot(image) == before


def test_what_an_undone_decision_made_does_not_come_back_beside_what_it_was_made_of(cast, as_, url, image):
    rae = as_(cast.rae)
    before = snapshot(image)
    decided = take(rae, url, objects(rae, url)[0], "union").json()["decisions"][0]
    made = Mask.objects.filter(image=image, status="accepted").latest("serial")
    rae.post(f"{url}{decided['id']}/undo/")
    answer = rae.post(f"/api/masks/{made.uuid}/restore/")
    assert (answer.status_code, answer.json()["code"]) == (409, "mask_superseded")
    assert answer.json()["details"]["current"]["id"] == str(made.parent.uuid)
    assert snapshot(image) == before


def test_what_is_no_longer_as_it_was_shown_is_not_decided(cast, as_, url, image):
    rae = as_(cast.rae)
    both, first, _ = objects(rae, url)
    Mask.objects.filter(uuid=both["first"]["id"]).update(status="deleted")
    before = snapshot(image)
    sides = [{name: one[name] and one[name]["id"] for name in ("first", "second")} for one in (first, both)]
    body = {"objects": [{**side, "choice": "first"} for side in sides]}
    answer = rae.post(url, body)
    assert (answer.status_code, answer.json()["code"]) == (409, "consensus_changed")
    assert snapshot(image) == before
    assert rae.get(url).json()["decisions"] == []


def test_a_choice_that_the_object_does_not_offer_is_refused(cast, as_, url):
    rae = as_(cast.rae)
    _, first, second = objects(rae, url)
    for one, choice in ((first, "union"), (first, "second"), (second, "first")):
        assert take(rae, url, one, choice).json()["code"] == "choice_impossible"
    assert rae.post(url, {"objects": []}).status_code == 400


def test_the_list_tells_how_far_each_image_is(cast, as_, url, twice):
    rae = as_(cast.rae)
    take(rae, url, objects(rae, url)[0], "union")
    (row,) = rae.get(f"/api/datasets/{cast.dataset.pk}/overlaps/").json()["results"]
    assert (row["id"], row["second"], row["pairs"], row["decided"]) == (twice.pk, "vic", 1, 1)


def test_an_empty_intersection_is_refused_and_leaves_everything():
    left, right = np.zeros((8, 8), bool), np.zeros((8, 8), bool)
    left[:, :4], right[:, 4:] = True, True
    a, b = rle.encode(left), rle.encode(right)
    assert rle.area(merged(a, b, "union")) == 64
    assert rle.area(merged(a, b, "intersection")) == 0


@pytest.mark.parametrize("seed", range(6))
def test_boundary_iou_is_that_of_the_evaluation(seed):
    random = np.random.default_rng(seed)
    y, x = np.mgrid[:90, :120]
    a, b = ((x - random.uniform(0, 120)) ** 2 + (y - random.uniform(0, 90)) ** 2 < 40**2 for _ in range(2))
    a |= (x < 30) & (y < 40)
    b |= (x < 33) & (y < 36)
    assert boundary_iou(rle.encode(a), rle.encode(b)) == pytest.approx(metrics.boundary_iou(a, b))


def test_of_two_who_decide_about_an_object_at_once_one_is_refused(cast, twice, image, monkeypatch):
    """Both have looked before either decides."""
    seen = consensus.objects_of(twice)
    monkeypatch.setattr(consensus, "objects_of", lambda task: seen)
    vics = next(pair for pair in seen if pair.first is None)
    decision = {"first": None, "second": vics.second.uuid, "choice": "second"}
    consensus.consensus_make(task=twice, by=cast.rae, decisions=[decision])
    before = snapshot(image)
    with pytest.raises(Conflict, match="decided already"):
        consensus.consensus_make(task=twice, by=cast.ana, decisions=[decision])
    assert snapshot(image) == before
