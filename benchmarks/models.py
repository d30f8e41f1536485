"""The default model beside MobileSAM and a ViT-B SAM of random weights, in the same run: what a click costs here."""

from __future__ import annotations

import tempfile
from pathlib import Path

import numpy as np
import torch

from benchmarks.measure import Row, peak_memory_mib, timed
from modelzoo.build import build
from modelzoo.checkpoint import load_checkpoint
from modelzoo.commands.common import DEFAULT_MODEL, weights_path
from modelzoo.export import export_decoder
from modelzoo.onnx_decoder import OnnxDecoder
from modelzoo.predictor import Predictor

PICTURE = (1000, 1500)


def rows() -> list[Row]:
    """Encoder, decoder (torch and ONNX Runtime), sizes."""
    image = np.random.default_rng(0).integers(0, 256, (*PICTURE, 3), dtype=np.uint8)
    point = {"points": np.array([[700.0, 400.0]]), "labels": np.array([1])}
    found: list[Row] = []
    compact = Predictor(load_checkpoint(weights_path(DEFAULT_MODEL)))
    found += model_rows("default model", compact, image, point, runs=20)
    weights = weights_path(DEFAULT_MODEL).stat().st_size / 1e6
    found.append(Row("default model: weights", round(weights, 2), "MB", round(weights, 2), 1))
    found.append(Row("peak memory until here", round(peak_memory_mib()), "MiB", round(peak_memory_mib()), 1))
    torch.manual_seed(0)
    found += model_rows("MobileSAM", Predictor(build("mobile_sam")), image, point, runs=5)
    sam = Predictor(build("sam_vit_b"))
    found += model_rows("SAM ViT-B", sam, image, point, runs=3)
    found.append(Row("peak memory with SAM ViT-B", round(peak_memory_mib()), "MiB", round(peak_memory_mib()), 1))
    return with_ratios(found)


def model_rows(
    name: str, predictor: Predictor, image: np.ndarray, point: dict[str, np.ndarray], runs: int
) -> list[Row]:
    """The rows of one model on a 1500 x 1000 picture."""
    embedding = predictor.encode(image)
    size = len(embedding.to_bytes()) / 1e6
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "decoder.onnx"
        export_decoder(predictor.model, path)
        onnx = OnnxDecoder(path, threads=torch.get_num_threads())
        return [
            timed(f"{name}: encode", lambda: predictor.encode(image), runs=runs, warm_up=1),
            timed(f"{name}: decode one click, torch", lambda: predictor.decode(embedding, **point), runs=runs),
            timed(f"{name}: decode one click, ONNX Runtime", lambda: onnx.decode(embedding, **point), runs=runs),
            Row(f"{name}: stored embedding", round(size, 2), "MB", round(size, 2), 1),
        ]


def with_ratios(found: list[Row]) -> list[Row]:
    """Add to every row of the default model how many times it goes into SAM's."""
    by_name = {row.name: row for row in found}
    result = []
    for row in found:
        other = by_name.get(row.name.replace("default model", "SAM ViT-B"))
        if other is None or other is row or not row.value:
            result.append(row)
            continue
        values = row.as_dict() | {"note": other.name, "ratio": round(other.value / row.value, 1)}
        result.append(Row(**values))
    return result
