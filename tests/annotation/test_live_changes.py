"""An open editor hears what others do to the masks of its image, and who has it."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation.models import Mask, Task
from tests.cast import add_mask, mask_body

LONG_AGO = timedelta(hours=1)


@pytest.fixture
def old_mask(image):
    """A mask from before anybody looked."""
    mask = add_mask(image)
    Mask.objects.update(status_changed_at=timezone.now() - LONG_AGO)
    return mask


def changes(client, image, since=""):
    answer = client.get(f"/api/images/{image.pk}/changes/", {"since": since} if since else {})
    assert answer.status_code == 200
    return answer.json()


def told(answer):
    return {(row["id"], row["status"]) for row in answer["masks"]}


def test_first_everything_that_is_not_superseded_then_only_what_changed(cast, as_, image, old_mask):
    ben = as_(cast.ben)
    binned = add_mask(image)
    ben.delete(f"/api/masks/{binned.uuid}/")
    Mask.objects.update(status_changed_at=timezone.now() - LONG_AGO)
    first = changes(ben, image)
    assert told(first) == {(str(old_mask.uuid), "accepted"), (str(binned.uuid), "deleted")}
    assert told(changes(ben, image, first["at"])) == set()


def test_a_correction_brings_both_versions(cast, as_, image, old_mask):
    ben, rae = as_(cast.ben), as_(cast.rae)
    at = changes(ben, image)["at"]
    new = uuid.uuid4()
    assert rae.put(f"/api/masks/{new}/", mask_body(image, parent=str(old_mask.uuid))).status_code == 201
    answer = changes(ben, image, at)
    assert told(answer) == {(str(old_mask.uuid), "superseded"), (str(new), "accepted")}
    assert answer["masks"][1]["created_by"] == "rae"


def test_deleting_and_restoring_are_changes(cast, as_, image, old_mask):
    ben, rae = as_(cast.ben), as_(cast.rae)
    at = changes(ben, image)["at"]
    rae.delete(f"/api/masks/{old_mask.uuid}/")
    assert told(changes(ben, image, at)) == {(str(old_mask.uuid), "deleted")}
    rae.post(f"/api/masks/{old_mask.uuid}/restore/")
    assert told(changes(ben, image, at)) == {(str(old_mask.uuid), "accepted")}


def test_who_has_the_image_until_the_lease_ends(cast, as_, image):
    ben, rae = as_(cast.ben), as_(cast.rae)
    assert changes(ben, image)["task"] | {"id": 0} == {
        "id": 0,
        "kind": "annotate",
        "state": "open",
        "assignee": None,
        "lease_expires_at": None,
        "submitted_at": None,
    }
    rae.post(f"/api/images/{image.pk}/task/")
    assert changes(ben, image)["task"]["assignee"] == "rae"
    Task.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert changes(ben, image)["task"]["assignee"] is None


@pytest.mark.parametrize(
    "since",
    [
        *("yesterday", "2026-13-45T00:00:00Z", "0", "\u0000"),
        *("9999-12-31T23:59:59-14:00", "0001-01-01T00:00:00+14:00"),  # in no year of UTC
    ],
)
def test_a_moment_that_is_none_is_refused(cast, as_, image, since):
    answer = as_(cast.ben).get(f"/api/images/{image.pk}/changes/", {"since": since})
    assert answer.status_code == 400
    assert set(answer.json()) == {"code", "message", "details"}


def test_categories_in_use_the_most_used_first(cast, as_, image):
    for name in ("cat", "dog", "dog", ""):
        add_mask(image, category=name)
    add_mask(image, category="ghost", status="deleted")
    answer = as_(cast.vic).get(f"/api/datasets/{cast.dataset.pk}/categories/")
    assert answer.json() == [{"name": "dog", "masks": 2}, {"name": "cat", "masks": 1}]


def test_a_refused_deletion_brings_the_mask_that_is_current(cast, as_, image, old_mask):
    new = uuid.uuid4()
    as_(cast.rae).put(f"/api/masks/{new}/", mask_body(image, parent=str(old_mask.uuid)))
    answer = as_(cast.ben).delete(f"/api/masks/{old_mask.uuid}/")
    assert (answer.status_code, answer.json()["code"]) == (409, "mask_superseded")
    assert answer.json()["details"]["current"]["id"] == str(new)
