"""Segment everything: prompt with a grid of points, keep what is confident, stable and not a duplicate.

Segment Anything, section 4 "Fully automatic stage" and appendix B; settings and records as in the reference
implementation. Works with every promptable model. Differences, none of which changes a record: a candidate is judged
inside its own rectangle only, a few rows at a time, and is carried on as the low-res logits that it comes from; only
what is left when duplicates are gone is drawn. No map of full-size logits is ever made (docs/performance.md).
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
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
    View,
    crop_boxes,
    layer_grids,
    mask_box,
    near_crop_edge,
    non_maximum_suppression,
    remove_small_regions,
    with_margin,
)
from modelzoo.geometry import Frame, Size
from modelzoo.model.clicks import Answers
from modelzoo.predictor import Predictor

OUTPUT_MODES = ("coco_rle", "uncompressed_rle", "binary_mask")
CPU_BATCH, DEVICE_BATCH = 16, 64  # prompts decoded at once, at the most
CPU_BATCH_BYTES = 1 << 24  # of the largest map of the image, over all prompts of a batch
Progress = Callable[[float], None]


@dataclass(frozen=True, eq=False)
class Candidate:
    """One mask on its way through the filters, not yet drawn.

    view: where it is in its crop, None when it is empty; box: XYXY inclusive, in the image; crop: XYXY of the crop it
    was found in; point: the prompt, (x, y) in the image.
    """

    view: View | None
    box: Box
    predicted_iou: float
    stability: float
    point: tuple[float, float]
    crop: Box

    def drawn(self, threshold: float) -> tuple[int, int, BoolArray]:
        """(y, x, mask): the mask inside its box, whose first pixel is row y, column x of the image."""
        if self.view is None:
            return self.crop[1], self.crop[0], np.zeros((1, 1), bool)
        mask = self.view.drawn(threshold)
        top, left = self.view.rows.start + self.crop[1], self.view.columns.start + self.crop[0]
        x0, y0, x1, y1 = self.box
        return y0, x0, mask[y0 - top : y1 + 1 - top, x0 - left : x1 + 1 - left]


@dataclass(frozen=True, eq=False)
class Segment:
    """A candidate that is drawn: mask, area in pixels, box; `changed` when small holes or islands were removed."""

    candidate: Candidate
    mask: rle.RLE
    area: int
    box: Box
    changed: bool = False


@dataclass(frozen=True)
class AutomaticMaskGenerator:
    """All masks of an image from any promptable model. Settings are named as in the reference.

    points_per_side: grid on the whole image; points_per_batch: prompts decoded at once (no effect on results;
    None: as many as suit the model and the device, see `best_batch`);
    pred_iou_thresh: predicted IoU must be above; stability_score_thresh: stability must reach it (either is off at 0);
    stability_score_offset: logits up and down for it; box_nms_thresh, crop_nms_thresh: box IoU above which the worse
    mask goes, within a crop and across crops; crop_n_layers: layer i adds 4**i zoomed crops; crop_overlap_ratio: of
    the short side; crop_n_points_downscale_factor: grids of layer i have points_per_side / factor**i points per side;
    point_grids: own grids, one N x 2 array in [0, 1] per layer, instead of points_per_side; min_mask_region_area:
    smaller holes and islands (pixels) are cleaned away; output_mode: "coco_rle", "uncompressed_rle" or "binary_mask".
    """

    predictor: Predictor
    points_per_side: int | None = 32
    points_per_batch: int | None = None
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
        no_prompts = self.points_per_batch is not None and self.points_per_batch < 1
        if no_prompts or self.crop_n_layers < 0 or self.crop_n_points_downscale_factor < 1:
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
        segments = [self._drawn(candidate, size) for candidate in found]
        if self.min_mask_region_area > 0:  # cleaning makes duplicates, of which untouched masks stay
            scores = [0.0 if segment.changed else 1.0 for segment in segments]
            boxes_now = [segment.box for segment in segments]
            kept = non_maximum_suppression(boxes_now, scores, max(self.box_nms_thresh, self.crop_nms_thresh))
            segments = [segments[index] for index in kept]
        return [self._record(segment) for segment in segments]

    def _crop_batches(
        self, image: npt.NDArray[np.uint8], crop: Box, grid: npt.NDArray[np.float64]
    ) -> Iterator[tuple[int, list[Candidate]]]:
        """Candidates of one crop that pass the filters, batch by batch, each with the number of prompts."""
        x0, y0, x1, y1 = crop
        model = self.predictor.model
        frame = model.frame((y1 - y0, x1 - x0))
        least = self.pred_iou_thresh if self.pred_iou_thresh > 0 else -math.inf
        with torch.inference_mode():
            features = model.encode(model.preprocess(np.ascontiguousarray(image[y0:y1, x0:x1])))
            answers = model.answer_clicks(features, frame, least)
        points = grid * np.array([x1 - x0, y1 - y0])
        step = self.points_per_batch or best_batch(features, model.device)
        for start in range(0, len(points), step):
            batch = points[start : start + step]
            logits, ious = self._answered(answers, frame, batch)
            candidates = self._candidates(logits, ious, batch, frame, crop)
            if candidates:
                inside = [_moved(candidate.box, -x0, -y0) for candidate in candidates]
                cut = near_crop_edge(inside, crop, (image.shape[0], image.shape[1]))
                candidates = [candidate for candidate, gone in zip(candidates, cut, strict=True) if not gone]
            yield len(batch), candidates

    @torch.inference_mode()
    def _answered(
        self, answers: Answers, frame: Frame, points: npt.NDArray[np.float64]
    ) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
        """Three candidates for each of N points (x, y) in crop pixels: logits N x 3 x h x w, predicted IoU N x 3."""
        clicks = torch.from_numpy(frame.to_input(points)).to(self.predictor.model.device, torch.float32)
        logits, ious = answers(clicks)
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
        offset = self.stability_score_offset
        enlarger = Enlarger((logits.shape[-2], logits.shape[-1]), frame)
        left, top = crop[0], crop[1]
        confident = np.argwhere((ious > self.pred_iou_thresh) | (self.pred_iou_thresh <= 0))
        found = []
        for prompt, output in confident:
            view = enlarger.view(logits[prompt, output], min(threshold, threshold - offset))
            stability, inside = (math.nan, None) if view is None else view.judged(threshold, offset)
            if self.stability_score_thresh > 0 and not stability >= self.stability_score_thresh:
                continue
            found.append(
                Candidate(
                    view=None if inside is None else view,
                    box=_moved(inside or (0, 0, 0, 0), left, top),
                    predicted_iou=float(ious[prompt, output]),
                    stability=float(np.nan_to_num(stability)),  # a record must be JSON, which has no NaN
                    point=(float(points[prompt, 0]) + left, float(points[prompt, 1]) + top),
                    crop=crop,
                )
            )
        return found

    def _drawn(self, candidate: Candidate, size: Size) -> Segment:
        """The candidate as a mask of the image of (h, w), without holes and islands that are too small."""
        y, x, mask = candidate.drawn(self.predictor.model.mask_threshold)
        box, changed = candidate.box, False
        if self.min_mask_region_area > 0:
            y, x, mask = with_margin(y, x, mask, math.ceil(self.min_mask_region_area), size)
            mask, filled = remove_small_regions(mask, self.min_mask_region_area, "holes")
            mask, dropped = remove_small_regions(mask, self.min_mask_region_area, "islands")
            changed = filled or dropped
            if changed:
                box = _moved(mask_box(mask), x, y)
        area = int(np.count_nonzero(mask))
        return Segment(candidate, rle.encode_box(mask, x, y, *size), area, box, changed)

    def _record(self, segment: Segment) -> dict[str, Any]:
        candidate = segment.candidate
        segmentation: Any = segment.mask
        if self.output_mode == "binary_mask":
            segmentation = rle.decode(segment.mask)
        elif self.output_mode == "uncompressed_rle":
            segmentation = {"size": segment.mask["size"], "counts": rle.runs(segment.mask).tolist()}
        return {
            "segmentation": segmentation,
            "area": segment.area,
            "bbox": _xywh(segment.box),
            "predicted_iou": candidate.predicted_iou,
            "point_coords": [list(candidate.point)],
            "stability_score": candidate.stability,
            "crop_box": _xywh(candidate.crop),
        }


def best_batch(features: Mapping[str, torch.Tensor], device: torch.device) -> int:
    """How many prompts on an image, `features` 1 x C x h x w each, are best decoded at once.

    A CPU gains nothing from more than 16. And where the copies of the image that the decoder works on pass some tens of
    megabytes, the C allocator maps fresh pages for every one of them, which costs as much as the arithmetic: so SAM
    takes 4 at once, and the default model 16.
    """
    if device.type != "cpu":
        return DEVICE_BATCH
    largest = max(tensor[0].numel() * tensor.element_size() for tensor in features.values())
    return max(1, min(CPU_BATCH, CPU_BATCH_BYTES // largest))


def _without_duplicates(found: list[Candidate], scores: list[float], iou_threshold: float) -> list[Candidate]:
    kept = non_maximum_suppression([candidate.box for candidate in found], scores, iou_threshold)
    return [found[index] for index in kept]


def _moved(box: Box, x: int, y: int) -> Box:
    return box[0] + x, box[1] + y, box[2] + x, box[3] + y


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _xywh(box: Box) -> list[int]:
    return [box[0], box[1], box[2] - box[0], box[3] - box[1]]
