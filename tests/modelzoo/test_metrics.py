"""Boundary IoU, rank correlation, calibration and intervals, against values worked out by hand."""

import numpy as np
import pytest
from scipy import ndimage, stats

from modelzoo.training.metrics import (
    Bootstrap,
    boundary_band,
    boundary_iou,
    mask_iou,
    rank_correlation,
    reliability,
)


def square(top, left, side, size=(100, 100)):
    mask = np.zeros(size, bool)
    mask[top : top + side, left : left + side] = True
    return mask


def test_the_band_is_as_wide_as_two_percent_of_the_diagonal():
    mask = square(20, 20, 40)  # diagonal 141 pixels: 3 pixels
    assert boundary_band(mask).sum() == 40**2 - 34**2
    assert not boundary_band(mask)[23:57, 23:57].any()


def test_the_band_is_what_repeated_erosion_leaves():
    random = np.random.default_rng(4)
    mask = ndimage.gaussian_filter(random.normal(size=(90, 130)), 6) > 0
    eroded = ndimage.binary_erosion(mask, np.ones((3, 3)), iterations=3)  # round(0.02 * 158)
    assert np.array_equal(boundary_band(mask), mask & ~eroded)


def test_the_edge_of_the_picture_is_outline():
    assert boundary_band(np.ones((100, 100), bool)).sum() == 100**2 - 94**2


def test_a_small_shift_costs_the_boundary_more_than_the_mask():
    one, other = square(20, 20, 40), square(22, 20, 40)
    assert boundary_iou(one, other) < mask_iou(one, other) - 0.2
    assert boundary_iou(one, one) == 1.0
    assert boundary_iou(np.zeros_like(one), np.zeros_like(one)) == 1.0


def test_rank_correlation_is_spearmans_with_ties():
    random = np.random.default_rng(1)
    first = random.integers(0, 6, 80)
    second = first + random.integers(0, 8, 80)
    assert rank_correlation(first, second) == pytest.approx(stats.spearmanr(first, second).statistic)


def test_a_weight_of_two_is_the_same_pair_twice():
    first, second, weights = [1, 5, 3, 4], [2, 9, 7, 1], [2, 1, 1, 0]
    assert rank_correlation(first, second, weights) == pytest.approx(rank_correlation([1, 1, 5, 3], [2, 2, 9, 7]))


def test_nothing_can_be_ranked_where_all_is_equal():
    assert rank_correlation([0.5, 0.5], [0.1, 0.9]) is None


def test_calibration_error_is_the_mean_distance_of_the_bins():
    found = reliability([0.15, 0.15, 0.85, 0.85], [0.0, 0.1, 1.0, 0.7])
    assert found.counts.tolist() == [0, 2, 0, 0, 0, 0, 0, 0, 2, 0]
    assert found.true[1] == pytest.approx(0.05)
    assert found.calibration_error == pytest.approx((0.10 + 0.0) / 2)


def test_predictions_outside_of_0_to_1_are_cut():
    found = reliability([-0.2, 1.4], [0.0, 1.0])
    assert found.counts[[0, 9]].tolist() == [1, 1]
    assert found.calibration_error == 0.0


def test_masks_of_one_picture_do_not_make_an_interval_narrow():
    values = np.repeat([0.2, 0.8, 0.5, 0.4], 50)
    alone = Bootstrap([str(number) for number in range(200)]).mean(values)
    together = Bootstrap([str(number // 50) for number in range(200)]).mean(values)
    assert alone.value == together.value == pytest.approx(values.mean())
    assert together.high - together.low > 4 * (alone.high - alone.low)


def test_an_interval_holds_the_truth_about_as_often_as_it_says():
    random = np.random.default_rng(2)
    held = 0
    for trial in range(200):
        found = Bootstrap([str(number) for number in range(40)], seed=trial, resamples=300).mean(random.normal(size=40))
        held += found.low < 0 < found.high
    assert 175 <= held <= 199


def test_missing_values_do_not_count():
    found = Bootstrap(["a", "b", "c"]).mean([0.5, np.nan, 0.7])
    assert found.value == pytest.approx(0.6)
    assert found.count == 2
    assert Bootstrap(["a"]).mean([np.nan]) is None


def test_one_picture_gives_no_interval():
    bootstrap = Bootstrap(["a", "a", "b"])
    assert bootstrap.mean([0.2, 0.4, np.nan]).low is None
    assert bootstrap.mean([0.2, 0.4, 0.6]).low is not None
    assert bootstrap.statistic([0, 1], lambda weights: 0.5).high is None


def test_the_same_pictures_are_resampled_the_same_way():
    groups = ["a", "a", "b", "c"]
    first, second = Bootstrap(groups), Bootstrap(groups)
    assert np.array_equal(first.means([1, 2, 3, 4]), second.means([1, 2, 3, 4]))


def test_a_statistic_of_pairs_is_resampled_by_picture():
    bootstrap = Bootstrap(["a", "b", "c"])
    said, true = np.array([0.1, 0.2, 0.5, 0.6, 0.8, 0.9]), np.array([0.2, 0.1, 0.5, 0.4, 0.7, 0.9])
    found = bootstrap.statistic([0, 0, 1, 1, 2, 2], lambda weights: rank_correlation(said, true, weights))
    assert found.value == pytest.approx(stats.spearmanr(said, true).statistic)
    assert found.low <= found.value <= found.high
    assert found.count == 6
