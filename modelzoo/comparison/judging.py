"""Judge models and baselines on pictures, in several processes. Rows come back in the order of the pictures."""

from __future__ import annotations

import multiprocessing
import os
from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from pathlib import Path

import numpy as np
import torch
from PIL import UnidentifiedImageError

from modelzoo import rle
from modelzoo.checkpoint import load_checkpoint
from modelzoo.comparison.baselines import BASELINES, Baseline
from modelzoo.comparison.sets import Picture
from modelzoo.predictor import Predictor
from modelzoo.training.data import DataError, Sample, load_picture
from modelzoo.training.evaluate import (
    Ask,
    Clock,
    Prompts,
    Row,
    Target,
    boundary_figures,
    clicked_answers,
    judge_sample,
    seeded_box,
)

HUMAN = "another person"
EVERY_BASELINE = (*(baseline.name for baseline in BASELINES), HUMAN)
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")


@dataclass(frozen=True)
class Plan:
    """What is compared: model files by the names they go by, baselines by name, and how they are asked."""

    models: dict[str, Path]
    baselines: tuple[str, ...] = ()
    seed: int = 0
    max_clicks: int = 20


@dataclass(frozen=True)
class Judged:
    """All rows of one picture, and for each model the milliseconds of its two halves."""

    rows: list[Row]
    clocks: dict[str, Clock]


def judge_pictures(plan: Plan, pictures: Sequence[Picture], processes: int = 1) -> Iterator[Judged]:
    """Judge every picture with everything in the plan, in the order given.

    Each process computes on one thread: on full-size masks more threads only get in one another's way. With one
    process the work is done here, with as many threads as this process has.
    """
    if processes <= 1:
        judge = Judge(plan)
        yield from map(judge, pictures)
        return
    context = multiprocessing.get_context("spawn")
    with (
        _environment(dict.fromkeys(ONE_THREAD, "1")),
        ProcessPoolExecutor(processes, context, initializer=_prepare, initargs=(plan,)) as pool,
    ):
        try:
            yield from pool.map(_judge_here, pictures)
        finally:
            pool.shutdown(wait=False, cancel_futures=True)


class Judge:
    """Everything of a plan, loaded once, ready to judge one picture after the other."""

    def __init__(self, plan: Plan) -> None:
        self.plan = plan
        self.predictors = {name: Predictor(load_checkpoint(path)) for name, path in plan.models.items()}

    def __call__(self, picture: Picture) -> Judged:
        plan = self.plan
        try:
            image = load_picture(picture.path)
        except UnidentifiedImageError as error:
            raise DataError(f"{picture.path.name} is no picture that can be read.") from error
        if image.shape[:2] != picture.size:
            raise DataError(f"{picture.path.name} has another size than its annotations say.")
        sample = Sample(image, picture.masks, picture.ids, picture.set_name)
        rows: list[Row] = []
        clocks = {name: Clock() for name in plan.models}
        for name, predictor in self.predictors.items():
            judged = judge_sample(predictor, sample, plan.seed, plan.max_clicks, clocks[name])
            rows += [{"method": name} | row for row in judged]
        for baseline in BASELINES:
            if baseline.name in plan.baselines:
                rows += baseline_rows(baseline, sample, plan.seed)
        if HUMAN in plan.baselines:
            rows += human_rows(picture)
        pixels = picture.size[0] * picture.size[1]
        place = {"set": picture.set_name, "image": picture.path.name, "group": picture.group}
        return Judged([place | row | {"share": round(row["area"] / pixels, 6)} for row in rows], clocks)


def baseline_rows(baseline: Baseline, sample: Sample, seed: int) -> Iterator[Row]:
    """A row for every mask: the same first click and the same box as the models get, corrective clicks of its own."""
    ask = baseline.look(sample.image)
    for identity, segmentation in zip(sample.ids, sample.masks, strict=True):
        wanted = rle.decode(segmentation)
        if not wanted.any():
            continue
        target = Target(wanted)
        row: Row = {"method": baseline.name, "id": identity, "area": int(wanted.sum())}
        if baseline.most_clicks:
            row |= clicked_figures(ask, target, baseline.most_clicks)
        if baseline.takes_box:
            mask = ask(Prompts(box=seeded_box(wanted, seed, identity))).mask
            row |= {"iou_box": target.iou(mask), "boundary_box": target.boundary_iou(mask)}
        yield row


def clicked_figures(ask: Ask, target: Target, most_clicks: int) -> Row:
    """IoU after each click, as `judge_clicks` has it for models. Fewer where the object was met exactly before."""
    masks = [answer.mask for answer in islice(clicked_answers(ask, target), most_clicks)]
    ious = [round(target.iou(mask), 5) for mask in masks]
    return {"clicks": most_clicks, "iou": ious} | boundary_figures(masks, target, most_clicks)


def human_rows(picture: Picture) -> Iterator[Row]:
    """How well people agree: what each other annotator of the picture drew under the first click, and the mean of it.

    Nothing where nobody else drew anything there. The oracle is the best of the other people.
    """
    for identity, segmentation, person in zip(picture.ids, picture.masks, picture.annotators, strict=True):
        wanted = rle.decode(segmentation)
        if not wanted.any():
            continue
        target = Target(wanted)
        drawn = [mask for other, mask in picture.others if other != person and _covers(mask, *target.middle)]
        if not drawn:
            continue
        masks = [rle.decode(mask) for mask in drawn]
        ious = [target.iou(mask) for mask in masks]
        yield {
            "method": HUMAN,
            "id": identity,
            "area": int(wanted.sum()),
            "clicks": 1,
            "iou": [round(float(np.mean(ious)), 5)],
            "iou_1_oracle": max(ious),
            "boundary_1": float(np.mean([target.boundary_iou(mask) for mask in masks])),
        }


def _covers(mask: rle.RLE, x: int, y: int) -> bool:
    """Whether pixel (x, y) is inside; read from the runs, which are column by column, without drawing the mask."""
    ends = np.cumsum(rle.runs(mask))
    return bool(np.searchsorted(ends, x * mask["size"][0] + y, side="right") % 2)


@contextmanager
def _environment(values: dict[str, str]) -> Iterator[None]:
    """Environment variables for processes started inside."""
    before = {name: os.environ.get(name) for name in values}
    os.environ.update(values)
    try:
        yield
    finally:
        for name, value in before.items():
            if value is None:
                del os.environ[name]
            else:
                os.environ[name] = value


_judge: list[Judge] = []  # of a worker process


def _prepare(plan: Plan) -> None:
    torch.set_num_threads(1)
    _judge.append(Judge(plan))


def _judge_here(picture: Picture) -> Judged:
    return _judge[0](picture)
