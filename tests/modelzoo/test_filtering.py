"""Helpers of "segment everything": the reference's known answers, exactly, and the edges of each."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo import rle
from modelzoo.filtering import (
    Enlarger,
    crop_boxes,
    layer_grids,
    mask_box,
    near_crop_edge,
    non_maximum_suppression,
    point_grid,
    remove_small_regions,
    stability_score,
)
from modelzoo.geometry import Frame, preprocess_shape, upscale_logits
from tests.modelzoo.reference import golden_json

KNOWN = golden_json("amg_utils")


def drawn(rows):
    return np.array([[pixel == "#" for pixel in row] for row in rows])


@pytest.mark.parametrize("side", KNOWN["point_grid"])
def test_point_grid(side):
    assert np.allclose(point_grid(int(side)), KNOWN["point_grid"][side], atol=1e-6, rtol=0)


@pytest.mark.parametrize("case", KNOWN["layer_grid_sizes"])
def test_layer_grids(case):
    grids = layer_grids(case["n_per_side"], case["n_layers"], case["scale"])
    assert [len(grid) for grid in grids] == case["sizes"]


@pytest.mark.parametrize("case", KNOWN["crop_boxes"])
def test_crop_boxes(case):
    boxes, layers = crop_boxes(tuple(case["size_hw"]), case["n_layers"], case["overlap_ratio"])
    assert [list(box) for box in boxes] == case["boxes_xyxy"]
    assert layers == case["layers"]


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 3), st.floats(0, 0.9))
@settings(max_examples=100, deadline=None)
def test_every_crop_has_pixels_and_every_layer_covers_the_image(height, width, layers, overlap):
    boxes, layer_of = crop_boxes((height, width), layers, overlap)
    for layer in range(layers + 1):
        seen = np.zeros((height, width), bool)
        for (x0, y0, x1, y1), own in zip(boxes, layer_of, strict=True):
            assert 0 <= x0 < x1 <= width
            assert 0 <= y0 < y1 <= height
            if own == layer:
                seen[y0:y1, x0:x1] = True
        assert seen.all()


def test_masks_boxes_and_run_lengths():
    small = KNOWN["rle_small"]
    y, x = np.mgrid[:130, :97]
    big = [(y - 60) ** 2 + (x - 50) ** 2 < 40**2, (y // 9 + x // 13) % 3 == 0]
    cases = [
        *zip([np.array(mask, bool) for mask in small["masks"]], small["expected"], strict=True),
        *zip(big, KNOWN["rle_big"]["expected"], strict=True),
    ]
    for mask, expected in cases:
        coded = rle.encode(mask)
        assert coded["counts"] == expected["coco"]
        assert rle.runs(coded).tolist() == expected["counts"]
        assert rle.area(coded) == expected["area"]
        assert list(mask_box(mask)) == expected["box_xyxy"]
        assert np.array_equal(rle.decode(coded), mask)


def test_stability_score():
    case = KNOWN["stability"]
    scores = stability_score(np.array(case["logits"], np.float32), case["mask_threshold"], case["offset"])
    expected = np.array([np.nan if value is None else value for value in case["expected"]])
    assert np.allclose(scores, expected, atol=1e-6, rtol=0, equal_nan=True)


@pytest.mark.parametrize("case", KNOWN["nms"])
def test_non_maximum_suppression(case):
    assert non_maximum_suppression(case["boxes_xyxy"], case["scores"], case["iou_threshold"]) == case["keep"]


def test_suppression_of_nothing_is_nothing():
    assert non_maximum_suppression([], [], 0.7) == []


def test_near_crop_edge():
    case = KNOWN["near_crop_edge"]
    x0, y0, width, height = case["orig_box"]
    size = (height - y0, width - x0)
    boxes = case["boxes_in_crop_frame"]
    assert near_crop_edge(boxes, tuple(case["crop_box"]), size, case["atol"]).tolist() == case["expected"]
    whole = near_crop_edge(boxes, tuple(case["orig_box"]), size, case["atol"])
    assert whole.tolist() == case["full_image_expected"]


@pytest.mark.parametrize("case", KNOWN["small_regions"])
def test_small_regions(case):
    mask, changed = remove_small_regions(drawn(case["mask"]), case["area_threshold"], case["mode"])
    assert changed is case["changed"]
    assert np.array_equal(mask, drawn(case["result"]))


def test_an_empty_mask_has_no_regions():
    empty = np.zeros((5, 7), bool)
    mask, changed = remove_small_regions(empty, 10, "islands")
    assert not changed
    assert not mask.any()


@given(
    st.tuples(st.integers(3, 80), st.integers(3, 80)), st.sampled_from([32, 64]), st.floats(-3, 8), st.integers(0, 999)
)
@settings(max_examples=100, deadline=None)
def test_the_window_holds_every_pixel_above_the_level(size, long_side, height_of_bump, seed):
    """Looking only inside the window loses nothing: same pixels above the level, same logits."""
    frame = Frame(size, preprocess_shape(*size, long_side), (long_side, long_side))
    side = long_side // 4
    rng = np.random.default_rng(seed)
    logits = rng.normal(-4, 1, (side, side)).astype(np.float32)
    y, x = rng.integers(0, side, 2)
    logits[y : y + 3, x : x + 3] += np.float32(height_of_bump)
    y, x, patch = Enlarger((side, side), frame).window(logits, -1.0)
    full = upscale_logits(logits, frame)
    inside = np.zeros(size, bool)
    inside[y : y + patch.shape[0], x : x + patch.shape[1]] = True
    assert not (full > -1.0)[~inside].any()
    assert np.allclose(patch, full[y : y + patch.shape[0], x : x + patch.shape[1]], atol=1e-5)


@given(st.tuples(st.integers(3, 150), st.integers(3, 150)), st.floats(-2, 4), st.integers(0, 999))
@settings(max_examples=60, deadline=None)
def test_a_view_judges_and_draws_as_the_whole_picture_would(size, height_of_bump, seed):
    """Strip by strip: stability, box and pixels of the mask that full-size logits give."""
    frame = Frame(size, preprocess_shape(*size, 64), (64, 64))
    rng = np.random.default_rng(seed)
    logits = rng.normal(-3, 1, (16, 16)).astype(np.float32)
    y, x = rng.integers(0, 16, 2)
    logits[y : y + 4, x : x + 4] += np.float32(height_of_bump + 3)
    full = upscale_logits(logits, frame)
    if np.abs(full[..., None] - np.array([-1, 0, 1])).min() < 1e-5:
        return  # rounding may decide
    view = Enlarger((16, 16), frame).view(logits, -1.0)
    if view is None:
        assert not (full > -1.0).any()
        return
    logits[:] = 9  # a view keeps what it needs
    stability, box = view.judged(0.0, 1.0)
    assert np.array_equal(stability, stability_score(full, 0.0, 1.0), equal_nan=True)
    assert (box or (0, 0, 0, 0)) == mask_box(full > 0)
    mask = np.zeros(size, bool)
    mask[view.rows, view.columns] = view.drawn(0.0)
    assert np.array_equal(mask, full > 0)


def test_nothing_above_the_level_gives_an_empty_window():
    frame = Frame((20, 30), (43, 64), (64, 64))
    _, _, patch = Enlarger((16, 16), frame).window(np.full((16, 16), -9, np.float32), -1.0)
    assert patch.size == 0
    below_the_picture = np.full((16, 16), -9, np.float32)
    below_the_picture[14:] = 5  # in the padding only: no pixel of the picture sees it
    _, _, patch = Enlarger((16, 16), frame).window(below_the_picture, -1.0)
    assert patch.size == 0
