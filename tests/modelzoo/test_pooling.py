"""The vector of a mask: means of the maps inside it, each brought to unit length."""

from __future__ import annotations

import numpy as np
import pytest

from modelzoo import rle
from modelzoo.embedding import Embedding
from modelzoo.geometry import Frame
from modelzoo.pooling import pooled


def by_hand(embedding: Embedding, inside: np.ndarray) -> np.ndarray:
    """Every pixel of the mask asks the cell in which its centre lies."""
    frame, parts = embedding.frame, []
    rows, columns = np.nonzero(inside)
    for tensor in embedding.tensors.values():
        cells = []
        for places, axis in ((rows, 0), (columns, 1)):
            scale = frame.input_size[axis] / frame.original_size[axis]
            cells.append(((places + 0.5) * scale * tensor.shape[1 + axis] / frame.padded_size[axis]).astype(int))
        mean = tensor[:, cells[0], cells[1]].mean(axis=1)
        parts.append(mean / np.linalg.norm(mean))
    return np.concatenate(parts) / np.sqrt(len(parts))


@pytest.mark.parametrize("seed", range(6))
def test_it_is_the_mean_over_the_pixels_of_the_mask(seed):
    draw = np.random.default_rng(seed)
    height, width = int(draw.integers(30, 90)), int(draw.integers(30, 90))
    # The finer map has more cells than the picture has pixels.
    frame = Frame(original_size=(height, width), input_size=(2 * height, 2 * width), padded_size=(192, 192))
    tensors = {"coarse": draw.normal(size=(8, 12, 12)), "fine": draw.normal(size=(4, 192, 192))}
    embedding = Embedding(tensors, frame)
    inside = draw.random((height, width)) < 0.4
    inside[: height // 3] = False
    assert pooled(embedding, rle.encode(inside)) == pytest.approx(by_hand(embedding, inside), abs=1e-5)


def test_a_single_pixel_has_the_vector_of_its_cell_and_unit_length():
    tensor = np.zeros((2, 4, 4))
    tensor[0] = 1
    tensor[:, 3, 3] = (3, 4)
    embedding = Embedding({"coarse": tensor}, Frame((8, 8), (8, 8), (8, 8)))
    inside = np.zeros((8, 8), bool)
    inside[7, 7] = True
    vector = pooled(embedding, rle.encode(inside))
    assert vector == pytest.approx([0.6, 0.8])
    assert vector.dtype == np.float32
