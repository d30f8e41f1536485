"""Designs of the image encoder under one budget: what docs/decisions/0005-encoder-designs.md reports.

    python -m benchmarks.designs TRAINING.toml hybrid-288 vit-288 --minutes 6 --out build/designs.json
    python -m benchmarks.designs TRAINING.toml hybrid-256 hybrid-384 hybrid-512 --minutes 10 --out build/sizes.json
    python -m benchmarks.designs TRAINING.toml FILE.safetensors-384 FILE.safetensors-512 --out build/shipped.json

Every design trains from nothing on the same batches (of its own size) with the same decoder, losses and schedule, for
the same CPU time of one thread (a busy machine makes it take longer, not worse), and is then judged at its own size on
the same unseen masks of every set. Only the encoder differs, so the designs that lost live here and not in the product.
Weights are judged as they are, with pictures brought to another size.
"""

from __future__ import annotations

import argparse
import copy
import dataclasses
import json
import statistics
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelzoo.build import build
from modelzoo.checkpoint import load_checkpoint
from modelzoo.comparison.sets import SetFolder, draw_pictures
from modelzoo.model.common import MLPBlock
from modelzoo.model.compact import Compact
from modelzoo.model.compact_encoder import ResidualBlock
from modelzoo.predictor import Predictor
from modelzoo.training.batches import Batches, load_corpus
from modelzoo.training.config import TrainConfig, read_config
from modelzoo.training.data import Sample, load_picture
from modelzoo.training.devices import Devices
from modelzoo.training.evaluate import evaluate, summarise
from modelzoo.training.loop import Run, keep_freed_memory, optimiser_of, train_step

FIGURES = ("miou_1", "miou_1_oracle", "miou_3", "miou_5", "miou_box")
WINDOW = 8  # tokens of a side; every third block looks at the whole picture (ViTDet, Li et al. 2022)


class WindowBlock(nn.Module):
    """Pre-norm transformer block on B x H x W x C; attention inside windows, or over everything."""

    def __init__(self, channels: int, heads: int, window: int) -> None:
        super().__init__()
        self.window, self.heads = window, heads
        self.norm1, self.norm2 = nn.LayerNorm(channels), nn.LayerNorm(channels)
        self.qkv, self.proj = nn.Linear(channels, 3 * channels), nn.Linear(channels, channels)
        self.mlp = MLPBlock(channels, 3 * channels, nn.GELU)

    def attend(self, x: Tensor) -> Tensor:
        """N x L x C -> the same."""
        q, k, v = self.qkv(x).unflatten(-1, (3, self.heads, -1)).permute(2, 0, 3, 1, 4)
        weights = (q @ k.transpose(-2, -1) * q.shape[-1] ** -0.5).softmax(-1)
        mixed: Tensor = self.proj((weights @ v).transpose(1, 2).flatten(2))
        return mixed

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, channels = x.shape
        tokens = self.norm1(x)
        if not self.window:
            return self.finish(x, self.attend(tokens.flatten(1, 2)).view_as(x))
        side = self.window
        padded = F.pad(tokens, (0, 0, 0, -width % side, 0, -height % side))
        rows, columns = padded.shape[1] // side, padded.shape[2] // side
        windows = padded.view(batch, rows, side, columns, side, channels).transpose(2, 3).reshape(-1, side**2, channels)
        mixed = self.attend(windows).view(batch, rows, columns, side, side, channels).transpose(2, 3)
        return self.finish(x, mixed.reshape(padded.shape)[:, :height, :width])

    def finish(self, x: Tensor, mixed: Tensor) -> Tensor:
        x = x + mixed
        result: Tensor = x + self.mlp(self.norm2(x))
        return result


class PlainViT(nn.Module):
    """16 x 16 patches, windowed attention, and a pyramid made of the last map alone (ViTDet)."""

    def __init__(self, channels: int = 192, depth: int = 8, largest: int = 32) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, channels, 16, 16)
        self.position = nn.Parameter(torch.randn(1, channels, largest, largest) * 0.02)
        self.blocks = nn.ModuleList(WindowBlock(channels, 6, 0 if n % 3 == 2 else WINDOW) for n in range(depth))
        self.norm = nn.LayerNorm(channels)
        self.coarse = nn.Conv2d(channels, 128, 1)
        self.up8 = nn.Sequential(nn.ConvTranspose2d(channels, 96, 2, 2), nn.GELU())
        self.middle = nn.Conv2d(96, 32, 1)
        self.up4 = nn.Sequential(nn.ConvTranspose2d(96, 48, 2, 2), nn.GELU())
        self.fine = nn.Conv2d(48, 28, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        tokens = self.patches(x)
        place = F.interpolate(self.position, tokens.shape[-2:], mode="bilinear", align_corners=False)
        tokens = (tokens + place).permute(0, 2, 3, 1)
        for block in self.blocks:
            tokens = block(tokens)
        sixteenth = self.norm(tokens).permute(0, 3, 1, 2)
        eighth = self.up8(sixteenth)
        return {"coarse": self.coarse(sixteenth), "middle": self.middle(eighth), "fine": self.fine(self.up4(eighth))}


def convolutional(model: Compact) -> None:
    """Three more residual blocks at stride 16 in the place of the attention blocks."""
    model.encoder.stage16 = nn.Sequential(*(ResidualBlock(192) for _ in range(3)))


def plain_vit(model: Compact) -> None:
    """No convolutions but the patches and the way back up."""
    model.encoder = cast(Any, PlainViT())


def hybrid(model: Compact) -> None:
    """The shipped encoder, as it is."""


ENCODERS: dict[str, Callable[[Compact], None]] = {"hybrid": hybrid, "conv": convolutional, "vit": plain_vit}


def trial(design: str, config: TrainConfig, minutes: float) -> tuple[Compact, dict[str, Any]]:
    """Train one design, named ENCODER-LONGSIDE, for `minutes` of CPU time; its averaged weights, and what it saw."""
    encoder, side = design.split("-")
    config = dataclasses.replace(config, init=None, long_sides=(int(side),), loaders=0)
    torch.manual_seed(config.seed)
    model = build(config.model, long_side=int(side))
    ENCODERS[encoder](model)
    model.to(memory_format=torch.channels_last)
    run = Run(model, copy.deepcopy(model).eval(), optimiser_of(model, config))
    batches = Batches(config, load_corpus(config))
    spent, budget = 0.0, minutes * 60
    while spent < budget:
        batch = batches[run.step]
        started = time.process_time()
        train_step(run, batch, config, Devices(torch.device("cpu")))
        spent += time.process_time() - started
        run.step += 1
        if run.step % 20 == 0:  # the schedule needs a length: what the budget will hold at this pace
            config = dataclasses.replace(config, steps=round(run.step * budget / spent))
            print(f"{design}: step {run.step} of {config.steps}", flush=True)
    return run.ema, {"steps": run.step, "pictures": run.step * config.batch}


def resized(design: str) -> Compact:
    """The weights of FILE-LONGSIDE, used at that size."""
    file, side = design.rsplit("-", 1)
    model: Compact = load_checkpoint(Path(file))
    model.long_side = model.config["long_side"] = int(side)
    return model


def unseen_samples(config: TrainConfig, most: int) -> list[Sample]:
    """At most `most` masks of each set of the run, on pictures that it does not train on; always the same ones."""
    return [
        Sample(load_picture(picture.path), picture.masks, picture.ids, picture.set_name)
        for source in config.data
        for picture in draw_pictures(SetFolder.of(source.path), [config], most)
    ]


def judged(model: Any, samples: list[Sample], seed: int) -> dict[str, Any]:
    """FIGURES for each set and the mean of the sets, and milliseconds of one encoding."""
    report = evaluate(Predictor(model), samples, seed=seed, max_clicks=5)
    sets: dict[str, dict[str, Any]] = {}
    for name in dict.fromkeys(sample.source for sample in samples):
        summary = summarise([row for row in report.rows if row["source"] == name])
        sets[name] = {figure: summary[figure] for figure in FIGURES} | {"masks": summary["masks"]}
    means = {figure: round(statistics.fmean(one[figure] for one in sets.values()), 4) for figure in FIGURES}
    size = sum(parameter.numel() for parameter in model.encoder.parameters())
    return {"encoder_parameters": size, "encoder_ms": report.summary["encoder_ms"]} | means | {"sets": sets}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("config", type=Path, help="data and settings; its steps and sizes are replaced")
    parser.add_argument("designs", nargs="+", help=f"{{{','.join(ENCODERS)}}}-LONGSIDE or FILE.safetensors-LONGSIDE")
    parser.add_argument("--minutes", type=float, default=6.0, help="CPU minutes of training for each")
    parser.add_argument("--most-masks", type=int, default=80, help="judged, of each set")
    parser.add_argument("--out", type=Path, required=True)
    options = parser.parse_args()
    keep_freed_memory()
    torch.set_num_threads(1)
    config = read_config(options.config)
    samples = unseen_samples(config, options.most_masks)
    found = []
    for design in options.designs:
        if design.split("-")[0] in ENCODERS:
            model, seen = trial(design, config, options.minutes)
        else:
            model, seen = resized(design), {}
        found.append({"design": Path(design).name} | seen | judged(model, samples, config.seed))
        print(json.dumps(found[-1]), flush=True)
        options.out.write_text(json.dumps(found, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
