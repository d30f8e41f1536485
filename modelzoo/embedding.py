"""What the image encoder leaves behind: named maps of one picture, stored as float16 (numpy only)."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from modelzoo.geometry import Frame

STORED = np.dtype("<f2")  # float16, little-endian, whatever the machine
MOST_BYTES = 64 * 1024 * 1024  # a ViT-H embedding is 2 MiB; anything near this is not an embedding


@dataclass(frozen=True)
class Embedding:
    """Encoder output of one picture for one model.

    tensors: name -> C x H x W float array, in the order the decoder takes them. frame: how the picture lies in the
    model's input; prompts are mapped by it.
    """

    tensors: Mapping[str, np.ndarray]
    frame: Frame

    def to_bytes(self) -> bytes:
        """All tensors, float16 little-endian, C order, one after the other."""
        return b"".join(np.ascontiguousarray(tensor, dtype=STORED).tobytes() for tensor in self.tensors.values())

    def layout(self) -> list[dict[str, Any]]:
        """JSON-able description of `to_bytes`: [{"name": ..., "shape": [C, H, W]}, ...] in order."""
        return [{"name": name, "shape": list(tensor.shape)} for name, tensor in self.tensors.items()]

    @classmethod
    def from_bytes(cls, data: bytes, layout: Sequence[Mapping[str, Any]], frame: Frame) -> Embedding:
        """Read what `to_bytes` wrote. ValueError when the length does not match the layout."""
        sizes = [math.prod(entry["shape"]) for entry in layout]
        wanted = sum(sizes) * STORED.itemsize
        if len(data) != wanted or wanted > MOST_BYTES:
            raise ValueError(f"The embedding has {len(data)} bytes, its layout says {wanted}.")
        tensors, offset = {}, 0
        for entry, size in zip(layout, sizes, strict=True):
            flat = np.frombuffer(data, STORED, count=size, offset=offset)
            tensors[str(entry["name"])] = flat.reshape(entry["shape"]).astype(np.float32)
            offset += size * STORED.itemsize
        return cls(tensors, frame)


@dataclass(frozen=True)
class Prediction:
    """Answer to one set of prompts: C masks, best guess of their IoU, and the logits to feed back.

    masks: bool C x H x W at the original size. iou_predictions: float32 C. low_res_logits: float32 C x h x w over the
    padded frame; one of them (1 x h x w) is a valid `mask_input` of the next call.
    """

    masks: np.ndarray
    iou_predictions: np.ndarray
    low_res_logits: np.ndarray


def point_prompts(points: np.ndarray | None, labels: np.ndarray | None) -> tuple[np.ndarray, np.ndarray]:
    """Points as N x 2 float64 and their labels as N float64 (1 where none are given); N is 0 without points.

    ValueError when points and labels differ in number.
    """
    if points is None:
        return np.zeros((0, 2)), np.zeros(0)
    coordinates = np.asarray(points, np.float64).reshape(-1, 2)
    kinds = np.ones(len(coordinates)) if labels is None else np.asarray(labels, np.float64).reshape(-1)
    if len(kinds) != len(coordinates):
        raise ValueError(f"{len(coordinates)} points came with {len(kinds)} labels.")
    return coordinates, kinds
