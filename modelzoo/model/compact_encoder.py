"""Image encoder of the default model: convolutions first, a little attention at the coarsest level, three maps out.

It is made for CPUs: most of the work is 3x3 convolutions on small maps, and any picture whose padded sides are
multiples of 16 goes in as it is, so nothing is squashed and little is padded.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class ConvNormAct(nn.Sequential):
    """Convolution, batch norm, ReLU."""

    def __init__(self, inputs: int, outputs: int, kernel: int = 3, stride: int = 1) -> None:
        super().__init__(
            nn.Conv2d(inputs, outputs, kernel, stride, kernel // 2, bias=False),
            nn.BatchNorm2d(outputs),
            nn.ReLU(inplace=True),
        )


class ResidualBlock(nn.Module):
    """Two 3x3 convolutions around a shortcut."""

    def __init__(self, channels: int) -> None:
        super().__init__()
        self.first = ConvNormAct(channels, channels)
        self.second = nn.Sequential(
            nn.Conv2d(channels, channels, 3, 1, 1, bias=False),
            nn.BatchNorm2d(channels),
        )

    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x + self.second(self.first(x)))


class AttentionBlock(nn.Module):
    """Global self-attention on the coarsest map. A depthwise 3x3 convolution tells it where things are."""

    def __init__(self, channels: int, head_channels: int = 32, mlp_ratio: int = 3) -> None:
        super().__init__()
        self.heads = channels // head_channels
        self.position = nn.Conv2d(channels, channels, 3, 1, 1, groups=channels)
        self.norm1 = nn.LayerNorm(channels)
        self.qkv = nn.Linear(channels, 3 * channels)
        self.proj = nn.Linear(channels, channels)
        self.norm2 = nn.LayerNorm(channels)
        self.mlp = nn.Sequential(
            nn.Linear(channels, mlp_ratio * channels), nn.GELU(), nn.Linear(mlp_ratio * channels, channels)
        )

    def forward(self, x: Tensor) -> Tensor:
        """B x C x H x W -> the same."""
        x = x + self.position(x)
        batch, channels, height, width = x.shape
        tokens = x.flatten(2).transpose(1, 2)
        qkv = self.qkv(self.norm1(tokens)).reshape(batch, height * width, 3, self.heads, channels // self.heads)
        q, k, v = qkv.permute(2, 0, 3, 1, 4)
        # Plain products: PyTorch's fused CPU kernel is slow at a head size of 32.
        weights = (q @ k.transpose(-2, -1) * (channels // self.heads) ** -0.5).softmax(-1)
        tokens = tokens + self.proj((weights @ v).transpose(1, 2).reshape(batch, height * width, channels))
        tokens = tokens + self.mlp(self.norm2(tokens))
        return tokens.transpose(1, 2).reshape(batch, channels, height, width)


class CompactEncoder(nn.Module):
    """B x 3 x H x W (normalised RGB, H and W multiples of 16) -> three maps for the decoder.

    Returns `coarse` (stride 16), `middle` (stride 8), `fine` (stride 4). The last `affinity_channels` of `fine` are
    an embedding whose cosine tells how alike two places are; the decoder compares every place with the clicked ones.
    """

    def __init__(
        self,
        widths: tuple[int, int, int, int],
        depths: tuple[int, int, int, int],
        coarse_channels: int,
        middle_channels: int,
        fine_channels: int,
        affinity_channels: int,
    ) -> None:
        super().__init__()
        stem, quarter, eighth, sixteenth = widths
        self.stem = nn.Sequential(ConvNormAct(3, stem, stride=2), ConvNormAct(stem, quarter, stride=2))
        self.stage4 = nn.Sequential(*(ResidualBlock(quarter) for _ in range(depths[0])))
        self.down8 = ConvNormAct(quarter, eighth, stride=2)
        self.stage8 = nn.Sequential(*(ResidualBlock(eighth) for _ in range(depths[1])))
        self.down16 = ConvNormAct(eighth, sixteenth, stride=2)
        self.stage16 = nn.Sequential(
            *(ResidualBlock(sixteenth) for _ in range(depths[2])),
            *(AttentionBlock(sixteenth) for _ in range(depths[3])),
        )
        # A small feature pyramid: every finer map also hears what the coarser ones understood.
        self.coarse = nn.Conv2d(sixteenth, coarse_channels, 1)
        self.coarse_to_middle = nn.Conv2d(sixteenth, eighth, 1)
        self.fuse8 = ConvNormAct(eighth, eighth)
        self.middle = nn.Conv2d(eighth, middle_channels, 1)
        self.middle_to_fine = nn.Conv2d(eighth, quarter, 1)
        self.fuse4 = ConvNormAct(quarter, quarter)
        self.fine = nn.Conv2d(quarter, fine_channels + affinity_channels, 1)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        quarter = self.stage4(self.stem(x))
        eighth = self.stage8(self.down8(quarter))
        sixteenth = self.stage16(self.down16(eighth))
        eighth = self.fuse8(eighth + upsample2(self.coarse_to_middle(sixteenth)))
        quarter = self.fuse4(quarter + upsample2(self.middle_to_fine(eighth)))
        return {"coarse": self.coarse(sixteenth), "middle": self.middle(eighth), "fine": self.fine(quarter)}


def upsample2(x: Tensor) -> Tensor:
    """Twice the height and width, bilinear."""
    return F.interpolate(x, scale_factor=2, mode="bilinear", align_corners=False)


def freeze_batch_norm(module: nn.Module) -> None:
    """Keep the running statistics: a handful of new pictures must not overwrite what many have taught."""
    for part in module.modules():
        if isinstance(part, nn.BatchNorm2d):
            part.eval()


def image_tensor(pixels: Tensor) -> Tensor:
    """... x 3 x H x W uint8 RGB -> float32 of roughly zero mean and unit spread."""
    return (pixels.to(torch.float32) - 116.0) / 58.0
