"""What a detector's cells are told: who answers for a box, and what unlabelled ground may cost."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from modelzoo.training.box_targets import Labels, assign, detection_loss, flat, level_of, overlap, score_loss
from modelzoo.training.detection_metrics import Found, average_precision, box_iou, detection_figures, recall

STRIDES = [8, 16, 32]
SIZES = [(12, 16), (6, 8), (3, 4)]  # of a picture of 96 x 128


def labels(*boxes, weights=None, size=(96, 128)):
    corners = torch.tensor(boxes, dtype=torch.float32).reshape(-1, 4)
    return Labels(corners, torch.ones(len(corners)) if weights is None else torch.tensor(weights), size)


def test_longer_boxes_belong_to_coarser_levels():
    boxes = torch.tensor([[0, 0, 10, 10], [0, 0, 64, 3], [0, 0, 65, 3], [0, 0, 500, 9]], dtype=torch.float32)
    assert level_of(boxes, STRIDES).tolist() == [0, 0, 1, 2]


def test_the_cells_in_the_middle_answer():
    target = assign(labels([32, 32, 64, 64]), SIZES, STRIDES)
    cells = torch.nonzero(target.box[: 12 * 16] == 0)[:, 0]
    assert {(int(cell) // 16, int(cell) % 16) for cell in cells} == {(y, x) for y in (5, 6) for x in (5, 6)}
    assert (target.box[12 * 16 :] == -1).all()  # no other level


def test_a_box_smaller_than_a_cell_still_has_its_cell():
    target = assign(labels([41, 41, 43, 43]), SIZES, STRIDES)
    assert torch.nonzero(target.box == 0)[:, 0].tolist() == [5 * 16 + 5]


def test_of_two_boxes_round_one_centre_the_smaller_wins():
    target = assign(labels([20, 20, 60, 60], [30, 30, 50, 50]), SIZES, STRIDES)
    assert target.box[4 * 16 + 4].item() == 1


def test_padding_is_nobodys_business():
    target = assign(labels([0, 0, 30, 30], size=(40, 128)), SIZES, STRIDES)
    assert target.inside[: 5 * 16].all()
    assert not target.inside[5 * 16 : 12 * 16].any()


def test_a_picture_without_boxes_is_background_in_doubt():
    target = assign(labels(), SIZES, STRIDES)
    assert (target.box == -1).all()
    assert not target.labelled.any()


def test_a_confident_cell_on_unlabelled_ground_costs_nothing():
    """It probably found an object that nobody has masked yet; inside a labelled one it is a mistake."""
    logits, wanted, weights = torch.tensor([3.0]), torch.zeros(1), torch.ones(1)
    assert score_loss(logits, wanted, weights, torch.tensor([True])) == 0
    assert score_loss(logits, wanted, weights, torch.tensor([False])) > 1
    assert score_loss(-logits, wanted, weights, torch.tensor([True])) > 0


def test_overlaps_are_those_of_their_definition():
    one = torch.tensor([[0.0, 0, 2, 2], [0, 0, 1, 1]])
    other = torch.tensor([[1.0, 0, 3, 2], [2, 2, 3, 3]])
    iou, giou = overlap(one, other)
    assert iou.tolist() == pytest.approx([2 / 6, 0])
    assert giou.tolist() == pytest.approx([2 / 6 - 0, -(9 - 2) / 9])


def answers(boxes, score=4.0):
    """What a perfect detector would say of some boxes: level outputs of one picture."""
    target = assign(labels(*boxes), SIZES, STRIDES)
    found, start = [], 0
    for (height, width), stride in zip(SIZES, STRIDES, strict=True):
        logits, sides = torch.full((1, height, width), -6.0), torch.ones(1, 4, height, width)
        for cell in range(height * width):
            which = int(target.box[start + cell])
            if which >= 0:
                y, x = divmod(cell, width)
                cx, cy = (x + 0.5) * stride, (y + 0.5) * stride
                x0, y0, x1, y1 = boxes[which]
                logits[0, y, x] = score
                sides[0, :, y, x] = torch.tensor([cx - x0, cy - y0, x1 - cx, y1 - cy]) / stride
        found.append((logits, sides))
        start += height * width
    return found


def test_the_right_answer_costs_less_than_any_other():
    boxes = [(32.0, 32.0, 64.0, 64.0), (70.0, 10.0, 120.0, 90.0)]
    told = [labels(*boxes)]
    targets = [assign(told[0], SIZES, STRIDES)]
    right = detection_loss(*flat(answers(boxes), STRIDES), told, targets)
    shifted = detection_loss(*flat(answers([(36.0, 32.0, 64.0, 64.0), boxes[1]]), STRIDES), told, targets)
    silent = detection_loss(*flat(answers(boxes, score=-6.0), STRIDES), told, targets)
    assert right < shifted
    assert right < silent


def test_a_mask_of_the_machine_counts_less():
    boxes = [(32.0, 32.0, 64.0, 64.0), (70.0, 10.0, 120.0, 90.0)]
    logits, found = flat(answers(boxes), STRIDES)
    found[0, assign(labels(*boxes), SIZES, STRIDES).box == 0] += torch.tensor([8.0, 8.0, 0.0, 0.0])  # too small

    def loss(weight):
        told = labels(*boxes, weights=[weight, 1.0])
        return float(detection_loss(logits, found, [told], [assign(told, SIZES, STRIDES)]))

    assert loss(0.3) < loss(1.0)


# --- Average precision and recall ----------------------------------------------------------------------------------

TRUTH = np.array([[0, 0, 10, 10], [20, 20, 30, 30]], float)


def test_perfect_boxes_have_full_marks():
    figures = detection_figures([Found(TRUTH, np.array([0.9, 0.8]), TRUTH)])
    assert figures == {"ap50": 1.0, "ap": 1.0, "recall_50": 1.0, "ar_50": 1.0}


def test_a_box_found_twice_counts_once():
    twice = Found(np.concatenate([TRUTH[:1], TRUTH[:1], TRUTH[1:]]), np.array([0.9, 0.8, 0.7]), TRUTH)
    assert recall([twice], 50, [0.5]) == 1.0
    # Precisions 1, 1/2, 2/3 at recalls 1/2, 1/2, 1: 51 recalls up to 0.5 at 1, 50 above at 2/3.
    assert average_precision([twice], 0.5) == pytest.approx((51 * 1 + 50 * 2 / 3) / 101)


def test_recall_counts_the_best_boxes_only():
    found = Found(np.concatenate([TRUTH + 100, TRUTH]), np.linspace(0.9, 0.6, 4), TRUTH)
    assert recall([found], 2, [0.5]) == 0
    assert recall([found], 3, [0.5]) == 0.5


def test_ranking_across_pictures_matters():
    right = Found(TRUTH[:1], np.array([0.3]), TRUTH[:1])
    wrong = Found(TRUTH[1:], np.array([0.9]), TRUTH[:1])
    assert average_precision([right, wrong], 0.5) < average_precision(
        [right, Found(TRUTH[1:], np.array([0.1]), TRUTH[:1])], 0.5
    )


def test_nothing_found_and_nothing_there():
    empty = Found(np.zeros((0, 4)), np.zeros(0), TRUTH)
    assert detection_figures([empty]) == {"ap50": 0.0, "ap": 0.0, "recall_50": 0.0, "ar_50": 0.0}
    assert detection_figures([]) == {"ap50": 0.0, "ap": 0.0, "recall_50": 0.0, "ar_50": 0.0}


def test_box_iou_of_every_pair():
    assert box_iou(TRUTH, TRUTH).tolist() == [[1, 0], [0, 1]]
    assert box_iou([[0, 0, 10, 5]], TRUTH)[0, 0] == pytest.approx(0.5)
