"""python -m modelzoo quantise: the same model with an image encoder in whole numbers, as a version of its own."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from modelzoo.commands.common import add_model, weights_path


def add(commands: Any) -> None:
    parser = commands.add_parser("quantise", help="write a version whose encoder takes half the time of a CPU")
    add_model(parser)
    parser.add_argument("--out", type=Path, required=True, help="the new checkpoint, .safetensors")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from modelzoo.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
    from modelzoo.model.compact import Compact
    from modelzoo.weight_files import WeightFile

    source = weights_path(options.model)
    model = load_checkpoint(source, exact=True)
    if isinstance(model, Compact):
        raise CheckpointError(f"{source.name} gains nothing: nearly all of its encoder are convolutions.")
    about = (WeightFile(source).header or {}).get("metadata", {})
    digest = save_checkpoint(model, options.out, about, int8=True)
    print(f"{options.out}  {options.out.stat().st_size / 1e6:.2f} MB  sha256 {digest}")
    print(f"What it costs on your pictures: python -m modelzoo evaluate --model {source} --model {options.out} ...")
