"""Undo of taking a proposal over: the machine proposes it again, and nobody vouches for it."""

from __future__ import annotations

import uuid

import pytest

from annotation.models import Mask
from tests.cast import add_mask, add_tracks, ellipse, mask_body

MACHINE = {"source": "model", "created_by": None, "model": "ab" * 32, "predicted_iou": 0.7, "status": "proposed"}


@pytest.fixture
def ben(as_, cast):
    return as_(cast.ben)


def put(client, image, array, **fields):
    key = uuid.uuid4()
    return client.put(f"/api/masks/{key}/", mask_body(image, array, **fields)), key


def test_what_was_kept_is_a_proposal_of_the_machine_again(ben, image):
    shape = ellipse(image)
    proposal = add_mask(image, shape, **MACHINE)
    _, kept = put(ben, image, shape, parent=str(proposal.uuid))
    answer, again = put(ben, image, shape, parent=str(kept), proposed=True, edits=3, predicted_iou=0.2)
    assert answer.status_code == 201, answer.json()
    told = answer.json()
    assert (told["status"], told["created_by"], told["source"]) == ("proposed", None, "model")
    assert (told["predicted_iou"], told["edits"], told["task"]) == (0.7, 0, None)
    assert Mask.objects.get(uuid=kept).status == "superseded"
    assert put(ben, image, shape, parent=str(again))[0].json()["status"] == "accepted"


def test_so_is_what_was_corrected_twice(ben, image):
    shape, other = ellipse(image), ellipse(image, x=0.3)
    proposal = add_mask(image, shape, **MACHINE)
    _, first = put(ben, image, other, parent=str(proposal.uuid))
    _, second = put(ben, image, ellipse(image, x=0.6), parent=str(first))
    assert put(ben, image, shape, parent=str(second), proposed=True)[0].json()["status"] == "proposed"


def test_on_a_frame_it_stays_in_its_track(cast, ben):
    video = add_tracks(cast.dataset)
    mask = Mask.objects.filter(image__video=video, created_by=None, track__isnull=False).first()
    Mask.objects.filter(pk=mask.pk).update(status="proposed")
    _, kept = put(ben, mask.image, None, parent=str(mask.uuid), segmentation=mask.segmentation)
    answer, _ = put(ben, mask.image, None, parent=str(kept), segmentation=mask.segmentation, proposed=True)
    assert answer.json()["track"] == str(mask.track.uuid)


@pytest.mark.parametrize("of", ["nothing", "a person's mask", "other pixels"])
def test_what_the_machine_has_not_proposed_is_refused(ben, image, of):
    shape = ellipse(image)
    parent = add_mask(image, shape, **(MACHINE if of == "other pixels" else {}))
    about = {} if of == "nothing" else {"parent": str(parent.uuid)}
    asked = ellipse(image, x=0.3) if of == "other pixels" else shape
    answer, _ = put(ben, image, asked, proposed=True, **about)
    assert (answer.status_code, answer.json()["code"]) == (400, "not_a_proposal")
    assert Mask.objects.get().status != "superseded"
