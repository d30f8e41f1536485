"""The gate promotes what is better, refuses what is worse, uncertain, or judged on too little, and always says why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.gate import Rules, bootstrap_mean, judge


def rows(scores: np.ndarray, box: np.ndarray | None = None) -> list[dict]:
    """Evaluation rows whose clicks 1, 3 and 5 give ``scores``; the box gives ``box`` or the same."""
    box = scores if box is None else box
    return [
        {"id": f"mask-{i}", "iou": [float(s)] * 5, "iou_box": float(b)}
        for i, (s, b) in enumerate(zip(scores, box, strict=True))
    ]


@pytest.fixture
def base() -> np.ndarray:
    return np.random.default_rng(1).uniform(0.4, 0.8, 60)


def test_a_better_candidate_is_promoted_with_numbers(base):
    verdict = judge(rows(base), rows(base + 0.05 + np.random.default_rng(2).normal(0, 0.03, 60)))
    assert verdict.promote
    assert verdict.code == "better"
    assert verdict.numbers["combined"]["mean"] == pytest.approx(0.05, abs=0.02)
    assert verdict.numbers["combined"]["low"] > 0
    assert "60 held-out masks" in verdict.reason
    assert verdict.reason.startswith("Promoted: mean IoU 0.")


def test_a_worse_candidate_is_refused(base):
    verdict = judge(rows(base), rows(base - 0.05))
    assert not verdict.promote
    assert verdict.code == "worse"
    assert "worse" in verdict.reason


def test_the_same_model_is_not_better_than_itself(base):
    verdict = judge(rows(base), rows(base))
    assert (verdict.promote, verdict.code) == (False, "not_better")
    assert verdict.numbers["combined"]["low"] == verdict.numbers["combined"]["high"] == 0


def test_a_gain_that_may_be_chance_is_refused(base):
    noise = np.random.default_rng(3).normal(0, 0.25, 60)
    verdict = judge(rows(base), rows(base + noise - noise.mean() + 0.02))
    assert (verdict.promote, verdict.code) == (False, "uncertain")
    assert "chance" in verdict.reason


def test_too_few_masks_are_refused_whatever_they_say():
    verdict = judge(rows(np.full(4, 0.2)), rows(np.full(4, 0.9)))
    assert (verdict.promote, verdict.code) == (False, "too_few_masks")
    assert "4 held-out masks" in verdict.reason


def test_better_on_the_whole_but_worse_with_a_box_is_refused(base):
    verdict = judge(rows(base), rows(base + 0.1, box=base - 0.1))
    assert (verdict.promote, verdict.code) == (False, "worse_somewhere")
    assert "with a box" in verdict.reason


def test_better_on_the_whole_but_worse_in_one_stage_is_refused(base):
    change = np.full(60, 0.1)
    change[:15] = -0.1
    stages = {f"mask-{i}": "semi_automatic" if i < 15 else "assisted" for i in range(60)}
    verdict = judge(rows(base), rows(base + change), stages=stages)
    assert (verdict.promote, verdict.code) == (False, "worse_somewhere")
    assert "semi-automatic" in verdict.reason


def test_masks_of_one_image_count_as_one_witness(base):
    """Ten masks on each of ten images that move together: resampling masks would be far too sure."""
    shift = np.repeat(np.random.default_rng(5).normal(0.02, 0.06, 10), 10)
    start = np.full(100, 0.5)
    images = {f"mask-{i}": i // 10 for i in range(100)}
    alone = judge(rows(start), rows(start + shift)).numbers["combined"]
    grouped = judge(rows(start), rows(start + shift), images=images).numbers
    assert grouped["resampled"] == "images"
    assert grouped["combined"]["high"] - grouped["combined"]["low"] > 2 * (alone["high"] - alone["low"])


def test_a_model_that_needed_fewer_clicks_keeps_its_last_score():
    early = [{"id": str(i), "iou": [0.95], "iou_box": 0.95} for i in range(20)]
    full = [{"id": str(i), "iou": [0.5, 0.6, 0.7, 0.7, 0.7], "iou_box": 0.7} for i in range(20)]
    assert judge(full, early).promote


def test_different_masks_cannot_be_compared(base):
    with pytest.raises(ValueError, match="same masks"):
        judge(rows(base), rows(base[:-1]))


QUICK = Rules(resamples=200)
DIFFERENCES = st.lists(st.floats(-1, 1, allow_nan=False, width=32), min_size=1, max_size=50)


@settings(max_examples=60, deadline=None)
@given(DIFFERENCES)
def test_the_interval_lies_within_the_values_and_is_repeatable(values):
    array = np.array(values, dtype=np.float64)
    low, high = bootstrap_mean(array, None, QUICK)
    assert array.min() - 1e-9 <= low <= high <= array.max() + 1e-9
    assert (low, high) == bootstrap_mean(array, None, QUICK)


@settings(max_examples=60, deadline=None)
@given(DIFFERENCES, st.floats(-1, 1, allow_nan=False, width=32))
def test_a_shift_of_all_values_shifts_the_interval(values, shift):
    array = np.array(values, dtype=np.float64)
    low, high = bootstrap_mean(array, None, QUICK)
    moved_low, moved_high = bootstrap_mean(array + shift, None, QUICK)
    assert moved_low == pytest.approx(low + shift, abs=1e-9)
    assert moved_high == pytest.approx(high + shift, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(DIFFERENCES)
def test_one_group_per_value_is_the_same_as_no_groups(values):
    array = np.array(values, dtype=np.float64)
    names = [f"{i:04d}" for i in range(len(array))]
    assert bootstrap_mean(array, names, QUICK) == pytest.approx(bootstrap_mean(array, None, QUICK))


def test_equal_models_with_noise_are_rarely_promoted():
    """The false promotion rate over many pairs of equally good models stays small."""
    rng = np.random.default_rng(11)
    promoted = 0
    for _ in range(100):
        start = rng.uniform(0.4, 0.8, 40)
        promoted += judge(rows(start), rows(start + rng.normal(0, 0.1, 40)), rules=QUICK).promote
    assert promoted <= 12
