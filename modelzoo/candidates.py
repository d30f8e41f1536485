"""Masks that may be something: what the decoder answers to clicks and boxes on one picture, before they are judged.

Searches for objects (`modelzoo.exemplars`, `modelzoo.text.finder`) begin here, and say what each is worth.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from modelzoo import rle
from modelzoo.embedding import Embedding
from modelzoo.filtering import STABILITY_OFFSET, BoolArray, Box, Enlarger, View
from modelzoo.lone_click import clicked_part

if TYPE_CHECKING:
    from modelzoo.predictor import Predictor

Floats = NDArray[np.float32]
Progress = Callable[[float], None]

BATCH = 16  # prompts decoded at once: memory, no effect on results
SAME, INSIDE = 0.5, 0.75  # IoU, and share of the smaller mask, from which the worse of two goes
LARGEST = 0.5  # share of the picture, above which nothing is one of several
SMALLEST = 4  # pixels of the low-res mask
COMPARED = 600  # best candidates among which duplicates are looked for
LOW_SIDE = 128  # pixels of the side on which they are


@dataclass(frozen=True, eq=False)
class Candidate:
    """A mask on its way: where it is enlarged from, its low-res pixels h x w, and what speaks for it."""

    view: View
    low: BoolArray
    prompt: dict[str, Any]
    predicted_iou: float
    stability: float

    @property
    def trust(self) -> float:
        """How good a mask it is, whatever it shows, 0..1."""
        return self.predicted_iou * self.stability

    def box(self, threshold: float) -> Box | None:
        """Inclusive corners x0, y0, x1, y1 in the picture; None for an empty mask."""
        return self.view.judged(threshold, STABILITY_OFFSET)[1]


@dataclass(frozen=True, eq=False)
class Source:
    """One picture with its decoder."""

    predictor: Predictor
    embedding: Embedding
    enlarger: Enlarger

    @classmethod
    def of(cls, predictor: Predictor, embedding: Embedding) -> Source:
        """For the picture of a stored embedding."""
        height, width = (side // predictor.model.mask_stride for side in embedding.frame.padded_size)
        return cls(predictor, embedding, Enlarger((height, width), embedding.frame))

    def clicked(self, points: NDArray[np.float64], tell: Progress) -> Iterator[Candidate]:
        """Three candidates of each of N points (x, y) in original pixels, as far as they may be something."""
        model, frame = self.predictor.model, self.embedding.frame
        for start in range(0, len(points), BATCH):
            batch = points[start : start + BATCH]
            logits, ious = self.predictor.decode_points(self.embedding, batch)
            for point, answers, trust in zip(batch, logits, ious, strict=True):
                if model.one_part:
                    answers = clicked_part(answers, frame.to_input(point) / model.mask_stride)
                x, y = (round(float(side), 2) for side in point)
                prompt = {"type": "point", "x": x, "y": y, "label": 1}
                for low_res, iou in zip(answers, trust, strict=True):
                    yield from self._candidate(low_res, float(iou), prompt)
            tell((start + len(batch)) / len(points))

    def boxed(self, found: Sequence[Candidate], tell: Progress) -> Iterator[Candidate]:
        """What the decoder makes of the boxes of masks."""
        threshold = self.predictor.model.mask_threshold
        judged = [one.box(threshold) for one in found]
        boxes = np.array([box for box in judged if box is not None], np.float64).reshape(-1, 4)
        boxes[:, 2:] += 1  # inclusive corners
        for start in range(0, len(boxes), BATCH):
            batch = boxes[start : start + BATCH]
            logits, ious = self.predictor.decode_boxes(self.embedding, batch)
            for box, low_res, iou in zip(batch, logits, ious, strict=True):
                x0, y0, x1, y1 = (float(corner) for corner in box)
                prompt = {"type": "box", "x0": x0, "y0": y0, "x1": x1, "y1": y1}
                yield from self._candidate(low_res, float(iou), prompt)
            tell((start + len(batch)) / len(boxes))

    def records(self, found: Sequence[Candidate], scores: Sequence[float]) -> list[dict[str, Any]]:
        """What is told of masks, SA-1B style: segmentation (compressed RLE), area, bbox (x, y, w, h), predicted_iou,
        stability_score, and beyond SA-1B `score` and `prompts`, all in original pixels. Empty ones are left out.
        """
        records = [self._record(one, score) for one, score in zip(found, scores, strict=True)]
        return [record for record in records if record["area"] > 0]

    def _candidate(self, low_res: Floats, iou: float, prompt: dict[str, Any]) -> Iterator[Candidate]:
        """A mask that is neither a speck nor most of the picture."""
        threshold = self.predictor.model.mask_threshold
        low = low_res > threshold
        rows, columns = self.embedding.frame.picture_in(low.shape)
        if not SMALLEST <= np.count_nonzero(low) <= LARGEST * low[rows, columns].size:
            return
        view = self.enlarger.view(low_res, threshold - STABILITY_OFFSET)
        wide = np.count_nonzero(low_res > threshold - STABILITY_OFFSET)
        stability = np.count_nonzero(low_res > threshold + STABILITY_OFFSET) / wide
        if view is not None:
            yield Candidate(view, low, prompt, min(max(iou, 0.0), 1.0), stability)

    def _record(self, found: Candidate, score: float) -> dict[str, Any]:
        drawn = found.view.drawn(self.predictor.model.mask_threshold)
        place = (found.view.columns.start, found.view.rows.start)
        segmentation = rle.encode_box(drawn, *place, *self.embedding.frame.original_size)
        area, bbox = rle.measure(segmentation)
        return {
            "segmentation": segmentation,
            "area": area,
            "bbox": bbox,
            "predicted_iou": found.predicted_iou,
            "stability_score": found.stability,
            "score": round(score, 4),
            "prompts": [found.prompt],
        }


def distinct(found: Sequence[Candidate], scores: NDArray[np.float64], same: float, inside: float = 2.0) -> list[int]:
    """Places of the candidates that are worth something and show no better one's object, best first.

    Two show the same above an IoU of `same`, or when more than `inside` of the smaller one is shared (above 1: never).
    """
    order = [int(place) for place in np.argsort(-scores, kind="stable")[:COMPARED] if scores[place] > 0]
    if not order:
        return []
    step = max(1, max(found[0].low.shape) // LOW_SIDE)  # a quarter of the pixels tells it as well
    flat = np.stack([found[place].low[::step, ::step].ravel() for place in order]).astype(np.float32)
    areas, shared = flat.sum(axis=1), flat @ flat.T
    union = np.maximum(areas[:, None] + areas[None] - shared, 1)
    smaller = np.maximum(np.minimum(areas[:, None], areas[None]), 1)
    clash = (shared > same * union) | (shared > inside * smaller)
    free, kept = np.ones(len(order), bool), []
    for place in range(len(order)):
        if free[place]:
            kept.append(order[place])
            free &= ~clash[place]
    return kept
