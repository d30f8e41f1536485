"""Propose masks: a detector finds boxes on a model's own embedding, the decoder turns each box into a mask.

Segment Anything, section 4 "Semi-automatic stage": a one-class detector trained on all masks so far gives the confident
masks that an image comes with. The detector here is a small head on the frozen encoder (`modelzoo.model.box_head`), so
it is trained in a minute, costs a few milliseconds and belongs to one model. `modelzoo.training.proposals` makes it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from modelzoo import rle
from modelzoo.checkpoint import CheckpointError, checkpoint_digest, load_state, save_checkpoint
from modelzoo.embedding import Embedding
from modelzoo.filtering import (
    STABILITY_OFFSET,
    Enlarger,
    mask_box,
    non_maximum_suppression,
    remove_small_regions,
    stability_score,
)
from modelzoo.model.box_head import BoxHead, boxes_from, cell_centres
from modelzoo.predictor import Predictor
from modelzoo.weight_files import WeightFile, bounded

FloatArray = npt.NDArray[np.float64]

MOST_CELLS = 1000  # best cells of a picture that are looked at; the rest are far below any threshold
BOX_NMS = 0.6  # IoU of two boxes above which the worse one goes
MOST_BOXES = 200
BOXES_PER_BATCH = 32  # decoded at once: memory, no effect on results
FAINT = 0.03  # score below which no box is decoded: its mask would never be sure enough


@dataclass(frozen=True)
class Calibration:
    """Chance that a proposed mask is right, from what is known of it: a logistic in three features.

    weights: of (1, log-odds of the box's score, predicted IoU, stability). right_iou: IoU with an accepted mask from
    which a proposal counts as right. threshold: the chance from which it is proposed, chosen on validation pictures so
    that `precision` of what is proposed is right; above 1 where nothing is. measured: was there enough to fit it on?
    """

    weights: tuple[float, float, float, float] = (0.0, 1.0, 0.0, 0.0)
    right_iou: float = 0.75
    precision: float = 0.8
    threshold: float = 0.5
    measured: bool = False

    def chance(self, values: FloatArray) -> FloatArray:
        """Chances (0..1) of N proposals from their `features`, N x 4."""
        odds = values @ np.asarray(self.weights)
        return np.asarray(1 / (1 + np.exp(-np.clip(odds, -50, 50))), np.float64)


@dataclass(frozen=True)
class Detector:
    """A trained head, how far it can be trusted, and what was measured. `digest` is the SHA-256 of its file."""

    head: BoxHead
    calibration: Calibration
    metrics: Mapping[str, Any]
    model: str
    digest: str = ""

    @torch.inference_mode()
    def boxes(self, embedding: Embedding, most: int = MOST_BOXES) -> tuple[FloatArray, FloatArray]:
        """Boxes N x 4 (x0, y0, x1, y1 in original pixels, inside the picture) and scores N, best first, N <= `most`."""
        maps = {
            name: torch.from_numpy(np.asarray(embedding.tensors[name], np.float32))[None] for name in self.head.names
        }
        scores, corners = [], []
        for (logits, sides), stride in zip(self.head(maps), self.head.strides, strict=True):
            centres = cell_centres(logits.shape[-2], logits.shape[-1], stride, logits)
            scores.append(logits.sigmoid().flatten())
            corners.append(boxes_from(centres, sides[0].flatten(1).T, stride))
        score, corner = torch.cat(scores), torch.cat(corners)
        best = score.topk(min(MOST_CELLS, len(score))).indices
        frame = embedding.frame
        found = frame.to_original(corner[best].double().numpy().reshape(-1, 2, 2)).reshape(-1, 4)
        height, width = frame.original_size
        found = np.clip(found, 0, [width, height, width, height])
        solid = ((found[:, 2:] - found[:, :2]) >= 1).all(1)
        found, chances = found[solid], score[best].double().numpy()[solid]
        kept = non_maximum_suppression(found, chances, BOX_NMS)[:most]
        return found[kept], chances[kept]


def save_detector(
    head: BoxHead, path: Path, *, model: str, calibration: Calibration, metrics: Mapping[str, Any]
) -> str:
    """Write a detector for the model with digest `model`; returns the SHA-256 of the file."""
    about = {"model": model, "calibration": asdict(calibration), "metrics": dict(metrics)}
    return save_checkpoint(head, path, about)


def load_detector(path: Path) -> Detector:
    """The detector in a file. CheckpointError for anything that is none or does not fit exactly."""
    stored = WeightFile(path)
    try:
        header = stored.header or {}
        if header["variant"] != BoxHead.variant or not bounded(header["config"]):
            raise ValueError("it is no detector")
        about = header["metadata"]
        values = dict(about["calibration"])
        plain, score, iou, stability = (float(weight) for weight in values.pop("weights"))
        calibration = Calibration(weights=(plain, score, iou, stability), **values)
        model, metrics, config = str(about["model"]), dict(about["metrics"]), dict(header["config"])
        with torch.device("meta"):
            BoxHead(**config)
    except Exception as error:  # a stranger's header fails in whatever place it reaches first
        raise CheckpointError(f"{path.name} is not a detector of proposals.") from error
    head: BoxHead = load_state(stored, lambda: BoxHead(**config))
    return Detector(head, calibration, metrics, model, checkpoint_digest(path))


@dataclass(frozen=True)
class Candidate:
    """A mask on its way: `bits` packed inside the patch (y, x, h, w) of the picture, box inclusive XYXY, its prompt."""

    bits: npt.NDArray[np.uint8]
    patch: tuple[int, int, int, int]
    box: tuple[int, int, int, int]
    prompt: FloatArray
    score: float
    predicted_iou: float
    stability: float

    def mask(self, size: tuple[int, int]) -> npt.NDArray[np.bool_]:
        """Bool h x w of the whole picture."""
        y, x, height, width = self.patch
        full = np.zeros(size, bool)
        full[y : y + height, x : x + width] = np.unpackbits(self.bits, count=height * width).reshape(height, width)
        return full


def features(found: Sequence[Candidate]) -> FloatArray:
    """What a calibration weighs, N x 4: 1, log-odds of the box's score, predicted IoU, stability."""
    score = np.clip(np.array([one.score for one in found], np.float64), 1e-4, 1 - 1e-4)
    predicted, stability = ([getattr(one, name) for one in found] for name in ("predicted_iou", "stability"))
    columns = [np.ones(len(found)), np.log(score / (1 - score)), np.array(predicted), np.array(stability)]
    return np.stack(columns, 1).astype(np.float64)


@dataclass(frozen=True)
class BoxMaskGenerator:
    """The masks that a picture comes with in the semi-automatic stage.

    most_boxes: boxes that are tried; boxes_per_batch: decoded at once (memory, no effect on results);
    stability_score_offset: logits up and down for the stability; box_nms_thresh: IoU of two masks' boxes above which
    the less certain goes; min_mask_region_area: smaller holes and islands (pixels) are cleaned away. What is left is
    proposed from the calibration's threshold on, which weighs predicted IoU and stability too.
    """

    predictor: Predictor
    detector: Detector
    most_boxes: int = 100
    boxes_per_batch: int = BOXES_PER_BATCH
    stability_score_offset: float = STABILITY_OFFSET
    box_nms_thresh: float = 0.6
    min_mask_region_area: int = 0

    def generate(self, embedding: Embedding, progress: Callable[[float], None] | None = None) -> list[dict[str, Any]]:
        """SA-1B style records, most certain first: segmentation (compressed RLE), area, bbox (x, y, w, h from inclusive
        corners), predicted_iou, stability_score, crop_box, and beyond SA-1B `confidence` (the calibrated chance) and
        `prompts` (the box, in original pixels). `progress` gets the share done, 0..1, and may raise to stop.
        """
        found = self.candidates(embedding, progress)
        calibration = self.detector.calibration
        chances = calibration.chance(features(found))
        sure = np.flatnonzero(chances >= calibration.threshold)
        kept = non_maximum_suppression([found[i].box for i in sure], chances[sure], self.box_nms_thresh)
        size = embedding.frame.original_size
        records = [self._record(found[i], float(chances[i]), size) for i in sure[kept]]
        return [record for record in records if record["area"] > 0]

    def candidates(self, embedding: Embedding, progress: Callable[[float], None] | None = None) -> list[Candidate]:
        """The decoder's mask of every box that is not too faint, in the order of the boxes' scores."""
        boxes, scores = self.detector.boxes(embedding, self.most_boxes)
        boxes, scores = boxes[scores >= FAINT], scores[scores >= FAINT]
        found: list[Candidate] = []
        for start in range(0, len(boxes), self.boxes_per_batch):
            batch = slice(start, start + self.boxes_per_batch)
            decoded = _decoded(self.predictor, embedding, boxes[batch], scores[batch], self.stability_score_offset)
            found += [one for one in decoded if one is not None]
            if progress is not None:
                progress(min(1.0, batch.stop / len(boxes)))
        return found

    def _record(self, candidate: Candidate, chance: float, size: tuple[int, int]) -> dict[str, Any]:
        mask = candidate.mask(size)
        if self.min_mask_region_area > 0:
            for kind in ("holes", "islands"):
                mask, _ = remove_small_regions(mask, self.min_mask_region_area, kind)
        return {**_record_of(mask, candidate), "confidence": round(chance, 4)}


def masks_of_boxes(predictor: Predictor, embedding: Embedding, boxes: FloatArray) -> Iterator[dict[str, Any] | None]:
    """The decoder's mask of each of N boxes (x0, y0, x1, y1 in original pixels), N x 4, in their order: SA-1B style
    records with their `prompts`, None for a mask without pixels.
    """
    for start in range(0, len(boxes), BOXES_PER_BATCH):
        batch = boxes[start : start + BOXES_PER_BATCH]
        for one in _decoded(predictor, embedding, batch, np.ones(len(batch)), STABILITY_OFFSET):
            yield None if one is None else _record_of(one.mask(embedding.frame.original_size), one)


def _decoded(
    predictor: Predictor, embedding: Embedding, boxes: FloatArray, scores: FloatArray, offset: float
) -> list[Candidate | None]:
    """Masks of N boxes, N x 4, None for an empty one. `offset`: logits up and down for the stability."""
    logits, ious = predictor.decode_boxes(embedding, boxes)
    threshold = predictor.model.mask_threshold
    enlarger = Enlarger((logits.shape[-2], logits.shape[-1]), embedding.frame)
    found: list[Candidate | None] = []
    for box, score, low_res, iou in zip(boxes, scores, logits, ious, strict=True):
        y, x, patch = enlarger.window(low_res, threshold - offset)
        stability = float(np.nan_to_num(stability_score(patch, threshold, offset)))
        mask = patch > threshold
        if not mask.any():
            found.append(None)
            continue
        left, top, right, bottom = mask_box(mask)
        found.append(
            Candidate(
                bits=np.packbits(mask),
                patch=(y, x, *mask.shape),
                box=(left + x, top + y, right + x, bottom + y),
                prompt=box,
                score=float(score),
                predicted_iou=float(min(max(iou, 0.0), 1.0)),
                stability=stability,
            )
        )
    return found


def _record_of(mask: npt.NDArray[np.bool_], candidate: Candidate) -> dict[str, Any]:
    """SA-1B fields of a mask, H x W, and the box that it was asked for with."""
    left, top, right, bottom = mask_box(mask)
    x0, y0, x1, y1 = (round(float(side), 2) for side in candidate.prompt)
    return {
        "segmentation": rle.encode(mask),
        "area": int(np.count_nonzero(mask)),
        "bbox": [left, top, right - left, bottom - top],
        "predicted_iou": candidate.predicted_iou,
        "stability_score": candidate.stability,
        "crop_box": [0, 0, mask.shape[1], mask.shape[0]],
        "prompts": [{"type": "box", "x0": x0, "y0": y0, "x1": x1, "y1": y1}],
    }
