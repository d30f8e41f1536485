"""Masks: saved once under the client's id, superseded and never edited, deleted and restored."""

from __future__ import annotations

import threading
import uuid

import numpy as np
import pytest
from django.db import connection

from annotation.errors import Conflict, UserError
from annotation.models import Mask, Task
from annotation.services import masks
from modelzoo import rle
from tests.cast import add_image, add_mask, client_of, ellipse, make_cast, mask_body


@pytest.fixture
def put(cast, as_):
    """put(body, id=..., user=...) -> response."""

    def send(body, id=None, user=None):
        return as_(user or cast.ben).put(f"/api/masks/{id or uuid.uuid4()}/", body)

    return send


def test_a_mask_is_saved_with_everything_it_was_made_of(put, image, cast):
    array = ellipse(image)
    array[20, 30] = False  # a hole
    key = uuid.uuid4()
    task = Task.objects.get()
    body = mask_body(
        image,
        array,
        prompts=[
            {"type": "point", "x": 30.5, "y": 20, "label": 1, "fed": None},
            {"type": "box", "x0": 1, "y0": 2, "x1": 30, "y1": 39.5},
        ],
        candidates=[{"token": 1, "predicted_iou": 0.9, "stability_score": 0.8, "area": 3, "bbox": [1, 2, 3, 4]}],
        category="pear",
        model="ab" * 32,
        edits=2,
        task=task.pk,
    )
    answer = put(body, key)
    assert answer.status_code == 201, answer.json()
    told = answer.json()
    assert told["id"] == str(key)
    assert told["area"] == int(array.sum())
    assert told["bbox"] == rle.bbox(rle.encode(array))
    assert (told["status"], told["stage"], told["source"], told["created_by"]) == (
        "accepted",
        "assisted",
        "model",
        "ben",
    )
    for name in ("prompts", "candidates", "category", "model", "edits", "task", "chosen", "predicted_iou", "seconds"):
        assert told[name] == body[name], name
    assert np.array_equal(rle.decode(told["segmentation"]), array)
    assert client_of(cast.vic).get(f"/api/images/{image.pk}/masks/").json() == [told]


def test_an_uncompressed_mask_is_stored_compressed(put, image):
    counts = rle.runs(rle.encode(ellipse(image))).tolist()
    answer = put(mask_body(image, segmentation={"size": [image.height, image.width], "counts": counts}))
    assert answer.json()["segmentation"] == rle.encode(ellipse(image))


def test_the_same_request_again_changes_nothing(put, image):
    key, body = uuid.uuid4(), mask_body(image)
    first, second = put(body, key), put({**body, "seconds": 9.5}, key)
    assert (first.status_code, second.status_code) == (201, 200)
    assert first.json() == second.json()
    assert Mask.objects.count() == 1


def test_another_mask_under_the_same_id_is_a_conflict(put, image, cast):
    key = uuid.uuid4()
    put(mask_body(image), key)
    for body, user in ((mask_body(image, ellipse(image, size=0.1)), cast.ben), (mask_body(image), cast.rae)):
        answer = put(body, key, user)
        assert (answer.status_code, answer.json()["code"]) == (409, "mask_conflict")
    assert Mask.objects.count() == 1


def test_a_correction_supersedes_and_keeps_the_history(put, image, as_, cast):
    old, new, newest = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    put(mask_body(image), old)
    put(mask_body(image, ellipse(image, size=0.2), parent=str(old), source="model_edited"), new)
    put(mask_body(image, ellipse(image, size=0.25), parent=str(new), source="hand"), newest, cast.rae)
    client = as_(cast.vic)
    assert [row["id"] for row in client.get(f"/api/images/{image.pk}/masks/").json()] == [str(newest)]
    assert client.get(f"/api/masks/{old}/").json()["status"] == "superseded"
    for key in (old, new, newest):
        history = client.get(f"/api/masks/{key}/history/").json()
        assert [row["id"] for row in history] == [str(old), str(new), str(newest)]
        assert [row["parent"] for row in history] == [None, str(old), str(new)]
    assert len(client.get(f"/api/images/{image.pk}/masks/?history=1").json()) == 3


def test_a_corrected_crowd_stays_a_crowd(put, image, cast):
    crowd = add_mask(image, ellipse(image), crowd=True)
    answer = put({**mask_body(image, ellipse(image, size=0.2)), "parent": str(crowd.uuid)})
    assert (answer.status_code, answer.json()["crowd"]) == (201, True)


def test_of_two_corrections_one_wins_and_the_other_sees_both_versions(put, image, cast):
    old, mine, yours = uuid.uuid4(), uuid.uuid4(), uuid.uuid4()
    put(mask_body(image), old)
    put(mask_body(image, ellipse(image, size=0.2), parent=str(old)), yours, cast.rae)
    answer = put(mask_body(image, ellipse(image, size=0.25), parent=str(old)), mine)
    assert (answer.status_code, answer.json()["code"]) == (409, "mask_superseded")
    assert answer.json()["details"]["current"]["id"] == str(yours)
    assert answer.json()["details"]["current"]["created_by"] == "rae"
    assert not Mask.objects.filter(uuid=mine).exists(), "the loser is kept by its client, not here"


def test_a_deleted_mask_can_be_restored(put, image, as_, cast):
    key = uuid.uuid4()
    put(mask_body(image), key)
    client = as_(cast.ben)
    for _ in range(2):
        assert client.delete(f"/api/masks/{key}/").status_code == 204
    assert client.get(f"/api/images/{image.pk}/masks/").json() == []
    answer = put(mask_body(image, ellipse(image, size=0.1), parent=str(key)))
    assert (answer.status_code, answer.json()["code"]) == (409, "mask_deleted")
    for _ in range(2):
        assert client.post(f"/api/masks/{key}/restore/").json()["status"] == "accepted"
    assert len(client.get(f"/api/images/{image.pk}/masks/").json()) == 1


def test_a_proposal_is_restored_as_a_proposal(image, cast):
    mask = add_mask(image, status="proposed", source="model")
    masks.mask_delete(mask=mask, user=cast.ben)
    assert masks.mask_restore(mask=mask, user=cast.ben).status == "proposed"


def test_a_superseded_mask_is_neither_deleted_nor_restored(put, image, as_, cast):
    old, new = uuid.uuid4(), uuid.uuid4()
    put(mask_body(image), old)
    put(mask_body(image, ellipse(image, size=0.2), parent=str(old)), new)
    client = as_(cast.ben)
    for answer in (client.delete(f"/api/masks/{old}/"), client.post(f"/api/masks/{old}/restore/")):
        assert (answer.status_code, answer.json()["code"]) == (409, "mask_superseded")


WRONG = [
    ({"segmentation": None}, "invalid"),
    ({"segmentation": "52203"}, "invalid"),
    ({"segmentation": {}}, "rle_malformed"),
    ({"segmentation": {"size": [40, 60], "counts": ""}}, "rle_sum"),
    ({"segmentation": {"size": [40, 60], "counts": [2399]}}, "rle_sum"),
    ({"segmentation": {"size": [40, 60], "counts": [2400]}}, "mask_empty"),
    ({"segmentation": {"size": [60, 40], "counts": [0, 2400]}}, "rle_size_mismatch"),
    ({"segmentation": {"size": [40, 60], "counts": "oooooooooo"}}, "rle_truncated"),
    ({"segmentation": {"size": [2**40, 2**40], "counts": [0]}}, "rle_size_mismatch"),
    ({"image": "x"}, "invalid"),
    ({"image": 10**30}, "invalid"),
    ({"image": 987654321}, "not_found"),
    ({"source": "imported"}, "invalid"),
    ({"source": None}, "invalid"),
    ({"prompts": [{"type": "point"}]}, "invalid"),
    ({"prompts": [{"type": "laser"}]}, "invalid"),
    ({"prompts": "point"}, "invalid"),
    ({"prompts": [{"type": "point", "x": "nan", "y": 1, "label": 1}]}, "invalid"),
    ({"seconds": "inf"}, "invalid"),
    ({"seconds": -1}, "invalid"),
    ({"edits": 2**40}, "invalid"),
    ({"chosen": 99}, "invalid"),
    ({"model": "<script>"}, "invalid"),
    ({"category": "x" * 300}, "invalid"),
    ({"parent": "not-a-uuid"}, "invalid"),
    ({"parent": "5f0c8f0e-0000-4000-8000-000000000000"}, "parent_missing"),
    ({"crop_box": [1, 2, 3]}, "invalid"),
]


@pytest.mark.parametrize(("change", "code"), WRONG, ids=lambda value: str(value)[:60])
def test_a_bad_mask_is_refused_with_a_sentence(put, image, change, code):
    answer = put({**mask_body(image), **change})
    assert answer.status_code in (400, 404)
    assert answer.json()["code"] == code
    assert answer.json()["message"]
    assert Mask.objects.count() == 0


def test_a_parent_on_another_image_is_refused(put, image, cast):
    other = add_mask(add_image(cast.dataset, seed=9))
    answer = put(mask_body(image, parent=str(other.uuid)))
    assert answer.json()["code"] == "parent_missing"
    other.refresh_from_db()
    assert other.status == "accepted"


def test_mask_saved_is_announced_once(put, image, django_capture_on_commit_callbacks):
    from annotation.signals import mask_saved

    heard = []

    def listen(mask_id, **kwargs):
        heard.append(mask_id)

    mask_saved.connect(listen)
    try:
        key = uuid.uuid4()
        for _ in range(2):
            with django_capture_on_commit_callbacks(execute=True):
                put(mask_body(image), key)
        assert heard == [Mask.objects.get().serial]
    finally:
        mask_saved.disconnect(listen)


def test_many_at_once_are_idempotent(image):
    records = [{"segmentation": rle.encode(ellipse(image, size=size))} for size in (0.1, 0.2, 0.3)]
    first = masks.masks_add(image=image, records=records, stage="semi_automatic", source="model", model="a" * 64)
    again = masks.masks_add(image=image, records=records, stage="semi_automatic", source="model", model="a" * 64)
    other = masks.masks_add(image=image, records=records, stage="semi_automatic", source="model", model="b" * 64)
    assert (len(first), len(again), len(other)) == (3, 0, 3)
    twins = records[:1] * 2  # two people drew the very same object
    counted = [len(masks.masks_add(image=image, records=twins, stage="assisted", source="imported")) for _ in range(2)]
    assert counted == [2, 0]
    assert first == list(Mask.objects.filter(model="a" * 64).values_list("serial", flat=True))


@pytest.mark.django_db(transaction=True)
def test_the_same_request_sixteen_times_at_once_gives_one_mask():
    cast = make_cast()
    image = add_image(cast.dataset)
    key, body = uuid.uuid4(), mask_body(image)
    codes, barrier = [], threading.Barrier(16)

    def send():
        client = client_of(cast.ben)
        barrier.wait()
        codes.append(client.put(f"/api/masks/{key}/", body).status_code)
        connection.close()

    threads = [threading.Thread(target=send) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(codes) == [200] * 15 + [201]
    assert Mask.objects.count() == 1


@pytest.mark.django_db(transaction=True)
def test_corrections_at_once_leave_exactly_one_current_mask():
    cast = make_cast()
    image = add_image(cast.dataset)
    parent = add_mask(image)
    won, barrier = [], threading.Barrier(8)

    def correct(number):
        array = ellipse(image, size=0.1 + number / 50)
        body = {"segmentation": rle.encode(array), "source": "hand", "parent": parent.uuid}
        barrier.wait()
        try:
            masks.mask_save(image=image, mask_uuid=uuid.uuid4(), user=cast.ben, body=body)
            won.append(number)
        except Conflict:
            pass
        finally:
            connection.close()

    threads = [threading.Thread(target=correct, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(won) == 1
    assert Mask.objects.filter(status="accepted").count() == 1


def test_a_checked_mask_is_only_trusted_for_a_picture_of_its_size(cast):
    """What a reader has checked is not checked again, but it was checked against what a document says of a size."""
    image = add_image(cast.dataset)
    inside = rle.examine(rle.encode(ellipse(image)), image.height, image.width)
    (serial,) = masks.masks_add(image=image, records=[{"segmentation": inside}], stage="assisted", source="imported")
    mask = Mask.objects.get(serial=serial)
    assert (mask.segmentation, mask.area, mask.bbox) == (inside.segmentation, *rle.measure(inside.segmentation))
    other = rle.examine(rle.encode(np.ones((9, 9), bool)), 9, 9)
    with pytest.raises(UserError) as refused:
        masks.masks_add(image=image, records=[{"segmentation": other}], stage="assisted", source="imported")
    assert refused.value.code == "rle_size_mismatch"
