"""python -m modelzoo export: the ONNX decoder and float16 weights, ready to ship."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from modelzoo.commands.common import add_model, weights_path


def add(commands: Any) -> None:
    parser = commands.add_parser("export", help="write the ONNX decoder and float16 weights, ready to ship")
    add_model(parser)
    parser.add_argument("--out", type=Path, required=True, help="folder")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from modelzoo.checkpoint import load_checkpoint, save_checkpoint
    from modelzoo.export import check_agreement, export_decoder
    from modelzoo.weight_files import WeightFile

    source = weights_path(options.model)
    model = load_checkpoint(source, exact=True)
    header = WeightFile(source).header or {}
    about, int8 = header.get("metadata", {}), bool(header.get("int8"))
    weights, decoder = (options.out / f"{model.variant}.{suffix}" for suffix in ("safetensors", "decoder.onnx"))
    digest = save_checkpoint(model, weights, about, half=True, int8=int8)
    print(f"{weights}  {weights.stat().st_size / 1e6:.2f} MB  sha256 {digest}")
    export_decoder(model, decoder)
    worst = check_agreement(model, decoder)
    print(f"{decoder}  {decoder.stat().st_size / 1e6:.2f} MB  largest difference to torch {worst:.2g} logits")
