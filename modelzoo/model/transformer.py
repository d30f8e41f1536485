"""The two-way transformer of the mask decoder (Segment Anything, section 3 and appendix A "Lightweight mask decoder").

A handful of prompt tokens and a whole image attend to each other in both directions. All sizes are parameters: SAM
uses (depth 2, dim 256, 8 heads, MLP 2048, downsampling 2), smaller models smaller numbers.
"""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn

from modelzoo.model.common import MLPBlock


class Attention(nn.Module):
    """Multi-head attention that may work in fewer channels than its input: internal width = dim / downsample_rate."""

    def __init__(self, dim: int, heads: int, downsample_rate: int = 1) -> None:
        super().__init__()
        internal = dim // downsample_rate
        if dim % downsample_rate or internal % heads:
            raise ValueError(f"{heads} heads do not divide {dim} / {downsample_rate} channels.")
        self.heads = heads
        self.q_proj = nn.Linear(dim, internal)
        self.k_proj = nn.Linear(dim, internal)
        self.v_proj = nn.Linear(dim, internal)
        self.out_proj = nn.Linear(internal, dim)

    def _split(self, x: Tensor) -> Tensor:
        """B x N x C -> B x heads x N x C/heads."""
        return x.unflatten(-1, (self.heads, -1)).transpose(1, 2)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """q B x N x C; k and v B x M x C -> B x N x C."""
        queries, keys, values = self._split(self.q_proj(q)), self._split(self.k_proj(k)), self._split(self.v_proj(v))
        scores = queries @ keys.transpose(-2, -1) / math.sqrt(queries.shape[-1])
        mixed = torch.softmax(scores, dim=-1) @ values
        result: Tensor = self.out_proj(mixed.transpose(1, 2).flatten(2))
        return result


class TwoWayAttentionBlock(nn.Module):
    """Self-attention of the tokens, tokens to image, MLP on the tokens, image to tokens; a norm after each step."""

    def __init__(self, dim: int, heads: int, mlp_dim: int, downsample_rate: int, first: bool) -> None:
        super().__init__()
        self.self_attn = Attention(dim, heads)
        self.norm1 = nn.LayerNorm(dim)
        self.cross_attn_token_to_image = Attention(dim, heads, downsample_rate)
        self.norm2 = nn.LayerNorm(dim)
        self.mlp = MLPBlock(dim, mlp_dim, nn.ReLU)
        self.norm3 = nn.LayerNorm(dim)
        self.norm4 = nn.LayerNorm(dim)
        self.cross_attn_image_to_token = Attention(dim, heads, downsample_rate)
        self.first = first

    def forward(self, tokens: Tensor, image: Tensor, token_pe: Tensor, image_pe: Tensor) -> tuple[Tensor, Tensor]:
        """tokens B x N x C, image B x HW x C, and the position code of each -> both updated."""
        if self.first:  # the tokens still are their own position code, and there is nothing yet to add to
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            placed = tokens + token_pe
            tokens = tokens + self.self_attn(placed, placed, tokens)
        tokens = self.norm1(tokens)
        placed_image = image + image_pe
        tokens = self.norm2(tokens + self.cross_attn_token_to_image(tokens + token_pe, placed_image, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + self.cross_attn_image_to_token(placed_image, tokens + token_pe, tokens))
        return tokens, image


class TwoWayTransformer(nn.Module):
    """`depth` two-way blocks and a last look of the tokens at the image.

    embedding_dim: channels of tokens and image; num_heads: attention heads; mlp_dim: hidden width of the token MLP;
    attention_downsample_rate: by how much the cross-attentions narrow their channels.
    """

    def __init__(
        self, *, depth: int, embedding_dim: int, num_heads: int, mlp_dim: int, attention_downsample_rate: int = 2
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            TwoWayAttentionBlock(embedding_dim, num_heads, mlp_dim, attention_downsample_rate, first=index == 0)
            for index in range(depth)
        )
        self.final_attn_token_to_image = Attention(embedding_dim, num_heads, attention_downsample_rate)
        self.norm_final_attn = nn.LayerNorm(embedding_dim)

    def forward(self, image: Tensor, image_pe: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """image and image_pe B x C x H x W, tokens B x N x C -> (tokens B x N x C, image B x HW x C).

        The original tokens serve as position code of the tokens in every attention.
        """
        queries = tokens
        keys = image.flatten(2).transpose(1, 2)
        keys_pe = image_pe.flatten(2).transpose(1, 2)
        for layer in self.layers:
            queries, keys = layer(queries, keys, tokens, keys_pe)
        seen = self.final_attn_token_to_image(queries + tokens, keys + keys_pe, keys)
        return self.norm_final_attn(queries + seen), keys
