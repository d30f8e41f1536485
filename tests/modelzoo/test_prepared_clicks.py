"""Grids of clicks on one picture: SAM's decoder, prepared once, answers as it does click by click."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from modelzoo.build import build
from modelzoo.geometry import Frame, preprocess_shape, upscale_matrices
from modelzoo.model.prepared_clicks import OUTSIDE, reach
from modelzoo.model.segmenter import EMBEDDING

POINTS = torch.tensor([[500.0, 300.0], [20.0, 650.0], [1000.0, 5.0]])


@pytest.fixture(scope="module")
def sam():
    torch.manual_seed(0)
    return build("mobile_sam").requires_grad_(False)


@pytest.fixture(scope="module")
def features():
    return {EMBEDDING: torch.randn(1, 256, 64, 64, generator=torch.Generator().manual_seed(1))}


def test_the_picture_is_drawn_as_by_the_plain_decoder(sam, features):
    frame = sam.frame((1365, 2048))
    logits, ious = sam.answer_clicks(features, frame, -np.inf)(POINTS)
    plain, said = sam.decode(features, frame, points=POINTS[:, None], labels=torch.ones(3, 1))
    rows = 4 * reach(frame, 0, 64)
    assert 171 <= rows < 256
    assert torch.allclose(logits[:, :, :rows], plain[:, :, :rows], atol=1e-5)
    assert torch.allclose(ious, said, atol=1e-5)
    assert (logits[:, :, rows:] == OUTSIDE).all()


def test_a_click_without_a_confident_candidate_is_not_drawn(sam, features):
    frame = sam.frame((1365, 2048))
    _, ious = sam.answer_clicks(features, frame, -np.inf)(POINTS)
    best = ious.amax(1)
    least = float(best.sort().values[1])  # the middle one is not above it
    logits, again = sam.answer_clicks(features, frame, least)(POINTS)
    assert torch.equal(again, ious)
    assert ((logits > OUTSIDE).flatten(1).any(1) == (best > least)).all()


@given(st.integers(1, 3000), st.integers(1, 3000))
def test_all_that_enlarging_looks_at_is_drawn_and_hardly_more(height, width):
    frame = Frame((height, width), preprocess_shape(height, width, 1024), (1024, 1024))
    for axis, matrix in enumerate(upscale_matrices((256, 256), frame)):
        looked_at = int(np.flatnonzero(np.asarray(matrix).any(axis=0))[-1]) + 1
        drawn = 4 * reach(frame, axis, 64)
        assert looked_at <= drawn < frame.input_size[axis] / 4 + 8
