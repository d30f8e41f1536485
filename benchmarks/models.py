"""The default model beside MobileSAM and a ViT-B SAM of random weights, in the same run: what a click costs here.

python -m benchmarks.models NAME        one of them, in this process
"""

from __future__ import annotations

import dataclasses
import json
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from benchmarks.measure import Row, child, own_peak_mib, timed

PICTURE = (1000, 1500)
RUNS = {"default model": 20, "MobileSAM": 5, "SAM ViT-B": 3}  # of the encoder
BUILT = {"MobileSAM": "mobile_sam", "SAM ViT-B": "sam_vit_b"}  # with random weights
ANCHOR = "SAM ViT-B"


def rows() -> Iterator[Row]:
    """Encoder, decoder (torch and ONNX Runtime), sizes; each model in a process of its own."""
    found = [Row(**row) for name in RUNS for row in child("benchmarks.models", name)]
    yield from with_ratios(found)


def model_rows(name: str) -> list[Row]:
    """The rows of one model on a 1500 x 1000 picture."""
    import torch

    from modelzoo.build import build
    from modelzoo.checkpoint import load_checkpoint
    from modelzoo.commands.common import DEFAULT_MODEL, weights_path
    from modelzoo.export import export_decoder
    from modelzoo.onnx_decoder import OnnxDecoder
    from modelzoo.predictor import Predictor

    torch.manual_seed(0)
    path = weights_path(DEFAULT_MODEL)
    predictor = Predictor(build(BUILT[name]) if name in BUILT else load_checkpoint(path))
    image = np.random.default_rng(0).integers(0, 256, (*PICTURE, 3), dtype=np.uint8)
    point = {"points": np.array([[700.0, 400.0]]), "labels": np.array([1])}
    embedding = predictor.encode(image)
    found = [
        timed(f"{name}: encode", lambda: predictor.encode(image), runs=RUNS[name], warm_up=1),
        timed(f"{name}: decode one click, torch", lambda: predictor.decode(embedding, **point), runs=RUNS[name]),
    ]
    peak = round(own_peak_mib())  # before the export, which people's processes do not do
    with tempfile.TemporaryDirectory() as folder:
        graph = Path(folder) / "decoder.onnx"
        export_decoder(predictor.model, graph)
        onnx = OnnxDecoder(graph, threads=torch.get_num_threads())
        title = f"{name}: decode one click, ONNX Runtime"
        found.append(timed(title, lambda: onnx.decode(embedding, **point), runs=RUNS[name]))
    size = round(len(embedding.to_bytes()) / 1e6, 2)
    found.append(Row(f"{name}: stored embedding", size, "MB", size, 1))
    if name not in BUILT:
        size = round(path.stat().st_size / 1e6, 2)
        found.append(Row(f"{name}: weights", size, "MB", size, 1))
    return [dataclasses.replace(row, memory=peak if row.unit == "ms" else None) for row in found]


def with_ratios(found: list[Row]) -> list[Row]:
    """Every row of the other models with how many times it goes into SAM's."""
    by_name = {row.name: row for row in found}
    result = []
    for row in found:
        model, _, figure = row.name.partition(": ")
        other = by_name.get(f"{ANCHOR}: {figure}")
        if other is not None and model != ANCHOR and row.value:
            row = dataclasses.replace(row, note=other.name, ratio=round(other.value / row.value, 1))
        result.append(row)
    return result


if __name__ == "__main__":
    json.dump([row.as_dict() for row in model_rows(sys.argv[1])], sys.stdout)
