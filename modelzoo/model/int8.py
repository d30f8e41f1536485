"""Linear layers in whole numbers: half the time of an image encoder on a CPU, for a loss that has to be judged.

Weights are rounded to 8 bits once, with one scale for each output; what comes in is rounded at every call, with one
scale for each position (symmetric, "dynamic quantisation"). The products are exact, so nothing else is lost. Choosing
the scale of every position by itself matters: a few positions of a vision transformer are far larger than the rest.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

STEPS = 127  # whole numbers on either side of zero
ROWS = 512  # positions at once: what is made of them on the way stays near the cache


class Int8Linear(nn.Module):
    """`nn.Linear` with weights and inputs of 8 bits, without gradients. ... x inputs -> ... x outputs, float32.

    ValueError for a layer of one input, which torch's product of whole numbers gets wrong (2.13).
    """

    weight: Tensor
    scale: Tensor
    bias: Tensor

    def __init__(self, linear: nn.Linear) -> None:
        super().__init__()
        if linear.in_features < 2:
            raise ValueError("A layer of one input stays as it is.")
        weight = linear.weight.detach()
        scale = scales(weight)
        bias = linear.bias.detach() if linear.bias is not None else weight.new_zeros(len(weight))
        self.register_buffer("weight", rounded(weight, scale).t().contiguous())  # inputs x outputs
        self.register_buffer("scale", scale[:, 0])
        self.register_buffer("bias", bias)

    def forward(self, x: Tensor) -> Tensor:
        rows = x.reshape(-1, x.shape[-1])
        out = rows.new_empty(len(rows), self.weight.shape[1])
        for start in range(0, len(rows), ROWS):
            part = rows[start : start + ROWS]
            scale = scales(part)
            product = torch._int_mm(rounded(part, scale), self.weight)
            torch.mul(product, self.scale, out=out[start : start + ROWS]).mul_(scale).add_(self.bias)
        return out.view(*x.shape[:-1], self.weight.shape[1])


def scales(rows: Tensor) -> Tensor:
    """N x C -> N x 1: what one step is worth, so that the largest number of a row takes all of them."""
    return rows.abs().amax(1, keepdim=True).clamp(min=1e-12) / STEPS


def rounded(rows: Tensor, scale: Tensor) -> Tensor:
    return (rows / scale).round_().to(torch.int8)


def quantise(module: nn.Module) -> int:
    """Replace all linear layers inside, in place; how many. The module cannot be trained or saved after it."""
    replaced = 0
    for name, child in module.named_children():
        if isinstance(child, nn.Linear) and child.in_features > 1:
            setattr(module, name, Int8Linear(child))
            replaced += 1
        else:
            replaced += quantise(child)
    return replaced


def quantise_encoder(model: Any) -> None:
    """The same for the image encoder of a Sam or Compact model. Decoders stay as they are: they run in browsers."""
    quantise(model.image_encoder if hasattr(model, "image_encoder") else model.encoder)
