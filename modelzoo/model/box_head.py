"""A one-class object detector on a frozen encoder's maps: every cell says whether an object is centred there, and how
far its four sides are.

Anchor-free like FCOS (Tian et al., ICCV 2019), with one score that is trained to be the IoU of the cell's own box
(quality focal loss, Li et al., NeurIPS 2020) instead of objectness and centre-ness.
Why: docs/decisions/0006-proposals.md.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelzoo.model.common import LayerNorm2d
from modelzoo.model.compact_decoder import grid_centres

SMALLEST_STRIDE = 8  # of a level, in pixels of the padded frame; finer maps are brought to it
PRIOR = 0.01  # score of every cell before training: nearly all cells are background
START_SIDE = 2.0  # of a box before training, from its centre, in strides
LONGEST_SIDE = math.exp(6.0)  # of a box, in strides: keeps the exponential finite


class BoxHead(nn.Module):
    """Levels of stride s, 2s, 4s, ...: s is the stride of the finest map, but at least SMALLEST_STRIDE.

    `maps` is [[name, channels, stride], ...] of the embedding's tensors. `config` holds every argument, JSON-able.
    Maps are standardised by the mean and spread of each channel over the training pictures (`standardise`), so the
    head works the same on any encoder.
    """

    variant = "box_head"

    def __init__(self, maps: Sequence[Sequence[Any]], width: int = 64, levels: int = 3) -> None:
        super().__init__()
        self.config: dict[str, Any] = {"maps": [list(entry) for entry in maps], "width": width, "levels": levels}
        self.names = [str(name) for name, _, _ in maps]
        self.base = max(SMALLEST_STRIDE, min(int(stride) for _, _, stride in maps))
        self.strides = [self.base * 2**level for level in range(levels)]
        self.entries = nn.ModuleDict({str(name): _entry(int(c), int(s), self.base, width) for name, c, s in maps})
        self.means = nn.ParameterDict({str(name): _fixed(torch.zeros(int(c))) for name, c, _ in maps})
        self.spreads = nn.ParameterDict({str(name): _fixed(torch.ones(int(c))) for name, c, _ in maps})
        self.joined = nn.Sequential(LayerNorm2d(width), nn.ReLU(inplace=True))
        self.downs = nn.ModuleList(_block(width, stride=2) for _ in range(levels - 1))
        self.tower = nn.Sequential(_block(width), _block(width))
        self.score = nn.Conv2d(width, 1, 3, 1, 1)
        self.sides = nn.Conv2d(width, 4, 3, 1, 1)
        self.scales = nn.Parameter(torch.ones(levels))
        nn.init.normal_(self.score.weight, std=0.01)
        nn.init.normal_(self.sides.weight, std=0.01)
        biases = dict(self.named_parameters())
        nn.init.constant_(biases["score.bias"], math.log(PRIOR / (1 - PRIOR)))
        nn.init.constant_(biases["sides.bias"], math.log(START_SIDE))

    @torch.no_grad()
    def standardise(self, means: Mapping[str, Tensor], spreads: Mapping[str, Tensor]) -> None:
        """Set mean and standard deviation of every channel, by map name."""
        for name in self.names:
            self.means[name].copy_(means[name])
            self.spreads[name].copy_(spreads[name].clamp_min(1e-6))

    def forward(self, maps: Mapping[str, Tensor]) -> list[tuple[Tensor, Tensor]]:
        """Maps B x C x h x w -> per level: score logits B x H x W, sides B x 4 x H x W in strides of that level.

        Sides are the distances from the cell's centre to the left, top, right and bottom of its box, all positive.
        """
        size = self._size(maps)
        joined: Tensor | None = None
        for name in self.names:
            normal = (maps[name] - self.means[name][:, None, None]) / self.spreads[name][:, None, None]
            entered = _to_size(self.entries[name](normal), size)
            joined = entered if joined is None else joined + entered
        levels = [self.joined(joined)]
        for down in self.downs:
            levels.append(down(levels[-1]))
        answers = []
        for features, scale in zip(levels, self.scales, strict=True):
            heard = self.tower(features)
            sides = (self.sides(heard) * scale).exp().clamp_max(LONGEST_SIDE)
            answers.append((self.score(heard)[:, 0], sides))
        return answers

    def _size(self, maps: Mapping[str, Tensor]) -> tuple[int, int]:
        """Height and width of the first level."""
        name, _, stride = min(self.config["maps"], key=lambda entry: entry[2])
        height, width = maps[name].shape[-2:]
        return -(-height * stride // self.base), -(-width * stride // self.base)


def _entry(channels: int, stride: int, base: int, width: int) -> nn.Module:
    """A map into the first level's space: finer maps by a strided convolution, others pixel by pixel."""
    ratio = max(1, base // stride)
    return nn.Conv2d(channels, width, ratio, ratio)


def _fixed(values: Tensor) -> nn.Parameter:
    return nn.Parameter(values, requires_grad=False)


def _block(width: int, stride: int = 1) -> nn.Sequential:
    return nn.Sequential(nn.Conv2d(width, width, 3, stride, 1), LayerNorm2d(width), nn.ReLU(inplace=True))


def _to_size(x: Tensor, size: tuple[int, int]) -> Tensor:
    if tuple(x.shape[-2:]) == size:
        return x
    return F.interpolate(x, size=size, mode="bilinear", align_corners=False)


def cell_centres(height: int, width: int, stride: int, like: Tensor) -> Tensor:
    """Centres (x, y) of the cells of a level in padded-frame pixels, (H * W) x 2, row by row."""
    return grid_centres(height, width, stride, like).reshape(-1, 2)


def boxes_from(centres: Tensor, sides: Tensor, stride: int) -> Tensor:
    """Centres N x 2 and sides ... x N x 4 (left, top, right, bottom in strides) -> boxes ... x N x 4, XYXY pixels."""
    pixels = sides * stride
    return torch.cat([centres - pixels[..., :2], centres + pixels[..., 2:]], -1)
