"""The default model's decoder as the browser's program takes it: named maps of weights (frontend/kernel).

Batch norms are folded into the convolutions before them, convolutions are maps of outputs x (inputs, rows, columns of
the kernel), and a transposed one is a map of (rows, columns of its 2 x 2 places, outputs) x inputs. Nothing else is
changed: what the program computes from them is `CompactDecoder.answer`.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from modelzoo.model.compact_decoder import CompactDecoder

ROWS = 4  # the program makes as many rows of a product at once, and as many masks
LANES = 8  # and as many columns
# Parts of the decoder whose layers are taken as they are.
PLAIN = ("transformer.", "feature_token.", "label_embedding.", "position.", "output_tokens", "kernels.", "iou_from_")


def program_refuses(decoder: CompactDecoder) -> str | None:
    """What of a decoder's shape frontend/kernel does not take; or None."""
    look = decoder.transformer.final_attn_token_to_image
    sides = (
        (look.width, ROWS, "channels of a head"),
        (decoder.to_middle.in_channels, LANES, "channels at stride 16"),
        (decoder.to_middle.out_channels, ROWS, "channels at stride 8"),
        (decoder.to_fine.out_channels, ROWS, "channels at stride 4"),
    )
    odd = [f"{count} {what}, no multiple of {unit}" for count, unit, what in sides if count % unit]
    if decoder.masks != ROWS:
        odd.append(f"{decoder.masks} masks, not {ROWS}")
    return "; ".join(odd) or None


def program_weights(decoder: CompactDecoder) -> dict[str, Tensor]:
    """Weights by name; numbers are tensors, too. The decoder must be in evaluation mode."""
    named = {name: values for name, values in decoder.state_dict().items() if name.startswith(PLAIN)}
    last = [f"kernels.{mask}.2" for mask in range(decoder.masks)] + ["iou_from_mask.2"]
    for name in (f"{layer}.{kind}" for layer in last for kind in ("weight", "bias")):
        named[name] = filled(named[name])
    first, second, project = decoder.maps_to_coarse
    layers = {
        "maps_to_coarse.0": folded(*pair(first)),
        "maps_to_coarse.1": folded(*pair(second)),
        "maps_to_coarse.2": folded(project),
        "refine_middle.first": folded(*pair(decoder.refine_middle.first)),
        "refine_middle.second": folded(*decoder.refine_middle.second),
        "maps_to_fine": folded(decoder.maps_to_fine),
        "refine_fine": folded(*pair(decoder.refine_fine)),
        "to_middle": transposed(decoder.to_middle),
        "to_fine": transposed(decoder.to_fine),
    }
    for name, (weight, bias) in layers.items():
        named |= {f"{name}.weight": weight, f"{name}.bias": bias}
    numbers = {
        "token_epsilon": decoder.transformer.norm_final_attn.eps,
        "heads": decoder.transformer.final_attn_token_to_image.heads,
    }
    named |= {name: torch.tensor([float(value)]) for name, value in numbers.items()}
    return named | {"affinity_gain": decoder.affinity_gain.reshape(1)}


def folded(convolution: nn.Module, norm: nn.Module | None = None) -> tuple[Tensor, Tensor]:
    """Weight O x (I * kernel height * width) and bias O of a convolution, and of the batch norm after it."""
    assert isinstance(convolution, nn.Conv2d)
    weight = convolution.weight.flatten(1)
    bias = convolution.bias if convolution.bias is not None else weight.new_zeros(len(weight))
    if norm is None:
        return weight, bias
    assert isinstance(norm, nn.BatchNorm2d)
    assert norm.running_mean is not None
    assert norm.running_var is not None
    scale = norm.weight / (norm.running_var + norm.eps).sqrt()
    return weight * scale[:, None], (bias - norm.running_mean) * scale + norm.bias


def pair(layers: nn.Module) -> tuple[nn.Module, nn.Module]:
    """The convolution and the norm of a ConvNormAct."""
    convolution, norm, _ = layers.children()
    return convolution, norm


def transposed(convolution: nn.ConvTranspose2d) -> tuple[Tensor, Tensor]:
    """Weight (2 * 2 * O) x I and bias O."""
    assert convolution.bias is not None
    return convolution.weight.permute(2, 3, 1, 0).flatten(0, 2), convolution.bias


def filled(values: Tensor) -> Tensor:
    """Rows of zeros added up to a multiple of ROWS."""
    missing = -len(values) % ROWS
    return F.pad(values, (0, 0) * (values.dim() - 1) + (0, missing))
