"""python -m modelzoo evaluate: click real masks and report IoU."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import Any

from modelzoo.commands.common import add_model, load


def add(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="click real masks and report IoU")
    add_model(parser)
    parser.add_argument("--images", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--coco", type=Path, required=True, help="COCO instances of these pictures")
    parser.add_argument("--out", type=Path, required=True, help="JSON report")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-clicks", type=int, default=20)
    parser.add_argument("--most-masks", type=int, default=0, help="stop after about this many masks; 0: all")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: as torch decides")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    import torch

    from modelzoo.predictor import Predictor
    from modelzoo.training.data import load_sample, read_coco
    from modelzoo.training.evaluate import evaluate
    from modelzoo.training.loop import validation_samples

    if options.threads:
        torch.set_num_threads(options.threads)
    records = read_coco(options.images, options.coco)
    samples = validation_samples(records, options.most_masks) if options.most_masks else map(load_sample, records)

    def shown(done: int) -> None:
        print(f"\r{done} masks", end="", file=sys.stderr, flush=True)

    report = evaluate(Predictor(load(options.model)), samples, options.seed, options.max_clicks, shown)
    print(file=sys.stderr)
    options.out.write_text(
        json.dumps({"model": options.model} | report.summary | {"rows": report.rows}, indent=1) + "\n", encoding="utf-8"
    )
    print(json.dumps(report.summary, indent=1))
