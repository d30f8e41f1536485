"""SAM's ViT-B encoder at 1024 pixels, beside the plain order: whole attention maps, made by one product each.

Two blocks of random weights, one of each kind, tell of twelve: eight see windows, four the whole image, and together
they are 98 % of the encoder. Plain and ours run one after the other in every round, in processor seconds, so a busy
machine moves their ratio little. `int8` is the form of `python -m modelzoo quantise`: linear layers in whole numbers.

    python -m benchmarks.encoders FORM        one form in this process: ours, plain or int8
"""

from __future__ import annotations

import copy
import json
import statistics
import sys
import time
from collections.abc import Iterator
from typing import Any

from benchmarks.measure import Row, child, own_peak_mib

ROUNDS = 3
WINDOWED, GLOBAL = 8, 4  # blocks of ViT-B
FORMS = ("ours", "plain", "int8")
TITLE = "SAM ViT-B encoder, 12 blocks"


def rows() -> Iterator[Row]:
    """Processor seconds of each form, by the two kinds of blocks and for all twelve."""
    runs: dict[str, list[dict[str, Any]]] = {form: [] for form in FORMS}
    for _ in range(ROUNDS):
        for form in FORMS:
            runs[form].append(child("benchmarks.encoders", form))
    for kind, count in (("windowed", WINDOWED), ("global", GLOBAL)):
        times = {form: [one[kind] for one in told] for form, told in runs.items()}
        yield row(f"SAM ViT-B encoder, one {kind} block", times, runs, f"{count} of 12 blocks")
    total = {form: [WINDOWED * one["windowed"] + GLOBAL * one["global"] for one in runs[form]] for form in FORMS}
    yield row(TITLE, total, runs, f"largest difference {max(one['difference'] for one in runs['ours']):.1e}")
    loss = max(one["relative"] for one in runs["int8"])
    yield row(f"{TITLE}, int8 linear layers", total, runs, f"relative difference {loss:.1e}", "int8")


def row(name: str, times: dict[str, list[float]], runs: dict[str, Any], note: str, form: str = "ours") -> Row:
    """One figure beside that of the plain order."""
    found, plain = (statistics.median(times[one]) for one in (form, "plain"))
    memory, other = (max(one["mib"] for one in runs[each]) for each in (form, "plain"))
    note = f"plain {plain:.2f} s, {other} MiB; {note}"
    return Row(name, round(found, 2), "s", round(min(times[form]), 2), ROUNDS, note, round(plain / found, 2), memory)


def measured(form: str) -> dict[str, Any]:
    """Processor seconds of one windowed and one global block, peak MiB, and the difference to the plain order."""
    import torch

    from modelzoo.model.image_encoder import ImageEncoderViT
    from modelzoo.model.int8 import quantise
    from modelzoo.model.segmenter import vit_config

    torch.manual_seed(0)
    model = ImageEncoderViT(**vit_config(768, 2, 12, (1,))).eval().requires_grad_(False)
    for name, weights in model.named_parameters():
        if "rel_pos" in name:
            torch.nn.init.normal_(weights, std=0.15)
    x = torch.randn(1, 64, 64, 768)
    told: dict[str, Any] = {}
    results = []
    for kind, block in zip(("windowed", "global"), model.blocks, strict=True):
        run = copy.deepcopy(block)
        if form == "int8":
            quantise(run)
        with torch.set_grad_enabled(form == "plain"):  # nothing has gradients: it is the form that training takes
            run(x)
            started = time.process_time()
            result = run(x)
            told[kind] = time.process_time() - started
        results.append(result)
    told["mib"] = round(own_peak_mib())
    expected = results if form == "plain" else [block(x) for block in model.blocks]
    differences = [one - other for one, other in zip(results, expected, strict=True)]
    told["difference"] = max(float(one.abs().max()) for one in differences)
    told["relative"] = max(float(one.norm() / other.norm()) for one, other in zip(differences, expected, strict=True))
    return told


if __name__ == "__main__":
    json.dump(measured(sys.argv[1]), sys.stdout)
