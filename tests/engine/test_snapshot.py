"""A snapshot holds what counted at one moment, is known by its content, and never mixes the sides."""

from __future__ import annotations

import json
import uuid

import pytest

from annotation import jobkit, storage
from annotation.errors import UserError
from annotation.formats import manifest
from annotation.models import Mask
from annotation.services.rights import images_remove
from engine import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from engine import pipeline
from engine.forgetting import image_forget
from engine.models import Snapshot
from engine.retraining import run_start
from engine.snapshots import FOLDERS, manifest_lines, run_folder, snapshot_freeze
from modelzoo import rle
from modelzoo.training.data import read_sa1b
from tests.cast import add_image, add_mask, ellipse, mask_body


@pytest.fixture
def pictures(cast):
    """One image on each side."""
    return {
        split: add_image(cast.dataset, seed=seed, split=split)
        for seed, split in enumerate(("train", "validation", "held_out"))
    }


def test_the_same_masks_give_the_same_digest_and_one_folder(cast, pictures):
    for image in pictures.values():
        add_mask(image)
    first = snapshot_freeze(dataset=cast.dataset)
    assert snapshot_freeze(dataset=cast.dataset) == first
    # Also when the row is gone, as after a restored backup.
    digest = first.digest
    folder = storage.full(first.path)
    written = (folder / "manifest.jsonl").stat().st_mtime_ns
    Snapshot.objects.all().delete()
    again = snapshot_freeze(dataset=cast.dataset)
    assert (again.digest, again.path) == (digest, first.path)
    assert (folder / "manifest.jsonl").stat().st_mtime_ns == written


def test_another_mask_gives_another_digest_and_leaves_the_old_one_alone(cast, pictures):
    add_mask(pictures["train"])
    old = snapshot_freeze(dataset=cast.dataset)
    before = {path: path.read_bytes() for path in storage.full(old.path).rglob("*") if path.is_file()}
    add_mask(pictures["train"], ellipse(pictures["train"], x=0.2, size=0.1))
    new = snapshot_freeze(dataset=cast.dataset)
    assert new.digest != old.digest
    assert {path: path.read_bytes() for path in storage.full(old.path).rglob("*") if path.is_file()} == before


def test_every_side_is_its_own_folder(cast, pictures):
    masks = {split: add_mask(image) for split, image in pictures.items()}
    snapshot = snapshot_freeze(dataset=cast.dataset)
    for split, mask in masks.items():
        (record,) = read_sa1b(storage.full(snapshot.path) / split)
        assert record.ids == [str(mask.serial)]
        assert rle.iou(record.masks[0], mask.segmentation) == 1.0
    assert snapshot.counts["train"] == {"images": 1, "masks": 1}
    assert {line["split"] for line in manifest_lines(snapshot)} == {"train", "validation", "held_out"}


def test_only_what_counts_is_frozen(cast, pictures):
    image = pictures["train"]
    kept = add_mask(image)
    for status in ("proposed", "superseded", "deleted"):
        add_mask(image, ellipse(image, x=0.3), status=status)
    add_mask(image, ellipse(image, x=0.7), crowd=True)
    snapshot = snapshot_freeze(dataset=cast.dataset)
    (line,) = manifest_lines(snapshot)
    assert [mask["id"] for mask in line["masks"]] == [str(kept.uuid)]


def test_masks_no_person_saw_train_apart_and_judge_nothing(cast, pictures):
    for image in pictures.values():
        add_mask(image, stage="fully_automatic", source="model", created_by=None)
    snapshot = snapshot_freeze(dataset=cast.dataset)
    assert {name: snapshot.counts[name]["masks"] for name in FOLDERS} == {
        "train": 0,
        "train_automatic": 1,
        "validation": 0,
        "held_out": 0,
    }


def test_a_mask_that_ben_clicked_counts_as_his_when_his_account_is_gone(cast, as_, pictures):
    for image in pictures.values():
        body = mask_body(image, stage="fully_automatic")
        assert as_(cast.ben).put(f"/api/masks/{uuid.uuid4()}/", body).status_code == 201
    Mask.objects.update(created_by=None)
    snapshot = snapshot_freeze(dataset=cast.dataset)
    assert {name: snapshot.counts[name]["masks"] for name in FOLDERS} == {
        "train": 1,
        "train_automatic": 0,
        "validation": 1,
        "held_out": 1,
    }


def test_the_manifest_says_what_every_mask_is(cast, pictures):
    mask = add_mask(pictures["held_out"], stage="semi_automatic", source="model_edited")
    snapshot = snapshot_freeze(dataset=cast.dataset)
    (line,) = manifest_lines(snapshot)
    (entry,) = line["masks"]
    assert (entry["key"], entry["id"]) == (mask.serial, str(mask.uuid))
    assert (entry["stage"], entry["source"], entry["folder"]) == ("semi_automatic", "model_edited", "held_out")
    assert line["sha256"] == pictures["held_out"].sha256


def test_every_file_has_its_checksum(cast, pictures):
    add_mask(pictures["train"])
    snapshot = snapshot_freeze(dataset=cast.dataset)
    folder = storage.full(snapshot.path) / "train"
    listed = {row["path"]: row["sha256"] for row in manifest.files(folder)}
    assert listed == {path.name: storage.sha256_of(path) for path in folder.iterdir() if path.name != manifest.NAME}


def test_a_stopped_freeze_leaves_nothing_behind(cast, pictures):
    add_mask(pictures["train"])

    def stop():
        raise InterruptedError

    with pytest.raises(InterruptedError):
        snapshot_freeze(dataset=cast.dataset, on_image=stop)
    assert not Snapshot.objects.exists()
    assert not list((storage.root() / "snapshots").rglob("*.*"))


def test_a_picture_removed_for_good_meanwhile_is_in_no_training_set(cast, pictures):
    for image in pictures.values():
        add_mask(image)
    gone = pictures["train"]
    left = [2]

    def remove():  # after the first side was written, and before anybody can know what is in here
        left[0] -= 1
        if left[0] == 0:
            images_remove(dataset=cast.dataset, image_ids=[gone.pk], user=cast.ana, reason="asked for")
            image_forget(dataset=cast.dataset, image_id=gone.pk, sha256=gone.sha256)

    snapshot = snapshot_freeze(dataset=cast.dataset, on_image=remove)
    assert {line["sha256"] for line in manifest_lines(snapshot)} == {
        pictures[side].sha256 for side in ("validation", "held_out")
    }
    everything = storage.full(snapshot.path).parent.rglob("*")
    assert f"sa_{gone.pk}.json" not in {path.name for path in everything}


def test_a_run_goes_on_without_a_picture_that_is_removed_for_good_meanwhile(
    cast, base, pictures, settings, monkeypatch
):
    settings.ANYMASK_TRAIN_MIN_MASKS = settings.ANYMASK_GATE_MIN_MASKS = 1
    settings.ANYMASK_PROPOSAL_MINUTES = 0
    monkeypatch.setattr(jobkit, "RETRY_SECONDS", 0)
    extra = add_image(cast.dataset, seed=8, split="train")
    for image in (*pictures.values(), extra):
        add_mask(image)
    trained = []

    def train(run, snapshot, ctx):
        """Reads its set; the picture goes while it does so for the first time."""
        trained.append({line["sha256"] for line in manifest_lines(snapshot)})
        if len(trained) == 1:
            storage.write_atomic(f"{run_folder(run.pk, snapshot)}/state.pt", b"half a model")
            images_remove(dataset=cast.dataset, image_ids=[extra.pk], user=cast.ana, reason="asked for")
            image_forget(dataset=cast.dataset, image_id=extra.pk, sha256=extra.sha256)
            list(manifest_lines(snapshot))
        raise UserError("far_enough", "The rest is another test's.")

    monkeypatch.setattr(pipeline, "_train", train)
    run = run_start(dataset=cast.dataset, trigger="person", by=cast.ana)
    jobkit.run_pending()
    run.job.refresh_from_db()
    assert run.job.error_code == "far_enough"
    assert trained == [{image.sha256 for image in (*pictures.values(), extra)}, trained[0] - {extra.sha256}]
    run.refresh_from_db()
    assert storage.exists(run.snapshot.path)
    assert not list(storage.full(storage.path_for("runs", "x")).parent.glob("*")), "nothing of the first training stays"


def test_two_datasets_do_not_share_a_snapshot(cast, pictures):
    from tests.cast import make_cast

    other = make_cast("Vegetables")
    for dataset in (cast.dataset, other.dataset):
        add_mask(add_image(dataset, seed=9, split="train"))
    one, two = snapshot_freeze(dataset=cast.dataset), snapshot_freeze(dataset=other.dataset)
    assert one.path != two.path
    assert json.loads((storage.full(two.path) / "train" / "manifest.json").read_text())["dataset"] == "Vegetables"


def test_a_snapshot_can_be_asked_from_either_end(cast, pictures):
    masks = {split: add_mask(image) for split, image in pictures.items()}
    robot = add_mask(pictures["train"], stage="fully_automatic", source="model", created_by=None)
    snapshot = snapshot_freeze(dataset=cast.dataset)
    told = {row.sha256: row.parts for row in snapshot.images.all()}
    assert told == {
        pictures["train"].sha256: {"train": [masks["train"].serial], "train_automatic": [robot.serial]},
        pictures["validation"].sha256: {"validation": [masks["validation"].serial]},
        pictures["held_out"].sha256: {"held_out": [masks["held_out"].serial]},
    }
    snapshot_freeze(dataset=cast.dataset)
    assert snapshot.images.count() == 3
