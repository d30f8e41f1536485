"""From clicks, boxes and earlier masks to embeddings (Segment Anything, section 3 and appendix A "Prompt encoder").

Coordinates are (x, y) in input-frame pixels. Labels: 1 object, 0 background, 2 and 3 the top-left and bottom-right
corner of a box, -1 padding.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn

from modelzoo.model.common import LayerNorm2d

PADDING, BOX_TOP_LEFT, BOX_BOTTOM_RIGHT = -1, 2, 3


class RandomPositions(nn.Module):
    """Position code by random Fourier features (Tancik et al. 2020): sine, cosine of `dim / 2` random projections."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, dim: int) -> None:
        super().__init__()
        self.register_buffer("positional_encoding_gaussian_matrix", torch.randn(2, dim // 2))

    def at(self, coords: Tensor) -> Tensor:
        """(..., 2) as (x, y) in [0, 1] of the padded frame -> (..., dim)."""
        angles = (2 * coords - 1) @ self.positional_encoding_gaussian_matrix * (2 * math.pi)
        return torch.cat([angles.sin(), angles.cos()], dim=-1)

    def grid(self, height: int, width: int) -> Tensor:
        """Code of the centre of every cell of a height x width map: dim x height x width."""
        weight = self.positional_encoding_gaussian_matrix
        rows = (torch.arange(height, device=weight.device, dtype=weight.dtype) + 0.5) / height
        columns = (torch.arange(width, device=weight.device, dtype=weight.dtype) + 0.5) / width
        y, x = torch.meshgrid(rows, columns, indexing="ij")
        return self.at(torch.stack([x, y], dim=-1)).permute(2, 0, 1)


class PromptEncoder(nn.Module):
    """Prompts -> sparse tokens B x N x C and a dense map 1 or B x C x h x w.

    embed_dim: C; image_embedding_size: (h, w) of the image embedding; input_image_size: (H, W) of the padded frame;
    mask_in_chans: hidden width for masks, which come as B x 1 x 4h x 4w logits.
    """

    def __init__(
        self,
        *,
        embed_dim: int,
        image_embedding_size: Sequence[int],
        input_image_size: Sequence[int],
        mask_in_chans: int,
    ) -> None:
        super().__init__()
        self.embed_dim = embed_dim
        self.image_embedding_size = (image_embedding_size[0], image_embedding_size[1])
        self.input_image_size = (input_image_size[0], input_image_size[1])
        self.pe_layer = RandomPositions(embed_dim)
        self.point_embeddings = nn.ModuleList(nn.Embedding(1, embed_dim) for _ in range(4))
        self.not_a_point_embed = nn.Embedding(1, embed_dim)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, mask_in_chans // 4, kernel_size=2, stride=2),
            LayerNorm2d(mask_in_chans // 4),
            nn.GELU(),
            nn.Conv2d(mask_in_chans // 4, mask_in_chans, kernel_size=2, stride=2),
            LayerNorm2d(mask_in_chans),
            nn.GELU(),
            nn.Conv2d(mask_in_chans, embed_dim, kernel_size=1),
        )
        self.no_mask_embed = nn.Embedding(1, embed_dim)

    def dense_pe(self) -> Tensor:
        """Position code of the image embedding, 1 x C x h x w."""
        return self.pe_layer.grid(*self.image_embedding_size)[None]

    def kinds(self) -> Tensor:
        """5 x C: what each label adds, from -1 to 3."""
        embeddings = [self.not_a_point_embed, *(cast(nn.Embedding, kind) for kind in self.point_embeddings)]
        return torch.cat([embedding.weight for embedding in embeddings])

    def embed_points(self, coords: Tensor, labels: Tensor) -> Tensor:
        """coords B x N x 2 in input pixels, labels B x N in -1..3 -> B x N x C.

        Half a pixel is added: a click on pixel (x, y) means its centre.
        """
        height, width = self.input_image_size
        shifted = coords.to(torch.float32) + 0.5
        code = self.pe_layer.at(shifted / shifted.new_tensor([width, height]))
        kinds = labels.to(torch.int64)
        return code * (kinds != PADDING)[..., None] + self.kinds()[kinds + 1]

    def embed_masks(self, masks: Tensor) -> Tensor:
        """B x 1 x 4h x 4w logits -> B x C x h x w."""
        result: Tensor = self.mask_downscaling(masks)
        return result

    def no_mask(self, batch: int = 1) -> Tensor:
        """What stands in for a mask when there is none: B x C x h x w (a view, not a copy)."""
        return self.no_mask_embed.weight.view(1, -1, 1, 1).expand(batch, -1, *self.image_embedding_size)

    def forward(
        self,
        points: Tensor | None,
        labels: Tensor | None,
        boxes: Tensor | None,
        masks: Tensor | None,
    ) -> tuple[Tensor, Tensor]:
        """points B x N x 2, labels B x N, boxes B x 4 (x0, y0, x1, y1), masks B x 1 x 4h x 4w; any may be None.

        Returns (sparse B x K x C, dense B x C x h x w), dense of batch 1 without masks. Points without a box get one
        padding point, because the reference was trained so; a box counts as two corner points after the others.
        """
        coords, kinds = [], []
        if points is not None:
            if labels is None:
                raise ValueError("Points need labels.")
            coords.append(points.to(torch.float32))
            kinds.append(labels.to(torch.int64))
            if boxes is None:
                coords.append(coords[0].new_zeros(points.shape[0], 1, 2))
                kinds.append(kinds[0].new_full((points.shape[0], 1), PADDING))
        if boxes is not None:
            coords.append(boxes.reshape(-1, 2, 2).to(torch.float32))
            corners = torch.tensor([[BOX_TOP_LEFT, BOX_BOTTOM_RIGHT]], device=boxes.device)
            kinds.append(corners.expand(boxes.shape[0], 2))
        if coords:
            sparse = self.embed_points(torch.cat(coords, dim=1), torch.cat(kinds, dim=1))
        else:
            sparse = self.no_mask_embed.weight.new_zeros(1 if masks is None else masks.shape[0], 0, self.embed_dim)
        dense = self.no_mask() if masks is None else self.embed_masks(masks)
        return sparse, dense
