"""How a simulated browser corrects a mask: as the editor does (decision 13)."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pytest

from engine.simulation.browser import OpenImage
from modelzoo.embedding import Embedding, Prediction
from modelzoo.geometry import Frame

SIDE = 64


@dataclass
class StubbornDecoder:
    """Believes a mask that comes with certainty, whatever the clicks say; else sets exactly the clicked pixels."""

    mask_stride: int = 4
    fed: list[float | None] = field(default_factory=list)  # the highest logit that came along with each question

    def decode(self, _embedding, points, labels, mask_input, multimask):
        self.fed.append(None if mask_input is None else float(mask_input.max()))
        mask = np.zeros((SIDE, SIDE), bool)
        if mask_input is not None and mask_input.max() >= 12:
            mask[:] = np.repeat(np.repeat(mask_input[0] > 0, self.mask_stride, 0), self.mask_stride, 1)
        else:
            for (x, y), label in zip(points, labels, strict=True):
                mask[int(y), int(x)] = label
        one = mask[None][: 3 if multimask else 1]
        low = np.where(one[:, :: self.mask_stride, :: self.mask_stride], 1.0, -1.0).astype(np.float32)
        return Prediction(one, np.ones(1, np.float32), low)


@pytest.fixture
def decoder():
    return StubbornDecoder()


@pytest.fixture
def opened(decoder):
    return OpenImage(Embedding({}, Frame((SIDE, SIDE), (SIDE, SIDE), (SIDE, SIDE))), decoder, "model")


@pytest.fixture
def square():
    mask = np.zeros((SIDE, SIDE), bool)
    mask[16:48, 16:48] = True
    return mask


def test_a_mask_goes_along_with_every_click_that_the_answers_obey(opened, decoder, square):
    attempt = opened.begin(square)
    for x in (20.5, 40.5):
        opened.click(attempt, x, 20.5, 1)
    assert decoder.fed == [12, 12]
    assert np.array_equal(attempt.mask, square)


def test_it_is_let_go_of_for_good_once_an_answer_disobeys_a_click(opened, decoder, square):
    attempt = opened.begin(square)
    opened.click(attempt, 60.5, 60.5, 1)
    assert decoder.fed == [12, 1]  # what the stubborn answer was is fed back in the mask's place
    assert attempt.mask[60, 60]
    opened.click(attempt, 20.5, 20.5, 1)
    assert decoder.fed == [12, 1, 1]


def test_a_negative_click_that_is_still_inside_is_disobeyed_too(opened, decoder, square):
    attempt = opened.begin(square)
    opened.click(attempt, 40.5, 40.5, 0)
    assert len(decoder.fed) == 2
    assert not attempt.mask[40, 40]
