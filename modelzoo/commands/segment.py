"""python -m modelzoo segment: find everything in a picture and write one SA-1B record."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

from modelzoo.commands.common import add_model, load


def add(commands: Any) -> None:
    parser = commands.add_parser("segment", help="find everything in a picture")
    parser.add_argument("image", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the SA-1B record")
    parser.add_argument("--points-per-side", type=int, default=32)
    parser.add_argument("--crop-layers", type=int, default=0)
    parser.add_argument("--pred-iou-thresh", type=float, default=0.88)
    parser.add_argument("--stability-score-thresh", type=float, default=0.95)
    parser.add_argument("--min-mask-region-area", type=int, default=100)
    add_model(parser)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    import numpy as np
    from PIL import Image

    from modelzoo.automatic import AutomaticMaskGenerator
    from modelzoo.predictor import Predictor
    from modelzoo.training.data import PICTURE_FORMATS

    with Image.open(options.image, formats=PICTURE_FORMATS) as picture:
        image = np.asarray(picture.convert("RGB"))
    generator = AutomaticMaskGenerator(
        Predictor(load(options.model)),
        points_per_side=options.points_per_side,
        crop_n_layers=options.crop_layers,
        pred_iou_thresh=options.pred_iou_thresh,
        stability_score_thresh=options.stability_score_thresh,
        min_mask_region_area=options.min_mask_region_area,
        output_mode="coco_rle",
    )
    annotations = [{"id": number, **record} for number, record in enumerate(generator.generate(image), 1)]
    record = {
        "image": {
            "image_id": 1,
            "width": image.shape[1],
            "height": image.shape[0],
            "file_name": options.image.name,
        },
        "annotations": annotations,
    }
    target = options.out / f"{options.image.stem}.json"
    options.out.mkdir(parents=True, exist_ok=True)
    target.write_text(json.dumps(record), encoding="utf-8")
    print(f"{len(annotations)} masks -> {target}")
