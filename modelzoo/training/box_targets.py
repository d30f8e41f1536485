"""What each cell of a detector should say, and what it costs when it says something else.

Boxes are XYXY in padded-frame pixels. Pictures in which people work are never labelled completely, so a cell outside
every labelled box is no proof of background: see `score_loss`.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from modelzoo.model.box_head import boxes_from, cell_centres

LEVEL_REACH = 8  # longest side, in strides, of the boxes that a level answers for; the last level takes all longer ones
CENTRE_RADIUS = 1.5  # strides round a box's centre in which cells answer for it (FCOS, centre sampling)
FOCUS = 2.0  # exponent of the focal losses
CONFIDENT = 0.5  # score from which a cell in unlabelled ground is taken for an object that nobody has masked yet
BOX_WEIGHT = 2.0


@dataclass(frozen=True)
class Labels:
    """Of one picture: boxes N x 4, weights N, and the (height, width) inside which there is picture."""

    boxes: Tensor
    weights: Tensor
    size: tuple[int, int]


@dataclass(frozen=True)
class Targets:
    """Of all M cells of one picture, level by level.

    box: which of the N boxes the cell answers for, -1 for none. labelled: whether the cell lies inside any labelled
    box. inside: whether it lies on the picture at all.
    """

    box: Tensor
    labelled: Tensor
    inside: Tensor


def level_of(boxes: Tensor, strides: Sequence[int]) -> Tensor:
    """Level 0.. of each box N x 4 by its longer side."""
    longest = (boxes[:, 2:] - boxes[:, :2]).amax(1).clamp_min(1e-6)
    level = torch.ceil(torch.log2(longest / (LEVEL_REACH * strides[0]))).long()
    return level.clamp(0, len(strides) - 1)


def assign(labels: Labels, sizes: Sequence[tuple[int, int]], strides: Sequence[int]) -> Targets:
    """Which cell answers for which box. `sizes` are (height, width) of the levels.

    Cells within CENTRE_RADIUS strides of a box's centre and inside it, and always the one nearest to the centre. Where
    boxes compete the smallest wins.
    """
    boxes = labels.boxes
    levels = level_of(boxes, strides)
    middles = (boxes[:, :2] + boxes[:, 2:]) / 2
    areas = (boxes[:, 2:] - boxes[:, :2]).prod(1)
    chosen, labelled, inside = [], [], []
    for level, ((height, width), stride) in enumerate(zip(sizes, strides, strict=True)):
        centres = cell_centres(height, width, stride, boxes)
        on_picture = (centres[:, 0] < labels.size[1]) & (centres[:, 1] < labels.size[0])
        inside.append(on_picture)
        if len(boxes) == 0:
            chosen.append(torch.full((len(centres),), -1))
            labelled.append(torch.zeros(len(centres), dtype=torch.bool))
            continue
        within = ((centres[:, None] > boxes[None, :, :2]) & (centres[:, None] < boxes[None, :, 2:])).all(2)
        away = (centres[:, None] - middles[None]).abs().amax(2)
        answers = within & (away < CENTRE_RADIUS * stride)
        # A box smaller than a cell may hold no cell's centre at all.
        nearest = away.masked_fill(~on_picture[:, None], torch.inf).argmin(0)
        answers[nearest, torch.arange(len(boxes))] = True
        answers &= (levels == level)[None] & on_picture[:, None]
        costs = torch.where(answers, areas[None], torch.inf)
        smallest, which = costs.min(1)
        chosen.append(torch.where(smallest.isfinite(), which, -1))
        labelled.append(within.any(1))
    return Targets(torch.cat(chosen), torch.cat(labelled), torch.cat(inside))


def flat(answers: Sequence[tuple[Tensor, Tensor]], strides: Sequence[int]) -> tuple[Tensor, Tensor]:
    """Answers of a BoxHead -> score logits B x M and boxes B x M x 4 in padded-frame pixels."""
    logits, boxes = [], []
    for (scores, sides), stride in zip(answers, strides, strict=True):
        height, width = scores.shape[-2:]
        centres = cell_centres(height, width, stride, scores)
        logits.append(scores.flatten(1))
        boxes.append(boxes_from(centres, sides.flatten(2).transpose(1, 2), stride))
    return torch.cat(logits, 1), torch.cat(boxes, 1)


def overlap(first: Tensor, second: Tensor) -> tuple[Tensor, Tensor]:
    """IoU and generalised IoU (Rezatofighi et al., CVPR 2019) of boxes pair by pair, N x 4 each -> N, N."""
    sides = (torch.minimum(first[:, 2:], second[:, 2:]) - torch.maximum(first[:, :2], second[:, :2])).clamp_min(0)
    shared = sides.prod(1)
    areas = [(boxes[:, 2:] - boxes[:, :2]).clamp_min(0).prod(1) for boxes in (first, second)]
    union = (areas[0] + areas[1] - shared).clamp_min(1e-6)
    hull = (torch.maximum(first[:, 2:], second[:, 2:]) - torch.minimum(first[:, :2], second[:, :2])).prod(1)
    iou = shared / union
    return iou, iou - (hull - union) / hull.clamp_min(1e-6)


def score_loss(logits: Tensor, wanted: Tensor, weights: Tensor, doubtful: Tensor) -> Tensor:
    """Quality focal loss summed over cells: `wanted` M is the IoU of a positive cell's box, 0 elsewhere.

    Cells of unlabelled ground (`doubtful`, bool M) that score above CONFIDENT cost nothing: what looks so much like the
    labelled objects is more likely one that nobody has masked yet than a mistake (background recalibration loss, Zhang
    et al., ICASSP 2020). Below that they are background like any other.
    """
    scores = logits.sigmoid()
    cost = F.binary_cross_entropy_with_logits(logits, wanted, reduction="none") * (wanted - scores).abs() ** FOCUS
    counted = weights * ~(doubtful & (scores.detach() > CONFIDENT))
    return (cost * counted).sum()


def detection_loss(logits: Tensor, boxes: Tensor, labels: Sequence[Labels], targets: Sequence[Targets]) -> Tensor:
    """Mean over the pictures' positive cells of score and box losses; logits B x M, boxes B x M x 4."""
    total, positives = logits.new_zeros(()), 0.0
    for row, (label, target) in enumerate(zip(labels, targets, strict=True)):
        cells = torch.nonzero(target.box >= 0)[:, 0]
        wanted, weights = torch.zeros_like(logits[row]), target.inside.to(logits)
        if len(cells):
            owner = target.box[cells]
            iou, giou = overlap(boxes[row, cells], label.boxes[owner])
            wanted[cells] = iou.detach()
            weights[cells] = label.weights[owner]
            total = total + BOX_WEIGHT * ((1 - giou) * label.weights[owner]).sum()
            positives += float(label.weights[owner].sum())
        doubtful = ~target.labelled & (target.box < 0)
        total = total + score_loss(logits[row], wanted, weights, doubtful)
    return total / max(1.0, positives)
