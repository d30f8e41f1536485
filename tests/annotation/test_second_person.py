"""Two people on one image: the second sees nothing of the first, is compared, and stays out of the dataset."""

from __future__ import annotations

import uuid

import pytest

from annotation.models import Comparison, Dataset, Mask, Task
from annotation.services.exports import export_write
from engine.snapshots import accepted_masks
from modelzoo import rle
from tests.cast import add_image, ellipse, mask_body


@pytest.fixture
def url(cast):
    return f"/api/datasets/{cast.dataset.pk}"


@pytest.fixture
def overlapping(cast):
    Dataset.objects.update(overlap_share=1)
    cast.dataset.refresh_from_db()
    return add_image(cast.dataset)


def take(client, url):
    answer = client.post(f"{url}/tasks/next/")
    return answer.json() if answer.status_code == 200 else None


def draw(client, task, image, array, **fields):
    body = mask_body(image, array, task=task["id"], **fields)
    return client.put(f"/api/masks/{uuid.uuid4()}/", body, format="json")


def submit(client, task):
    body = {"lease": task["lease"], "seconds": 20, "answer": "done"}
    return client.post(f"/api/tasks/{task['id']}/submit/", body, format="json").json()


@pytest.fixture
def first(cast, overlapping, as_, url):
    """Ben has masked two objects and is done."""
    ben = as_(cast.ben)
    task = take(ben, url)
    for x in (0.3, 0.7):
        assert draw(ben, task, overlapping, ellipse(overlapping, x=x, size=0.15)).status_code == 201
    submit(ben, task)
    return ben


def test_only_the_chosen_share_is_asked_for_twice(cast, as_, url):
    Dataset.objects.update(overlap_share=0.5)
    pictures = [add_image(cast.dataset, seed=seed) for seed in range(12)]
    ben = as_(cast.ben)
    while task := take(ben, url):
        submit(ben, task)
    twice = Task.objects.filter(kind="overlap").count()
    assert 0 < twice < len(pictures)
    assert take(ben, url) is None  # they are for somebody else
    assert take(as_(cast.rae), url)["kind"] == "overlap"


def test_what_the_second_person_left_half_done_still_hides_the_first(cast, overlapping, first, as_, url):
    rae = as_(cast.rae)
    task = take(rae, url)
    draw(rae, task, overlapping, ellipse(overlapping, x=0.5, size=0.15))
    rae.post(f"/api/tasks/{task['id']}/release/", {"lease": task["lease"]})
    assert len(rae.get(f"/api/images/{overlapping.pk}/changes/").json()["masks"]) == 1
    assert rae.get(f"/api/images/{overlapping.pk}/masks/").json() == []
    assert len(first.get(f"/api/images/{overlapping.pk}/masks/").json()) == 2


def test_the_second_person_starts_from_nothing_and_sees_their_own(cast, overlapping, first, as_, url):
    rae = as_(cast.rae)
    task = take(rae, url)
    assert (task["kind"], task["image"]["id"]) == ("overlap", overlapping.pk)
    changes = f"/api/images/{overlapping.pk}/changes/"
    told = rae.get(changes).json()
    assert (told["masks"], told["task"]["kind"]) == ([], "overlap")
    mine = draw(rae, task, overlapping, ellipse(overlapping, x=0.31, size=0.15)).json()
    assert mine["status"] == "compared"
    assert [mask["id"] for mask in rae.get(changes).json()["masks"]] == [mine["id"]]
    better = draw(rae, task, overlapping, ellipse(overlapping, x=0.3, size=0.15), parent=mine["id"]).json()
    assert better["status"] == "compared"
    rae.delete(f"/api/masks/{better['id']}/")
    assert rae.post(f"/api/masks/{better['id']}/restore/").json()["status"] == "compared"


def test_the_masks_of_the_second_person_are_nowhere_in_the_dataset(cast, overlapping, first, as_, url, tmp_path):
    rae, ana = as_(cast.rae), as_(cast.ana)
    overlay = ana.get(f"/api/images/{overlapping.pk}/").json()["overlay_url"]
    task = take(rae, url)
    for x in (0.3, 0.5, 0.7):
        draw(rae, task, overlapping, ellipse(overlapping, x=x, size=0.1))
    deleted = draw(rae, task, overlapping, ellipse(overlapping, y=0.8, size=0.1)).json()
    rae.delete(f"/api/masks/{deleted['id']}/")
    submit(rae, task)
    assert Mask.objects.count() == 6
    assert ana.get(f"{url}/").json()["mask_count"] == 2
    image = ana.get(f"/api/images/{overlapping.pk}/").json()
    assert (image["mask_count"], image["overlay_url"]) == (2, overlay)
    for path in ("masks/", "masks/?history=1", "changes/"):
        body = ana.get(f"/api/images/{overlapping.pk}/{path}").json()
        assert len(body["masks"] if path == "changes/" else body) == 2
    assert accepted_masks(cast.dataset.pk).count() == 2
    counts = export_write(dataset=cast.dataset, export_format="sa1b", folder=tmp_path, progress=lambda *_: None)
    assert counts.masks == 2


def test_agreement_is_measured_when_the_second_person_is_done(cast, overlapping, first, as_, url):
    rae = as_(cast.rae)
    assert as_(cast.ana).get(f"{url}/agreement/").json()["waiting"] == 1
    task = take(rae, url)
    other = ellipse(overlapping, x=0.33, size=0.15)
    draw(rae, task, overlapping, other)
    draw(rae, task, overlapping, ellipse(overlapping, y=0.85, size=0.1))
    submit(rae, task)
    iou = rle.iou(rle.encode(ellipse(overlapping, x=0.3, size=0.15)), rle.encode(other))
    told = as_(cast.ana).get(f"{url}/agreement/").json()
    assert told["mean_iou"] == pytest.approx(iou, abs=1e-5)
    assert {name: told[name] for name in ("images", "pairs", "only_first", "only_second", "waiting")} == {
        "images": 1,
        "pairs": 1,
        "only_first": 1,
        "only_second": 1,
        "waiting": 0,
    }
    assert told["found_by_both"] == pytest.approx(1 / 3)


def test_a_second_look_never_corrects_the_first(cast, overlapping, first, as_, url):
    rae = as_(cast.rae)
    task = take(rae, url)
    theirs = Mask.objects.filter(status="accepted").first()
    refused = draw(rae, task, overlapping, ellipse(overlapping), parent=str(theirs.uuid))
    assert (refused.status_code, refused.json()["code"]) == (400, "parent_missing")
    mine = draw(rae, task, overlapping, ellipse(overlapping)).json()
    into = mask_body(overlapping, ellipse(overlapping, x=0.4), parent=mine["id"])
    ordinary = Task.objects.create(image=overlapping)
    crossed = rae.put(f"/api/masks/{uuid.uuid4()}/", {**into, "task": ordinary.pk}, format="json")
    assert (crossed.status_code, crossed.json()["code"]) == (400, "parent_missing")


def test_submitting_again_asks_nobody_a_third_time(cast, overlapping, first, as_, url):
    task = first.post(f"/api/images/{overlapping.pk}/task/").json()
    submit(first, task)
    assert Task.objects.filter(kind="overlap").count() == 1
    assert not Comparison.objects.exists()
