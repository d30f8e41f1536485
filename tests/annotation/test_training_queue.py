"""New annotators work on gold images first: compared, told what they missed, graduated by rule or by a lead."""

from __future__ import annotations

import uuid

import pytest
from django.utils import timezone

from annotation.models import Mask, Member, Task
from annotation.services.tasks import tasks_left_for
from tests.cast import add_image, add_mask, ellipse, mask_body


@pytest.fixture
def url(cast):
    return f"/api/datasets/{cast.dataset.pk}"


@pytest.fixture
def gold(cast, as_, url):
    """Three gold images with two masks each, one ordinary image, and a training queue of two."""
    ana = as_(cast.ana)
    images = [add_image(cast.dataset, seed=seed) for seed in range(3)]
    for image in images:
        for x in (0.3, 0.7):
            add_mask(image, ellipse(image, x=x, size=0.15))
        assert ana.patch(f"/api/images/{image.pk}/", {"gold": True}, format="json").json()["gold"] is True
    Task.objects.update(state="submitted", assignee=cast.ana)
    add_image(cast.dataset, seed=7)
    ana.patch(f"{url}/", {"training_images": 2, "training_iou": 0.8}, format="json")
    return images


def take(client, url):
    return client.post(f"{url}/tasks/next/")


def work(client, url, *, places=(0.3, 0.7)):
    """Mask the next image at these places; the task as the submit tells it."""
    task = take(client, url).json()
    image = Mask.objects.filter(image=task["image"]["id"]).first().image
    for x in places:
        body = mask_body(image, ellipse(image, x=x, size=0.15), task=task["id"])
        assert client.put(f"/api/masks/{uuid.uuid4()}/", body, format="json").json()["status"] == "compared"
    body = {"lease": task["lease"], "seconds": 5, "answer": "done" if places else "nothing_left"}
    return client.post(f"/api/tasks/{task['id']}/submit/", body, format="json").json()


def standing(client, url, username="ben"):
    members = client.get(f"{url}/members/").json()
    return next(member for member in members if member["username"] == username)["training"]


def test_a_new_annotator_begins_with_gold_and_sees_no_gold_mask(cast, gold, as_, url):
    ben = as_(cast.ben)
    task = take(ben, url).json()
    assert (task["kind"], task["image"]["id"]) == ("training", gold[0].pk)
    assert ben.get(f"/api/images/{gold[0].pk}/changes/").json()["masks"] == []
    assert ben.post(f"/api/tasks/{task['id']}/release/", {"lease": task["lease"]}).status_code == 200
    assert ben.get(f"/api/images/{gold[0].pk}/changes/").json()["masks"] == [], "a page that is loaded anew asks first"
    direct = ben.post(f"/api/images/{gold[0].pk}/task/")
    assert (direct.status_code, direct.json()["code"]) == (403, "in_training")


def test_the_true_masks_are_not_for_a_trainees_eyes(cast, gold, as_, url):
    ben = as_(cast.ben)
    task = take(ben, url).json()
    true = Mask.objects.filter(image=gold[0]).first()
    for lease in (True, False):
        assert ben.get(f"/api/images/{gold[0].pk}/masks/").json() == [], lease
        assert ben.get(f"/api/masks/{true.uuid}/").status_code == 404
        assert ben.get(f"/api/masks/{true.uuid}/history/").status_code == 404
        ben.post(f"/api/tasks/{task['id']}/release/", {"lease": task["lease"]})
    assert len(as_(cast.vic).get(f"/api/images/{gold[0].pk}/masks/").json()) == 2


def test_the_small_masks_of_the_list_are_not_kept_empty_for_a_trainee(cast, gold, as_, url):
    ben = as_(cast.ben)
    take(ben, url)
    shown = next(row for row in ben.get(f"{url}/images/").json()["results"] if row["id"] == gold[0].pk)
    hidden = ben.get(shown["overlay_url"])
    assert hidden["Cache-Control"] == "no-store"
    others = as_(cast.vic).get(shown["overlay_url"])
    assert "immutable" in others["Cache-Control"]
    assert others.content != hidden.content
    known = ben.get(shown["overlay_url"], headers={"If-None-Match": others["ETag"]})
    assert (known.status_code, known.content) == (200, hidden.content)


def test_two_trainees_may_be_on_one_picture(cast, gold, as_, url):
    cast.dataset.members.filter(user=cast.rae).update(role="annotator")
    both = [as_(cast.ben), as_(cast.rae)]
    tasks = [take(client, url).json() for client in both]
    assert tasks[0]["image"]["id"] == tasks[1]["image"]["id"]
    for client, task in zip(both, tasks, strict=True):
        again = client.post(f"/api/images/{gold[0].pk}/task/", {"kind": "training"})
        assert (again.status_code, again.json().get("id")) == (200, task["id"])


def test_who_graduates_beside_a_picture_sees_its_masks(cast, gold, as_, url):
    ben = as_(cast.ben)
    task = take(ben, url).json()
    ben.post(f"/api/tasks/{task['id']}/release/", {"lease": task["lease"]})
    Member.objects.filter(user=cast.ben).update(graduated_at=timezone.now())
    told = ben.get(f"/api/images/{gold[0].pk}/changes/").json()
    assert (len(told["masks"]), told["task"]["kind"]) == (2, "annotate")


def test_feedback_names_every_object_and_what_was_missed(cast, gold, as_, url):
    told = work(as_(cast.ben), url, places=(0.3, 0.5))["feedback"]
    assert (told["missed"], told["extra"], told["mean_iou"]) == (1, 1, 0.5)
    assert [pair["iou"] for pair in told["pairs"]] == [1.0]
    assert Mask.objects.filter(image=gold[0], status="accepted").count() == 2
    task = Task.objects.get(kind="training")
    assert as_(cast.ana).get(f"/api/tasks/{task.pk}/").json()["feedback"] is None


def test_who_reaches_the_bar_graduates_and_labels(cast, gold, as_, url):
    ben = as_(cast.ben)
    work(ben, url)
    assert standing(as_(cast.vic), url) == {
        "done": 1,
        "asked": 2,
        "mean_iou": 1.0,
        "graduated": False,
        "passed": False,
    }
    work(ben, url)
    assert standing(as_(cast.vic), url)["graduated"] is True
    assert take(ben, url).json()["kind"] == "annotate"


def test_who_does_not_gets_further_gold_images_and_then_a_leads_word(cast, gold, as_, url):
    ben, ana = as_(cast.ben), as_(cast.ana)
    work(ben, url, places=())
    assert work(ben, url)["image"]["id"] == gold[1].pk
    assert standing(ana, url)["mean_iou"] == 0.5
    assert work(ben, url, places=(0.3,))["image"]["id"] == gold[2].pk
    refused = take(ben, url)
    assert (refused.status_code, refused.json()["code"]) == (403, "training_done")
    member = Member.objects.get(user=cast.ben)
    graduated = ana.patch(f"{url}/members/{member.pk}/", {"graduated": True}, format="json").json()
    assert graduated["training"]["passed"] is True
    assert take(ben, url).json()["kind"] == "annotate"


def test_a_late_success_counts_more_than_an_early_failure(cast, gold, as_, url):
    ben = as_(cast.ben)
    work(ben, url, places=())
    work(ben, url)
    work(ben, url)
    assert standing(as_(cast.ana), url)["graduated"] is True


def test_leads_reviewers_and_those_who_labelled_before_are_no_trainees(cast, as_, url, gold):
    assert take(as_(cast.rae), url).json()["kind"] == "annotate"
    assert standing(as_(cast.ana), url, "rae")["asked"] == 0
    other = add_image(cast.dataset, seed=8)
    as_(cast.ana).patch(f"{url}/", {"training_images": 0}, format="json")
    Task.objects.filter(image=other).update(state="submitted", submitted_by=cast.ben, submitted_at="2026-01-01T00:00Z")
    as_(cast.ana).patch(f"{url}/", {"training_images": 2}, format="json")
    assert standing(as_(cast.ana), url)["graduated"] is True


def test_a_training_image_stays_its_trainees(cast, gold, as_, url):
    ben = as_(cast.ben)
    task = take(ben, url).json()
    ben.post(f"/api/tasks/{task['id']}/release/", {"lease": task["lease"]}, format="json")
    cast.dataset.members.filter(user=cast.rae).update(role="annotator")
    assert take(as_(cast.rae), url).json()["id"] != task["id"]
    assert take(ben, url).json()["id"] == task["id"]


def test_without_gold_images_nobody_is_held_up(cast, gold, as_, url):
    for image in gold:
        as_(cast.ana).patch(f"/api/images/{image.pk}/", {"gold": False}, format="json")
    assert take(as_(cast.ben), url).json()["kind"] == "annotate"


@pytest.mark.parametrize("kind", ["audit", "overlap"])
def test_a_trainee_corrects_no_audit_and_is_nobodys_second_person(cast, gold, as_, url, kind):
    ben, image = as_(cast.ben), add_image(cast.dataset, seed=8)
    Task.objects.create(image=image, kind=kind)
    refused = ben.post(f"{url}/tasks/next/", {"kind": kind}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "in_training")
    refused = ben.post(f"/api/images/{image.pk}/task/", {"kind": kind}, format="json")
    assert (refused.status_code, refused.json()["code"]) == (403, "in_training")
    assert ben.get("/api/waiting/").json() == []
    cast.dataset.refresh_from_db()
    assert tasks_left_for(dataset=cast.dataset, user=cast.ben, kind=kind) == 0
    assert as_(cast.rae).post(f"{url}/tasks/next/", {"kind": kind}, format="json").json()["kind"] == kind
