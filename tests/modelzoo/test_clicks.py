"""Where the simulated person clicks."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from modelzoo.training import clicks

masks = arrays.arrays(bool, st.tuples(st.integers(1, 24), st.integers(1, 24)))
pairs = st.tuples(st.integers(1, 20), st.integers(1, 20)).flatmap(
    lambda size: st.tuples(arrays.arrays(bool, size), arrays.arrays(bool, size))
)


@given(masks)
def test_the_innermost_point_is_the_maximum_of_the_distance_transform(mask):
    x, y, depth = clicks.deepest(mask)
    whole = ndimage.distance_transform_edt(np.pad(mask, 1))[1:-1, 1:-1]
    assert depth == pytest.approx(whole.max())
    if mask.any():
        assert whole[y, x] == pytest.approx(whole.max())


@given(pairs, st.sampled_from(["centre", "uniform"]))
def test_a_correction_falls_on_an_error_and_says_which_kind(pair, rule):
    target, predicted = pair
    click = clicks.corrective_click(target, predicted, rule, np.random.default_rng(0))
    if (target == predicted).all():
        assert click is None
        return
    x, y, label = click
    assert target[y, x] != predicted[y, x]
    assert label == int(target[y, x])


def test_the_thicker_error_is_corrected_first():
    target, predicted = np.zeros((40, 40), bool), np.zeros((40, 40), bool)
    target[5:25, 5:25] = True  # missed, 20 thick
    predicted[30:35, 5:40] = True  # extra, 5 thick
    x, y, label = clicks.corrective_click(target, predicted, "centre", np.random.default_rng(0))
    assert label == 1
    assert target[y, x]
    predicted |= target
    assert clicks.corrective_click(target, predicted, "centre", np.random.default_rng(0))[2] == 0


@given(masks.filter(lambda mask: mask.any()), st.integers(0, 2**32 - 1))
def test_a_noisy_box_stays_in_the_picture_and_near_the_object(mask, seed):
    tight = clicks.tight_box(mask)
    box = clicks.noisy_box(mask, np.random.default_rng(seed), share=0.1)
    height, width = mask.shape
    assert 0 <= box[0] <= box[2] <= width
    assert 0 <= box[1] <= box[3] <= height
    reach = 0.1 * max(tight[2] - tight[0], tight[3] - tight[1]) + 1e-9
    assert all(abs(moved - side) <= reach for moved, side in zip(box, tight, strict=True))


def test_the_same_seed_gives_the_same_click():
    mask = np.random.default_rng(1).random((30, 30)) > 0.5
    first, second = (clicks.first_click(mask, "uniform", np.random.default_rng(7)) for _ in range(2))
    assert first == second
