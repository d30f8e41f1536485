"""Where a thing of earlier frames is likely to be in a new one: what propagation goes by before it asks the decoder.

Two cues on one grid. *Near*: every cell takes the label of the cells of the frame before that look like it, looked for
in a window round its place, as in label propagation by correspondence (Jabri et al. 2020; Caron et al. 2021, section
4.2). *Far*: whether a cell looks more like cells inside the remembered masks or like cells outside, wherever they are;
the cosine is taken after the channels are whitened on the first frame, so that what all of that frame shares counts
little. Grids are those of Grid: h x w cells over the picture alone, without padding.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import torch
from PIL import Image
from torch import Tensor
from torch.nn import functional as F

from modelzoo.embedding import Embedding
from modelzoo.geometry import Frame

MOST_CELLS = 128  # along the longer side of the padded frame
COLOUR_SCALE = 40.0  # grey levels that weigh as much as a whole map of the encoder
SHRINKAGE = 0.05  # of the mean eigenvalue, added when channels are whitened
NEIGHBOURS = 5  # cells that are averaged, in both cues
TEMPERATURE = 0.05  # of the cosines by which carried labels are weighed
USUAL, KNOWN_SHARE = 0.75, 0.75  # quantile of the cosines, and the share of it, that a thing's cell has at least
LEAST_KNOWN, MOST_KNOWN = 0.45, 0.6  # limits of that cosine
CHANNELS = 64  # that are left of a description when it is whitened


@dataclass(frozen=True)
class Grid:
    """Cells of `stride` input pixels over a frame; rows and columns that lie in the picture."""

    frame: Frame
    stride: int

    @classmethod
    def of(cls, frame: Frame, mask_stride: int) -> Grid:
        """As fine as the decoder's masks, but at most MOST_CELLS along a side."""
        stride = mask_stride
        while max(frame.padded_size) > MOST_CELLS * stride:
            stride *= 2
        return cls(frame, stride)

    @property
    def padded(self) -> tuple[int, int]:
        """Rows and columns over the padded frame."""
        height, width = self.frame.padded_size
        return height // self.stride, width // self.stride

    @property
    def size(self) -> tuple[int, int]:
        """Rows and columns over the picture."""
        rows, columns = self.frame.picture_in(self.padded)
        return rows.stop, columns.stop

    def averaged(self, pixels: np.ndarray) -> Tensor:
        """uint8 H x W x C or H x W in original pixels -> float32 C x h x w (C = 1), the mean of each cell, 0..255."""
        height, width = self.frame.input_size
        small = np.asarray(Image.fromarray(pixels).resize((width, height), Image.Resampling.BOX), np.float32)
        channels = torch.from_numpy(small.reshape(height, width, -1)).permute(2, 0, 1)
        below, right = (cells * self.stride - side for cells, side in zip(self.size, (height, width), strict=True))
        return F.avg_pool2d(F.pad(channels[None], (0, right, 0, below), mode="replicate"), self.stride)[0]

    def share(self, mask: np.ndarray) -> Tensor:
        """Bool H x W -> float32 h x w: how much of each cell the mask covers."""
        return self.averaged(mask.astype(np.uint8) * 255)[0] / 255

    def to_original(self, places: np.ndarray) -> np.ndarray:
        """(x, y) in cells (N x 2, corner at 0) -> original pixels, float64."""
        return self.frame.to_original(np.asarray(places, np.float64) * self.stride)


@dataclass(frozen=True)
class Look:
    """What a frame looks like, cell by cell. near: D x h x w of unit length; far: C x h x w, not whitened."""

    grid: Grid
    near: Tensor
    far: Tensor


def look_at(embedding: Embedding, picture: np.ndarray, mask_stride: int) -> Look:
    """Describe the cells of a picture, H x W x 3 uint8 RGB, by the maps of its embedding and its colours.

    Each map counts alike; `near` takes the finest one alone, which says best what is where.
    """
    grid = Grid.of(embedding.frame, mask_stride)
    height, width = grid.size
    parts = []
    for tensor in embedding.tensors.values():
        values = torch.from_numpy(np.asarray(tensor, np.float32))[None]
        spread = F.interpolate(values, size=grid.padded, mode="bilinear", align_corners=False)
        parts.append(F.normalize(spread[0, :, :height, :width], dim=0))
    colour = opponent(grid.averaged(picture))
    finest = max(range(len(parts)), key=lambda place: list(embedding.tensors.values())[place].shape[-1])
    near = F.normalize(torch.cat([parts[finest], colour]), dim=0)
    return Look(grid, near, torch.cat([*parts, colour]))


def opponent(rgb: Tensor) -> Tensor:
    """3 x h x w RGB 0..255 -> lightness, red against green, yellow against blue, in units of COLOUR_SCALE."""
    red, green, blue = rgb
    lightness, across, along = (red + green + blue) / 3 - 128, red - green, (red + green) / 2 - blue
    return torch.stack([lightness, across, along]) / COLOUR_SCALE


@dataclass(frozen=True)
class Whitening:
    """Takes vectors of C channels to such in which the cells of one frame vary alike in all directions."""

    mean: Tensor
    matrix: Tensor

    @classmethod
    def of(cls, cells: Tensor) -> Whitening:
        """From N x C vectors."""
        mean = cells.mean(0)
        centred = cells - mean
        values, vectors = torch.linalg.eigh(centred.T @ centred / len(cells))
        values = values.clamp(min=0)
        scale = torch.sqrt(values + SHRINKAGE * values.mean() + 1e-12)
        return cls(mean, (vectors / scale)[:, -CHANNELS:])  # the largest are the last

    def __call__(self, cells: Tensor) -> Tensor:
        """N x C -> N x K of unit length, K at most CHANNELS."""
        return F.normalize((cells - self.mean) @ self.matrix, dim=1)


def sampled(cells: Tensor, most: int) -> Tensor:
    """At most so many of N x C, evenly spread over their order; always the same ones."""
    if len(cells) <= most:
        return cells
    return cells[torch.linspace(0, len(cells) - 1, most).long()]


def likeness(cells: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
    """N: how much more each of N x C cells looks like those inside than like those outside, in cosines.

    The mean over the NEIGHBOURS most alike on each side. `inside` and `outside`: M x C, of unit length.
    """
    return nearest(cells, inside) - nearest(cells, outside)


def recognised(cells: Tensor, inside: Tensor, outside: Tensor) -> Tensor:
    """As `likeness`, but a cell that is like nothing is not the thing: what is new in a frame is background.

    What is like the outside by less than a threshold counts as that much. It goes by how alike the cells of this frame
    are that look more like the inside: a thing that has turned is less like what is remembered than one that has not.
    """
    ours, theirs = nearest(cells, inside), nearest(cells, outside)
    alike = ours[ours > theirs]
    usual = float(torch.quantile(alike, USUAL)) if len(alike) else 1.0
    return ours - theirs.clamp(min=min(max(KNOWN_SHARE * usual, LEAST_KNOWN), MOST_KNOWN))


def nearest(cells: Tensor, others: Tensor) -> Tensor:
    """N: the mean cosine of each of N x C cells with the NEIGHBOURS most alike of M x C others; -1 where M is 0."""
    if len(others) == 0:
        return cells.new_full((len(cells),), -1.0)
    return (cells @ others.T).topk(min(NEIGHBOURS, len(others)), dim=1).values.mean(1)


def carried(before: Tensor, label: Tensor, now: Tensor, reach: int) -> tuple[Tensor, Tensor]:
    """(labels, cosines), h x w each: of the cells of an earlier frame that are like each cell here, within `reach`.

    before, now: D x h x w of unit length. label: h x w, 0..1. The NEIGHBOURS most alike are averaged, weighed by their
    cosine over TEMPERATURE.
    """
    height, width = now.shape[1:]
    padded = F.pad(before, (reach,) * 4)
    labels = F.pad(label[None], (reach,) * 4)[0]
    alike, said = [], []
    for down in range(2 * reach + 1):
        for across in range(2 * reach + 1):
            there = slice(down, down + height), slice(across, across + width)
            alike.append((padded[:, *there] * now).sum(0))
            said.append(labels[there])
    best = torch.stack(alike).topk(NEIGHBOURS, dim=0)
    weights = torch.softmax(best.values / TEMPERATURE, dim=0)
    return (weights * torch.stack(said).gather(0, best.indices)).sum(0), best.values[0]
