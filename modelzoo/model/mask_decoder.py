"""From image and prompt embeddings to masks (Segment Anything, section 3 and appendix A "Lightweight mask decoder")."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from modelzoo.model.common import MLP, LayerNorm2d
from modelzoo.model.transformer import TwoWayTransformer


class MaskDecoder(nn.Module):
    """Predicts one mask for unambiguous prompts and `num_multimask_outputs` candidates for ambiguous ones.

    Output index 0 belongs to the single-mask token, 1.. to the candidates (appendix A "Making the model
    ambiguity-aware"); each comes with a predicted IoU, which has no sigmoid and may leave 0..1.
    """

    def __init__(
        self,
        *,
        transformer: TwoWayTransformer,
        transformer_dim: int,
        num_multimask_outputs: int = 3,
        iou_head_depth: int = 3,
        iou_head_hidden_dim: int = 256,
    ) -> None:
        super().__init__()
        self.transformer = transformer
        self.num_mask_tokens = num_multimask_outputs + 1
        self.iou_token = nn.Embedding(1, transformer_dim)
        self.mask_tokens = nn.Embedding(self.num_mask_tokens, transformer_dim)
        quarter, eighth = transformer_dim // 4, transformer_dim // 8
        self.output_upscaling = nn.Sequential(
            nn.ConvTranspose2d(transformer_dim, quarter, kernel_size=2, stride=2),
            LayerNorm2d(quarter),
            nn.GELU(),
            nn.ConvTranspose2d(quarter, eighth, kernel_size=2, stride=2),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(transformer_dim, transformer_dim, eighth, 3) for _ in range(self.num_mask_tokens)
        )
        self.iou_prediction_head = MLP(transformer_dim, iou_head_hidden_dim, self.num_mask_tokens, iou_head_depth)

    def forward(self, image: Tensor, image_pe: Tensor, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
        """image 1 or B x C x h x w, image_pe 1 x C x h x w, sparse B x N x C, dense B x C x h x w
        -> (logits B x T x 4h x 4w, predicted IoU B x T), T = candidates + 1, single-mask token first.
        """
        tokens, source = self.run_transformer(image, image_pe, sparse, dense)
        batch, _, height, width = dense.shape
        upscaled = self.output_upscaling(source.transpose(1, 2).reshape(batch, -1, height, width))
        weights = torch.stack(
            [head(tokens[:, 1 + index]) for index, head in enumerate(self.output_hypernetworks_mlps)], dim=1
        )
        masks = (weights @ upscaled.flatten(2)).unflatten(2, (upscaled.shape[2], upscaled.shape[3]))
        return masks, self.iou_prediction_head(tokens[:, 0])

    def run_transformer(self, image: Tensor, image_pe: Tensor, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
        """Arguments as in `forward` -> (tokens B x (1 + T + N) x C: IoU, masks, prompts; image B x hw x C)."""
        batch = sparse.shape[0]
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(batch, -1, -1), sparse], dim=1)
        result: tuple[Tensor, Tensor] = self.transformer(image + dense, image_pe, tokens)
        return result
