"""Segment everything: prompt with a grid of points, keep what is confident, stable and not a duplicate.

Segment Anything, section 4 "Fully automatic stage" and appendix B; settings and records as in the reference
implementation. Works with every promptable model. Differences, none of which changes a record: candidates are scored
inside their own rectangle only and run-length encoded after duplicates are gone, which is some hundred times faster
than enlarging all of them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from modelzoo import rle
from modelzoo.filtering import (
    STABILITY_OFFSET,
    BoolArray,
    Box,
    Enlarger,
    crop_boxes,
    layer_grids,
    mask_box,
    near_crop_edge,
    non_maximum_suppression,
    remove_small_regions,
    stability_score,
)
from modelzoo.geometry import Frame, Size
from modelzoo.predictor import Predictor

OUTPUT_MODES = ("coco_rle", "uncompressed_rle", "binary_mask")
Progress = Callable[[float], None]


@dataclass(frozen=True)
class Candidate:
    """One mask on its way through the filters.

    bits: the mask inside its patch, packed; patch: (y, x, h, w) of that patch in the image; box: XYXY inclusive, in
    the image; crop: XYXY of the crop it was found in; point: the prompt, (x, y) in the image.
    """

    bits: npt.NDArray[np.uint8]
    patch: tuple[int, int, int, int]
    box: Box
    predicted_iou: float
    stability: float
    point: tuple[float, float]
    crop: Box

    def mask(self, size: Size) -> BoolArray:
        """The mask as bool h x w of the whole image."""
        y, x, height, width = self.patch
        full = np.zeros(size, bool)
        full[y : y + height, x : x + width] = np.unpackbits(self.bits, count=height * width).reshape(height, width)
        return full


@dataclass(frozen=True)
class AutomaticMaskGenerator:
    """All masks of an image from any promptable model. Settings are named as in the reference.

    points_per_side: grid on the whole image; points_per_batch: prompts decoded at once (memory, no effect on results);
    pred_iou_thresh: predicted IoU must be above; stability_score_thresh: stability must reach it (either is off at 0);
    stability_score_offset: logits up and down for it; box_nms_thresh, crop_nms_thresh: box IoU above which the worse
    mask goes, within a crop and across crops; crop_n_layers: layer i adds 4**i zoomed crops; crop_overlap_ratio: of
    the short side; crop_n_points_downscale_factor: grids of layer i have points_per_side / factor**i points per side;
    point_grids: own grids, one N x 2 array in [0, 1] per layer, instead of points_per_side; min_mask_region_area:
    smaller holes and islands (pixels) are cleaned away; output_mode: "coco_rle", "uncompressed_rle" or "binary_mask".
    """

    predictor: Predictor
    points_per_side: int | None = 32
    points_per_batch: int = 64
    pred_iou_thresh: float = 0.88
    stability_score_thresh: float = 0.95
    stability_score_offset: float = STABILITY_OFFSET
    box_nms_thresh: float = 0.7
    crop_n_layers: int = 0
    crop_nms_thresh: float = 0.7
    crop_overlap_ratio: float = 512 / 1500
    crop_n_points_downscale_factor: int = 1
    point_grids: Sequence[npt.NDArray[np.float64]] | None = None
    min_mask_region_area: int = 0
    output_mode: str = "coco_rle"

    def __post_init__(self) -> None:
        if (self.points_per_side is None) == (self.point_grids is None):
            raise ValueError("Give either points_per_side or point_grids.")
        if self.output_mode not in OUTPUT_MODES:
            raise ValueError(f"output_mode must be one of {', '.join(OUTPUT_MODES)}, got {self.output_mode!r}.")
        if self.points_per_batch < 1 or self.crop_n_layers < 0 or self.crop_n_points_downscale_factor < 1:
            raise ValueError("points_per_batch and crop_n_points_downscale_factor start at 1, crop_n_layers at 0.")
        if len(self._grids()) <= self.crop_n_layers:
            raise ValueError(f"{self.crop_n_layers} crop layers need {self.crop_n_layers + 1} point grids.")

    def _grids(self) -> Sequence[npt.NDArray[np.float64]]:
        if self.point_grids is not None:
            return self.point_grids
        assert self.points_per_side is not None
        return layer_grids(self.points_per_side, self.crop_n_layers, self.crop_n_points_downscale_factor)

    def generate(self, image: npt.NDArray[np.uint8], progress: Progress | None = None) -> list[dict[str, Any]]:
        """H x W x 3 uint8 RGB -> one record per mask, as in SA-1B.

        Record: segmentation (see output_mode), area (pixels), bbox (x, y, w, h from inclusive corners: w is one less
        than the number of columns), predicted_iou, point_coords [[x, y]], stability_score, crop_box (x, y, w, h);
        coordinates in image pixels. Order: smaller crops first, then by predicted IoU. `progress` is called with the
        fraction done, 0..1, after each batch of prompts; it may raise to stop.
        """
        size = (image.shape[0], image.shape[1])
        boxes, layers = crop_boxes(size, self.crop_n_layers, self.crop_overlap_ratio)
        grids = self._grids()
        total, done = sum(len(grids[layer]) for layer in layers), 0
        found: list[Candidate] = []
        for box, layer in zip(boxes, layers, strict=True):
            in_crop: list[Candidate] = []
            for batch, candidates in self._crop_batches(image, box, grids[layer]):
                in_crop += candidates
                done += batch
                if progress is not None:
                    progress(done / total)
            scores = [candidate.predicted_iou for candidate in in_crop]
            found += _without_duplicates(in_crop, scores, self.box_nms_thresh)
        if len(boxes) > 1:
            found = _without_duplicates(found, [1 / _area(candidate.crop) for candidate in found], self.crop_nms_thresh)
        if self.min_mask_region_area > 0:
            found = self._without_small_regions(found, size)
        return [self._record(candidate, size) for candidate in found]

    def _crop_batches(
        self, image: npt.NDArray[np.uint8], crop: Box, grid: npt.NDArray[np.float64]
    ) -> Iterator[tuple[int, list[Candidate]]]:
        """Candidates of one crop that pass the filters, batch by batch, each with the number of prompts."""
        x0, y0, x1, y1 = crop
        model = self.predictor.model
        with torch.inference_mode():
            features = model.encode(model.preprocess(np.ascontiguousarray(image[y0:y1, x0:x1])))
        frame = model.frame((y1 - y0, x1 - x0))
        points = grid * np.array([x1 - x0, y1 - y0])
        for start in range(0, len(points), self.points_per_batch):
            batch = points[start : start + self.points_per_batch]
            logits, ious = self._decode(features, frame, batch)
            candidates = self._candidates(logits, ious, batch, frame, crop)
            if candidates:
                inside = [_moved(candidate.box, -x0, -y0) for candidate in candidates]
                cut = near_crop_edge(inside, crop, (image.shape[0], image.shape[1]))
                candidates = [candidate for candidate, gone in zip(candidates, cut, strict=True) if not gone]
            yield len(batch), candidates

    @torch.inference_mode()
    def _decode(
        self, features: dict[str, torch.Tensor], frame: Frame, points: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Three candidates for each of N points (x, y) in crop pixels: logits N x 3 x h x w, predicted IoU N x 3."""
        model = self.predictor.model
        prompts = torch.from_numpy(frame.to_input(points)).to(model.device, torch.float32)[:, None]
        labels = torch.ones(prompts.shape[:2], device=model.device)
        logits, ious = model.decode(features, frame, points=prompts, labels=labels, multimask=True)
        return logits.float().cpu().numpy(), ious.float().cpu().numpy()

    def _candidates(
        self,
        logits: npt.NDArray[np.float32],
        ious: npt.NDArray[np.float32],
        points: npt.NDArray[np.float64],
        frame: Frame,
        crop: Box,
    ) -> list[Candidate]:
        """Those of a batch that are confident and stable enough."""
        threshold = self.predictor.model.mask_threshold
        lowest = min(threshold, threshold - self.stability_score_offset)
        enlarger = Enlarger((logits.shape[-2], logits.shape[-1]), frame)
        left, top = crop[0], crop[1]
        confident = np.argwhere((ious > self.pred_iou_thresh) | (self.pred_iou_thresh <= 0))
        found = []
        for prompt, output in confident:
            y, x, patch = enlarger.window(logits[prompt, output], lowest)
            stability = stability_score(patch, threshold, self.stability_score_offset)
            if self.stability_score_thresh > 0 and not stability >= self.stability_score_thresh:
                continue
            mask = patch > threshold
            inside = _moved(mask_box(mask), x, y) if mask.any() else mask_box(mask)
            found.append(
                Candidate(
                    bits=np.packbits(mask),
                    patch=(y + top, x + left, mask.shape[0], mask.shape[1]),
                    box=_moved(inside, left, top),
                    predicted_iou=float(ious[prompt, output]),
                    stability=float(np.nan_to_num(stability)),  # a record must be JSON, which has no NaN
                    point=(float(points[prompt, 0]) + left, float(points[prompt, 1]) + top),
                    crop=crop,
                )
            )
        return found

    def _without_small_regions(self, found: list[Candidate], size: Size) -> list[Candidate]:
        """Clean each mask and drop the duplicates this makes, untouched masks first."""
        cleaned, boxes, scores = [], [], []
        for candidate in found:
            mask, filled = remove_small_regions(candidate.mask(size), self.min_mask_region_area, "holes")
            mask, dropped = remove_small_regions(mask, self.min_mask_region_area, "islands")
            box = mask_box(mask)
            changed = filled or dropped
            if changed:
                candidate = replace(candidate, bits=np.packbits(mask), patch=(0, 0, *size), box=box)
            cleaned.append(candidate)
            boxes.append(box)
            scores.append(0.0 if changed else 1.0)
        kept = non_maximum_suppression(boxes, scores, max(self.box_nms_thresh, self.crop_nms_thresh))
        return [cleaned[index] for index in kept]

    def _record(self, candidate: Candidate, size: Size) -> dict[str, Any]:
        mask = candidate.mask(size)
        coded = rle.encode(mask)
        segmentation: Any = coded
        if self.output_mode == "binary_mask":
            segmentation = mask
        elif self.output_mode == "uncompressed_rle":
            segmentation = {"size": list(size), "counts": rle.runs(coded).tolist()}
        return {
            "segmentation": segmentation,
            "area": int(np.count_nonzero(mask)),
            "bbox": _xywh(candidate.box),
            "predicted_iou": candidate.predicted_iou,
            "point_coords": [list(candidate.point)],
            "stability_score": candidate.stability,
            "crop_box": _xywh(candidate.crop),
        }


def _without_duplicates(found: list[Candidate], scores: list[float], iou_threshold: float) -> list[Candidate]:
    kept = non_maximum_suppression([candidate.box for candidate in found], scores, iou_threshold)
    return [found[index] for index in kept]


def _moved(box: Box, x: int, y: int) -> Box:
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _xywh(box: Box) -> list[int]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]
