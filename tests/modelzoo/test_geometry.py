"""Frames and resizing: the same as torch, and there and back again."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo.geometry import Frame, preprocess_shape, resize_bilinear, upscale_logits, upscale_masks, upscale_matrices
from tests.modelzoo.reference import golden_json

sides = st.integers(1, 96)
sizes = st.tuples(sides, sides)


def torch_resize(array, size):
    return torch.nn.functional.interpolate(torch.from_numpy(array)[None], size, mode="bilinear", align_corners=False)[
        0
    ].numpy()


def frame_of(size, long_side=64, multiple=None):
    inside = preprocess_shape(*size, long_side)
    padded = (long_side, long_side) if multiple is None else tuple(-(-side // multiple) * multiple for side in inside)
    return Frame(size, inside, padded)


@given(sizes, sizes, st.integers(0, 2**32 - 1))
@settings(max_examples=100, deadline=None)
def test_resize_equals_torch(before, after, seed):
    array = np.random.default_rng(seed).normal(size=(2, *before)).astype(np.float32) * 5
    resized = resize_bilinear(array, after)
    assert resized.shape == (2, *after)
    assert resized.dtype == np.float32
    assert np.abs(resized - torch_resize(array, after)).max() <= 1e-4


@pytest.mark.parametrize(("before", "after"), [(256, 1024), (1024, 2250), (682, 1500), (64, 256), (1024, 301)])
def test_resize_equals_torch_at_real_sizes(parity, before, after):
    array = np.random.default_rng(before).normal(size=(1, before, 40)).astype(np.float32) * 10
    parity(
        "geometry.resize_bilinear",
        np.abs(resize_bilinear(array, (after, 64)) - torch_resize(array, (after, 64))).max(),
        2e-5,
    )


def test_resize_to_the_same_size_changes_nothing():
    array = np.random.default_rng(0).normal(size=(3, 17, 5)).astype(np.float32)
    assert np.array_equal(resize_bilinear(array, (17, 5)), array)


def test_resize_takes_bytes_and_refuses_nonsense():
    assert resize_bilinear(np.full((4, 4), 7, np.uint8), (9, 2)).dtype == np.float32
    with pytest.raises(ValueError, match="at least one pixel"):
        resize_bilinear(np.zeros((4, 4)), (0, 3))
    with pytest.raises(ValueError, match="shape"):
        resize_bilinear(np.zeros(4), (2, 3))


@given(sizes, st.sampled_from([None, 8, 16]), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_upscaling_is_two_steps_with_a_cut_between(size, multiple, seed):
    frame = frame_of(size, multiple=multiple)
    low = tuple(side // 4 for side in frame.padded_size)
    logits = np.random.default_rng(seed).normal(size=(3, *low)).astype(np.float32) * 5
    padded = torch_resize(logits, frame.padded_size)
    expected = torch_resize(padded[:, : frame.input_size[0], : frame.input_size[1]].copy(), frame.original_size)
    result = upscale_logits(logits, frame)
    assert result.shape == (3, *size)
    assert np.abs(result - expected).max() <= 2e-4


@given(sizes, st.sampled_from([None, 8, 16]), st.sampled_from([-1.0, 0.0, 1.5]), st.integers(0, 2**32 - 1))
@settings(max_examples=60, deadline=None)
def test_masks_are_the_thresholded_logits(size, multiple, threshold, seed):
    frame = frame_of(size, multiple=multiple)
    random = np.random.default_rng(seed)
    logits = random.normal(size=(3, *(side // 4 for side in frame.padded_size))).astype(np.float32) * 5
    logits[0, random.integers(logits.shape[1]) :] = -9  # bands that see nothing
    logits[1] = -9
    full, masks = upscale_logits(logits, frame), upscale_masks(logits, frame, threshold)
    assert masks.shape == full.shape
    assert masks.dtype == bool
    sure = np.abs(full - threshold) > 1e-4
    assert np.array_equal(masks[sure], (full > threshold)[sure])
    assert np.array_equal(upscale_masks(logits[0], frame, threshold), masks[0])


def test_upscaling_matrices_never_rise_above_their_input():
    rows, columns = upscale_matrices((64, 64), frame_of((200, 300), 256))
    for matrix in (rows, columns):
        assert matrix.min() >= 0
        assert np.abs(matrix.sum(axis=1) - 1).max() < 1e-6


@given(sizes, st.lists(st.tuples(st.floats(-5, 100), st.floats(-5, 100)), min_size=1, max_size=5))
@settings(max_examples=100, deadline=None)
def test_coordinates_go_there_and_back(size, points):
    frame = frame_of(size)
    assert np.allclose(frame.to_original(frame.to_input(points)), points, atol=1e-9)
    corners = frame.to_input([[0, 0], [size[1], size[0]]])
    assert np.allclose(corners, [[0, 0], [frame.input_size[1], frame.input_size[0]]])


@given(sizes)
@settings(max_examples=100, deadline=None)
def test_the_long_side_is_reached_and_the_frame_survives_json(size):
    frame = frame_of(size)
    assert max(frame.input_size) == 64
    assert Frame.from_dict(frame.as_dict()) == frame


def test_boxes_are_two_points():
    frame = frame_of((200, 300), 256)
    box = frame.box_to_input([10, 20, 30, 40])
    assert np.array_equal(box, frame.to_input([[10, 20], [30, 40]]).reshape(4))
    assert frame.box_to_input(np.zeros((5, 4))).shape == (5, 4)


def test_resize_shapes_of_the_reference():
    """Except that the reference lets a side become 0, which nothing can be resized to."""
    for case in golden_json("amg_utils")["resize_longest_side"]:
        assert list(preprocess_shape(*case["size_hw"], case["target"])) == [max(1, side) for side in case["result_hw"]]


def test_coordinates_of_the_reference():
    case = golden_json("amg_utils")["apply_coords"]
    size, target = tuple(case["size_hw"]), case["target"]
    frame = Frame(size, preprocess_shape(*size, target), (target, target))
    assert np.array_equal(frame.to_input(case["coords"]), np.array(case["result"]))


@pytest.mark.parametrize("sizes", [((0, 5), (4, 4), (4, 4)), ((5, 5), (8, 4), (4, 4))])
def test_an_impossible_frame_is_refused(sizes):
    with pytest.raises(ValueError):
        Frame(*sizes)


def test_a_sliver_keeps_one_pixel():
    assert preprocess_shape(1, 5000, 256) == (1, 256)
    with pytest.raises(ValueError):
        preprocess_shape(0, 10, 256)
