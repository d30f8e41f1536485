"""Losses of SAM: focal and dice 20:1 on the masks, squared error on the predicted IoU (paper appendix A)."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional as F

FOCAL_WEIGHT, DICE_WEIGHT = 20.0, 1.0
IOU_WEIGHT = 3.0  # SAM uses 1; the masks' losses are larger here, and the gates of the stages stand on this head
FOCAL_ALPHA, FOCAL_GAMMA = 0.25, 2.0


def focal_loss(logits: Tensor, target: Tensor) -> Tensor:
    """Mean sigmoid focal loss over the last two axes. Targets may be soft: the share of a cell that is covered."""
    probability = logits.sigmoid()
    cross_entropy = F.binary_cross_entropy_with_logits(logits, target, reduction="none")
    certainty = probability * target + (1 - probability) * (1 - target)
    alpha = FOCAL_ALPHA * target + (1 - FOCAL_ALPHA) * (1 - target)
    return (alpha * cross_entropy * (1 - certainty) ** FOCAL_GAMMA).mean((-2, -1))


def dice_loss(logits: Tensor, target: Tensor) -> Tensor:
    """1 - dice over the last two axes, smoothed by one cell."""
    probability = logits.sigmoid()
    overlap = (probability * target).sum((-2, -1))
    return 1 - (2 * overlap + 1) / (probability.sum((-2, -1)) + target.sum((-2, -1)) + 1)


def mask_loss(logits: Tensor, target: Tensor) -> Tensor:
    """20 focal + dice for each mask. logits B x C x h x w, target B x 1 x h x w -> B x C."""
    target = target.expand_as(logits)
    return FOCAL_WEIGHT * focal_loss(logits, target) + DICE_WEIGHT * dice_loss(logits, target)


def true_iou(logits: Tensor, target: Tensor) -> Tensor:
    """IoU of the thresholded masks with the thresholded target, B x C. An empty union counts as 0."""
    predicted, wanted = logits > 0, target > 0.5
    overlap = (predicted & wanted).sum((-2, -1)).float()
    union = (predicted | wanted).sum((-2, -1)).float()
    return overlap / union.clamp(min=1)


def interactive_loss(
    logits: Tensor, ious: Tensor, target: Tensor, several_prompts: Tensor, share_of_mean: float = 0.05
) -> Tensor:
    """The loss of one round of prompts, averaged over B objects.

    logits B x 4 x h x w and ious B x 4 as the decoder gives them; several_prompts B bool: more than one point, or a
    box. Among the three candidates only the best learns (minimum), with a small share for the others so that none
    dies; mask 0 learns only where the prompts leave no ambiguity, which is where it will be used.
    """
    losses = mask_loss(logits, target)
    candidates = losses[:, 1:]
    loss = (1 - share_of_mean) * candidates.min(1).values + share_of_mean * candidates.mean(1)
    answered = several_prompts.to(losses.dtype)
    loss = loss + answered * losses[:, 0]
    error = (ious - true_iou(logits.detach(), target)).square()
    iou_loss = error[:, 1:].mean(1) + answered * error[:, 0]
    return torch.mean(loss + IOU_WEIGHT * iou_loss)
