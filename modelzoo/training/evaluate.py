"""Measure a model as people will use it: clicks on real masks, placed by the one click simulator.

The rules are those of the field: first click in the middle of the object, each next one in the middle of the largest
error (RITM; SAM paper appendix D.1), masks compared at the size of the picture. The same seed gives the same clicks
for any model as long as their masks are the same, so two models can be compared mask by mask.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from modelzoo import rle
from modelzoo.embedding import Embedding, Prediction
from modelzoo.predictor import Predictor
from modelzoo.training import clicks
from modelzoo.training.data import Sample

REPORTED_CLICKS = (1, 3, 5)
GOALS = {"noc85": 0.85, "noc90": 0.90}
BOX_NOISE = 0.05  # of each side


@dataclass
class Report:
    """summary: figures over all masks (IoUs are means; encoder_ms and decoder_ms are medians). rows: one per mask."""

    summary: dict[str, Any] = field(default_factory=dict)
    rows: list[dict[str, Any]] = field(default_factory=list)


@dataclass
class Clock:
    """Milliseconds of every call of the two halves of a model."""

    encoder: list[float] = field(default_factory=list)
    decoder: list[float] = field(default_factory=list)

    @staticmethod
    def median(times: Sequence[float]) -> float:
        return round(float(np.median(times)), 2) if times else 0.0


def evaluate(
    predictor: Predictor,
    samples: Iterable[Sample],
    seed: int = 0,
    max_clicks: int = 20,
    progress: Callable[[int], None] | None = None,
) -> Report:
    """Click every mask of every sample up to `max_clicks` times, and give each one box.

    `progress` is called with the number of masks done. Needs `max_clicks` >= 5. ValueError when there is no mask.
    """
    if max_clicks < max(REPORTED_CLICKS):
        raise ValueError(f"max_clicks must be at least {max(REPORTED_CLICKS)}.")
    report, clock = Report(), Clock()
    for sample in samples:
        started = time.perf_counter()
        embedding = predictor.encode(sample.image)
        clock.encoder.append((time.perf_counter() - started) * 1000)
        for identity, segmentation in zip(sample.ids, sample.masks, strict=True):
            target = rle.decode(segmentation)
            if not target.any():
                continue
            # The seed belongs to the mask, not to its place in the list: a subset is judged as the whole would be.
            random = np.random.default_rng([seed, *identity.encode()])
            report.rows.append(
                {"id": identity, "source": sample.source, "area": int(target.sum())}
                | judge_clicks(predictor, embedding, target, random, max_clicks, clock)
                | judge_box(predictor, embedding, target, random, clock)
            )
            if progress:
                progress(len(report.rows))
    if not report.rows:
        raise ValueError("There is no mask to evaluate on.")
    report.summary = summarise(report.rows) | {
        "encoder_ms": Clock.median(clock.encoder),
        "decoder_ms": Clock.median(clock.decoder),
    }
    return report


def judge_clicks(
    predictor: Predictor,
    embedding: Embedding,
    target: np.ndarray,
    random: np.random.Generator,
    max_clicks: int,
    clock: Clock,
) -> dict[str, Any]:
    """IoU after each click until 0.90 is reached (and at least as many as are reported)."""
    height, width = target.shape
    x, y, label = clicks.first_click(target, "centre", random)
    points, labels, ious = [(x + 0.5, y + 0.5)], [label], []
    previous: np.ndarray | None = None
    first: dict[str, Any] = {}
    while True:
        several = len(points) > 1
        prediction = timed_decode(
            predictor,
            embedding,
            clock,
            points=np.array(points),
            labels=np.array(labels),
            mask_input=previous,
            multimask=not several,
        )
        best = int(prediction.iou_predictions.argmax())
        scores = [mask_iou(mask, target) for mask in prediction.masks]
        ious.append(scores[best])
        if not several:
            first = {
                "iou_1_oracle": max(scores),
                "candidates": [
                    [round(float(said), 4), round(true, 4)]
                    for said, true in zip(prediction.iou_predictions, scores, strict=True)
                ],
                "predicted_iou": float(prediction.iou_predictions[best]),
            }
        previous = prediction.low_res_logits[best : best + 1]
        goal_met = max(ious) >= max(GOALS.values())
        if len(points) >= max_clicks or (goal_met and len(points) >= max(REPORTED_CLICKS)):
            break
        click = clicks.corrective_click(target, prediction.masks[best], "centre", random)
        if click is None:
            break
        points.append((min(click[0] + 0.5, width), min(click[1] + 0.5, height)))
        labels.append(click[2])
    counts = {
        name: next((number for number, iou in enumerate(ious, 1) if iou >= goal), max_clicks)
        for name, goal in GOALS.items()
    }
    return first | counts | {"iou": [round(iou, 5) for iou in ious]}


def judge_box(
    predictor: Predictor, embedding: Embedding, target: np.ndarray, random: np.random.Generator, clock: Clock
) -> dict[str, Any]:
    """IoU from a box whose sides are each off by up to 5 %."""
    box = np.array(clicks.noisy_box(target, random, share=BOX_NOISE, most=np.inf))
    prediction = timed_decode(predictor, embedding, clock, box=box, multimask=False)
    return {"iou_box": mask_iou(prediction.masks[0], target)}


def timed_decode(predictor: Predictor, embedding: Embedding, clock: Clock, **prompts: Any) -> Prediction:
    started = time.perf_counter()
    prediction: Prediction = predictor.decode(embedding, **prompts)
    clock.decoder.append((time.perf_counter() - started) * 1000)
    return prediction


def summarise(rows: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """The means that are reported. A mask solved before click k counts with its last IoU."""

    def mean(values: Iterable[float]) -> float:
        return round(float(np.mean(list(values))), 4)

    summary: dict[str, Any] = {"masks": len(rows)}
    for clicks_given in REPORTED_CLICKS:
        summary[f"miou_{clicks_given}"] = mean(row["iou"][min(clicks_given, len(row["iou"])) - 1] for row in rows)
    summary["miou_1_oracle"] = mean(row["iou_1_oracle"] for row in rows)
    summary["miou_box"] = mean(row["iou_box"] for row in rows)
    for name in GOALS:
        summary[name] = mean(row[name] for row in rows)
    return summary


def mask_iou(first: np.ndarray, second: np.ndarray) -> float:
    """IoU of two bool masks of one size; two empty masks agree (1.0)."""
    union = int(np.count_nonzero(first | second))
    return 1.0 if union == 0 else int(np.count_nonzero(first & second)) / union
