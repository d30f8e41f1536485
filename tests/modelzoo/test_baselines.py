"""Simple methods answer like a model would, and always the same."""

import importlib.util
import sys

import numpy as np
import pytest

from modelzoo import rle
from modelzoo.comparison import baselines
from modelzoo.comparison.baselines import (
    BASELINES,
    FilledBox,
    GrabCut,
    MissingLibrary,
    RandomWalker,
    RegionMerge,
    require_libraries,
)
from modelzoo.comparison.judging import baseline_rows
from modelzoo.training.data import Sample
from modelzoo.training.evaluate import Prompts
from modelzoo.training.metrics import mask_iou
from tests.modelzoo.scenes import scene

needs_opencv = pytest.mark.skipif(importlib.util.find_spec("cv2") is None, reason="OpenCV is not installed")


def box_of(mask, room=0):
    rows, columns = np.flatnonzero(mask.any(1)), np.flatnonzero(mask.any(0))
    return columns[0] - room, rows[0] - room, columns[-1] + 1 + room, rows[-1] + 1 + room


def middle_of(mask):
    y, x = (places.mean() for places in np.nonzero(mask))
    return np.array([[x, y]])


def test_a_filled_box_is_the_box():
    image, (_, square) = scene()
    answer = FilledBox().look(image)(Prompts(box=box_of(square)))
    assert np.array_equal(answer.mask, square)
    assert np.isnan(answer.said).all()


@needs_opencv
def test_grabcut_cuts_a_coloured_thing_out_of_its_box():
    image, (disc, _) = scene()
    ask = GrabCut().look(image)
    box = box_of(disc, room=3)
    found = ask(Prompts(box=box)).mask
    assert mask_iou(found, disc) > 0.95 > mask_iou(FilledBox().look(image)(Prompts(box=box)).mask, disc)
    assert np.array_equal(found, ask(Prompts(box=box)).mask)


@needs_opencv
@pytest.mark.parametrize("box", [(0, 0, 128, 96), (10, 10, 11, 11), (10, 10, 10, 10)], ids=["all", "one", "none"])
def test_grabcut_lets_boxes_be_that_leave_nothing_to_learn_from(box):
    image, _ = scene()
    prompts = Prompts(box=box)
    assert np.array_equal(GrabCut().look(image)(prompts).mask, FilledBox().look(image)(prompts).mask)


def test_the_random_walker_stops_at_edges_and_obeys_a_second_click():
    image, (disc, square) = scene()
    ask = RandomWalker().look(image)
    alone = ask(Prompts(middle_of(disc), np.array([1]))).mask
    assert mask_iou(alone, disc) > 0.8
    points = np.concatenate([middle_of(disc), middle_of(square)])
    both = ask(Prompts(points, np.array([1, 1]))).mask
    assert mask_iou(both, disc | square) > 0.8
    refused = ask(Prompts(points, np.array([1, 0]))).mask
    assert not (refused & square).any()


def test_region_merge_takes_what_has_the_colour_under_the_click():
    _, (disc, square) = scene(height=192, width=256)
    image = np.full((192, 256, 3), 40, np.uint8)
    image[disc | square] = 60, 200, 80
    found = RegionMerge().look(image)(Prompts(middle_of(square), np.array([1]))).mask
    assert mask_iou(found, square) > 0.8
    assert not (found & disc).any()


@needs_opencv
@pytest.mark.parametrize("baseline", BASELINES, ids=lambda one: one.name)
def test_rows_say_what_a_method_can_do_and_are_the_same_each_time(baseline):
    image, masks = scene()
    sample = Sample(image, [rle.encode(mask) for mask in masks], ["1", "2"])
    rows = list(baseline_rows(baseline, sample, seed=5))
    assert rows == list(baseline_rows(baseline, sample, seed=5))
    assert [row["id"] for row in rows] == ["1", "2"]
    for row in rows:
        assert ("iou_box" in row) == baseline.takes_box
        assert len(row.get("iou", [])) <= baseline.most_clicks
        assert ("iou" in row) == (baseline.most_clicks > 0)


def test_a_missing_opencv_is_said_before_anything_runs(monkeypatch):
    monkeypatch.setitem(sys.modules, "cv2", None)
    monkeypatch.setattr(baselines, "find_spec", lambda name: None)
    with pytest.raises(MissingLibrary, match=r"requirements-dev\.txt"):
        require_libraries()
