"""Gates of the automatic stage: fitted to what a model says of itself, so that what passes keeps a promise."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo import rle
from modelzoo.training import grid_gates
from modelzoo.training.data import load_picture, read_coco
from modelzoo.training.grid_gates import choose_gates, fit_gates
from tests.modelzoo.scenes import write_coco


def chosen(predicted, stability, right, precision=0.8):
    arrays = np.array(predicted, float), np.array(stability, float), np.array(right, bool)
    return choose_gates(*arrays, precision=precision, pictures=3)


def test_a_model_of_low_numbers_gets_low_gates():
    """Stability 0.05 to 0.15, right from 0.1 on: SAM's 0.95 would keep nothing of it."""
    stability = np.linspace(0.05, 0.15, 100)
    gates = chosen(np.full(100, 0.4), stability, stability >= 0.1)
    assert 0.09 < gates.stability_score_thresh <= 0.1
    assert gates.right == 50
    assert gates.right / gates.kept >= 0.8
    assert gates.pictures == 3


def test_both_gates_are_used_where_both_tell_something():
    rng = np.random.default_rng(0)
    predicted, stability = rng.random(400), rng.random(400)
    gates = chosen(predicted, stability, (predicted > 0.5) & (stability > 0.5), precision=0.9)
    assert 0.35 < gates.pred_iou_thresh < 0.6
    assert 0.35 < gates.stability_score_thresh < 0.6


def test_a_promise_that_no_gates_keep_is_not_made():
    rng = np.random.default_rng(0)
    assert chosen(rng.random(300), rng.random(300), rng.random(300) < 0.5, precision=0.9) is None


def test_a_few_lucky_masks_prove_nothing():
    assert chosen([0.9] * 9, [0.9] * 9, [True] * 9) is None
    assert chosen([0.9] * 12, [0.9] * 12, [True] * 12, precision=0.95) is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0, 1), st.booleans()), max_size=60))
def test_what_is_said_of_the_gates_is_what_they_keep(masks):
    predicted, stability, right = (np.array([mask[i] for mask in masks], float) for i in range(3))
    if not masks:
        return
    gates = chosen(predicted, stability, right > 0, precision=0.6)
    if gates is not None:
        passed = (predicted > gates.pred_iou_thresh) | (gates.pred_iou_thresh == 0)
        passed &= stability >= gates.stability_score_thresh
        assert (int(passed.sum()), int((passed & (right > 0)).sum())) == (gates.kept, gates.right)
        assert gates.right >= 0.6 * gates.kept


class Grid:
    """A generator that finds every labelled object, and its left half as something less certain."""

    def __init__(self, predictor, **gates):
        assert (gates["pred_iou_thresh"], gates["stability_score_thresh"]) == (0.0, 0.0)
        self.records = list(predictor)

    def generate(self, image):
        found = []
        [record] = [one for one in self.records if np.array_equal(load_picture(one.image_path), image)]
        for mask in record.masks:
            x, _, width, _ = rle.bbox(mask)
            half = rle.decode(mask)
            half[:, x + width // 2 :] = False
            for segmentation, said in ((mask, 0.5), (rle.encode(half), 0.3)):
                found.append({"segmentation": segmentation, "predicted_iou": said, "stability_score": 0.1})
        return found


@pytest.fixture
def labelled(tmp_path, monkeypatch):
    monkeypatch.setattr(grid_gates, "AutomaticMaskGenerator", Grid)
    return read_coco(write_coco(tmp_path, count=14))


def fitted(records, **options):
    return fit_gates(records, records, precision=0.8, right_iou=0.75, **{"seconds": 60.0, **options})


def test_they_are_fitted_on_labelled_pictures(labelled):
    shares = []
    gates = fitted(labelled, progress=shares.append)
    assert 0.3 <= gates.pred_iou_thresh < 0.5
    assert gates.kept == gates.right == sum(len(one.masks) for one in labelled[:12])
    assert gates.pictures == len(shares) == 12
    assert shares == sorted(shares)
    assert shares[-1] == 1


def test_pictures_are_taken_from_all_over_the_set(labelled, monkeypatch):
    """Neighbours by name are often frames of one scene, which says nothing of the others."""
    looked = []
    load = grid_gates.load_picture
    monkeypatch.setattr(grid_gates, "load_picture", lambda path: looked.append(path) or load(path))
    monkeypatch.setattr(grid_gates, "MOST_PICTURES", 4)
    fitted(labelled)
    places = sorted(labelled.index(next(one for one in labelled if one.image_path == path)) for path in looked)
    assert places == [0, 4, 9, 13]


def test_time_is_bounded(labelled):
    gates = fitted(labelled, seconds=0.0)
    assert gates is None or gates.pictures == 1


def test_without_pictures_there_is_nothing_to_say(labelled):
    assert fitted([]) is None
