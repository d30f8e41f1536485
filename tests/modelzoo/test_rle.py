"""The RLE codec: legal masks equal pycocotools, hostile ones are refused with a sentence and never crash."""

import json
import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as coco_mask  # noqa: TID251  the oracle this module is compared with

from modelzoo import rle

masks = st.tuples(st.integers(1, 40), st.integers(1, 40)).flatmap(lambda hw: arrays(np.bool_, hw))


@given(masks)
@settings(max_examples=300, deadline=None)
def test_legal_masks_equal_pycocotools(mask):
    coded = rle.encode(mask)
    oracle = coco_mask.encode(np.asfortranarray(mask.astype(np.uint8)))
    assert coded == {"size": list(mask.shape), "counts": oracle["counts"].decode()}
    assert rle.validate(coded, *mask.shape) == coded
    assert np.array_equal(rle.decode(coded), mask)
    assert rle.area(coded) == int(coco_mask.area(oracle)) == int(mask.sum())
    assert rle.bbox(coded) == [int(v) for v in coco_mask.toBbox(oracle)]


@given(masks)
@settings(max_examples=100, deadline=None)
def test_uncompressed_list_is_the_same_mask(mask):
    coded = rle.encode(mask)
    listed = {"size": coded["size"], "counts": rle.runs(coded).tolist()}
    assert rle.validate(listed, *mask.shape) == coded


@given(masks, st.data())
@settings(max_examples=100, deadline=None)
def test_zero_runs_are_made_canonical(mask, data):
    coded = rle.encode(mask)
    lengths = rle.runs(coded).tolist()
    at = data.draw(st.integers(0, len(lengths) - 1))
    cut = data.draw(st.integers(0, lengths[at]))
    split = [*lengths[:at], cut, 0, lengths[at] - cut, *lengths[at + 1 :]]
    if len(split) <= mask.size + 2:
        assert rle.validate({"size": coded["size"], "counts": split}, *mask.shape) == coded


@pytest.mark.parametrize("shape", [(1, 1), (1, 7), (7, 1), (300, 200)])
def test_full_and_empty(shape):
    full, empty = rle.encode(np.ones(shape, bool)), rle.encode(np.zeros(shape, bool))
    assert rle.bbox(full) == [0, 0, shape[1], shape[0]]
    assert rle.area(full) == shape[0] * shape[1]
    assert rle.bbox(empty) == [0, 0, 0, 0]
    assert rle.area(empty) == 0
    assert rle.iou(full, full) == 1.0
    assert rle.iou(empty, empty) == rle.iou(full, empty) == 0.0


def test_greyscale_masks_are_thresholded_not_garbled():
    soft = np.array([[0, 128, 255], [3, 0, 0]], np.uint8)
    assert np.array_equal(rle.decode(rle.encode(soft)), soft > 0)


def test_iou_agrees_with_arrays():
    rng = np.random.default_rng(3)
    a, b = rng.random((31, 17)) > 0.5, rng.random((31, 17)) > 0.4
    assert rle.iou(rle.encode(a), rle.encode(b)) == pytest.approx(rle.mask_iou(a, b))


HOSTILE = [
    (None, "rle_malformed"),
    ([], "rle_malformed"),
    ("52203", "rle_malformed"),
    ({}, "rle_malformed"),
    ({"size": [4, 5]}, "rle_malformed"),
    ({"size": [4, 5], "counts": None}, "rle_malformed"),
    ({"size": [4, 5], "counts": {}}, "rle_malformed"),
    ({"size": [4.0, 5.0], "counts": [20]}, "rle_malformed"),
    ({"size": [True, True], "counts": [1]}, "rle_malformed"),
    ({"size": ["4", "5"], "counts": [20]}, "rle_malformed"),
    ({"size": [4, 5, 1], "counts": [20]}, "rle_malformed"),
    ({"size": [5, 4], "counts": [20]}, "rle_size_mismatch"),
    ({"size": [0, 5], "counts": [0]}, "rle_size_mismatch"),
    ({"size": [2**32, 5], "counts": [20]}, "rle_size_mismatch"),
    ({"size": [10**5000, 5], "counts": [20]}, "rle_size_mismatch"),
    ({"size": [4, 5], "counts": ""}, "rle_sum"),
    ({"size": [4, 5], "counts": []}, "rle_run_range"),
    ({"size": [4, 5], "counts": "5"}, "rle_sum"),
    ({"size": [4, 5], "counts": [19]}, "rle_sum"),
    ({"size": [4, 5], "counts": [20, 1]}, "rle_sum"),
    ({"size": [4, 5], "counts": [3] * 4000}, "rle_run_range"),
    ({"size": [4, 5], "counts": [-1, 21]}, "rle_run_range"),
    ({"size": [4, 5], "counts": [2**32 + 20]}, "rle_run_range"),
    ({"size": [4, 5], "counts": [20.0]}, "rle_malformed"),
    ({"size": [4, 5], "counts": [True, 19]}, "rle_malformed"),
    ({"size": [4, 5], "counts": ["20"]}, "rle_malformed"),
    ({"size": [4, 5], "counts": [float("nan")]}, "rle_malformed"),
    ({"size": [4, 5], "counts": "d0P"}, "rle_truncated"),
    ({"size": [4, 5], "counts": "o" * 50}, "rle_truncated"),
    ({"size": [4, 5], "counts": "oooooooo0"}, "rle_run_range"),
    ({"size": [4, 5], "counts": "d0 "}, "rle_characters"),
    ({"size": [4, 5], "counts": "d0\x00"}, "rle_characters"),
    ({"size": [4, 5], "counts": "d0\udc80"}, "rle_characters"),
    ({"size": [4, 5], "counts": "ü"}, "rle_characters"),
    ({"size": [4, 5], "counts": "O"}, "rle_run_range"),  # minus one
]


@pytest.mark.parametrize(("segmentation", "code"), HOSTILE)
def test_hostile_masks_are_refused_with_a_sentence(segmentation, code):
    with pytest.raises(rle.RLEError) as caught:
        rle.validate(segmentation, 4, 5)
    assert caught.value.code == code
    assert str(caught.value).endswith(".")


@pytest.mark.parametrize("size", [[50_000, 50_000], [10**5, 10**5], [2**31, 2**31]])
def test_huge_frames_are_refused_before_memory_is_taken(size):
    with pytest.raises(rle.RLEError):
        rle.validate({"size": size, "counts": [size[0] * size[1]]}, *size)


def test_mutated_masks_never_crash_and_never_lie():
    """Whatever is accepted is a legal mask of the stated size; everything else is an RLEError."""
    rng = random.Random(17)
    array = np.random.default_rng(17).random((23, 31)) > 0.7
    good = rle.encode(array)
    accepted = 0
    for _ in range(20_000):
        text = list(good["counts"])
        for _ in range(rng.randint(1, 4)):
            at = rng.randrange(len(text))
            match rng.randrange(4):
                case 0:
                    text[at] = chr(rng.randint(40, 120))
                case 1:
                    del text[at]
                case 2:
                    text.insert(at, chr(rng.randint(48, 111)))
                case _:
                    text = text[:at]
            text = text or ["0"]
        try:
            checked = rle.validate({"size": [23, 31], "counts": "".join(text)}, 23, 31)
        except rle.RLEError:
            continue
        accepted += 1
        assert rle.decode(checked).shape == (23, 31)
        assert rle.area(checked) == int(rle.decode(checked).sum())
    assert accepted < 2_000


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.sampled_from(["size", "counts", "x"]), inner),
    max_leaves=12,
)


@given(json_values)
@settings(max_examples=400, deadline=None)
def test_any_json_is_a_mask_or_an_error(value):
    for call in (rle.validate, rle.from_polygons):
        try:
            result = call(value, 4, 5)
        except rle.RLEError:
            continue
        assert rle.decode(result).shape == (4, 5)


def test_polygons_equal_pycocotools():
    rings = [[1.5, 1, 10, 2, 8.25, 9, 2, 8], [12, 12, 19, 12, 15, 18]]
    oracle = coco_mask.merge(coco_mask.frPyObjects(rings, 20, 20))
    assert rle.from_polygons(rings, 20, 20) == {"size": [20, 20], "counts": oracle["counts"].decode()}


def test_polygon_just_outside_is_clipped():
    assert rle.area(rle.from_polygons([[-5, -5, 30, -5, 30, 30, -5, 30]], 20, 20)) == 400


@pytest.mark.parametrize(
    "polygons",
    [
        None,
        [],
        [[]],
        [[1, 2, 3, 4]],
        [[1, 2, 3, 4, 5, 6, 7]],
        [[1, 2, 3, 4, 5, float("nan")]],
        [[1, 2, 3, 4, 5, float("inf")]],
        [[1, 2, 3, 4, 5, None]],
        [[1, 2, 3, 4, 5, "6"]],
        [[1, 2, 3, 4, 5, True]],
        [[1, 2, 3, 4, 5, 10**400]],
        [[1, 2, 3, 4, 5, 1e9]],
        [[1, 2, 3, 4, 5, 61]],
        [[0, 0, 20, 20] * 60_000],
        [[0, 0, 20, 20, 0, 20]] * 2_001,
        [[[0, 0], [1, 1], [2, 2], [3, 3], [1, 2], [2, 1]]],
    ],
    ids=lambda value: json.dumps(value)[:40],
)
def test_hostile_polygons_are_refused(polygons):
    with pytest.raises(rle.RLEError) as caught:
        rle.from_polygons(polygons, 20, 20)
    assert caught.value.code == "polygon_invalid"


def test_very_long_outline_is_refused_quickly():
    zigzag = [v for i in range(50_000) for v in (float(i % 2) * 4000, float(i % 4000))]
    with pytest.raises(rle.RLEError):
        rle.from_polygons([zigzag], 4000, 4000)
