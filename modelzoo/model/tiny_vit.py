"""MobileSAM's image encoder: TinyViT with 5 million parameters, 1024 pixels in, a 64 x 64 map out.

TinyViT (Wu et al. 2022) is a convolutional stem and stage, then three stages of attention inside windows, each window
with a learned bias per distance, each block with a small depthwise convolution between attention and MLP. MobileSAM
(Zhang et al. 2023) leaves out the last halving, so that the map is as large as SAM's, and puts SAM's neck behind it.
Module names follow the official `mobile_sam.pt`, which loads with strict keys. Convolutions see B x C x H x W,
attention and MLP the same memory as B x H x W x C: maps are kept channels-last, so neither side copies.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelzoo.model.common import neck
from modelzoo.model.image_encoder import window_partition, window_unpartition


class ConvNorm(nn.Module):
    """Convolution without bias, then batch normalisation; folded into one convolution where nothing learns."""

    def __init__(self, channels: int, out: int, kernel: int = 1, stride: int = 1, groups: int = 1) -> None:
        super().__init__()
        self.c = nn.Conv2d(channels, out, kernel, stride, kernel // 2, groups=groups, bias=False)
        self.bn = nn.BatchNorm2d(out)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor
        if self.training:
            result = self.bn(self.c(x))
            return result
        # Folded at every call: the weights are thousands of times smaller than the maps, and no copy can go stale.
        variance, mean = cast(Tensor, self.bn.running_var), cast(Tensor, self.bn.running_mean)
        scale = self.bn.weight * torch.rsqrt(variance + self.bn.eps)
        weight, bias = self.c.weight * scale[:, None, None, None], self.bn.bias - mean * scale
        return F.conv2d(x, weight, bias, self.c.stride, self.c.padding, groups=self.c.groups)


class PatchEmbed(nn.Module):
    """B x 3 x S x S pixels -> B x C x S/4 x S/4: two convolutions that halve."""

    def __init__(self, in_chans: int, dim: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(ConvNorm(in_chans, dim // 2, 3, 2), nn.GELU(), ConvNorm(dim // 2, dim, 3, 2))

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.seq(x)
        return result


class MBConv(nn.Module):
    """Inverted bottleneck: widen, 3 x 3 per channel, narrow, add, activate. B x C x H x W -> the same."""

    def __init__(self, dim: int, expand: float) -> None:
        super().__init__()
        hidden = int(dim * expand)
        self.conv1 = ConvNorm(dim, hidden)
        self.conv2 = ConvNorm(hidden, hidden, 3, groups=hidden)
        self.conv3 = ConvNorm(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        inner = self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))
        return F.gelu(x + inner)


class PatchMerging(nn.Module):
    """To the channels of the next stage, and to half the size where `stride` is 2."""

    def __init__(self, dim: int, out: int, stride: int) -> None:
        super().__init__()
        self.conv1 = ConvNorm(dim, out)
        self.conv2 = ConvNorm(out, out, 3, stride, groups=out)
        self.conv3 = ConvNorm(out, out)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.conv3(F.gelu(self.conv2(F.gelu(self.conv1(x)))))
        return result


def distance_index(side: int) -> Tensor:
    """Number of the distance (|rows|, |columns|) between any two cells of a side x side window: int64 N x N, N = side².

    Distances are numbered row by row, which is the order in which the official weights store their biases.
    """
    steps = torch.arange(side)
    apart = (steps[:, None] - steps).abs()
    rows, columns = apart[:, None, :, None], apart[None, :, None, :]
    return (rows * side + columns).reshape(side * side, side * side)


class WindowAttention(nn.Module):
    """Pre-norm multi-head self-attention inside windows, with one learned bias per head and distance."""

    attention_bias_idxs: Tensor

    def __init__(self, dim: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.norm = nn.LayerNorm(dim)
        self.qkv = nn.Linear(dim, 3 * dim)  # per head: query, key, value one after the other
        self.proj = nn.Linear(dim, dim)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window * window))
        # Not in the official file, hence not persistent.
        self.register_buffer("attention_bias_idxs", distance_index(window), persistent=False)

    def forward(self, x: Tensor) -> Tensor:
        """G x N x C, a window a row -> the same shape."""
        groups, count, dim = x.shape
        q, k, v = self.qkv(self.norm(x)).view(groups, count, self.heads, 3, -1).permute(3, 0, 2, 1, 4)
        bias = self.attention_biases[:, self.attention_bias_idxs]
        out = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        result: Tensor = self.proj(out.transpose(1, 2).reshape(groups, count, dim))
        return result


class MLP(nn.Module):
    """Pre-norm two-layer perceptron: (..., C) -> (..., C)."""

    def __init__(self, dim: int, hidden: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dim)
        self.fc1 = nn.Linear(dim, hidden)
        self.fc2 = nn.Linear(hidden, dim)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.fc2(F.gelu(self.fc1(self.norm(x))))
        return result


class TinyViTBlock(nn.Module):
    """Attention in windows, 3 x 3 convolution per channel, MLP. B x C x H x W -> the same.

    Maps are padded with zeros up to whole windows. The padding takes part in the attention, and since the
    normalisation comes after it, it does so with the norm's bias: as in the reference.
    """

    def __init__(self, dim: int, heads: int, window: int, mlp_ratio: float) -> None:
        super().__init__()
        self.window = window
        self.attn = WindowAttention(dim, heads, window)
        self.local_conv = ConvNorm(dim, dim, 3, groups=dim)
        self.mlp = MLP(dim, int(dim * mlp_ratio))

    def forward(self, x: Tensor) -> Tensor:
        tokens = x.permute(0, 2, 3, 1)
        windows, padded = window_partition(tokens, self.window)
        attended = self.attn(windows.flatten(1, 2)).view(windows.shape)
        tokens = tokens + window_unpartition(attended, padded, (x.shape[2], x.shape[3]))
        tokens = self.local_conv(tokens.permute(0, 3, 1, 2)).permute(0, 2, 3, 1)
        return (tokens + self.mlp(tokens)).permute(0, 3, 1, 2)


class Stage(nn.Module):
    """Blocks, then the way to the next stage, if there is one."""

    def __init__(self, blocks: Sequence[nn.Module], downsample: nn.Module | None) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class TinyViT(nn.Module):
    """B x 3 x S x S normalised pixels -> B x out_chans x S/16 x S/16 embedding (float).

    img_size S: side of the square input, a multiple of 16; embed_dims, depths, num_heads, window_sizes: of the four
    stages (heads and window of the first, convolutional one are not used); num_classes: of the classifier that the
    official file carries and nothing here uses.
    """

    def __init__(
        self,
        *,
        img_size: int,
        in_chans: int,
        num_classes: int,
        embed_dims: Sequence[int],
        depths: Sequence[int],
        num_heads: Sequence[int],
        window_sizes: Sequence[int],
        mlp_ratio: float,
        mbconv_expand_ratio: float,
        out_chans: int,
    ) -> None:
        super().__init__()
        self.img_size = img_size
        self.patch_embed = PatchEmbed(in_chans, embed_dims[0])
        self.layers = nn.ModuleList()
        for index, (dim, depth) in enumerate(zip(embed_dims, depths, strict=True)):
            blocks: list[nn.Module] = [
                TinyViTBlock(dim, num_heads[index], window_sizes[index], mlp_ratio)
                if index
                else MBConv(dim, mbconv_expand_ratio)
                for _ in range(depth)
            ]
            to_last = index == len(embed_dims) - 2
            following = embed_dims[index + 1 : index + 2]
            downsample = PatchMerging(dim, following[0], 1 if to_last else 2) if following else None
            self.layers.append(Stage(blocks, downsample))
        self.norm_head = nn.LayerNorm(embed_dims[-1])
        self.head = nn.Linear(embed_dims[-1], num_classes)
        self.neck = neck(embed_dims[-1], out_chans)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2:] != (self.img_size, self.img_size):
            raise ValueError(f"The encoder takes {self.img_size} x {self.img_size} pixels, got {tuple(x.shape[-2:])}.")
        x = self.patch_embed(x.contiguous(memory_format=torch.channels_last))
        for stage in self.layers:
            x = stage(x)
        result: Tensor = self.neck(x)
        return result.contiguous()
