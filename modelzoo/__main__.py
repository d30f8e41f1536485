"""Command line: python -m modelzoo list | segment | evaluate | train | export."""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from modelzoo.checkpoint import CheckpointError
from modelzoo.training.config import ConfigError
from modelzoo.training.data import DataError

DEFAULT_MODEL = "anymask_compact"
WEIGHTS = Path(__file__).parent / "weights"


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 2 and a sentence on standard error for a mistake of the user."""
    parser = argparse.ArgumentParser(prog="python -m modelzoo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("list", help="known models and the weights that are here").set_defaults(run=list_models)
    add_segment(commands)
    add_evaluate(commands)
    train = commands.add_parser("train", help="train as a TOML file says; resumes where it stopped")
    train.add_argument("config", type=Path)
    train.set_defaults(run=run_training)
    export = commands.add_parser("export", help="write the ONNX decoder and float16 weights, ready to ship")
    add_model(export)
    export.add_argument("--out", type=Path, required=True, help="folder")
    export.set_defaults(run=export_model)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except FileNotFoundError as error:
        print(f"There is no file {error.filename}.", file=sys.stderr)
        return 2
    except (CheckpointError, ConfigError, DataError) as error:
        print(error, file=sys.stderr)
        return 2
    return 0


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a name from `list`, or a checkpoint file")


def add_segment(commands: Any) -> None:
    parser = commands.add_parser("segment", help="find everything in a picture")
    parser.add_argument("image", type=Path)
    parser.add_argument("--out", type=Path, required=True, help="folder for the SA-1B record")
    parser.add_argument("--points-per-side", type=int, default=32)
    parser.add_argument("--crop-layers", type=int, default=0)
    parser.add_argument("--pred-iou-thresh", type=float, default=0.88)
    parser.add_argument("--stability-score-thresh", type=float, default=0.95)
    parser.add_argument("--min-mask-region-area", type=int, default=100)
    add_model(parser)
    parser.set_defaults(run=segment)


def add_evaluate(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="click real masks and report IoU")
    add_model(parser)
    parser.add_argument("--images", type=Path, required=True, help="folder of the pictures")
    parser.add_argument("--coco", type=Path, required=True, help="COCO instances of these pictures")
    parser.add_argument("--out", type=Path, required=True, help="JSON report")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-clicks", type=int, default=20)
    parser.add_argument("--most-masks", type=int, default=0, help="stop after about this many masks; 0: all")
    parser.add_argument("--threads", type=int, default=0, help="CPU threads; 0: as torch decides")
    parser.set_defaults(run=run_evaluation)


def weights_path(name: str) -> Path:
    """A file given by path, or the shipped weights of that name."""
    path = Path(name)
    if path.suffix in (".safetensors", ".pth") and path.is_file():
        return path
    shipped = WEIGHTS / f"{name}.safetensors"
    if shipped.is_file():
        return shipped
    raise CheckpointError(f"There are no weights called {name!r} here. `python -m modelzoo list` shows what there is.")


def load(name: str) -> Any:
    from modelzoo.checkpoint import load_checkpoint

    return load_checkpoint(weights_path(name))


def list_models(_: argparse.Namespace) -> None:
    from modelzoo.build import BUILDERS
    from modelzoo.checkpoint import checkpoint_digest

    for name in sorted(BUILDERS):
        shipped = WEIGHTS / f"{name}.safetensors"
        if shipped.is_file():
            size = shipped.stat().st_size / 1e6
            print(f"{name:18} shipped, {size:.1f} MB, sha256 {checkpoint_digest(shipped)}")
        else:
            print(f"{name:18} no weights shipped: pass --model FILE with the official checkpoint")


def segment(options: argparse.Namespace) -> None:
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


def run_evaluation(options: argparse.Namespace) -> None:
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


def run_training(options: argparse.Namespace) -> None:
    from modelzoo.training.config import read_config
    from modelzoo.training.loop import train

    def shown(line: Mapping[str, Any]) -> None:
        figures = "  ".join(f"{name} {value}" for name, value in line.items() if name not in ("event", "steps"))
        print(f"{line['event']:10} of {line['steps']}: {figures}", flush=True)

    train(read_config(options.config), shown)


def export_model(options: argparse.Namespace) -> None:
    from modelzoo.checkpoint import read_metadata, save_checkpoint
    from modelzoo.export import check_agreement, export_decoder

    source = weights_path(options.model)
    model = load(options.model)
    about = read_metadata(source).get("metadata", {}) if source.suffix == ".safetensors" else {}
    weights, decoder = (options.out / f"{model.variant}.{suffix}" for suffix in ("safetensors", "decoder.onnx"))
    digest = save_checkpoint(model, weights, about, half=True)
    print(f"{weights}  {weights.stat().st_size / 1e6:.2f} MB  sha256 {digest}")
    export_decoder(model, decoder)
    worst = check_agreement(model, decoder)
    print(f"{decoder}  {decoder.stat().st_size / 1e6:.2f} MB  largest difference to torch {worst:.2g} logits")


if __name__ == "__main__":
    sys.exit(main())
