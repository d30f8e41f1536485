"""The detector of proposals: it learns from masks, turns boxes into masks, says how sure it is, is safely stored."""

from __future__ import annotations

import dataclasses
from pathlib import Path

import numpy as np
import pytest
import torch

from modelzoo import rle
from modelzoo.build import build
from modelzoo.catalogue import SHIPPED
from modelzoo.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from modelzoo.model.box_head import BoxHead
from modelzoo.predictor import Predictor
from modelzoo.proposals import BoxMaskGenerator, Calibration, Detector, features, load_detector, save_detector
from modelzoo.training.data import DataError, Record, load_picture, read_coco
from modelzoo.training.proposals import (
    Judged,
    Pictures,
    ProposalConfig,
    calibrated,
    finished,
    sides,
    threshold_for,
    train_proposals,
)
from tests.modelzoo.scenes import scene, write_coco

OPEN = Calibration(threshold=0.0)


@pytest.fixture(scope="module")
def small(tmp_path_factory):
    """The shipped model, told to look at 128 pixels: a ninth of the work, and it still sees bright shapes."""
    model = load_checkpoint(SHIPPED / "anymask_compact.safetensors")
    model.long_side = model.config["long_side"] = 128
    path = tmp_path_factory.mktemp("small") / "model.safetensors"
    save_checkpoint(model, path)
    return path


@pytest.fixture(scope="module")
def trained(small, tmp_path_factory):
    """(detector, predictor, held-out records, result) after some seconds of training on twelve scenes."""
    folder = tmp_path_factory.mktemp("scenes")
    records = read_coco(write_coco(folder / "data", count=20))
    config = ProposalConfig(out=folder / "out", model=small, steps=60, minutes=5, views=32, batch=6)
    pictures = Pictures(people=records[:12], validation=records[12:16], held_out=records[16:])
    lines = []
    result = train_proposals(config, pictures, lambda share, line: lines.append((share, line)))
    assert lines[-1] == (1.0, "The detector is trained")
    assert [share for share, _ in lines] == sorted(share for share, _ in lines)
    return (
        load_detector(folder / "out" / "detector.safetensors"),
        Predictor(load_checkpoint(small)),
        records[16:],
        result,
    )


def head_of(predictor, image):
    """An untrained head that fits the predictor's maps."""
    from modelzoo.training.proposal_views import map_layout

    torch.manual_seed(0)
    return BoxHead(map_layout(predictor.encode(image))).eval()


def test_it_learns_to_find_what_was_masked(trained):
    """An untrained head finds next to nothing of pictures that it never saw; this one finds nearly all."""
    _, _, _, result = trained
    assert result["metrics"]["recall_50"] >= 0.85
    assert result["metrics"]["ap50"] >= 0.6
    # Eight masks are too few to choose a threshold on: two of the training pictures joined them.
    assert (result["metrics"]["training_masks"], result["metrics"]["validation_masks"]) == (20, 12)


def test_its_boxes_lie_on_the_picture_best_first(trained):
    detector, predictor, records, _ = trained
    embedding = predictor.encode(load_picture(records[0].image_path))
    boxes, scores = detector.boxes(embedding)
    height, width = embedding.frame.original_size
    assert (boxes[:, :2] >= 0).all()
    assert (boxes[:, 2] <= width).all()
    assert (boxes[:, 3] <= height).all()
    assert (np.diff(scores) <= 0).all()
    assert len(detector.boxes(embedding, most=1)[0]) == 1


def test_boxes_become_masks_of_the_objects(trained):
    detector, predictor, records, _ = trained
    good = 0
    for record in records:
        embedding = predictor.encode(load_picture(record.image_path))
        generous = dataclasses.replace(detector, calibration=OPEN)
        found = BoxMaskGenerator(predictor, generous).generate(embedding)
        for one in found:
            rle.validate(one["segmentation"], record.height, record.width)
            assert one["area"] == rle.area(one["segmentation"])
            assert one["prompts"][0]["type"] == "box"
            assert 0 <= one["confidence"] <= 1
        good += sum(max(rle.iou(mask, one["segmentation"]) for one in found) > 0.75 for mask in record.masks)
    assert good >= 6  # of the eight objects


def test_the_threshold_decides_what_is_proposed(trained):
    detector, predictor, records, _ = trained
    embedding = predictor.encode(load_picture(records[0].image_path))

    def proposed(threshold):
        sure = dataclasses.replace(detector, calibration=dataclasses.replace(detector.calibration, threshold=threshold))
        return BoxMaskGenerator(predictor, sure).generate(embedding)

    everything = proposed(0.0)
    assert everything
    assert proposed(1.1) == []
    chances = [one["confidence"] for one in everything]
    assert chances == sorted(chances, reverse=True)
    middle = chances[len(chances) // 2]
    assert all(one["confidence"] >= middle - 1e-4 for one in proposed(middle))


def test_progress_may_stop_the_work(trained):
    detector, predictor, records, _ = trained
    embedding = predictor.encode(load_picture(records[0].image_path))

    def stop(share):
        raise InterruptedError

    with pytest.raises(InterruptedError):
        BoxMaskGenerator(predictor, detector).generate(embedding, stop)


def test_it_works_on_a_sam_embedding_too(small_sam):
    """One map of 256 channels and stride 16 instead of three: levels at strides 16, 32 and 64."""
    predictor = Predictor(small_sam)
    image, _ = scene(height=48, width=64)
    head = head_of(predictor, image)
    assert head.strides == [16, 32, 64]
    detector = Detector(head, OPEN, {}, "digest")
    embedding = predictor.encode(image)
    boxes, scores = detector.boxes(embedding)
    assert len(boxes) == len(scores) > 0
    found = BoxMaskGenerator(predictor, detector, most_boxes=3).generate(embedding)
    for one in found:
        rle.validate(one["segmentation"], 48, 64)


def test_a_picture_without_a_mask_in_any_set_is_refused(small, tmp_path):
    with pytest.raises(DataError, match="no mask"):
        train_proposals(ProposalConfig(out=tmp_path, model=small), Pictures(people=[]))


# --- How sure it is ------------------------------------------------------------------------------------------------


def pictures_of(lengths, source="people"):
    """Records of videos with so many frames, numbered through; a video of one frame is a picture like any other."""
    mask = rle.encode(np.ones((8, 8), bool))
    videos = [f"video {number}" for number, length in enumerate(lengths) for _ in range(length)]
    return [
        Record(Path(f"sa_{number}.jpg"), 8, 8, [mask], [f"{source} {number}"], group=video)
        for number, video in enumerate(videos)
    ]


def test_a_video_stands_on_one_side_of_what_is_held_back():
    people = pictures_of([10] * 9 + [1] * 10)
    training, validation = sides(Pictures(people=people))
    assert (len(training), len(validation)) == (80, 20)
    assert not {record.group for record in training} & {record.group for record in validation}


def test_where_all_videos_are_long_the_end_of_one_is_held_back():
    training, validation = sides(Pictures(people=pictures_of([30, 30])))
    assert (len(training), len(validation)) == (48, 12)
    numbers = sorted(int(record.image_path.stem[3:]) for record in validation)
    assert numbers in (list(range(18, 30)), list(range(48, 60)))


def test_what_the_machine_masked_of_a_held_back_video_is_not_learnt_either():
    people = pictures_of([10] * 10)
    automatic = pictures_of([10] * 10, source="machine")
    training, validation = sides(Pictures(people=people[::2], automatic=automatic))
    held_back = {record.group for record in validation}
    assert held_back
    assert not held_back & {record.group for record in training}
    assert len(training) == 10 * (10 - len(held_back))


def test_the_threshold_is_the_lowest_that_keeps_the_precision():
    chances = np.array([0.9, 0.8, 0.7, 0.6, 0.5])
    right = np.array([True, True, False, True, False])
    assert threshold_for(chances, right, 0.75) == (0.6, 0.75)  # three of four
    assert threshold_for(chances, right, 0.5) == (0.5, 0.5)


def test_a_precision_out_of_reach_is_lowered_to_half_and_then_nothing_is_proposed():
    chances = np.linspace(1, 0, 200)
    half = np.arange(200) % 2 == 0
    half[100:] = False
    threshold, promise = threshold_for(chances, half, 0.8)
    assert promise == 0.5
    assert half[chances >= threshold].mean() >= 0.5
    threshold, promise = threshold_for(chances, np.zeros(200, bool), 0.8)
    assert (promise, (chances >= threshold).sum()) == (0.8, 0)


def test_one_lucky_proposal_is_no_reason_to_show_it():
    right = np.zeros(50, bool)
    right[0] = True
    assert (np.linspace(1, 0, 50) >= threshold_for(np.linspace(1, 0, 50), right, 0.8)[0]).sum() == 0


def test_chances_are_what_happens():
    """Proposals whose predicted IoU says the truth: the fitted chance follows it, and the threshold keeps its word."""
    random = np.random.default_rng(0)
    quality = random.uniform(0, 1, 2000)
    values = np.stack([np.ones(2000), random.normal(0, 1, 2000), quality, random.uniform(0, 1, 2000)], 1)
    ious = np.clip(quality + random.normal(0, 0.1, 2000), 0, 1)
    config = ProposalConfig(out=None, model=None, precision=0.8)
    found = calibrated(config, Judged(values, ious))
    assert found.measured
    chance, right = found.chance(values), ious >= 0.75
    for low in (0.0, 0.5):
        inside = (chance >= low) & (chance < low + 0.5)
        assert right[inside].mean() == pytest.approx(chance[inside].mean(), abs=0.05)
    assert right[chance >= found.threshold].mean() >= 0.8
    assert found.threshold < 0.8  # lower than the goal itself: the mean counts


def test_a_larger_predicted_iou_never_means_less_chance():
    """In thirty proposals the better looking ones happened to be wrong: that is no rule for the next thousand."""
    random = np.random.default_rng(3)
    predicted = random.uniform(0.4, 0.9, 30)
    values = np.stack([np.ones(30), random.normal(0, 1, 30), predicted, random.uniform(0.6, 1, 30)], 1)
    ious = np.where(values[:, 1] - 8 * (predicted - 0.65) > 0, 0.9, 0.1)
    found = calibrated(ProposalConfig(out=None, model=None), Judged(values, ious))
    assert found.measured
    assert found.weights[1] > 0
    assert min(found.weights[1:]) >= 0


def test_too_little_to_fit_leaves_the_plain_score():
    config = ProposalConfig(out=None, model=None)
    found = calibrated(config, Judged(np.ones((5, 4)), np.ones(5)))
    assert (found.measured, found.threshold) == (False, 0.5)
    score = np.array([[1.0, np.log(0.7 / 0.3), 0.1, 0.2]])
    assert found.chance(score) == pytest.approx(0.7)


def test_no_proposal_has_no_features():
    assert features([]).shape == (0, 4)


# --- Files ---------------------------------------------------------------------------------------------------------


def test_a_detector_comes_back_as_it_was_stored(trained, tmp_path):
    detector, predictor, records, result = trained
    path = tmp_path / "again.safetensors"
    digest = save_detector(
        detector.head, path, model=detector.model, calibration=detector.calibration, metrics=detector.metrics
    )
    again = load_detector(path)
    assert (again.digest, again.calibration, again.metrics) == (digest, detector.calibration, detector.metrics)
    embedding = predictor.encode(load_picture(records[0].image_path))
    for one, other in zip(detector.boxes(embedding), again.boxes(embedding), strict=True):
        np.testing.assert_array_equal(one, other)
    assert detector.digest == result["digest"]


def test_a_model_is_no_detector_and_a_detector_no_model(small, trained, tmp_path):
    with pytest.raises(CheckpointError, match="not a detector"):
        load_detector(small)
    detector, *_ = trained
    path = tmp_path / "detector.safetensors"
    save_detector(detector.head, path, model="x", calibration=OPEN, metrics={})
    with pytest.raises(CheckpointError):
        load_checkpoint(path)


def test_a_detector_of_impossible_size_is_refused(tmp_path):
    head = BoxHead([["coarse", 4, 16]], width=8)
    head.config["width"] = 10**9
    save_detector(head, tmp_path / "huge.safetensors", model="x", calibration=OPEN, metrics={})
    with pytest.raises(CheckpointError, match="not a detector"):
        load_detector(tmp_path / "huge.safetensors")


def test_a_detector_with_too_few_weights_of_its_calibration_is_refused(tmp_path):
    path = tmp_path / "short.safetensors"
    save_detector(BoxHead([["coarse", 4, 16]], width=8), path, model="x", calibration=OPEN, metrics={})
    load_detector(path)
    short = dataclasses.replace(OPEN, weights=OPEN.weights[:3])
    save_detector(BoxHead([["coarse", 4, 16]], width=8), path, model="x", calibration=short, metrics={})
    with pytest.raises(CheckpointError, match="not a detector"):
        load_detector(path)


def test_a_half_written_result_counts_as_none(tmp_path):
    assert finished(tmp_path) is None
    (tmp_path / "detector.json").write_text("{")
    assert finished(tmp_path) is None
    (tmp_path / "detector.json").write_text("{}")
    (tmp_path / "detector.safetensors").write_bytes(b"nothing")
    assert finished(tmp_path) is None


def test_random_weights_of_the_compact_model_have_three_maps():
    torch.manual_seed(0)
    predictor = Predictor(build("anymask_compact", long_side=64))
    head = head_of(predictor, scene(height=48, width=64)[0])
    assert head.config["maps"] == [["coarse", 128, 16], ["middle", 32, 8], ["fine", 28, 4]]
    assert head.strides == [8, 16, 32]
