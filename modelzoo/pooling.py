"""What one mask looks like to the encoder: the maps of its picture, averaged over the mask's pixels (numpy only)."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from modelzoo import rle
from modelzoo.embedding import Embedding


def pooled(embedding: Embedding, segmentation: rle.RLE) -> NDArray[np.float32]:
    """The vector of a mask, float32 D of unit length: per map the mean over its cells, weighed by the mask's pixels.

    D is the number of channels of all maps together. Every map's mean is brought to unit length first, so that each
    counts alike. `segmentation` is in original pixels of the embedding's frame and not empty. Raises RLEError.
    """
    x, y, w, h = rle.bbox(segmentation)
    inside = rle.decode_box(segmentation, [x, y, w, h])
    parts = []
    for tensor in embedding.tensors.values():
        rows, columns = (
            _cells(start, length, axis, embedding, tensor.shape[1 + axis])
            for axis, (start, length) in enumerate(((y, h), (x, w)))
        )
        weights = _binned(_binned(inside, rows, 0), columns, 1).astype(np.float32)
        window = tensor[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1].astype(np.float32)
        mean = np.tensordot(window, weights / max(float(weights.sum()), 1.0), axes=2)
        parts.append(mean / max(float(np.linalg.norm(mean)), 1e-12))
    vector: NDArray[np.float32] = (np.concatenate(parts) / np.sqrt(len(parts))).astype(np.float32)
    return vector


def _cells(start: int, length: int, axis: int, embedding: Embedding, cells: int) -> NDArray[np.intp]:
    """In which cell of a map (rows for axis 0, columns for 1) the centres of `length` pixels from `start` lie."""
    frame = embedding.frame
    scale = frame.input_size[axis] / frame.original_size[axis] * cells / frame.padded_size[axis]
    places = np.floor((np.arange(start, start + length) + 0.5) * scale).astype(np.intp)
    return np.clip(places, 0, cells - 1)


def _binned(values: NDArray[np.generic], places: NDArray[np.intp], axis: int) -> NDArray[np.uint32]:
    """Sums of `values` along an axis over equal `places`, which ascend; a place between without values is zero."""
    wanted = np.arange(places[0], places[-1] + 1)
    first = np.searchsorted(places, wanted)
    sums = np.add.reduceat(values, np.minimum(first, len(places) - 1), axis=axis, dtype=np.uint32)
    empty = np.isin(wanted, places, invert=True)
    if empty.any():  # the map is finer than the picture
        sums[(slice(None),) * axis + (empty,)] = 0
    return sums
