"""The two-way transformer of the mask decoder (Segment Anything, section 3 and appendix A "Lightweight mask decoder").

A handful of prompt tokens and a whole image attend to each other in both directions. All sizes are parameters: SAM
uses (depth 2, dim 256, 8 heads, MLP 2048, downsampling 2), smaller models smaller numbers.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelzoo.model.common import MLPBlock


class Attention(nn.Module):
    """Multi-head attention that may work in fewer channels than its input: internal width = dim / downsample_rate.

    `forward` is the plain form. `few_queries` and `few_keys` give the same result when one side is a handful of tokens
    and the other a whole image: the projections are folded into the tokens, so the image is never projected. Weights
    and result are the same (the tests compare them); on a CPU the decoder takes half the time.
    """

    def __init__(self, dim: int, heads: int, downsample_rate: int = 1) -> None:
        super().__init__()
        internal = dim // downsample_rate
        if dim % downsample_rate or internal % heads:
            raise ValueError(f"{heads} heads do not divide {dim} / {downsample_rate} channels.")
        self.heads = heads
        self.width = internal // heads
        self.scale = self.width**-0.5
        self.q_proj = nn.Linear(dim, internal)
        self.k_proj = nn.Linear(dim, internal)
        self.v_proj = nn.Linear(dim, internal)
        self.out_proj = nn.Linear(internal, dim)

    def _split(self, x: Tensor) -> Tensor:
        """B x N x internal -> B x heads x N x c."""
        return x.reshape(x.shape[0], -1, self.heads, self.width).transpose(1, 2)

    def _per_head(self, layer: nn.Linear) -> Tensor:
        """Weight of an input projection as heads x c x C."""
        return layer.weight.view(self.heads, self.width, -1)

    def forward(self, q: Tensor, k: Tensor, v: Tensor, key_bias: Tensor | None = None) -> Tensor:
        """q B x N x C; k and v B x M x C -> B x N x C. key_bias B x M is added to the scores of each key."""
        queries, keys, values = self._split(self.q_proj(q)), self._split(self.k_proj(k)), self._split(self.v_proj(v))
        scores = queries @ keys.transpose(-2, -1) * self.scale
        if key_bias is not None:
            scores = scores + key_bias[:, None, None]
        mixed = torch.softmax(scores, dim=-1) @ values
        return self._joined(mixed)

    def _joined(self, values: Tensor) -> Tensor:
        """B x heads x N x c -> the output projection, B x N x C."""
        joined = values.transpose(1, 2).reshape(values.shape[0], -1, self.heads * self.width)
        result: Tensor = self.out_proj(joined)
        return result

    def few_queries(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """As `forward`, for N tokens that look at an image of M >> N positions (k and v may have batch 1).

        (x Wq) (y Wk)' = (x Wq Wk') y', and the weights of each query sum to one, so Wv can follow the mixing. The key
        bias adds the same to all scores of a query and drops out of the softmax.
        """
        queries = self._split(self.q_proj(q)) @ self._per_head(self.k_proj)  # B x heads x N x C
        batch, channels = q.shape[0], q.shape[2]
        scores = queries.reshape(batch, -1, channels) @ k.transpose(-2, -1) * self.scale
        mixed = (torch.softmax(scores, dim=-1) @ v).reshape(batch, self.heads, -1, channels)
        values = mixed @ self._per_head(self.v_proj).transpose(1, 2) + self.v_proj.bias.view(self.heads, 1, -1)
        return self._joined(values)

    def few_keys(self, q: Tensor, k: Tensor, v: Tensor, key_bias: Tensor | None = None) -> Tensor:
        """As `forward`, for an image of N positions that looks at M << N tokens (q may have batch 1)."""
        batch, tokens, channels = k.shape
        keys = self._split(self.k_proj(k))
        folded = (keys @ self._per_head(self.q_proj)).reshape(batch, -1, channels)  # B x heads * M x C
        bias = (keys @ self.q_proj.bias.view(self.heads, -1, 1)).reshape(batch, 1, -1)
        scores = ((q @ folded.transpose(1, 2) + bias) * self.scale).reshape(batch, -1, self.heads, tokens)
        if key_bias is not None:
            scores = scores + key_bias[:, None, None]
        weights = torch.softmax(scores, dim=-1).flatten(-2)
        values = self._split(self.v_proj(v)) @ self.out_proj.weight.view(-1, self.heads, self.width).permute(1, 2, 0)
        return weights @ values.reshape(batch, -1, channels) + self.out_proj.bias


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

    def forward(
        self, tokens: Tensor, image: Tensor, token_pe: Tensor, image_pe: Tensor, token_bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """tokens B x N x C, image 1 or B x HW x C, and the position code of each -> both updated, batch B."""
        token_to_image, image_to_token = self.cross_attn_token_to_image, self.cross_attn_image_to_token
        folded = not torch.is_grad_enabled()
        look = token_to_image.few_queries if folded else token_to_image
        answer = image_to_token.few_keys if folded else image_to_token
        if self.first:  # the tokens still are their own position code, and there is nothing yet to add to
            tokens = self.self_attn(tokens, tokens, tokens, token_bias)
        else:
            placed = tokens + token_pe
            tokens = tokens + self.self_attn(placed, placed, tokens, token_bias)
        tokens = self.norm1(tokens)
        placed_image = image + image_pe
        tokens = self.norm2(tokens + look(tokens + token_pe, placed_image, image))
        tokens = self.norm3(tokens + self.mlp(tokens))
        image = self.norm4(image + answer(placed_image, tokens + token_pe, tokens, token_bias))
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

    def forward(
        self, image: Tensor, image_pe: Tensor, tokens: Tensor, token_bias: Tensor | None = None
    ) -> tuple[Tensor, Tensor]:
        """image and image_pe 1 or B x C x H x W, tokens B x N x C -> (tokens B x N x C, image B x HW x C).

        token_bias B x N: -inf for a token that nobody may look at, 0 for the others; None: everybody sees everything.

        The original tokens serve as position code of the tokens in every attention. Give an image that all prompts
        share with batch 1: it is not copied before the first block has changed it.
        """
        queries = tokens
        keys = image.flatten(2).transpose(1, 2)
        keys_pe = image_pe.flatten(2).transpose(1, 2)
        for layer in self.layers:
            queries, keys = layer(queries, keys, tokens, keys_pe, token_bias)
        final = self.final_attn_token_to_image
        look = final if torch.is_grad_enabled() else final.few_queries
        seen = look(queries + tokens, keys + keys_pe, keys)
        return self.norm_final_attn(queries + seen), keys
