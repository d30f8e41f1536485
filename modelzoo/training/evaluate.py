"""Measure a model as people will use it: clicks on real masks, placed by the one click simulator.

The rules are those of the field: first click in the middle of the object, each next one in the middle of the largest
error (RITM; SAM paper appendix D.1), masks compared at the size of the picture. The same seed gives the same first
click and the same box for whatever is judged, so two models can be compared mask by mask. docs/evaluation.md explains
every figure.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from modelzoo import rle
from modelzoo.embedding import Embedding
from modelzoo.predictor import Predictor
from modelzoo.training import clicks
from modelzoo.training.data import Sample
from modelzoo.training.metrics import boundary_band, mask_iou, rank_correlation, reliability

REPORTED_CLICKS = (1, 2, 3, 5)
BOUNDARY_CLICKS = (1, 5)
GOALS = {"noc85": 0.85, "noc90": 0.90}
BOX_NOISE = 0.05  # of each side

Row = dict[str, Any]
Box = tuple[float, float, float, float]


@dataclass
class Report:
    """summary: figures over all masks (IoUs are means; encoder_ms and decoder_ms are medians). rows: one per mask."""

    summary: dict[str, Any] = field(default_factory=dict)
    rows: list[Row] = field(default_factory=list)


@dataclass
class Clock:
    """Milliseconds of every call of the two halves of a model."""

    encoder: list[float] = field(default_factory=list)
    decoder: list[float] = field(default_factory=list)

    @staticmethod
    def medians(clocks: Sequence[Clock]) -> dict[str, float]:
        """encoder_ms and decoder_ms over all calls of several clocks."""
        halves = {
            "encoder_ms": [one for clock in clocks for one in clock.encoder],
            "decoder_ms": [one for clock in clocks for one in clock.decoder],
        }
        return {name: round(float(np.median(times)), 2) if times else 0.0 for name, times in halves.items()}


@dataclass(frozen=True)
class Answer:
    """What came back for one set of prompts.

    masks: bool C x H x W. said: C predicted IoUs, NaN from methods that do not judge themselves. best: the mask that
    a person would be shown. feedback: goes with the next click (the logits of `best`).
    """

    masks: np.ndarray
    said: np.ndarray
    best: int = 0
    feedback: np.ndarray | None = None

    @property
    def mask(self) -> np.ndarray:
        chosen: np.ndarray = self.masks[self.best]
        return chosen


@dataclass(frozen=True)
class Prompts:
    """One question about one picture: points N x 2 (x, y) with labels N, a box, both in the picture's pixels.

    feedback: that of the last answer. multimask: candidates are wanted, not one mask.
    """

    points: np.ndarray | None = None
    labels: np.ndarray | None = None
    box: Box | None = None
    feedback: np.ndarray | None = None
    multimask: bool = False


Ask = Callable[[Prompts], Answer]


@dataclass(frozen=True)
class Target:
    """A mask to be met, bool H x W with at least one pixel, and what judging needs of it, worked out once."""

    mask: np.ndarray

    @cached_property
    def middle(self) -> tuple[int, int]:
        """(x, y) of the pixel furthest from the outline: the first click."""
        return clicks.innermost_point(self.mask)

    @cached_property
    def band(self) -> np.ndarray:
        return boundary_band(self.mask)

    def iou(self, mask: np.ndarray) -> float:
        return mask_iou(mask, self.mask)

    def boundary_iou(self, mask: np.ndarray) -> float:
        return mask_iou(boundary_band(mask), self.band)

    def next_click(self, mask: np.ndarray) -> tuple[int, int, int] | None:
        """(x, y, label) in the middle of the largest error of a mask, None where nothing is wrong."""
        # The rule "centre" draws nothing.
        return clicks.corrective_click(self.mask, mask, "centre", np.random.default_rng(0))


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
        for row in judge_sample(predictor, sample, seed, max_clicks, clock):
            report.rows.append(row)
            if progress:
                progress(len(report.rows))
    if not report.rows:
        raise ValueError("There is no mask to evaluate on.")
    report.summary = summarise(report.rows) | Clock.medians([clock])
    return report


def judge_sample(predictor: Predictor, sample: Sample, seed: int, max_clicks: int, clock: Clock) -> Iterator[Row]:
    """One row for every mask of a picture that is not empty."""
    started = time.perf_counter()
    embedding = predictor.encode(sample.image)
    clock.encoder.append((time.perf_counter() - started) * 1000)
    ask = model_asked(predictor, embedding, clock)
    for identity, segmentation in zip(sample.ids, sample.masks, strict=True):
        mask = rle.decode(segmentation)
        if mask.any():
            target, box = Target(mask), seeded_box(mask, seed, identity)
            yield (
                {"id": identity, "source": sample.source, "area": int(mask.sum())}
                | judge_clicks(ask, target, max_clicks)
                | judge_box(ask, target, box)
            )


def seeded_box(target: np.ndarray, seed: int, identity: str) -> Box:
    """The box of a mask with each side off by up to 5 %. The seed belongs to the mask, not to its place in a list."""
    random = np.random.default_rng([seed, *identity.encode()])
    return clicks.noisy_box(target, random, share=BOX_NOISE, most=np.inf)


def model_asked(predictor: Predictor, embedding: Embedding, clock: Clock) -> Ask:
    """A model that has seen one picture. Shown is the candidate with the best predicted IoU."""

    def ask(prompts: Prompts) -> Answer:
        started = time.perf_counter()
        box = None if prompts.box is None else np.array(prompts.box)
        prediction = predictor.decode(
            embedding, prompts.points, prompts.labels, box, prompts.feedback, prompts.multimask
        )
        clock.decoder.append((time.perf_counter() - started) * 1000)
        best = int(prediction.iou_predictions.argmax())
        return Answer(prediction.masks, prediction.iou_predictions, best, prediction.low_res_logits[best : best + 1])

    return ask


def clicked_answers(ask: Ask, target: Target) -> Iterator[Answer]:
    """Answers to one click, two clicks, ...: ends only when nothing is wrong any more.

    Candidates are asked for with the first click only; later ones come with the feedback of the answer before.
    """
    points, labels = [middle_of(target.middle)], [1]
    feedback: np.ndarray | None = None
    while True:
        answer = ask(Prompts(np.array(points), np.array(labels), feedback=feedback, multimask=len(points) == 1))
        yield answer
        click = target.next_click(answer.mask)
        if click is None:
            return
        points.append(middle_of(click))
        labels.append(click[2])
        feedback = answer.feedback


def middle_of(pixel: tuple[int, ...]) -> tuple[float, float]:
    """(x, y) of the middle of pixel x, y."""
    return pixel[0] + 0.5, pixel[1] + 0.5


def judge_clicks(ask: Ask, target: Target, max_clicks: int) -> Row:
    """IoU after each click until 0.90 is reached (and at least as many as are reported), and what was predicted."""
    row: Row = {"click": list(middle_of(target.middle))}
    ious: list[float] = []
    said: list[float] = []
    masks: list[np.ndarray] = []
    for number, answer in enumerate(clicked_answers(ask, target), 1):
        ious.append(target.iou(answer.mask))
        said.append(float(answer.said[answer.best]))
        if number == 1:
            row["candidates"] = judged_pairs(answer, target)
            row["iou_1_oracle"] = max(true for _, true in row["candidates"])
            row["predicted_iou"] = said[0]
        if number <= max(BOUNDARY_CLICKS):
            masks.append(answer.mask)
        goal_met = max(ious) >= max(GOALS.values())
        if number >= max_clicks or (goal_met and number >= max(REPORTED_CLICKS)):
            break
    row |= boundary_figures(masks, target, max_clicks)
    for name, goal in GOALS.items():
        row[name] = next((number for number, iou in enumerate(ious, 1) if iou >= goal), max_clicks)
    return row | {"iou": [round(iou, 5) for iou in ious], "said": [round(one, 4) for one in said]}


def boundary_figures(masks: Sequence[np.ndarray], target: Target, most_clicks: int) -> Row:
    """Boundary IoU after 1 and 5 of at most `most_clicks` clicks; an object solved before counts with its last mask."""
    return {
        f"boundary_{count}": target.boundary_iou(masks[min(count, len(masks)) - 1])
        for count in BOUNDARY_CLICKS
        if count <= most_clicks
    }


def judge_box(ask: Ask, target: Target, box: Box) -> Row:
    """IoU from a box, from the same box with one corrective click, and of the four masks that a box could give."""
    answer = ask(Prompts(box=box))
    candidates = ask(Prompts(box=box, multimask=True))
    row: Row = {
        "box": [round(side, 3) for side in box],
        "iou_box": target.iou(answer.mask),
        "predicted_iou_box": float(answer.said[answer.best]),
        "boundary_box": target.boundary_iou(answer.mask),
        "box_masks": judged_pairs(answer, target) + judged_pairs(candidates, target),
    }
    click = target.next_click(answer.mask)
    if click is None:
        return row | {"iou_box_click": row["iou_box"]}
    point = np.array([middle_of(click)])
    corrected = ask(Prompts(point, np.array([click[2]]), box, answer.feedback))
    return row | {
        "iou_box_click": target.iou(corrected.mask),
        "predicted_iou_box_click": float(corrected.said[corrected.best]),
    }


def judged_pairs(answer: Answer, target: Target) -> list[list[float]]:
    """[predicted IoU, true IoU] of every mask of an answer."""
    return [
        [round(float(said), 4), round(target.iou(mask), 4)]
        for said, mask in zip(answer.said, answer.masks, strict=True)
    ]


def iou_after(row: Row, count: int) -> float:
    """IoU after `count` clicks; a mask solved before that counts with its last IoU."""
    found: float = row["iou"][min(count, len(row["iou"])) - 1]
    return found


def best_said(pairs: Sequence[Sequence[float]]) -> float:
    """True IoU of the mask whose predicted IoU is the highest."""
    return max(pairs, key=lambda pair: pair[0])[1]


def prompt_pairs(row: Row) -> list[list[float]]:
    """[predicted, true] for every prompt that each mask gets: candidates of one click, 2 to 5 clicks, box, box + click.

    Clicks after the fifth are left out: only what goes badly gets them, so hard masks would count several times.
    """
    later = zip(row["said"][1:5], row["iou"][1:5], strict=True)
    pairs = row["candidates"] + [list(pair) for pair in later] + row["box_masks"][:1]
    if "predicted_iou_box_click" in row:
        pairs.append([row["predicted_iou_box_click"], row["iou_box_click"]])
    return pairs


def summarise(rows: Sequence[Row]) -> dict[str, float | None]:
    """Means over all masks, and how far the predicted IoU can be trusted; None where it cannot be said."""

    def mean(values: Iterable[float]) -> float:
        return round(float(np.mean(list(values))), 4)

    summary: dict[str, float | None] = {"masks": len(rows)}
    for count in REPORTED_CLICKS:
        summary[f"miou_{count}"] = mean(iou_after(row, count) for row in rows)
    summary["miou_1_oracle"] = mean(row["iou_1_oracle"] for row in rows)
    summary["miou_box"] = mean(row["iou_box"] for row in rows)
    summary["miou_box_click"] = mean(row["iou_box_click"] for row in rows)
    summary["miou_box_best_said"] = mean(best_said(row["box_masks"]) for row in rows)
    for place in (*BOUNDARY_CLICKS, "box"):
        summary[f"boundary_{place}"] = mean(row[f"boundary_{place}"] for row in rows)
    for name in GOALS:
        summary[name] = mean(row[name] for row in rows)
    said, true = np.array([pair for row in rows for pair in row["candidates"]]).T
    rank = rank_correlation(said, true)
    summary["rank_correlation"] = None if rank is None else round(rank, 4)
    summary["calibration_error"] = round(reliability(said, true).calibration_error, 4)
    return summary
