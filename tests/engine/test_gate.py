"""The gate promotes what is better, refuses what is worse, uncertain, or judged on too little, and always says why."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from engine.gate import Rules, judge
from engine.paired import Resampling, compare_means, place_of


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
    places = {f"mask-{i}": place_of(None, i // 10) for i in range(100)}
    alone = judge(rows(start), rows(start + shift)).numbers["combined"]
    grouped = judge(rows(start), rows(start + shift), places=places).numbers
    assert grouped["resampled"] == "images"
    assert grouped["combined"]["high"] - grouped["combined"]["low"] > 2 * (alone["high"] - alone["low"])


def test_frames_of_one_video_count_as_one_witness_where_there_are_enough_videos():
    """Ten videos of ten frames, whose gain moves together: frames would be far too sure."""
    shift = np.repeat(np.random.default_rng(5).normal(0.02, 0.06, 10), 10)
    start = np.full(100, 0.5)
    many = {f"mask-{i}": place_of(i // 10, i) for i in range(100)}
    two = {f"mask-{i}": place_of(i // 50, i) for i in range(100)}
    apart = {f"mask-{i}": place_of(None, i) for i in range(100)}
    by_video, by_frame, alone = (
        judge(rows(start), rows(start + shift), places=places).numbers for places in (many, two, apart)
    )
    assert [one["resampled"] for one in (by_video, by_frame, alone)] == ["videos", "images", "images"]
    assert [one["images"] for one in (by_video, by_frame, alone)] == [100, 100, 100]
    wide, narrow = (one["combined"]["high"] - one["combined"]["low"] for one in (by_video, by_frame))
    assert wide > 2 * narrow
    assert by_frame["combined"] == alone["combined"]


def test_a_category_on_one_image_is_not_worse_by_chance(base):
    """One image drawn anew is always the same image: its interval had no width, and chance was a refusal."""
    chance = np.random.default_rng(7).normal(0, 0.15, 60)
    chance[:8] += -0.04 - chance[:8].mean()
    chance[8:] += 0.05 - chance[8:].mean()
    places = {f"mask-{i}": place_of(None, 0 if i < 8 else i) for i in range(60)}
    names = {f"mask-{i}": "egg" if i < 8 else "stone" for i in range(60)}
    verdict = judge(rows(base), rows(base + chance), places=places, categories=names)
    egg = verdict.numbers["groups"]["category"]["egg"]["combined"]
    assert egg["mean"] == pytest.approx(-0.04)
    assert egg["low"] < egg["mean"] < egg["high"]
    assert verdict.promote, verdict.reason


def test_a_model_that_needed_fewer_clicks_keeps_its_last_score():
    early = [{"id": str(i), "iou": [0.95], "iou_box": 0.95} for i in range(20)]
    full = [{"id": str(i), "iou": [0.5, 0.6, 0.7, 0.7, 0.7], "iou_box": 0.7} for i in range(20)]
    assert judge(full, early).promote


def test_different_masks_cannot_be_compared(base):
    with pytest.raises(ValueError, match="same masks"):
        judge(rows(base), rows(base[:-1]))


QUICK = Rules(resamples=200)


def interval(values: np.ndarray, groups: list[object] | None = None) -> tuple[float, float]:
    """Of the mean difference, by 200 resamples."""
    found = compare_means(np.zeros(len(values)), values, Resampling(groups, len(values), 0.95, 200, 0))
    return found.low, found.high


DIFFERENCES = st.lists(st.floats(-1, 1, allow_nan=False, width=32), min_size=1, max_size=50)


@settings(max_examples=60, deadline=None)
@given(DIFFERENCES)
def test_the_interval_lies_within_the_values_and_is_repeatable(values):
    array = np.array(values, dtype=np.float64)
    low, high = interval(array)
    assert array.min() - 1e-9 <= low <= high <= array.max() + 1e-9
    assert (low, high) == interval(array)


@settings(max_examples=60, deadline=None)
@given(DIFFERENCES, st.floats(-1, 1, allow_nan=False, width=32))
def test_a_shift_of_all_values_shifts_the_interval(values, shift):
    array = np.array(values, dtype=np.float64)
    low, high = interval(array)
    moved_low, moved_high = interval(array + shift)
    assert moved_low == pytest.approx(low + shift, abs=1e-9)
    assert moved_high == pytest.approx(high + shift, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(DIFFERENCES)
def test_one_group_per_value_is_the_same_as_no_groups(values):
    array = np.array(values, dtype=np.float64)
    names = [f"{i:04d}" for i in range(len(array))]
    assert interval(array, names) == pytest.approx(interval(array))


def test_equal_models_with_noise_are_rarely_promoted():
    """The false promotion rate over many pairs of equally good models stays small."""
    rng = np.random.default_rng(11)
    promoted = 0
    for _ in range(100):
        start = rng.uniform(0.4, 0.8, 40)
        promoted += judge(rows(start), rows(start + rng.normal(0, 0.1, 40)), rules=QUICK).promote
    assert promoted <= 12


# --- Figures beside the score --------------------------------------------------------------------------------------


def full_rows(scores: np.ndarray, **changed) -> list[dict]:
    """Rows as an evaluation of today keeps them; ``changed`` replaces figures."""
    figures = {
        "boundary_1": 0.5,
        "boundary_5": 0.6,
        "boundary_box": 0.6,
        "noc85": 4,
        "noc90": 7,
        "predicted_iou": 0.7,
        "candidates": [[0.7, 0.7], [0.6, 0.6], [0.5, 0.5]],
    }
    return [row | figures | changed for row in rows(scores)]


def test_every_figure_is_compared_with_an_interval(base):
    verdict = judge(full_rows(base), full_rows(base + 0.05, boundary_5=0.65, noc90=6))
    figures = verdict.numbers["metrics"]
    assert set(figures) == {
        *("iou_1", "iou_3", "iou_5", "iou_box", "boundary_1", "boundary_5", "boundary_box", "noc85", "noc90"),
        "calibration",
    }
    assert figures["boundary_5"]["mean"] == pytest.approx(0.05)
    assert (figures["noc90"]["serving"], figures["noc90"]["candidate"], figures["noc90"]["mean"]) == (7, 6, -1)
    assert figures["noc90"]["low"] == figures["noc90"]["high"] == -1
    assert verdict.promote


@pytest.mark.parametrize(
    ("worse", "said"),
    [
        ({"boundary_box": 0.5}, "at the boundary with a box"),
        ({"noc90": 9}, "in clicks to 90 %"),
        ({"candidates": [[0.9, 0.6], [0.8, 0.5], [0.7, 0.4]]}, "in judging itself"),
    ],
)
def test_a_better_score_does_not_buy_a_clear_loss_elsewhere(base, worse, said):
    verdict = judge(full_rows(base), full_rows(base + 0.05, **worse))
    assert (verdict.promote, verdict.code) == (False, "worse_somewhere")
    assert verdict.numbers["worse"] == [said]


def test_a_handful_of_masks_is_not_enough_to_say_no_by_what_is_watched(base):
    worse = {"noc90": 9}
    assert judge(full_rows(base[:12]), full_rows(base[:12] + 0.05, **worse)).promote
    assert not judge(full_rows(base[:20]), full_rows(base[:20] + 0.05, **worse)).promote


def test_fewer_clicks_are_better_not_worse(base):
    assert judge(full_rows(base), full_rows(base + 0.05, noc85=2, noc90=3)).promote


def test_the_calibration_error_is_that_of_its_definition(base):
    """0.9 said and 0.6 true in one bin: 0.3; said and true agree on the other side: 0."""
    verdict = judge(full_rows(base), full_rows(base, candidates=[[0.95, 0.65]]))
    figure = verdict.numbers["metrics"]["calibration"]
    assert figure["serving"] == pytest.approx(0)
    assert figure["candidate"] == pytest.approx(0.3)


def test_rows_of_an_older_evaluation_are_judged_by_what_they_have(base):
    verdict = judge(rows(base), full_rows(base + 0.05))
    assert set(verdict.numbers["metrics"]) == {"iou_1", "iou_3", "iou_5", "iou_box"}
    assert verdict.promote


def test_stages_and_categories_are_told_apart(base):
    names = {f"mask-{i}": ("fig", "date", "")[i % 3] for i in range(60)}
    stages = {f"mask-{i}": "assisted" for i in range(60)}
    groups = judge(full_rows(base), full_rows(base + 0.05), categories=names, stages=stages).numbers["groups"]
    assert set(groups["category"]) == {"fig", "date"}
    assert groups["category"]["fig"]["combined"]["masks"] == 20
    assert groups["category"]["fig"]["metrics"]["noc90"]["serving"] == 7
    assert groups["stage"] == {}  # all masks are of one stage: that is the whole table again


def test_better_on_the_whole_but_worse_in_one_category_is_refused(base):
    change = np.full(60, 0.1)
    change[:15] = -0.1
    names = {f"mask-{i}": "hazelnut" if i < 15 else "date" for i in range(60)}
    verdict = judge(rows(base), rows(base + change), categories=names)
    assert (verdict.promote, verdict.code) == (False, "worse_somewhere")
    assert "on hazelnut" in verdict.reason


def test_small_groups_say_nothing(base):
    names = {f"mask-{i}": "rare" if i < 3 else "common" for i in range(60)}
    change = np.full(60, 0.1)
    change[:3] = -0.5
    assert judge(rows(base), rows(base + change), categories=names).promote


def test_with_many_categories_chance_alone_seldom_refuses():
    """Thirty categories that are all equally better: one that looks worse by chance must not stop the model."""
    rng = np.random.default_rng(17)
    refused = 0
    for _ in range(20):
        start = rng.uniform(0.4, 0.8, 300)
        names = {f"mask-{i}": f"kind {i % 30}" for i in range(300)}
        verdict = judge(rows(start), rows(start + rng.normal(0.03, 0.12, 300)), categories=names, rules=QUICK)
        refused += verdict.code == "worse_somewhere"
    assert refused <= 2
