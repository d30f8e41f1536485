"""How good the default model is on pictures that it was not trained on, beside simply filling the box.

Needs the labelled sets that the training configuration names (build/training-data); without them there are no rows.
Pictures that the shipped weights saw are left out, by the configuration's own split.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import Row
from modelzoo import rle
from modelzoo.catalogue import SHIPPED
from modelzoo.checkpoint import load_checkpoint
from modelzoo.commands.common import DEFAULT_MODEL, weights_path
from modelzoo.predictor import Predictor
from modelzoo.training import clicks
from modelzoo.training.batches import read_source
from modelzoo.training.config import read_config
from modelzoo.training.data import Record, Sample, load_sample, read_coco, split_off
from modelzoo.training.evaluate import BOX_NOISE, evaluate, mask_iou

MASKS_PER_SET = 120
SMALLEST_SHARE = {"bsds500": 0.01}  # of the picture; the trial that set the targets used the same floor
FIGURES = ("miou_1", "miou_1_oracle", "miou_3", "miou_5", "miou_box")


def rows() -> list[Row]:
    """Mean IoU per set and figure; the box row carries the filled box for comparison."""
    torch.set_num_threads(1)  # at full size numpy does most of the work; a second torch thread only gets in its way
    config = read_config(SHIPPED / f"{DEFAULT_MODEL}.toml")
    folders = sorted({source.path.parent for source in config.data if source.path.parent.is_dir()})
    seen = {
        record.image_path
        for source in config.data
        if source.path.is_dir()
        for record in split_off(read_source(source), config.validation_share)[0]
    }
    predictor = Predictor(load_checkpoint(weights_path(DEFAULT_MODEL)))
    found: list[Row] = []
    for folder in folders:
        for path in sorted(path for path in folder.iterdir() if (path / "annotations.json").exists()):
            unseen = [record for record in read_coco(path) if record.image_path not in seen]
            found += set_rows(path.name, predictor, pick(unseen, SMALLEST_SHARE.get(path.name, 0.0)))
    return found


def pick(records: list[Record], smallest_share: float) -> list[Sample]:
    """About MASKS_PER_SET masks, drawn with a fixed seed from all pictures."""
    large = [
        (record, index)
        for record in records
        for index, mask in enumerate(record.masks)
        if rle.area(mask) > smallest_share * record.width * record.height
    ]
    drawn = np.random.default_rng(0).permutation(len(large))[:MASKS_PER_SET]
    by_picture: dict[Path, list[int]] = {}
    for number in sorted(drawn):
        record, index = large[number]
        by_picture.setdefault(record.image_path, []).append(index)
    samples = []
    for record in records:
        chosen = by_picture.get(record.image_path, [])
        if chosen:
            image = load_sample(record).image
            samples.append(Sample(image, [record.masks[i] for i in chosen], [record.ids[i] for i in chosen]))
    return samples


def set_rows(name: str, predictor: Predictor, samples: list[Sample]) -> list[Row]:
    """The figures of one set."""
    report = evaluate(predictor, samples, seed=0, max_clicks=20)
    masks = report.summary["masks"]
    result = [
        Row(f"{name}: {figure}", report.summary[figure], "IoU", report.summary[figure], masks) for figure in FIGURES
    ]
    filled = round(float(np.mean([filled_box(mask) for sample in samples for mask in sample.masks])), 4)
    result.append(Row(f"{name}: box filled, no model", filled, "IoU", filled, masks))
    result.append(Row(f"{name}: noc85", report.summary["noc85"], "clicks", report.summary["noc85"], masks))
    said, true = (
        np.array([pair[side] for row in report.rows for pair in row["candidates"]]).argsort().argsort()
        for side in (0, 1)
    )
    rank = round(float(np.corrcoef(said, true)[0, 1]), 3)
    result.append(Row(f"{name}: predicted and true IoU, rank correlation", rank, "", rank, masks))
    return result


def filled_box(mask: rle.RLE) -> float:
    """IoU of the mask with a box like the one the model gets, filled."""
    target = rle.decode(mask)
    x0, y0, x1, y1 = clicks.noisy_box(target, np.random.default_rng(0), share=BOX_NOISE, most=np.inf)
    box = np.zeros_like(target)
    box[round(y0) : round(y1), round(x0) : round(x1)] = True
    return mask_iou(box, target)
