"""Review: what is due, what a reviewer says of each mask, what comes back to whom, and that every step stays."""

from __future__ import annotations

import uuid

import pytest

from annotation.models import Dataset, Mask, ReviewItem, Task
from annotation.services.reviews import share_for
from modelzoo import rle
from tests.annotation.reviewing import label, reviewed_dataset, submit  # noqa: F401  a fixture
from tests.cast import add_image, add_mask, ellipse, mask_body


def next_review(client, dataset) -> dict:
    answer = client.post(f"/api/datasets/{dataset.pk}/tasks/next/", {"kind": "review"})
    assert answer.status_code == 200
    return answer.json()


def items_of(client, task) -> list[dict]:
    return client.get(f"/api/tasks/{task['id']}/review/").json()["items"]


def say(client, task, item, **said):
    return client.put(f"/api/tasks/{task['id']}/review/{item['id']}/", said)


def test_work_that_is_submitted_waits_for_a_reviewer(cast, reviewed, image, as_):
    label(cast.ben, image, 0.3, 0.7)
    state = as_(cast.rae).get(f"/api/datasets/{reviewed.pk}/reviews/").json()
    assert (state["waiting"], state["left_for_you"], state["returned"]) == (1, 1, 0)
    task = next_review(as_(cast.rae), reviewed)
    assert [item["author"] for item in items_of(as_(cast.rae), task)] == ["ben", "ben"]
    refused = as_(cast.ben).post(f"/api/datasets/{reviewed.pk}/tasks/next/", {"kind": "review"})
    assert (refused.status_code, refused.json()["code"]) == (403, "role_too_low")


def test_what_nobody_speaks_of_is_accepted_with_the_submit(cast, reviewed, image, as_):
    label(cast.ben, image, 0.3, 0.7)
    rae = as_(cast.rae)
    submit(rae, next_review(rae, reviewed))
    assert list(ReviewItem.objects.values_list("verdict", "decided_by__username")) == [("accepted", "rae")] * 2
    assert rae.post(f"/api/datasets/{reviewed.pk}/tasks/next/", {"kind": "review"}).status_code == 204


def test_a_returned_mask_goes_back_and_forth_until_it_is_accepted(cast, reviewed, image, as_):
    label(cast.ben, image, 0.3, 0.7)
    rae, ben = as_(cast.rae), as_(cast.ben)
    task = next_review(rae, reviewed)
    good, bad = items_of(rae, task)
    wish = dict(rle.encode(ellipse(image, x=0.7, size=0.25)))
    said = {"reason": "missing_part", "comment": "The rim", "x": 40.0, "y": 20.5, "suggestion": wish}
    assert say(rae, task, bad, verdict="returned", **said).json()["reason"] == "missing_part"
    submit(rae, task)

    back = ben.post(f"/api/datasets/{reviewed.pk}/tasks/next/").json()
    assert (back["kind"], back["image"]["id"]) == ("returned", image.pk)
    [item] = items_of(ben, back)
    assert (item["mask"], item["reason"], item["comment"], item["x"]) == (bad["mask"], "missing_part", "The rim", 40.0)
    assert item["suggestion"] == wish
    corrected = str(uuid.uuid4())
    body = mask_body(image, ellipse(image, x=0.7, size=0.25), parent=bad["mask"], task=back["id"])
    assert ben.put(f"/api/masks/{corrected}/", body).status_code == 201
    submit(ben, back)

    again = next_review(rae, reviewed)
    assert [row["mask"] for row in items_of(rae, again)] == [corrected]
    earlier = rae.get(f"/api/tasks/{again['id']}/review/").json()["earlier"]
    assert [(row["mask"], row["after"], row["verdict"]) for row in earlier] == [(bad["mask"], corrected, "returned")]
    assert earlier[0]["answered_at"] is not None
    submit(rae, again)
    assert Mask.objects.get(uuid=corrected).status == "accepted"
    verdicts = ReviewItem.objects.order_by("id").values_list("verdict", flat=True)
    assert list(verdicts) == ["accepted", "returned", "accepted"]
    assert good["mask"] != bad["mask"]


def test_a_correction_by_the_reviewer_is_told_to_the_maker_with_both_versions(cast, reviewed, image, as_):
    label(cast.ben, image, 0.3)
    rae, ben = as_(cast.rae), as_(cast.ben)
    task = next_review(rae, reviewed)
    [item] = items_of(rae, task)
    body = mask_body(image, ellipse(image, x=0.3, size=0.2), parent=item["mask"], task=task["id"])
    rae.put(f"/api/masks/{uuid.uuid4()}/", body)
    say(rae, task, item, verdict="corrected", reason="edge", comment="Too tight")
    assert ben.get(f"/api/datasets/{reviewed.pk}/feedback/").json()["results"] == []  # not before it is finished
    submit(rae, task)
    [told] = ben.get(f"/api/datasets/{reviewed.pk}/feedback/").json()["results"]
    assert (told["verdict"], told["reason"], told["comment"]) == ("corrected", "edge", "Too tight")
    assert told["after_segmentation"] == body["segmentation"] != told["before_segmentation"]
    assert as_(cast.ana).get(f"/api/datasets/{reviewed.pk}/feedback/").json()["results"] == []


def test_an_object_without_a_mask_is_returned_by_its_place(cast, reviewed, image, as_):
    label(cast.ben, image, 0.3)
    rae, ben = as_(cast.rae), as_(cast.ben)
    task = next_review(rae, reviewed)
    url = f"/api/tasks/{task['id']}/review/"
    assert rae.post(url, {"comment": "Here"}).json()["code"] == "place_missing"
    assert rae.post(url, {"x": 1e6, "y": 3}).json()["code"] == "place_outside"
    assert rae.post(url, {"x": 50, "y": 20, "comment": "Here"}).status_code == 201
    submit(rae, task)
    back = ben.post(f"/api/datasets/{reviewed.pk}/tasks/next/").json()
    [item] = items_of(ben, back)
    assert (item["mask"], item["reason"], item["x"]) == (None, "missing_object", 50)
    new = str(uuid.uuid4())
    ben.put(f"/api/masks/{new}/", mask_body(image, ellipse(image, x=0.8, size=0.1), task=back["id"]))
    submit(ben, back)
    assert [row["mask"] for row in items_of(rae, next_review(rae, reviewed))] == [new]


def test_everybody_sees_what_waits_for_them(cast, reviewed, image, as_):
    label(cast.ben, image, 0.3)
    rae, ben = as_(cast.rae), as_(cast.ben)
    row = {"dataset": reviewed.pk, "name": "Fruit", "returned": 0, "reviews": 1, "audits": 0}
    assert rae.get("/api/waiting/").json() == [row]
    assert ben.get("/api/waiting/").json() == as_(cast.cyd).get("/api/waiting/").json() == []
    task = next_review(rae, reviewed)
    say(rae, task, items_of(rae, task)[0], verdict="returned", reason="edge")
    submit(rae, task)
    assert ben.get("/api/waiting/").json() == [row | {"returned": 1, "reviews": 0}]
    assert rae.get("/api/waiting/").json() == []


def test_refusals(cast, reviewed, image, as_):
    label(cast.ben, image, 0.3)
    rae = as_(cast.rae)
    task = next_review(rae, reviewed)
    [item] = items_of(rae, task)
    assert say(rae, task, item, verdict="returned").json()["code"] == "reason_missing"
    huge = {"size": [image.height, image.width], "counts": "oooooo"}
    answer = say(rae, task, item, verdict="returned", reason="edge", suggestion=huge)
    assert answer.status_code == 400
    assert say(as_(cast.ana), task, item, verdict="accepted").json()["code"] == "lease_lost"
    assert say(rae, task, {"id": 10**6}, verdict="accepted").json()["code"] == "item_missing"
    say(rae, task, item, verdict="returned", reason="edge")
    assert say(rae, task, item, verdict="").json()["verdict"] == ""


def test_a_deleted_mask_counts_as_wrong_and_is_told(cast, reviewed, image, as_):
    label(cast.ben, image, 0.3)
    rae = as_(cast.rae)
    task = next_review(rae, reviewed)
    [item] = items_of(rae, task)
    rae.delete(f"/api/masks/{item['mask']}/")
    submit(rae, task)
    assert ReviewItem.objects.get().verdict == "deleted"
    [person] = as_(cast.ana).get(f"/api/datasets/{reviewed.pk}/reviews/").json()["people"]
    assert (person["username"], person["judged"], person["wrong"]) == ("ben", 1, 1)


@pytest.mark.parametrize("change", ["corrected", "deleted"])
def test_what_the_maker_changes_meanwhile_is_no_finding_and_is_looked_at_when_it_is_submitted(
    cast, reviewed, image, as_, change
):
    label(cast.ben, image, 0.3, 0.7)
    rae, ben = as_(cast.rae), as_(cast.ben)
    review = next_review(rae, reviewed)
    changed, left = items_of(rae, review)
    again = ben.post(f"/api/images/{image.pk}/task/").json()
    better = str(uuid.uuid4())
    if change == "corrected":
        body = mask_body(image, ellipse(image, x=0.3, size=0.2), parent=changed["mask"], task=again["id"])
        assert ben.put(f"/api/masks/{better}/", body).status_code == 201
    else:
        assert ben.delete(f"/api/masks/{changed['mask']}/").status_code == 204
    submit(rae, review)
    assert list(ReviewItem.objects.values_list("pk", "verdict")) == [(left["id"], "accepted")]
    [person] = as_(cast.ana).get(f"/api/datasets/{reviewed.pk}/reviews/").json()["people"]
    assert (person["judged"], person["wrong"]) == (1, 0)
    assert ben.get(f"/api/datasets/{reviewed.pk}/feedback/").json()["results"] == []

    submit(ben, again)
    if change == "deleted":
        assert not Task.objects.filter(kind="review", state="open").exists()
    else:
        assert [item["mask"] for item in items_of(rae, next_review(rae, reviewed))] == [better]


def test_a_correction_that_the_maker_submits_during_the_review_is_judged_in_place_of_what_it_corrects(
    cast, reviewed, image, as_
):
    label(cast.ben, image, 0.3)
    rae, ben = as_(cast.rae), as_(cast.ben)
    review = next_review(rae, reviewed)
    [first] = items_of(rae, review)
    again, better = ben.post(f"/api/images/{image.pk}/task/").json(), str(uuid.uuid4())
    ben.put(f"/api/masks/{better}/", mask_body(image, ellipse(image), parent=first["mask"], task=again["id"]))
    submit(ben, again)
    rae.delete(f"/api/masks/{better}/")
    submit(rae, review)
    assert [(str(item.mask.uuid), item.verdict) for item in ReviewItem.objects.all()] == [(better, "deleted")]


def test_leads_and_reviewers_are_not_reviewed(cast, reviewed, image):
    label(cast.rae, image, 0.3)
    assert not Task.objects.filter(kind="review").exists()


def test_the_doubtful_image_comes_first(cast, reviewed, as_):
    images = [add_image(reviewed, seed=seed) for seed in (1, 2, 3)]
    for image, doubt in zip(images, (None, 0.1, 0.7), strict=True):
        label(cast.ben, image, 0.3)
        Task.objects.filter(kind="review", image=image).update(disagreement=doubt)
    rae, order = as_(cast.rae), []
    for _ in images:
        task = next_review(rae, reviewed)
        order.append(task["image"]["id"])
        submit(rae, task)
    assert order == [images[2].pk, images[1].pk, images[0].pk]


def test_returned_work_is_its_makers_until_they_leave(cast, reviewed, image, as_):
    label(cast.ben, image, 0.3)
    rae = as_(cast.rae)
    task = next_review(rae, reviewed)
    say(rae, task, items_of(rae, task)[0], verdict="returned", reason="edge")
    submit(rae, task)
    assert rae.post(f"/api/datasets/{reviewed.pk}/tasks/next/").status_code == 204
    ben = as_(cast.ben)
    back = ben.post(f"/api/datasets/{reviewed.pk}/tasks/next/").json()
    ben.post(f"/api/tasks/{back['id']}/release/", {"lease": back["lease"]})
    assert Task.objects.get(kind="returned").assignee == cast.ben
    member = reviewed.members.get(user=cast.ben)
    as_(cast.ana).delete(f"/api/datasets/{reviewed.pk}/members/{member.pk}/")
    taken = as_(cast.ana).post(f"/api/datasets/{reviewed.pk}/tasks/next/").json()
    assert taken["kind"] == "returned"
    # Whoever takes it up and leaves it does not keep it: it is anybody's again.
    as_(cast.ana).post(f"/api/tasks/{taken['id']}/release/", {"lease": taken["lease"]}, format="json")
    assert Task.objects.get(kind="returned").assignee is None


@pytest.mark.parametrize(
    ("judged", "wrong", "share"),
    [(0, 0, 1.0), (19, 0, 1.0), (50, 50, 1.0), (50, 0, 0.2 * 0.714), (50, 2, 0.2 * 1.346)],
)
def test_the_share_follows_the_record(judged, wrong, share):
    """The upper ends of Wilson's intervals of 0/50 and 2/50 are 7.14 % and 13.46 %; 10 % is the share itself."""
    dataset = Dataset(review_share=0.2, review_adapts=True)
    assert share_for(dataset, judged, wrong) == pytest.approx(share, rel=2e-3)


def test_no_record_takes_the_share_below_a_quarter_or_brings_review_where_there_is_none():
    assert share_for(Dataset(review_share=0.4), 10_000, 0) == pytest.approx(0.1)
    assert share_for(Dataset(review_share=0), 0, 0) == 0
    assert share_for(Dataset(review_share=0.4, review_adapts=False), 50, 50) == 0.4


def test_an_image_that_is_labelled_again_is_reviewed_for_what_is_new(cast, reviewed, image, as_):
    label(cast.ben, image, 0.3)
    rae = as_(cast.rae)
    submit(rae, next_review(rae, reviewed))
    label(cast.ben, image, 0.7)
    assert len(items_of(rae, next_review(rae, reviewed))) == 1


def test_a_mask_of_the_machine_that_a_person_kept_is_reviewed_too(cast, reviewed, image, as_):
    add_mask(image, source="model", created_by=None)
    label(cast.ben, image, 0.3)
    assert len(items_of(as_(cast.rae), next_review(as_(cast.rae), reviewed))) == 2
