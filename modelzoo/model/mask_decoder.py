"""From image and prompt embeddings to masks (Segment Anything, section 3 and appendix A "Lightweight mask decoder")."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

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
        """image 1 or B x C x h x w, image_pe 1 x C x h x w, sparse B x N x C, dense 1 or B x C x h x w
        -> (logits B x T x 4h x 4w, predicted IoU B x T), T = candidates + 1, single-mask token first.
        """
        tokens, source = self.run_transformer(image, image_pe, sparse, dense)
        weights = torch.stack(
            [head(tokens[:, 1 + index]) for index, head in enumerate(self.output_hypernetworks_mlps)], dim=1
        )
        return self.draw(source, weights, (image.shape[2], image.shape[3])), self.iou_prediction_head(tokens[:, 0])

    def run_transformer(self, image: Tensor, image_pe: Tensor, sparse: Tensor, dense: Tensor) -> tuple[Tensor, Tensor]:
        """Arguments as in `forward` -> (tokens B x (1 + T + N) x C: IoU, masks, prompts; image B x hw x C)."""
        own = torch.cat([self.iou_token.weight, self.mask_tokens.weight])
        tokens = torch.cat([own.expand(sparse.shape[0], -1, -1), sparse], dim=1)
        result: tuple[Tensor, Tensor] = self.transformer(image + dense, image_pe, tokens)
        return result

    def draw(self, source: Tensor, weights: Tensor, size: tuple[int, int]) -> Tensor:
        """source B x hw x C upscaled four times, then one dot product per mask: weights B x T x C/8 -> B x T x 4h x 4w.

        The same as `output_upscaling` on the map and a product over its channels. But a transposed convolution whose
        kernel is its stride makes each 2 x 2 block from one pixel, so both are matrix products, and the only thing that
        has to be brought into image order is the finished masks. Three times faster on a CPU.
        """
        first, norm, act, second, last_act = self.output_upscaling
        x = act(_normalised(_blocks_of_four(source, first), norm))  # B x hw x 4 x C/4
        x = last_act(_blocks_of_four(x, second))  # B x hw x 4 x 4 x C/8
        masks = (x.flatten(1, 3) @ weights.transpose(1, 2)).transpose(1, 2)  # B x T x (hw * 16)
        height, width = size
        parts = masks.unflatten(2, (height, width, 2, 2, 2, 2))  # ..., y, x, then two levels of (y, x) inside
        return parts.permute(0, 1, 2, 4, 6, 3, 5, 7).reshape(masks.shape[0], masks.shape[1], 4 * height, 4 * width)


def _blocks_of_four(x: Tensor, convolution: nn.Module) -> Tensor:
    """(..., C_in) -> (..., 4, C_out): what a 2 x 2 transposed convolution of stride 2 makes of each pixel."""
    assert isinstance(convolution, nn.ConvTranspose2d)
    weight = convolution.weight.permute(0, 2, 3, 1)  # C_in x 2 x 2 x C_out
    return (x @ weight.flatten(1)).unflatten(-1, (4, -1)) + convolution.bias


def _normalised(x: Tensor, norm: nn.Module) -> Tensor:
    """A LayerNorm2d whose channels come last."""
    assert isinstance(norm, LayerNorm2d)
    return F.layer_norm(x, norm.weight.shape, norm.weight, norm.bias, norm.eps)
