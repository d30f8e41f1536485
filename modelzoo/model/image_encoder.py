"""The image encoder of SAM: a plain vision transformer with windowed attention and relative positions.

Segment Anything, section 3 and appendix A "Image encoder"; the backbone is ViTDet (Li et al. 2022): most blocks attend
inside windows, a few evenly spaced ones over the whole image. Inside, maps are B x H x W x C.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelzoo.model.common import MLPBlock, neck

# Entries of the attention map held at once without gradients. 2^21 float32 are 8 MB: near the cache, and below the
# size from which the C allocator maps fresh pages for every temporary, which costs more than the arithmetic.
CPU_BLOCK = 1 << 21
DEVICE_BLOCK = 1 << 27
MOST_CELLS = 128  # along a side of the map; SAM has 64, and the cost of attention grows with the fourth power


class PatchEmbed(nn.Module):
    """B x 3 x H x W pixels -> B x H/p x W/p x C."""

    def __init__(self, patch_size: int, in_chans: int, embed_dim: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(in_chans, embed_dim, kernel_size=patch_size, stride=patch_size)

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.proj(x).permute(0, 2, 3, 1)
        return result


def window_partition(x: Tensor, window: int) -> tuple[Tensor, tuple[int, int]]:
    """B x H x W x C -> windows (B * n) x window x window x C, and the padded (H, W).

    Zeros are added at the bottom and right up to a multiple of the window. They take part in the attention, as in the
    reference: masking them changes the result.
    """
    batch, height, width, channels = x.shape
    x = F.pad(x, (0, 0, 0, -width % window, 0, -height % window))
    padded = (x.shape[1], x.shape[2])
    x = x.view(batch, padded[0] // window, window, padded[1] // window, window, channels)
    return x.transpose(2, 3).reshape(-1, window, window, channels), padded


def window_unpartition(windows: Tensor, padded: tuple[int, int], size: tuple[int, int]) -> Tensor:
    """Inverse of `window_partition`, without the padding: -> B x H x W x C for size (H, W)."""
    window, channels = windows.shape[1], windows.shape[-1]
    rows, columns = padded[0] // window, padded[1] // window
    x = windows.view(-1, rows, columns, window, window, channels).transpose(2, 3)
    return x.reshape(-1, padded[0], padded[1], channels)[:, : size[0], : size[1]]


def _relative_table(positions: Tensor, size: int) -> Tensor:
    """Rows of a (2 size - 1) x C table by distance: [query, key] -> table[query - key + size - 1], size x size x C."""
    steps = torch.arange(size, device=positions.device)
    return positions[steps[:, None] - steps[None, :] + size - 1]


def _attention_block(q: Tensor, k: Tensor, v: Tensor, by_row: Tensor, by_column: Tensor) -> Tensor:
    """Attention of the queries q (G x n x c, scaled) over k and v (G x HW x c).

    by_row G x n x H and by_column G x n x W are the relative-position terms of each query.
    """
    scores = (by_row[..., None] + by_column[..., None, :]).flatten(2)
    scores.baddbmm_(q, k.transpose(1, 2))
    return torch.bmm(torch.softmax(scores, dim=-1), v)


def _attention_in_blocks(q: Tensor, k: Tensor, v: Tensor, by_row: Tensor, by_column: Tensor) -> Tensor:
    """`_attention_block` for all groups and queries, a block at a time. Not differentiable."""
    groups, count, _ = q.shape
    block = CPU_BLOCK if q.device.type == "cpu" else DEVICE_BLOCK
    rows = min(count, max(1, block // count))
    step = max(1, block // (count * count))
    out = torch.empty_like(q)
    for g in (slice(start, start + step) for start in range(0, groups, step)):
        for r in (slice(start, start + rows) for start in range(0, count, rows)):
            out[g, r] = _attention_block(q[g, r], k[g], v[g], by_row[g, r], by_column[g, r])
    return out


class Attention(nn.Module):
    """Multi-head self-attention of a map, with decomposed relative positions if `rel_size` is given.

    Each query gets two additional terms per key, one by row distance and one by column distance, both from the
    *unscaled* query. `rel_size` is the (H, W) of the maps this layer will see.
    """

    def __init__(self, dim: int, heads: int, qkv_bias: bool, rel_size: tuple[int, int] | None) -> None:
        super().__init__()
        self.heads = heads
        head_dim = dim // heads
        self.scale = head_dim**-0.5
        self.relative = rel_size is not None
        if rel_size is not None:
            self.rel_pos_h = nn.Parameter(torch.zeros(2 * rel_size[0] - 1, head_dim))
            self.rel_pos_w = nn.Parameter(torch.zeros(2 * rel_size[1] - 1, head_dim))
        self.qkv = nn.Linear(dim, 3 * dim, bias=qkv_bias)
        self.proj = nn.Linear(dim, dim)

    def forward(self, x: Tensor) -> Tensor:
        """B x H x W x C -> the same shape."""
        batch, height, width, _ = x.shape
        qkv = self.qkv(x).view(batch, height * width, 3, self.heads, -1)
        q, k, v = qkv.permute(2, 0, 3, 1, 4).flatten(1, 2)  # each (B * heads) x HW x c
        by_row, by_column = self._relative_terms(q, height, width)
        if torch.is_grad_enabled():
            scores = (q * self.scale) @ k.transpose(1, 2)
            scores = scores + (by_row[..., :, None] + by_column[..., None, :]).flatten(2)
            out = torch.softmax(scores, dim=-1) @ v
        else:
            out = _attention_in_blocks(q * self.scale, k, v, by_row, by_column)
        out = out.view(batch, self.heads, height, width, -1).permute(0, 2, 3, 1, 4)
        result: Tensor = self.proj(out.reshape(batch, height, width, -1))
        return result

    def _relative_terms(self, q: Tensor, height: int, width: int) -> tuple[Tensor, Tensor]:
        """(B * heads) x HW x H and x W: what distance in rows and in columns adds to each score."""
        if not self.relative:
            return q.new_zeros(*q.shape[:2], height), q.new_zeros(*q.shape[:2], width)
        grid = q.view(-1, height, width, q.shape[-1])
        by_row = torch.einsum("ghwc,hkc->ghwk", grid, _relative_table(self.rel_pos_h, height))
        by_column = torch.einsum("ghwc,wkc->ghwk", grid, _relative_table(self.rel_pos_w, width))
        return by_row.flatten(1, 2), by_column.flatten(1, 2)


class Block(nn.Module):
    """Pre-norm transformer block on B x H x W x C; `window` 0 means global attention."""

    def __init__(
        self,
        dim: int,
        heads: int,
        mlp_ratio: float,
        qkv_bias: bool,
        window: int,
        rel_size: tuple[int, int] | None,
        eps: float,
    ) -> None:
        super().__init__()
        self.norm1 = nn.LayerNorm(dim, eps=eps)
        self.attn = Attention(dim, heads, qkv_bias, rel_size)
        self.norm2 = nn.LayerNorm(dim, eps=eps)
        self.mlp = MLPBlock(dim, int(dim * mlp_ratio))
        self.window = window

    def forward(self, x: Tensor) -> Tensor:
        normal = self.norm1(x)
        if self.window:
            windows, padded = window_partition(normal, self.window)
            attended = window_unpartition(self.attn(windows), padded, (x.shape[1], x.shape[2]))
        else:
            attended = self.attn(normal)
        x = x + attended
        result: Tensor = x + self.mlp(self.norm2(x))
        return result


class ImageEncoderViT(nn.Module):
    """B x 3 x S x S normalised pixels -> B x out_chans x S/p x S/p embedding (float).

    img_size S: side of the square input; patch_size p; embed_dim, depth, num_heads, mlp_ratio: of the transformer;
    window_size: side of the attention windows; global_attn_indexes: blocks (from 0) that see the whole image.
    """

    def __init__(
        self,
        *,
        img_size: int,
        patch_size: int,
        in_chans: int,
        embed_dim: int,
        depth: int,
        num_heads: int,
        mlp_ratio: float,
        out_chans: int,
        qkv_bias: bool,
        layer_norm_eps: float,
        use_abs_pos: bool,
        use_rel_pos: bool,
        window_size: int,
        global_attn_indexes: Sequence[int],
    ) -> None:
        super().__init__()
        self.img_size = img_size
        side = img_size // patch_size
        if side > MOST_CELLS:
            raise ValueError(f"A map of {side} x {side} cells is more than attention can take.")
        self.patch_embed = PatchEmbed(patch_size, in_chans, embed_dim)
        self.pos_embed = nn.Parameter(torch.zeros(1, side, side, embed_dim)) if use_abs_pos else None
        self.blocks = nn.ModuleList()
        for index in range(depth):
            window = 0 if index in global_attn_indexes else window_size
            seen = (window or side, window or side)
            rel_size = seen if use_rel_pos else None
            self.blocks.append(Block(embed_dim, num_heads, mlp_ratio, qkv_bias, window, rel_size, layer_norm_eps))
        self.neck = neck(embed_dim, out_chans)

    def forward(self, x: Tensor) -> Tensor:
        if x.shape[-2:] != (self.img_size, self.img_size):
            raise ValueError(f"The encoder takes {self.img_size} x {self.img_size} pixels, got {tuple(x.shape[-2:])}.")
        x = self.patch_embed(x)
        if self.pos_embed is not None:
            x = x + self.pos_embed
        for block in self.blocks:
            x = block(x)
        result: Tensor = self.neck(x.permute(0, 3, 1, 2))
        return result
