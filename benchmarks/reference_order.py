"""Segment everything in the order of the reference implementation: the anchor of `modelzoo.automatic`.

Every candidate of a batch is first enlarged to the size of its crop as float32, and only then judged; each filter
copies what it keeps; what is left is run-length encoded, in a frame of the whole image, before duplicates go. Written
from the description of that order, and meant to stay slow: nothing of the product uses it. In one place it is kinder
than the reference: candidates are enlarged as 3N maps of one channel, which PyTorch does up to 3.5 times faster on one
thread than N maps of three.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional as F

from modelzoo import rle
from modelzoo.filtering import Box, crop_boxes, layer_grids, near_crop_edge, non_maximum_suppression
from modelzoo.geometry import Frame

BATCH = 64  # the reference's prompts per batch


@dataclass(frozen=True)
class Settings:
    """As in `AutomaticMaskGenerator`, the few that are compared."""

    points_per_side: int
    pred_iou_thresh: float
    stability_score_thresh: float
    crop_n_layers: int = 0
    crop_n_points_downscale_factor: int = 2
    offset: float = 1.0
    nms: float = 0.7


def generate(model: Any, image: np.ndarray, settings: Settings) -> list[dict[str, Any]]:
    """H x W x 3 uint8 -> records as those of `AutomaticMaskGenerator.generate`."""
    size = (image.shape[0], image.shape[1])
    boxes, layers = crop_boxes(size, settings.crop_n_layers, 512 / 1500)
    grids = layer_grids(settings.points_per_side, settings.crop_n_layers, settings.crop_n_points_downscale_factor)
    found: list[dict[str, Any]] = []
    for crop, layer in zip(boxes, layers, strict=True):
        x0, y0, x1, y1 = crop
        part = np.ascontiguousarray(image[y0:y1, x0:x1])
        points = grids[layer] * np.array([x1 - x0, y1 - y0])
        in_crop = [record for batch in _batches(model, part, points, crop, size, settings) for record in batch]
        found += _kept(in_crop, [record["predicted_iou"] for record in in_crop], settings.nms)
    if len(boxes) > 1:
        found = _kept(found, [1 / (r["crop_box"][2] * r["crop_box"][3]) for r in found], settings.nms)
    for record in found:
        counts = {"size": list(size), "counts": record["segmentation"]}
        record["segmentation"] = rle.validate(counts, *size)
        record["area"] = rle.area(record["segmentation"])
    return found


def _batches(
    model: Any, part: np.ndarray, points: np.ndarray, crop: Box, size: tuple[int, int], settings: Settings
) -> Iterator[list[dict[str, Any]]]:
    with torch.no_grad():
        features = model.encode(model.preprocess(part))
    frame = model.frame((part.shape[0], part.shape[1]))
    for start in range(0, len(points), BATCH):
        batch = points[start : start + BATCH]
        prompts = torch.from_numpy(frame.to_input(batch)).float()[:, None]
        logits, ious = model.decode(features, frame, points=prompts, labels=torch.ones(len(batch), 1), multimask=True)
        with torch.no_grad():
            full = enlarged(logits.flatten(0, 1)[:, None], frame)[:, 0]
            yield _judged(full, ious.flatten(), np.repeat(batch, ious.shape[1], axis=0), crop, size, settings)


def enlarged(logits: Tensor, frame: Frame) -> Tensor:
    """N x 1 x h x w -> N x 1 x H x W float32: to the padded size, cut, to the size of the picture."""
    padded = F.interpolate(logits, frame.padded_size, mode="bilinear", align_corners=False)
    height, width = frame.input_size
    return F.interpolate(padded[..., :height, :width], frame.original_size, mode="bilinear", align_corners=False)


def _judged(
    full: Tensor, ious: Tensor, points: np.ndarray, crop: Box, size: tuple[int, int], settings: Settings
) -> list[dict[str, Any]]:
    """The filters one after another, each with a copy of what passes."""
    keep = ious > settings.pred_iou_thresh
    full, ious, points = full[keep], ious[keep], points[keep.numpy()]
    high = (full > settings.offset).sum(dim=(-2, -1))
    low = (full > -settings.offset).sum(dim=(-2, -1))
    stability = high / low
    keep = stability >= settings.stability_score_thresh
    full, ious, stability, points = full[keep], ious[keep], stability[keep], points[keep.numpy()]
    masks = full > 0
    boxes = [_box(mask) for mask in masks]
    keep = torch.from_numpy(~near_crop_edge(np.reshape(boxes, (-1, 4)), crop, size))
    masks, ious, stability, points = masks[keep], ious[keep], stability[keep], points[keep.numpy()]
    boxes = [box for box, kept in zip(boxes, keep.tolist(), strict=True) if kept]
    x0, y0, x1, y1 = crop
    whole = F.pad(masks, (x0, size[1] - x1, y0, size[0] - y1))
    return [
        {
            "segmentation": _runs(mask),
            "box": (box[0] + x0, box[1] + y0, box[2] + x0, box[3] + y0),
            "bbox": [box[0] + x0, box[1] + y0, box[2] - box[0], box[3] - box[1]],
            "predicted_iou": float(iou),
            "stability_score": float(stable),
            "point_coords": [[float(point[0]) + x0, float(point[1]) + y0]],
            "crop_box": [x0, y0, x1 - x0, y1 - y0],
        }
        for mask, box, iou, stable, point in zip(whole, boxes, ious, stability, points, strict=True)
    ]


def _box(mask: Tensor) -> Box:
    """Inclusive corners of a bool mask H x W; zeros when it is empty."""
    rows, columns = mask.any(dim=1).nonzero(), mask.any(dim=0).nonzero()
    if not len(rows):
        return 0, 0, 0, 0
    return int(columns[0]), int(rows[0]), int(columns[-1]), int(rows[-1])


def _runs(mask: Tensor) -> list[int]:
    """Uncompressed COCO runs of a bool mask H x W."""
    flat = mask.t().flatten()
    changes = (flat[1:] != flat[:-1]).nonzero()[:, 0] + 1
    ends = torch.cat([changes.new_zeros(1), changes, changes.new_tensor([len(flat)])])
    return ([0] if flat[0] else []) + (ends[1:] - ends[:-1]).tolist()


def _kept(found: list[dict[str, Any]], scores: list[float], threshold: float) -> list[dict[str, Any]]:
    return [found[index] for index in non_maximum_suppression([record["box"] for record in found], scores, threshold)]
