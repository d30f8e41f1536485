"""The anchor of segment everything is a fair one: it gives the records of the reference, and of the product."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from benchmarks import reference_order, scene
from modelzoo import rle
from modelzoo.automatic import AutomaticMaskGenerator
from modelzoo.build import build
from modelzoo.predictor import Predictor
from tests.modelzoo.reference import golden_json


@pytest.mark.parametrize("name", ["amg_crop0", "amg_crop1"])
def test_it_gives_the_records_of_the_reference(predictor, golden, name):
    recorded = golden_json(name)
    asked = recorded["settings"]
    settings = reference_order.Settings(
        asked["points_per_side"],
        asked["pred_iou_thresh"],
        asked["stability_score_thresh"],
        asked.get("crop_n_layers", 0),
        asked.get("crop_n_points_downscale_factor", 1),
    )
    with torch.no_grad():
        records = reference_order.generate(predictor.model, golden["img0.pixels"], settings)
    assert [record["point_coords"] for record in records] == [one["point_coords"] for one in recorded["records"]]
    assert [record["bbox"] for record in records] == [one["bbox"] for one in recorded["records"]]
    for ours, reference in zip(records, recorded["records"], strict=True):
        assert np.count_nonzero(rle.decode(ours["segmentation"]) != rle.decode(reference["segmentation"])) <= 2


def test_a_scene_is_segmented_alike_in_both_orders():
    torch.manual_seed(0)
    image = scene.picture(100, 150)
    settings = reference_order.Settings(4, 0.8, 0.5)
    watched = scene.Watched(build("anymask_compact"), plain=False, scene=True)
    theirs = reference_order.generate(watched, image, settings)
    ours = AutomaticMaskGenerator(
        Predictor(watched), points_per_side=4, pred_iou_thresh=0.8, stability_score_thresh=0.5
    ).generate(image)
    assert ours
    assert [(one["bbox"], one["segmentation"]) for one in ours] == [
        (one["bbox"], one["segmentation"]) for one in theirs
    ]
    assert watched.spent["decode"] > 0
    assert watched.spent["scene"] > 0
