"""A run leaves a detector for the version that will serve; the semi-automatic stage proposes by it, else by a grid."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from annotation import storage
from annotation.models import Mask
from engine import proposals
from engine.child import ChildFailed
from engine.models import Detector, Embedding, ModelVersion, StageResult, TrainingRun
from engine.proposals import detector_for, detector_train
from engine.snapshots import snapshot_freeze
from engine.stages import STAGES, semi_automatic
from engine.stages.running import stage_run
from modelzoo import rle
from tests.cast import add_image, add_mask, add_video, ellipse
from tests.engine.conftest import version_row


def run(dataset):
    return stage_run(dataset_id=dataset.pk, stage="semi_automatic", progress=lambda share, message: None)


@pytest.fixture
def rough(dataset_of_eight, real_base):
    """A detector of random weights that is sure of everything, for the default version."""
    return stored_detector(dataset_of_eight, real_base)


def stored_detector(dataset, version, seed=0) -> Detector:
    torch = pytest.importorskip("torch")
    from modelzoo.model.box_head import BoxHead
    from modelzoo.proposals import Calibration, save_detector

    torch.manual_seed(seed)
    head = BoxHead([["coarse", 128, 16], ["middle", 32, 8], ["fine", 28, 4]], width=8)
    torch.nn.init.constant_(head.score.bias, 0.0)
    path = storage.full(f"detectors/{seed}.safetensors")
    path.parent.mkdir(parents=True, exist_ok=True)
    digest = save_detector(head, path, model=version.digest, calibration=Calibration(threshold=0.0), metrics={})
    return Detector.objects.create(
        dataset=dataset, version=version, digest=digest, path=f"detectors/{seed}.safetensors"
    )


@pytest.fixture
def dataset_of_eight(cast):
    """Four images and eight masks on both sides that count."""
    for seed in range(8):
        image = add_image(cast.dataset, seed=seed, width=96, height=64, split="train" if seed < 4 else "held_out")
        add_mask(image, ellipse(image))
        add_mask(image, ellipse(image, x=0.2, y=0.3, size=0.15))
    return cast.dataset


@pytest.fixture
def filled_boxes(monkeypatch):
    """A decoder whose mask of a box is the box: that of random weights covers the whole picture."""
    from modelzoo.predictor import Predictor

    def decode(self, embedding, boxes):
        frame = embedding.frame
        height, width = (side // self.model.mask_stride for side in frame.padded_size)
        y, x = (np.mgrid[:height, :width] + 0.5) * self.model.mask_stride
        logits = [
            np.where((x > x0) & (x < x1) & (y > y0) & (y < y1), 9.0, -9.0)
            for x0, y0, x1, y1 in frame.box_to_input(boxes)
        ]
        return np.array(logits, np.float32), np.full(len(boxes), 0.9, np.float32)

    monkeypatch.setattr(Predictor, "decode_boxes", decode)


class Told:
    """The job of a run, as far as the training of a detector talks to it."""

    def __init__(self):
        self.shares, self.lines = [], []

    def check_cancelled(self):
        pass

    def progress(self, share, message):
        self.shares.append(share)

    def log(self, text):
        self.lines.append(text)


def train(dataset, version, ctx):
    """The step of a run that trains the detector, on a snapshot of today."""
    training = TrainingRun.objects.filter(dataset=dataset).first() or TrainingRun.objects.create(
        dataset=dataset, trigger="person", base=version, seed=1, snapshot=snapshot_freeze(dataset=dataset)
    )
    return training, detector_train(
        run=training, snapshot=training.snapshot, version=version, ctx=ctx, share=(0.5, 0.9)
    )


@pytest.mark.slow
@pytest.mark.timeout(900)  # a process of its own that loads torch: minutes on a machine with much else to do
def test_it_is_trained_on_the_masks_so_far_once(dataset_of_eight, real_base, settings, monkeypatch):
    settings.ANYMASK_PROPOSAL_STEPS, settings.ANYMASK_TRAIN_THREADS = 2, 1
    told = Told()
    training, detector = train(dataset_of_eight, real_base, told)
    assert detector is not None, told.lines
    assert (detector.version, detector.run, detector.dataset) == (real_base, training, dataset_of_eight)
    assert storage.sha256_of(storage.full(detector.path)) == detector.digest
    assert detector.metrics["held_out_masks"] == 8
    assert {"ap50", "recall_50", "right_75"} <= set(detector.metrics)
    assert detector.calibration["precision"] == proposals.PRECISION
    assert detector.gates is None  # eight masks are too few to promise anything
    assert detector_for(dataset_of_eight.pk, real_base) == detector
    assert told.shares == sorted(told.shares)
    assert 0.5 <= told.shares[0] <= told.shares[-1] <= 0.9

    # Killed before its end was written: the detector is not trained again.
    monkeypatch.setattr(proposals, "run_child", None)
    assert train(dataset_of_eight, real_base, told)[1] == detector
    Detector.objects.all().delete()
    assert train(dataset_of_eight, real_base, told)[1].digest == detector.digest


def test_one_that_cannot_be_trained_does_not_stop_the_run(dataset_of_eight, base, monkeypatch):
    def fail(*_args, **_options):
        raise ChildFailed("Out of luck.")

    monkeypatch.setattr(proposals, "run_child", fail)
    told = Told()
    assert train(dataset_of_eight, base, told)[1] is None
    assert "Out of luck." in told.lines[0]
    assert not Detector.objects.exists()


def test_the_child_is_told_which_pictures_are_frames_of_one_video(dataset_of_eight, base, monkeypatch):
    """The format of training sets does not say it, and frames held back of a video that is learnt are no test."""
    video = add_video(dataset_of_eight, frames=2)
    told_to_child = []

    def look(words, **_options):
        told_to_child.append(json.loads(Path(words[words.index("--groups") + 1]).read_text("utf-8")))
        raise ChildFailed("Seen enough.")

    monkeypatch.setattr(proposals, "run_child", look)
    train(dataset_of_eight, base, Told())
    assert told_to_child == [{str(frame.pk): video.sha256 for frame in video.frames.all()}]


def test_none_is_trained_where_it_is_switched_off(dataset_of_eight, base, settings, monkeypatch):
    settings.ANYMASK_PROPOSAL_MINUTES = 0
    monkeypatch.setattr(proposals, "run_child", None)
    assert train(dataset_of_eight, base, Told())[1] is None


def test_its_boxes_become_locked_proposals(dataset_of_eight, rough, real_base, filled_boxes):
    result = run(dataset_of_eight)
    assert (result["detector"], result["failed"]) == (rough.digest, [])
    masks = Mask.objects.filter(stage="semi_automatic")
    assert masks
    assert masks.count() == result["masks"] == sum(StageResult.objects.values_list("masks", flat=True))
    for mask in masks:
        assert (mask.status, mask.source, mask.model) == ("proposed", "model", real_base.digest)
        assert [prompt["type"] for prompt in mask.prompts] == ["box"]
        assert 0 <= mask.predicted_iou <= 1
        rle.validate(mask.segmentation, mask.image.height, mask.image.width)


def test_doing_it_twice_changes_nothing(dataset_of_eight, rough, filled_boxes):
    assert run(dataset_of_eight)["masks"] > 0
    before = list(Mask.objects.values_list("uuid", "status"))
    assert run(dataset_of_eight)["masks"] == 0
    assert list(Mask.objects.values_list("uuid", "status")) == before


def test_a_picture_whose_embedding_made_room_for_others_is_encoded_for_it(dataset_of_eight, rough, filled_boxes):
    run(dataset_of_eight)
    before = set(Mask.objects.filter(status="proposed").values_list("uuid", flat=True))
    StageResult.objects.all().delete()
    Mask.objects.filter(stage="semi_automatic").delete()
    storage.full(Embedding.objects.first().path).unlink()
    result = run(dataset_of_eight)
    assert (result["images"], result["failed"]) == (8, [])
    assert len(before) == result["masks"]


def test_a_new_detector_is_other_work(dataset_of_eight, rough, real_base, filled_boxes):
    run(dataset_of_eight)
    newer = stored_detector(dataset_of_eight, real_base, seed=1)
    assert run(dataset_of_eight)["detector"] == newer.digest
    assert StageResult.objects.count() == 16
    assert len(set(StageResult.objects.values_list("settings_digest", flat=True))) == 2


def test_what_a_person_has_masked_is_not_proposed(dataset_of_eight, rough, filled_boxes):
    run(dataset_of_eight)
    proposal = Mask.objects.filter(status="proposed").first()
    image = proposal.image
    StageResult.objects.all().delete()
    Mask.objects.filter(stage="semi_automatic").delete()
    add_mask(image, rle.decode(proposal.segmentation))
    run(dataset_of_eight)
    counts = proposal.segmentation["counts"]
    assert not any(m.segmentation["counts"] == counts for m in image.masks.filter(status="proposed"))


def test_without_a_detector_the_grid_proposes_and_the_result_says_so(image, base, monkeypatch):
    asked = []
    monkeypatch.setattr(
        semi_automatic, "segment_everything", lambda *arguments: (asked.append(arguments), ([], 0.1))[1]
    )
    assert run(image.dataset)["detector"] is None
    assert len(asked) == 1


def test_another_datasets_or_versions_detector_is_not_used(cast, image, base):
    from tests.cast import make_cast

    other = make_cast("Vegetables").dataset
    newer = version_row("newer", dataset=cast.dataset)
    for dataset, version in ((other, base), (cast.dataset, newer)):
        Detector.objects.create(dataset=dataset, version=version, digest="d" * 64, path="none")
    settings = STAGES["semi_automatic"].settings(dataset_id=cast.dataset.pk, version=base)
    assert "detector" not in settings
    assert STAGES["semi_automatic"].settings(dataset_id=other.pk, version=base)["detector"] == "d" * 64


def test_a_detector_that_was_removed_meanwhile_is_a_sentence(dataset_of_eight, rough, monkeypatch):
    stage = STAGES["semi_automatic"]
    monkeypatch.setattr(type(stage), "settings", lambda self, **_: {"detector": "0" * 64})
    failed = run(dataset_of_eight)["failed"]
    assert {one["code"] for one in failed} == {"detector_gone"}
    assert len(failed) == 8


def test_its_file_goes_with_the_last_row(cast, base, django_capture_on_commit_callbacks):
    place = storage.path_for("detectors", "d" * 64)
    storage.write_atomic(f"{place}/detector.safetensors", b"weights")
    rows = [
        Detector.objects.create(dataset=cast.dataset, version=version, digest="d" * 64, path=place)
        for version in (base, version_row("newer"))
    ]
    with django_capture_on_commit_callbacks(execute=True):
        rows[0].delete()
    assert storage.full(place).is_dir()
    with django_capture_on_commit_callbacks(execute=True):
        rows[1].delete()
    assert not storage.full(place).exists()


def test_a_half_written_result_is_trained_again(tmp_path):
    assert proposals._result(tmp_path) is None
    (tmp_path / "detector.json").write_text(json.dumps({"digest": "x"}))
    assert proposals._result(tmp_path) is None
    (tmp_path / "detector.safetensors").write_bytes(b"w")
    assert proposals._result(tmp_path) == {"digest": "x"}


def test_the_child_gets_only_the_folders_that_hold_masks(cast, base, tmp_path):
    from engine.models import Snapshot

    counts = {name: {"images": 1, "masks": 3} for name in ("train", "train_automatic", "validation", "held_out")}
    counts["train_automatic"]["masks"] = 0
    snapshot = Snapshot(dataset=cast.dataset, digest="d" * 64, path="snapshots/1/d", counts=counts)
    words = proposals._arguments(tmp_path, snapshot, base, seed=7)
    assert words[:2] == ["modelzoo", "train-proposals"]
    assert "--automatic" not in words
    assert words[words.index("--people") + 1].endswith("snapshots/1/d/train")
    assert words[words.index("--seed") + 1] == "7"


def test_every_row_of_the_loop_is_told_apart(cast, base):
    """One detector per run and version; a dataset's newest counts."""
    training = TrainingRun.objects.create(dataset=cast.dataset, trigger="person", base=base, seed=1, state="finished")
    first = Detector.objects.create(dataset=cast.dataset, version=base, digest="a" * 64, path="a")
    second = Detector.objects.create(dataset=cast.dataset, version=base, run=training, digest="b" * 64, path="b")
    assert detector_for(cast.dataset.pk, base) == second != first
    assert ModelVersion.objects.get(pk=base.pk).detectors.count() == 2
