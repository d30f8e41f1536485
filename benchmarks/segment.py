"""Segment everything, beside the reference's order of work: processor time, peak memory, the same records.

Every figure comes from a process of its own. The image is encoded once and its time left out, for both. Processor
seconds, not those of the clock: they hardly depend on what else the machine does.

    python -m benchmarks.segment compare default 32 0        model, prompts per side, crop layers; or `sam`
    python -m benchmarks.segment one default ours 32 3.375 0     one process: order, megapixels
"""

from __future__ import annotations

import dataclasses
import json
import resource
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.measure import Row, child, own_peak_mib

SIDE, MEGAPIXELS = 32, 3.375  # 1,024 prompts on 1500 x 2250
PROMPTS = (16, 32, 64)
SIZES = (0.5, 2.0, 8.0)
# Gates that let the share through that the reference kept of a real scene: about half after predicted IoU, half of
# that after stability. The default model says lower IoUs than SAM; the scene's are made up (benchmarks/scene.py).
GATES = {"default": (0.38, 0.38), "sam": (0.88, 0.95)}
TITLES = {"default": "default model", "sam": "SAM decoder, scene"}


def rows() -> Iterator[Row]:
    """Both models with and without a crop layer, then the curves of the default model."""
    for kind in GATES:
        for layers in (0, 1):
            yield from compared(kind, SIDE, layers)
    for side in PROMPTS:
        yield curve_row(f"{side * side} prompts, 3.4 megapixels", one("default", "ours", side, MEGAPIXELS, 0))
    for size in SIZES:
        yield curve_row(f"1024 prompts, {size:g} megapixels", one("default", "ours", SIDE, size, 0))


def curve_row(title: str, told: dict[str, Any]) -> Row:
    seconds = round(told["seconds"], 2)
    return Row(f"segment everything: {title}", seconds, "s", seconds, 1, profile(told), memory=told["mib"])


def compared(kind: str, side: int, layers: int) -> list[Row]:
    """Time and memory of one model, each beside the reference's order."""
    ours, theirs = (one(kind, order, side, MEGAPIXELS, layers) for order in ("ours", "reference"))
    title = f"segment everything: {TITLES[kind]}, {side * side} prompts" + (", 1 crop layer" if layers else "")
    same = difference(ours["records"], theirs["records"])
    seconds, mib = round(ours["seconds"], 2), ours["mib"]
    speed, room = theirs["seconds"] / ours["seconds"], theirs["mib"] / mib
    note = f"reference order {theirs['seconds']:.1f} s ({profile(theirs)}); here {profile(ours)}; {same}"
    about = f"reference order {theirs['mib']:.0f} MiB; {ours['start_mib']:.0f} before the first prompt"
    return [
        Row(title, seconds, "s", seconds, 1, note, speed, memory=mib),
        Row(f"{title}, peak memory", mib, "MiB", mib, 1, about, room, memory=mib),
    ]


def profile(told: dict[str, Any]) -> str:
    """What took the time."""
    rest = told["seconds"] - told["decode"]
    return f"decoder {told['decode']:.1f} s, the rest {rest:.1f} s, {told['kernel']:.1f} s of it all in the kernel"


def difference(ours: list[dict[str, Any]], theirs: list[dict[str, Any]]) -> str:
    """In words: are these the same records?"""
    if [record["where"] for record in ours] != [record["where"] for record in theirs]:
        return f"DIFFERENT records: {len(ours)} and {len(theirs)}"
    equal = sum(one["rle"] == other["rle"] for one, other in zip(ours, theirs, strict=True))
    return f"{len(ours)} records in the same order with the same boxes, {equal} with the same RLE"


def one(kind: str, order: str, side: int, megapixels: float, layers: int) -> dict[str, Any]:
    """A figure from a process of its own: see `measured`."""
    return child("benchmarks.segment", "one", kind, order, str(side), str(megapixels), str(layers))


def measured(kind: str, order: str, side: int, megapixels: float, layers: int) -> dict[str, Any]:
    """Processor seconds without the encoder, peak MiB, and what the records are. order: "ours" or "reference"."""
    import torch

    from benchmarks import reference_order, scene
    from modelzoo.automatic import AutomaticMaskGenerator
    from modelzoo.build import build
    from modelzoo.commands.common import DEFAULT_MODEL, load
    from modelzoo.predictor import Predictor

    torch.manual_seed(0)
    height = round((megapixels * 1e6 / 1.5) ** 0.5)
    image = scene.picture(height, round(height * 1.5))
    model = load(DEFAULT_MODEL) if kind == "default" else build("mobile_sam")
    watched = scene.Watched(model, plain=kind == "sam" and order == "reference", scene=kind == "sam")
    settings = reference_order.Settings(side, *GATES[kind], crop_n_layers=layers)
    shared = {field.name: getattr(settings, field.name) for field in dataclasses.fields(settings)[:5]}
    generator = AutomaticMaskGenerator(Predictor(watched), **shared)
    watched.encode(watched.preprocess(image))  # the first call allocates
    watched.spent = dict.fromkeys(watched.spent, 0.0)
    start_mib, kernel = own_peak_mib(), resource.getrusage(resource.RUSAGE_SELF).ru_stime
    processor = time.process_time()
    records = generator.generate(image) if order == "ours" else reference_order.generate(watched, image, settings)
    seconds = time.process_time() - processor - watched.spent["encode"] - watched.spent["scene"]
    return {
        "seconds": seconds,
        "decode": watched.spent["decode"],
        "kernel": resource.getrusage(resource.RUSAGE_SELF).ru_stime - kernel,
        "mib": round(own_peak_mib()),
        "start_mib": start_mib,
        "records": [
            {"where": [r["point_coords"], r["bbox"], r["crop_box"]], "rle": r["segmentation"]["counts"]}
            for r in records
        ],
    }


def main() -> None:
    """One process of the benchmark, or a comparison in words."""
    what, kind, *rest = sys.argv[1:]
    if what == "one":
        order, side, megapixels, layers = rest
        told = measured(kind, order, int(side), float(megapixels), int(layers))
        json.dump(told, sys.stdout)
        return
    for row in compared(kind, int(rest[0]), int(rest[1])):
        print(f"{row.name}: {row.value} {row.unit}, {row.ratio:.1f} x; {row.note}")


if __name__ == "__main__":
    main()
