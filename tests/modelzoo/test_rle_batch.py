"""Masks that are read together are those that are read one by one: the same result, or the same error."""

import random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from modelzoo import rle, rle_batch
from tests.modelzoo.test_rle import HOSTILE


def one_by_one(segmentations, height, width):
    found = []
    for one in segmentations:
        try:
            found.append(rle.examine(one, height, width))
        except rle.RLEError as problem:
            found.append((problem.code, str(problem)))
    return found


def together(segmentations, height, width):
    found = rle_batch.examine_all(segmentations, height, width)
    return [(one.code, str(one)) if isinstance(one, rle.RLEError) else one for one in found]


@given(st.tuples(st.integers(1, 12), st.integers(1, 12)).flatmap(lambda hw: st.lists(arrays(np.bool_, hw), min_size=1)))
@settings(max_examples=200, deadline=None)
def test_legal_masks_of_every_shape(masks):
    segmentations = [rle.encode(mask) for mask in masks]
    found = together(segmentations, *masks[0].shape)
    assert found == one_by_one(segmentations, *masks[0].shape)
    assert [one.area for one in found] == [int(mask.sum()) for mask in masks]


def test_hostile_ones_are_refused_and_their_neighbours_are_not(monkeypatch):
    """Nothing that is wrong with a mask reaches the one before or behind it."""
    good = [rle.encode(np.arange(20).reshape(4, 5) % number == 0) for number in (2, 3, 5, 7)]
    hostile = [segmentation for segmentation, _ in HOSTILE]
    mixed = [one for pair in zip(hostile, good * len(hostile), strict=False) for one in pair]
    assert together(mixed, 4, 5) == one_by_one(mixed, 4, 5)
    # None of the good ones was left to be read alone.
    alone = []
    monkeypatch.setattr(rle_batch, "examine", lambda *args: alone.append(args) or rle.examine(*args))
    together(mixed, 4, 5)
    assert not any(segmentation in good for segmentation, *_ in alone)


def test_mutated_texts_give_what_they_give_alone():
    rng = random.Random(29)
    texts = [rle.encode(np.random.default_rng(seed).random((23, 31)) > 0.7)["counts"] for seed in range(5)]
    segmentations = []
    for _ in range(6_000):
        text = list(rng.choice(texts))
        for _ in range(rng.randint(0, 3)):
            at = rng.randrange(len(text))
            match rng.randrange(5):
                case 0:
                    text[at] = chr(rng.randint(40, 120))
                case 1:
                    del text[at]
                case 2:
                    text.insert(at, chr(rng.randint(48, 111)))
                case 3:
                    text[at : at + 1] = [chr(ord(text[at]) | 0x20), rng.choice("0O")]  # the same number, told longer
                case _:
                    text = text[:at]
            text = text or ["0"]
        segmentations.append({"size": [23, 31], "counts": "".join(text)})
    expected = one_by_one(segmentations, 23, 31)
    assert together(segmentations, 23, 31) == expected
    legal = sum(isinstance(one, rle.Measured) for one in expected)
    assert 1_000 < legal < 5_000


@pytest.mark.parametrize("frame", [(0, 5), (1 << 15, 1 << 15)])
def test_a_frame_that_no_image_has_is_refused_for_each(frame):
    coded = {"size": list(frame), "counts": "0"}
    assert together([coded, coded], *frame) == one_by_one([coded, coded], *frame)


def test_more_text_than_is_read_at_once(monkeypatch):
    monkeypatch.setattr(rle_batch, "_BATCH_CHARACTERS", 40)
    segmentations = [rle.encode(np.random.default_rng(seed).random((9, 9)) > seed / 30) for seed in range(30)]
    assert together(segmentations, 9, 9) == one_by_one(segmentations, 9, 9)
