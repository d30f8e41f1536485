"""What the losses reward."""

import torch

from modelzoo.training.losses import interactive_loss, mask_loss, true_iou


def target_and_logits():
    target = torch.zeros(1, 1, 16, 16)
    target[..., 4:12, 4:12] = 1
    right = (target * 2 - 1) * 12
    return target, right


def test_a_right_mask_costs_next_to_nothing_and_a_wrong_one_a_lot():
    target, right = target_and_logits()
    assert mask_loss(right, target).item() < 1e-2
    assert mask_loss(-right, target).item() > 1


def test_the_best_candidate_alone_decides():
    target, right = target_and_logits()
    wrong = -right
    ious = torch.tensor([[0.0, 0.0, 1.0, 0.0]])
    logits = torch.cat([wrong, wrong, right, wrong], 1)
    several = torch.tensor([False])
    assert interactive_loss(logits, ious, target, several, share_of_mean=0.0).item() < 1e-2


def test_mask_zero_learns_only_from_several_prompts():
    target, right = target_and_logits()
    ious = torch.tensor([[0.3, 1.0, 1.0, 1.0]])
    for several, learns in ((False, False), (True, True)):
        logits = torch.cat([-right, right, right, right], 1).requires_grad_()
        interactive_loss(logits, ious, target, torch.tensor([several])).backward()
        assert bool(logits.grad[:, 0].abs().sum() > 0) is learns


def test_true_iou_counts_pixels():
    target, right = target_and_logits()
    half = right.clone()
    half[..., 8:, :] = -12
    assert true_iou(torch.cat([right, half], 1), target).tolist() == [[1.0, 0.5]]
