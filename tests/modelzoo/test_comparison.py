"""Comparing models and simple methods on the same masks: which masks, which rows, which figures."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from modelzoo import rle
from modelzoo.build import build
from modelzoo.checkpoint import save_checkpoint
from modelzoo.comparison.case_sheet import case_sheet
from modelzoo.comparison.compare import compare
from modelzoo.comparison.judging import HUMAN, Plan, human_rows, judge_pictures
from modelzoo.comparison.reliability_figure import reliability_figure
from modelzoo.comparison.report import markdown, plain
from modelzoo.comparison.sets import Picture, SetFolder, draw_pictures
from modelzoo.comparison.summary import over_sets, summarise_set
from modelzoo.training.config import DataSource, TrainConfig
from modelzoo.training.data import DataError, read_coco, split_off
from tests.modelzoo.scenes import write_coco


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return SetFolder.of(write_coco(tmp_path_factory.mktemp("sets") / "scenes", count=12))


@pytest.fixture(scope="module")
def plan(tmp_path_factory):
    torch.manual_seed(2)
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    save_checkpoint(build("anymask_compact", long_side=64), path)
    return Plan({"tiny": path, "again": path}, ("filled box",), max_clicks=5)


@pytest.fixture(scope="module")
def comparison(plan, folder, tmp_path_factory):
    other = SetFolder.of(write_coco(tmp_path_factory.mktemp("sets") / "others", count=2))
    return compare(plan, [folder, other], most_masks=4)


def ids(pictures):
    return [identity for picture in pictures for identity in picture.ids]


def row(method, identity, iou, group="a", share=0.02, **more):
    found = {"set": "s", "image": group, "group": group, "method": method, "id": identity, "area": 9, "share": share}
    return found | {"clicks": 1, "iou": [iou]} | more


def test_the_same_masks_are_drawn_each_time_and_no_more_than_asked(folder):
    drawn = draw_pictures(folder, most=5)
    assert len(ids(drawn)) == 5
    assert ids(drawn) == ids(draw_pictures(folder, most=5))
    assert len(ids(draw_pictures(folder))) == 24


def test_pictures_of_the_training_run_are_left_out_wherever_the_data_lie(folder, tmp_path):
    source = DataSource(tmp_path / "elsewhere" / "scenes")
    config = TrainConfig(tmp_path / "out", data=(source,), validation_share=0.5)
    trained, held_back = split_off(read_coco(folder.images, folder.annotations), 0.5)
    assert trained
    assert held_back
    drawn = {picture.path for picture in draw_pictures(folder, [config])}
    assert drawn == {record.image_path for record in held_back}


def test_with_validation_of_its_own_a_run_has_seen_all_its_data(folder, tmp_path):
    source = DataSource(tmp_path / "scenes")
    config = TrainConfig(tmp_path / "out", data=(source,), validation=(DataSource(tmp_path / "held"),))
    with pytest.raises(DataError, match="no mask to judge on"):
        draw_pictures(folder, [config])


def test_pictures_under_other_licences_were_not_trained_on(folder, tmp_path):
    config = TrainConfig(tmp_path / "out", data=(DataSource(tmp_path / "scenes", licences=("none of these",)),))
    assert len(ids(draw_pictures(folder, [config]))) == 24


def test_small_masks_can_be_left_out(folder):
    shares = [rle.area(mask) / (96 * 128) for picture in draw_pictures(folder, smallest=0.1) for mask in picture.masks]
    assert shares
    assert min(shares) > 0.1


def test_another_person_is_judged_under_the_same_click():
    target, half, off = (np.zeros((40, 40), bool) for _ in range(3))
    target[10:30, 10:30] = True
    half[10:30, 10:20] = True  # the click lies at (19, 19)
    off[0:5, 0:5] = True
    everyone = [(0, target), (0, half), (1, target), (2, half), (3, off)]
    others = [(person, rle.encode(mask)) for person, mask in everyone]
    picture = Picture("s", None, (40, 40), "p", [rle.encode(target)], ["7"], [0], others)
    (found,) = human_rows(picture)
    assert found["iou"] == [0.75]  # one drew the same, one drew half, one drew nothing there; oneself does not count
    assert found["iou_1_oracle"] == 1.0


def test_alone_one_cannot_be_compared_with_other_people():
    target = np.ones((4, 4), bool)
    assert not list(human_rows(Picture("s", None, (4, 4), "p", [rle.encode(target)], ["7"], [0], [])))


def test_models_and_methods_are_asked_about_the_same_masks(comparison):
    by_method = {}
    for one in comparison.rows:
        by_method.setdefault(one["method"], []).append(one)
    assert list(by_method) == ["tiny", "again", "filled box"]
    assert len({tuple((one["set"], one["id"]) for one in rows) for rows in by_method.values()}) == 1
    strip = [{**one, "method": ""} for one in by_method["tiny"]]
    assert strip == [{**one, "method": ""} for one in by_method["again"]]


def test_two_processes_find_what_one_finds(plan, folder):
    pictures = draw_pictures(folder, most=3)
    alone, shared = ([one.rows for one in judge_pictures(plan, pictures, count)] for count in (1, 2))
    assert json.dumps(alone) == json.dumps(shared)


def test_every_mask_belongs_to_one_size_and_all_sizes_make_the_set():
    rows = [row("m", str(number), 0.5, share=share) for number, share in enumerate((0.001, 0.01, 0.05, 0.1, 1.0))]
    sizes = summarise_set("s", rows).methods["m"].sizes
    assert {size: figures["miou_1"].count for size, figures in sizes.items()} == {
        "< 1 %": 1,
        "1-3 %": 1,
        "3-10 %": 1,
        "> 10 %": 2,
    }


def test_a_method_has_only_the_figures_that_it_can_have():
    found = summarise_set("s", [row("m", "1", 0.5)]).methods["m"].figures
    assert set(found) == {"miou_1"}


def test_being_ahead_is_counted_on_the_masks_that_both_have():
    rows = [row("m", "1", 0.5), row("m", "2", 0.9, "b"), row(HUMAN, "1", 0.8)]
    methods = summarise_set("s", rows).methods
    assert methods[HUMAN].ahead["miou_1"].value == pytest.approx(-0.3)
    assert methods[HUMAN].ahead["miou_1"].count == 1
    assert methods["m"].ahead == {}


def test_each_set_counts_once_in_the_mean_of_sets():
    small = summarise_set("one", [row("m", "1", 0.2)])
    large = summarise_set("two", [row("m", str(number), 0.8, str(number)) for number in range(9)])
    found = over_sets([small, large])["m"]["miou_1"]
    assert found.value == pytest.approx(0.5)
    assert found.count == 10
    assert found.low is None, "one of the sets is a single picture"


def test_two_sets_of_one_name_are_refused(plan, folder):
    with pytest.raises(DataError, match="same name"):
        compare(plan, [folder, folder])


def test_the_report_is_plain_json_and_has_a_table_for_every_set(comparison):
    assert comparison.first["masks"] == 8
    json.dumps([plain(one) for one in comparison.sets], allow_nan=False)
    text = markdown(comparison)
    for title in ("## scenes: 4 masks", "## others: 4 masks", "## Predicted IoU", "Mean boundary IoU", "filled box"):
        assert title in text
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if line.startswith("| ---"):
            assert line.count("|") == lines[number - 1].count("|") == lines[number + 1].count("|")


def test_the_pictures_show_every_set(comparison, plan, tmp_path):
    figure, sheet = reliability_figure(comparison.sets), case_sheet(comparison, plan.models)
    for drawn in (figure, sheet):
        assert isinstance(drawn, Image.Image)
        assert len(set(drawn.convert("L").tobytes())) > 20
    only_one = comparison.sets[:1]
    assert figure.width > reliability_figure(only_one).width
    assert reliability_figure([summarise_set("s", [row("m", "1", 0.5)])]) is None
