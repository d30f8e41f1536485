"""Pictures as a frozen encoder sees them, with the boxes of their masks: what a detector is trained on.

A map cannot be mirrored in place of its picture (the encoder's filters are not symmetric, SAM's position codes less
so), hence every augmented view is a picture that was changed first and encoded then. What needs no encoding is done in
each step: noise on the maps.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from modelzoo import rle
from modelzoo.embedding import STORED, Embedding
from modelzoo.predictor import Predictor
from modelzoo.training.box_targets import Labels
from modelzoo.training.clicks import tight_box
from modelzoo.training.data import Record, load_picture

Random = np.random.Generator
NOISE = 0.1  # of a channel's spread, added to the maps in every step
SMALLEST_CROP = 0.4  # of each side
LEAST_LEFT = 0.3  # of an object's pixels, for what a crop leaves of it to count as the object


@dataclass(frozen=True)
class View:
    """Maps as they are stored (float16, C x h x w), boxes N x 4 (XYXY, padded-frame pixels) with a weight each.

    unsure: boxes of what is neither object nor background here (cut off by the crop).
    """

    maps: dict[str, np.ndarray]
    boxes: np.ndarray
    weights: np.ndarray
    size: tuple[int, int]


def merged(sets: Iterable[tuple[Sequence[Record], float]]) -> list[Record]:
    """One record for each picture of several sets, with all its masks and for each the weight of its set.

    The same picture may lie in the folder of people's masks and in that of the machine's; taken one by one, each would
    be background to the other. Pictures are the same when their file names are.
    """
    found: dict[str, Record] = {}
    for records, weight in sets:
        for record in records:
            weights = [weight * one for one in (record.weights or [1.0] * len(record.masks))]
            earlier = found.get(record.image_path.name)
            if earlier is None:
                found[record.image_path.name] = replace(record, weights=weights)
            else:
                found[record.image_path.name] = replace(
                    earlier,
                    masks=earlier.masks + record.masks,
                    ids=earlier.ids + record.ids,
                    weights=earlier.weights + weights,
                )
    return list(found.values())


def whole_view(predictor: Predictor, record: Record) -> View:
    """The picture as it is: what the detector will see in use."""
    boxes = [_corners(rle.bbox(mask)) for mask in record.masks]
    return _encoded(predictor, load_picture(record.image_path), np.array(boxes), np.array(record.weights))


def changed_view(predictor: Predictor, record: Record, random: Random) -> View:
    """A random crop of the picture (SMALLEST_CROP to all of each side), mirrored half of the time."""
    share = random.uniform(SMALLEST_CROP, 1.0)
    height, width = max(16, round(record.height * share)), max(16, round(record.width * share))
    top = int(random.integers(0, max(0, record.height - height) + 1))
    left = int(random.integers(0, max(0, record.width - width) + 1))
    window = (slice(top, top + height), slice(left, left + width))
    mirrored = random.random() < 0.5
    boxes, weights = [], []
    for segmentation, weight in zip(record.masks, record.weights, strict=True):
        part = rle.decode(segmentation)[window]
        if np.count_nonzero(part) > LEAST_LEFT * rle.area(segmentation):
            boxes.append(tight_box(part[:, ::-1] if mirrored else part))
            weights.append(weight)
    image = load_picture(record.image_path)[window]
    image = np.ascontiguousarray(image[:, ::-1] if mirrored else image)
    return _encoded(predictor, image, np.array(boxes), np.array(weights))


def _encoded(predictor: Predictor, image: np.ndarray, boxes: np.ndarray, weights: np.ndarray) -> View:
    embedding = predictor.encode(image)
    frame = embedding.frame
    return View(
        maps={name: tensor.astype(STORED) for name, tensor in embedding.tensors.items()},
        boxes=frame.box_to_input(boxes.reshape(-1, 4)).astype(np.float32),
        weights=weights.astype(np.float32).reshape(-1),
        size=frame.input_size,
    )


def _corners(box: Sequence[float]) -> tuple[float, float, float, float]:
    x, y, width, height = box
    return x, y, x + width, y + height


def map_layout(embedding: Embedding) -> list[list[object]]:
    """[[name, channels, stride], ...] of an embedding's maps, as BoxHead wants it."""
    side = max(embedding.frame.padded_size)
    return [[name, tensor.shape[0], round(side / max(tensor.shape[1:]))] for name, tensor in embedding.tensors.items()]


def channel_statistics(views: Sequence[View]) -> tuple[dict[str, Tensor], dict[str, Tensor]]:
    """Mean and standard deviation of every channel of every map over all views, float32 C each."""
    means, spreads = {}, {}
    for name in views[0].maps:
        flat = [torch.from_numpy(view.maps[name].astype(np.float32)).flatten(1) for view in views]
        count = sum(one.shape[1] for one in flat)
        mean = sum((one.double().sum(1) for one in flat), torch.zeros(flat[0].shape[0], dtype=torch.float64)) / count
        square = sum(((one.double() - mean[:, None]).square().sum(1) for one in flat), torch.zeros_like(mean)) / count
        means[name], spreads[name] = mean.float(), square.sqrt().float()
    return means, spreads


def batch_of(
    views: Sequence[View], means: dict[str, Tensor], spreads: dict[str, Tensor], random: torch.Generator
) -> tuple[dict[str, Tensor], list[Labels]]:
    """Several views as one batch: maps filled up right and below with their mean, noise added; and their labels."""
    maps = {}
    for name in views[0].maps:
        tensors = [torch.from_numpy(view.maps[name].astype(np.float32)) for view in views]
        height, width = max(one.shape[1] for one in tensors), max(one.shape[2] for one in tensors)
        centred = [
            F.pad(one - means[name][:, None, None], (0, width - one.shape[2], 0, height - one.shape[1]))
            for one in tensors
        ]
        stacked = torch.stack(centred) + means[name][:, None, None]
        noise = torch.randn(stacked.shape, generator=random) * spreads[name][:, None, None]
        maps[name] = stacked + NOISE * noise
    labels = [Labels(torch.from_numpy(view.boxes), torch.from_numpy(view.weights), view.size) for view in views]
    return maps, labels
