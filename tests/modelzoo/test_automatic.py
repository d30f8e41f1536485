"""Segment everything: the reference's records, in every output form and with every model."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo import rle
from modelzoo.automatic import AutomaticMaskGenerator, best_batch
from modelzoo.filtering import mask_box, remove_small_regions, with_margin
from modelzoo.model.compact import anymask_compact
from modelzoo.predictor import Predictor
from tests.modelzoo.reference import golden_json

FILES = ("amg_crop0", "amg_crop1", "amg_crop0_minarea", "amg_crop1_minarea")
FIELDS = {"segmentation", "area", "bbox", "predicted_iou", "point_coords", "stability_score", "crop_box"}
EVERYTHING = {"points_per_side": 4, "pred_iou_thresh": 0.0, "stability_score_thresh": 0.0}


@pytest.fixture(scope="module")
def image(golden):
    return golden["img0.pixels"]


@pytest.mark.parametrize("name", FILES)
def test_records_of_the_reference(predictor, image, name, parity):
    recorded = golden_json(name)
    records = AutomaticMaskGenerator(predictor, **recorded["settings"]).generate(image)
    assert len(records) == recorded["n_records"] == len(recorded["records"])
    different = 0
    for ours, reference in zip(records, recorded["records"], strict=True):
        assert set(ours) == set(reference) == FIELDS
        assert ours["point_coords"] == reference["point_coords"]
        assert ours["bbox"] == reference["bbox"]
        assert ours["crop_box"] == reference["crop_box"]
        parity("AMG predicted_iou", abs(ours["predicted_iou"] - reference["predicted_iou"]), 1e-5)
        parity("AMG stability_score", abs(ours["stability_score"] - reference["stability_score"]), 1e-3)
        pixels = np.count_nonzero(rle.decode(ours["segmentation"]) != rle.decode(reference["segmentation"]))
        parity("AMG mask pixels different, per record", pixels, 2)
        different += pixels > 0
        assert abs(ours["area"] - reference["area"]) <= pixels
    parity("AMG share of records with another RLE", different / len(records), 0.1)


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_the_batch_size_changes_nothing(predictor, image, batch):
    settings = golden_json("amg_crop0")["settings"]
    usual = AutomaticMaskGenerator(predictor, **settings).generate(image)
    other = AutomaticMaskGenerator(predictor, **{**settings, "points_per_batch": batch}).generate(image)
    assert [record["point_coords"] for record in other] == [record["point_coords"] for record in usual]
    assert [record["bbox"] for record in other] == [record["bbox"] for record in usual]


def test_larger_maps_are_decoded_fewer_at_a_time():
    cpu = torch.device("cpu")
    sizes = [best_batch({"map": torch.empty(1, 8, side, side)}, cpu) for side in (10, 400, 700, 1000, 4000)]
    assert sizes == sorted(sizes, reverse=True)
    assert (sizes[0], sizes[-1]) == (16, 1)
    assert best_batch({"map": torch.empty(1, 256, 64, 64)}, cpu) == 4  # SAM


def test_output_modes_are_the_same_masks(predictor, image):
    settings = golden_json("amg_crop0")["settings"]
    forms = {
        mode: AutomaticMaskGenerator(predictor, **{**settings, "output_mode": mode}).generate(image)
        for mode in ("coco_rle", "uncompressed_rle", "binary_mask")
    }
    for coco, plain, binary in zip(*forms.values(), strict=True):
        mask = binary["segmentation"]
        assert mask.dtype == bool
        assert mask.shape == image.shape[:2]
        assert mask.sum() == binary["area"]
        assert rle.encode(mask) == coco["segmentation"]
        assert rle.validate(plain["segmentation"], *mask.shape) == coco["segmentation"]
    json.dumps(forms["coco_rle"] + forms["uncompressed_rle"], allow_nan=False)


def test_progress_rises_to_one_and_may_stop_the_work(predictor, image):
    seen = []
    generator = AutomaticMaskGenerator(predictor, points_per_side=4, points_per_batch=5, crop_n_layers=1)
    generator.generate(image, progress=seen.append)
    assert seen == sorted(seen)
    assert seen[-1] == 1.0

    def stop(fraction):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        generator.generate(image, progress=stop)


@pytest.mark.parametrize("layers", [0, 1])
def test_nothing_confident_gives_no_records(predictor, image, layers):
    """The reference raises here when it has crops."""
    generator = AutomaticMaskGenerator(predictor, points_per_side=2, pred_iou_thresh=5.0, crop_n_layers=layers)
    assert generator.generate(image) == []


@pytest.mark.parametrize("size", [(1, 1), (3, 90), (7, 5)])
def test_tiny_images(predictor, size):
    picture = np.random.default_rng(0).integers(0, 255, (*size, 3), dtype=np.uint8)
    generator = AutomaticMaskGenerator(predictor, **EVERYTHING, crop_n_layers=2, min_mask_region_area=4)
    for record in generator.generate(picture):
        assert record["segmentation"]["size"] == list(size)
        json.dumps(record, allow_nan=False)


def test_own_point_grids(predictor, image):
    grid = np.array([[0.25, 0.5], [0.75, 0.5]])
    generator = AutomaticMaskGenerator(
        predictor, points_per_side=None, point_grids=[grid], pred_iou_thresh=0.0, stability_score_thresh=0.0
    )
    points = {tuple(record["point_coords"][0]) for record in generator.generate(image)}
    assert points
    assert points <= {(75.0, 100.0), (225.0, 100.0)}


@pytest.mark.parametrize(
    "impossible",
    [
        {"points_per_side": None},
        {"point_grids": [np.zeros((1, 2))]},
        {"output_mode": "png"},
        {"points_per_batch": 0},
        {"points_per_side": None, "point_grids": [np.zeros((1, 2))], "crop_n_layers": 1},
        {"points_per_side": 2, "crop_n_layers": 2, "crop_n_points_downscale_factor": 2},
    ],
)
def test_impossible_settings_are_refused_at_once(predictor, impossible):
    with pytest.raises(ValueError):
        AutomaticMaskGenerator(predictor, **impossible)


@pytest.mark.parametrize("size", [(60, 130), (130, 60)])
def test_the_compact_model_segments_everything(size):
    """Its frames are not square; the weights are fresh, so only the form of the records is known."""
    predictor = Predictor(anymask_compact())
    picture = np.random.default_rng(1).integers(0, 255, (*size, 3), dtype=np.uint8)
    records = AutomaticMaskGenerator(predictor, **EVERYTHING, crop_n_layers=1, box_nms_thresh=1.0).generate(picture)
    assert records
    for record in records:
        assert set(record) == FIELDS
        x, y, width, height = record["bbox"]
        assert 0 <= x <= x + width < size[1]
        assert 0 <= y <= y + height < size[0]
        mask = rle.decode(record["segmentation"])
        assert mask.shape == size
        assert mask.sum() == record["area"]


def test_records_are_what_the_predictor_says_at_their_points(predictor, image):
    """Each full-image record is one of the three masks of a single click at its point, pixel for pixel."""
    embedding = predictor.encode(image)
    for record in AutomaticMaskGenerator(predictor, **golden_json("amg_crop0")["settings"]).generate(image):
        prediction = predictor.decode(embedding, points=np.array(record["point_coords"]), labels=np.array([1]))
        mask = rle.decode(record["segmentation"])
        assert min(np.count_nonzero(candidate != mask) for candidate in prediction.masks) <= 2


@given(st.tuples(st.integers(2, 40), st.integers(2, 40)), st.integers(1, 60), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_small_regions_are_those_of_the_whole_image(size, area, seed):
    """They are looked for near the mask only; what hangs together further out is never taken for a hole."""
    random = np.random.default_rng(seed)
    whole = random.random(size) < random.uniform(0.02, 0.9)
    whole[random.integers(size[0]), random.integers(size[1])] = True
    x0, y0, x1, y1 = mask_box(whole)
    y, x, mask = with_margin(y0, x0, whole[y0 : y1 + 1, x0 : x1 + 1], area, size)
    expected, _ = remove_small_regions(whole, area, "holes")
    expected, _ = remove_small_regions(expected, area, "islands")
    mask, _ = remove_small_regions(mask, area, "holes")
    mask, _ = remove_small_regions(mask, area, "islands")
    drawn = np.zeros(size, bool)
    drawn[y : y + mask.shape[0], x : x + mask.shape[1]] = mask
    assert np.array_equal(drawn, expected)
