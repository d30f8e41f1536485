"""Answers to many lone clicks on one picture, by any model that decodes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor

from modelzoo.geometry import Frame

Answers = Callable[[Tensor], tuple[Tensor, Tensor]]


def answers_by_decoding(model: Any, features: Mapping[str, Tensor], frame: Frame) -> Answers:
    """As PromptableModel.answer_clicks, by the model's own `decode`, all clicks of a call at once."""

    def answers(points: Tensor) -> tuple[Tensor, Tensor]:
        labels = torch.ones(len(points), 1, device=points.device)
        result: tuple[Tensor, Tensor] = model.decode(features, frame, points=points[:, None], labels=labels)
        return result

    return answers
