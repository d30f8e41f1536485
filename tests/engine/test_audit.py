"""Audit: a seeded sample, corrected by people who did not make it; IoU before and after, with an interval."""

from __future__ import annotations

import json
import uuid
import zipfile

import pytest
from django.test import TestCase

from annotation import jobkit
from annotation import jobs as annotation_jobs  # noqa: F401  binds the functions of the jobs
from annotation.models import Image, Job, Mask, Task
from annotation.services.exports import export_file, export_request
from annotation.services.tasks import task_claim_next
from engine import jobs  # noqa: F401  binds the functions of the jobs
from engine.audit import audit_measure, audit_start, images_to_audit
from engine.models import Audit, AuditedImage
from modelzoo import rle
from tests.cast import add_image, add_mask, ellipse, mask_body

MACHINE = {"stage": "fully_automatic", "source": "model", "created_by": None}


@pytest.fixture
def automatic(cast):
    """Six images with two machine masks each; nobody is to label them."""
    images = [add_image(cast.dataset, seed=seed) for seed in range(6)]
    for image in images:
        add_mask(image, ellipse(image, x=0.3, size=0.2), **MACHINE)
        add_mask(image, ellipse(image, x=0.7, size=0.2), **MACHINE)
    Task.objects.all().delete()
    return images


@pytest.fixture
def url(cast):
    return f"/api/datasets/{cast.dataset.pk}"


def start(client, url, **body):
    return client.post(f"{url}/audits/", {"size": 2, "source": "automatic", **body}, format="json")


def take(client, url):
    answer = client.post(f"{url}/tasks/next/", {"kind": "audit"}, format="json")
    return answer.json() if answer.status_code == 200 else None


def submit(client, task):
    body = {"lease": task["lease"], "seconds": 20, "answer": "done"}
    with TestCase.captureOnCommitCallbacks(execute=True):
        answer = client.post(f"/api/tasks/{task['id']}/submit/", body, format="json")
    jobkit.run_pending()
    return answer


def correct(client, task, mask, array):
    body = mask_body(mask.image, array, parent=str(mask.uuid), task=task["id"], source="model_edited")
    return client.put(f"/api/masks/{uuid.uuid4()}/", body, format="json")


def test_the_same_seed_draws_the_same_images(cast, automatic):
    def draw(seed):
        audit = audit_start(dataset=cast.dataset, size=3, seed=seed)
        drawn = set(audit.images.values_list("image", flat=True))
        audit.delete()
        Task.objects.all().delete()
        return drawn

    first = draw(7)
    assert len(first) == 3
    assert draw(7) == first
    assert {frozenset(draw(seed)) for seed in range(8)} != {frozenset(first)}


def test_what_is_still_to_be_labelled_is_not_drawn(cast, automatic):
    Task.objects.create(image=automatic[0])
    Task.objects.create(image=automatic[1], state="submitted")
    by_hand = add_image(cast.dataset, seed=9)
    add_mask(by_hand)
    Task.objects.filter(image=by_hand).update(state="submitted")
    assert set(images_to_audit(cast.dataset, "automatic")) == set(automatic[1:])
    assert set(images_to_audit(cast.dataset, "accepted")) == {*automatic[1:], by_hand}


def test_people_correct_and_the_figures_follow(cast, automatic, as_, url):
    audit = start(as_(cast.ana), url).json()
    assert (audit["size"], audit["tasks"]["open"], audit["numbers"]["mean_iou"]) == (2, 2, None)
    ben = as_(cast.ben)
    task = take(ben, url)
    assert task["kind"] == "audit"
    image = Image.objects.get(pk=task["image"]["id"])
    first, second = image.masks.all()
    better = ellipse(image, x=0.32, size=0.2)
    assert correct(ben, task, first, better).status_code == 201
    ben.delete(f"/api/masks/{second.uuid}/")
    ben.put(f"/api/masks/{uuid.uuid4()}/", mask_body(image, ellipse(image, y=0.9), task=task["id"]), format="json")
    assert submit(ben, task).json()["state"] == "submitted"

    iou = rle.iou(first.segmentation, rle.encode(better))
    told = as_(cast.vic).get(f"{url}/audits/").json()["audits"][0]
    numbers = told["numbers"]
    assert 0.75 < iou < 0.9
    assert {name: numbers[name] for name in ("images", "pairs", "kept", "corrected", "deleted", "added")} == {
        "images": 1,
        "pairs": 2,
        "kept": 0,
        "corrected": 1,
        "deleted": 1,
        "added": 1,
    }
    assert numbers["mean_iou"]["value"] == pytest.approx(iou / 2, abs=1e-5)
    assert (numbers["above_90"]["value"], numbers["above_75"]["value"]) == (0.0, 0.5)
    assert told["state"] == "open"

    submit(ben, take(ben, url))
    told = as_(cast.vic).get(f"{url}/audits/").json()["audits"][0]
    assert (told["state"], told["numbers"]["kept"]) == ("closed", 2)
    assert told["numbers"]["above_75"]["value"] == 0.75
    assert told["numbers"]["above_75"]["low"] == 0.5
    assert told["numbers"]["above_75"]["high"] == 1.0
    assert AuditedImage.objects.filter(corrected_by=cast.ben).count() == 2


def test_people_who_are_quicker_than_the_jobs_are_waited_for(cast, automatic, as_, url):
    start(as_(cast.ana), url, size=3)
    ben = as_(cast.ben)
    tasks = [take(ben, url)]
    with TestCase.captureOnCommitCallbacks(execute=True):
        for _ in range(3):
            body = {"lease": tasks[-1]["lease"], "seconds": 20, "answer": "done"}
            ben.post(f"/api/tasks/{tasks[-1]['id']}/submit/", body, format="json")
            tasks.append(take(ben, url))
    assert tasks[-1] is None
    audit = Audit.objects.get()
    assert audit.state == "open"
    audit_measure(task_id=tasks[0]["id"])
    audit.refresh_from_db()
    assert (audit.state, audit.numbers["images"]) == ("open", 1)
    as_(cast.ana).post(f"{url}/audits/{audit.pk}/close/")
    jobkit.run_pending()
    audit.refresh_from_db()
    assert (audit.state, audit.numbers["images"]) == ("closed", 3)


def test_a_correction_of_a_correction_counts_from_the_first_to_the_last(cast, automatic, as_, url):
    start(as_(cast.ana), url, size=1)
    ben = as_(cast.ben)
    task = take(ben, url)
    mask = Mask.objects.filter(image=task["image"]["id"]).first()
    last = ellipse(mask.image, x=0.33, size=0.2)
    once = correct(ben, task, mask, ellipse(mask.image, x=0.5, size=0.2)).json()
    correct(ben, task, Mask.objects.get(uuid=once["id"]), last)
    submit(ben, task)
    pairs = {pair["mask"]: pair for pair in AuditedImage.objects.get().pairs}
    assert pairs[str(mask.uuid)]["iou"] == pytest.approx(rle.iou(mask.segmentation, rle.encode(last)), abs=1e-5)


def test_nobody_audits_what_they_made(cast, as_, url):
    drawn, finished = add_image(cast.dataset, seed=1), add_image(cast.dataset, seed=2)
    add_mask(drawn, created_by=cast.ben)
    add_mask(finished, **MACHINE)
    Task.objects.filter(image=drawn).update(state="submitted")
    Task.objects.filter(image=finished).update(
        state="submitted", submitted_by=cast.ben, submitted_at="2026-01-01T00:00Z"
    )
    start(as_(cast.ana), url, source="accepted")
    assert take(as_(cast.ben), url) is None
    assert as_(cast.ben).get(f"{url}/audits/").json()["left_for_you"] == 0
    refused = as_(cast.ben).post(f"/api/images/{drawn.pk}/task/", {"kind": "audit"}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "own_work")
    assert as_(cast.rae).get(f"{url}/audits/").json()["left_for_you"] == 2
    assert take(as_(cast.rae), url)["image"]["id"] == drawn.pk


def test_the_corrector_keeps_the_image_after_correcting_it(cast, automatic, as_, url):
    """Their own corrections must not make it somebody else's: the page may be loaded anew in between."""
    start(as_(cast.ana), url, size=1)
    ben = as_(cast.ben)
    task = take(ben, url)
    mask = Mask.objects.filter(image=task["image"]["id"]).first()
    correct(ben, task, mask, ellipse(mask.image, x=0.5))
    assert take(ben, url)["id"] == task["id"]
    ben.post(f"/api/tasks/{task['id']}/release/", {"lease": task["lease"]}, format="json")
    again = ben.post(f"/api/images/{mask.image_id}/task/", {"kind": "audit"}, format="json")
    assert (again.status_code, again.json()["id"]) == (200, task["id"])


def test_audit_tasks_do_not_get_into_the_queue(cast, automatic, as_, url):
    start(as_(cast.ana), url)
    assert as_(cast.ben).post(f"{url}/tasks/next/").status_code == 204
    assert task_claim_next(dataset=cast.dataset, user=cast.ben) is None
    missing = as_(cast.ben).post(f"/api/images/{add_image(cast.dataset, seed=99).pk}/task/", {"kind": "audit"})
    assert (missing.status_code, missing.json()["code"]) == (404, "no_task")


def test_the_page_learns_that_the_image_is_held_for_the_audit(cast, automatic, as_, url):
    start(as_(cast.ana), url, size=1)
    task = take(as_(cast.ben), url)
    changes = f"/api/images/{task['image']['id']}/changes/"
    assert as_(cast.ben).get(changes).json()["task"]["kind"] == "audit"
    assert as_(cast.rae).get(changes).json()["task"] is None


def test_one_audit_at_a_time_and_none_of_nothing(cast, automatic, as_, url):
    empty = start(as_(cast.ana), url, source="accepted", size=0)
    assert empty.status_code == 400
    assert start(as_(cast.ana), url).status_code == 201
    again = start(as_(cast.ana), url)
    assert (again.status_code, again.json()["code"]) == (409, "audit_open")
    Mask.objects.all().delete()
    Audit.objects.update(state="closed")
    nothing = start(as_(cast.ana), url)
    assert (nothing.status_code, nothing.json()["code"]) == (400, "nothing_to_audit")


def test_an_audit_whose_last_images_were_skipped_makes_way_for_the_next(cast, automatic, as_, url):
    start(as_(cast.ana), url, size=2)
    ben = as_(cast.ben)
    submit(ben, take(ben, url))
    task = take(ben, url)
    body = {"lease": task["lease"], "reason": "Too dark"}
    assert start(as_(cast.ana), url).status_code == 409
    assert ben.post(f"/api/tasks/{task['id']}/skip/", body, format="json").status_code == 200
    assert start(as_(cast.ana), url).status_code == 201
    first, second = Audit.objects.order_by("pk")
    assert (first.state, first.numbers["images"], second.state) == ("closed", 1, "open")
    assert first.closed_at is not None


def test_a_lead_closes_early_and_publishes_what_there_is(cast, automatic, as_, url):
    audit = start(as_(cast.ana), url, size=3).json()
    ben = as_(cast.ben)
    submit(ben, take(ben, url))
    held = take(ben, url)
    closed = as_(cast.ana).post(f"{url}/audits/{audit['id']}/close/").json()
    assert (closed["state"], closed["numbers"]["images"], closed["tasks"]["open"]) == ("closed", 1, 0)
    assert submit(ben, held).status_code == 404
    again = as_(cast.ana).post(f"{url}/audits/{audit['id']}/close/")
    assert (again.status_code, again.json()["code"]) == (409, "audit_closed")


def test_measuring_twice_changes_nothing(cast, automatic, as_, url):
    start(as_(cast.ana), url, size=2)
    ben = as_(cast.ben)
    submit(ben, take(ben, url))
    before = Audit.objects.get().numbers
    Mask.objects.all().delete()
    job = Job.objects.get(kind="measure_audit")
    Job.objects.filter(pk=job.pk).update(state="queued")
    jobkit.run(job.pk)
    assert Audit.objects.get().numbers == before


def test_the_newest_figures_go_with_every_export(cast, automatic, as_, url):
    start(as_(cast.ana), url, size=1)
    ben = as_(cast.ben)
    submit(ben, take(ben, url))
    job = export_request(dataset=cast.dataset, export_format="sa1b", user=cast.ana)
    jobkit.run_pending()
    job.refresh_from_db()
    assert job.state == "succeeded", job.log
    with zipfile.ZipFile(export_file(job=job)[0]) as archive:
        audit = json.loads(archive.read("manifest.json"))["audit"]
    assert (audit["source"], audit["sampled_images"], audit["pairs"]) == ("automatic", 1, 2)
    assert audit["above_90"] == {"value": 1.0, "low": 1.0, "high": 1.0}
