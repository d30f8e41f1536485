"""Review while people go on: nothing is accepted unseen, nothing stays unseen, and everybody answers for their own."""

from __future__ import annotations

import pytest

from annotation.errors import Conflict
from annotation.models import Dataset, ReviewItem, Task
from annotation.services.reviews import item_decide, masks_unseen
from tests.annotation.reviewing import label, reviewed_dataset, submit  # noqa: F401  a fixture
from tests.cast import client_of


def take(user, dataset, kind="review"):
    answer = client_of(user).post(f"/api/datasets/{dataset.pk}/tasks/next/", {"kind": kind})
    return answer.json() if answer.status_code == 200 else None


def say_returned(user, task, item: ReviewItem) -> None:
    said = {"verdict": "returned", "reason": "edge"}
    answer = client_of(user).put(f"/api/tasks/{task['id']}/review/{item.pk}/", said)
    assert answer.status_code == 200, answer.json()


def test_a_mask_that_comes_while_somebody_reviews_is_reviewed_next(cast, reviewed, image):
    label(cast.ben, image, 0.2)
    review = take(cast.rae, reviewed)
    label(cast.ben, image, 0.5)
    submit(client_of(cast.rae), review)
    assert ReviewItem.objects.filter(verdict="accepted").count() == 1
    again = take(cast.rae, reviewed)
    assert again is not None
    assert list(ReviewItem.objects.filter(task=again["id"]).values_list("verdict", flat=True)) == [""]
    submit(client_of(cast.rae), again)
    assert take(cast.rae, reviewed) is None
    assert not masks_unseen(image).exists()


def test_what_is_added_while_a_return_waits_is_seen_in_the_next_round(cast, reviewed, image):
    label(cast.ben, image, 0.2)
    review = take(cast.rae, reviewed)
    say_returned(cast.rae, review, ReviewItem.objects.get())
    submit(client_of(cast.rae), review)
    label(cast.ben, image, 0.8)
    back = take(cast.ben, reviewed, "annotate")
    assert back["kind"] == "returned"
    submit(client_of(cast.ben), back)
    again = take(cast.rae, reviewed)
    assert ReviewItem.objects.filter(task=again["id"]).count() == 2


def test_a_verdict_goes_to_who_made_the_mask(cast, reviewed, image):
    Dataset.objects.update(review_share=0)
    label(cast.ben, image, 0.2)
    Dataset.objects.update(review_share=1)
    cast.dataset.members.filter(user=cast.vic).update(role="annotator")
    label(cast.vic, image, 0.8)
    review = take(cast.rae, reviewed)
    items = {item.mask.created_by.username: item for item in ReviewItem.objects.all()}
    assert {name: item.author.username for name, item in items.items()} == {"ben": "ben", "vic": "vic"}
    say_returned(cast.rae, review, items["ben"])
    submit(client_of(cast.rae), review)
    assert Task.objects.get(kind="returned").assignee == cast.ben


def test_nobody_reviews_their_own_mask(cast, reviewed, image):
    label(cast.rae, image, 0.2)
    label(cast.ben, image, 0.8)
    assert ReviewItem.objects.filter(mask__created_by=cast.rae).exists()
    assert take(cast.rae, reviewed) is None
    assert take(cast.ana, reviewed) is not None


def test_nothing_is_said_of_a_review_that_was_submitted_meanwhile(cast, reviewed, image):
    label(cast.ben, image, 0.2)
    review = take(cast.rae, reviewed)
    read_before = Task.objects.get(pk=review["id"])
    submit(client_of(cast.rae), review)
    with pytest.raises(Conflict) as refused:
        item_decide(
            task=read_before, item_id=ReviewItem.objects.get().pk, by=cast.rae, verdict="returned", reason="edge"
        )
    assert refused.value.code == "lease_lost"
    assert ReviewItem.objects.get().verdict == "accepted"
