"""Batches of views with their first prompts. Step n of a run is always the same batch, whoever makes it.

That is what lets a run resume after a crash with the curve it would have had.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, Dataset

from modelzoo.training import clicks
from modelzoo.training.config import DataSource, TrainConfig
from modelzoo.training.data import DataError, Record, read_coco, read_sa1b, split_off
from modelzoo.training.regions import region_records
from modelzoo.training.views import LEAST_AREA, View, make_view, size_balance

GRID = 4  # masks and clicks live on the decoder's stride-4 grid; a cell holds the share of its area that is covered
ASPECTS = (1.0, 0.75, 0.67)
SMALLEST = LEAST_AREA / GRID**2  # cells of a target
MOST_REFUSED = 1000  # views in a row without a usable target: no mere bad luck
ROUNDS, ROUND_CHANCES = (1, 2, 3, 5), (0.45, 0.25, 0.2, 0.1)
BOTH_SHARE = 0.1  # of first prompts that are a box and a point; `box_share` are a box alone, the rest a point alone
CENTRE_SHARE = 0.7  # of first clicks; the others fall anywhere in the object


@dataclass(frozen=True)
class Corpus:
    """Training records and the chance of each, which sums to 1; and the records that are only looked at."""

    training: list[Record]
    chances: np.ndarray
    validation: list[Record]


def load_corpus(config: TrainConfig) -> Corpus:
    """Read every source. Within a source all pictures are equally likely; between sources the weights decide."""
    training: list[Record] = []
    chances: list[float] = []
    validation: list[Record] = [record for source in config.validation for record in read_source(source)]
    for source in config.data:
        records = read_source(source)
        if not config.validation:
            records, held_back = split_off(records, config.validation_share)
            validation += held_back
        if not records:
            raise DataError(f"{source.path.name} holds no picture with masks to train on.")
        training += records
        chances += [source.weight / len(records)] * len(records)
        if source.regions > 0:
            found = region_records(records, config.out)
            training += found
            chances += [source.regions / len(found)] * len(found)
    weights = np.asarray(chances, np.float64)
    return Corpus(training, weights / weights.sum() if chances else weights, validation)


def read_source(source: DataSource) -> list[Record]:
    if source.format == "coco":
        return read_coco(source.path, licences=source.licences)
    return read_sa1b(source.path)


@dataclass(frozen=True)
class Batch:
    """B pictures with P objects each; B P prompts in picture order.

    pixels uint8 B x 3 x H x W; targets float32 (B P) x 1 x H/4 x W/4, the covered share of each cell; points
    (B P) x 3 x 2 in pixels with labels (B P) x 3 (unused places carry label -1); rounds: prompts per object.
    """

    pixels: Tensor
    targets: Tensor
    points: Tensor
    labels: Tensor
    rounds: int

    def to(self, device: torch.device) -> Batch:
        pixels, targets, points, labels = (
            tensor.to(device, non_blocking=True) for tensor in (self.pixels, self.targets, self.points, self.labels)
        )
        return Batch(pixels, targets, points, labels, self.rounds)


class Batches(Dataset[Batch]):
    """`batches[number]` is one batch; of `world` processes each takes the one of its rank in every step.

    Size and rounds belong to the step, so that the processes of a step are equally long at it.
    """

    def __init__(self, config: TrainConfig, corpus: Corpus, world: int = 1) -> None:
        self.config = config
        self.corpus = corpus
        self.world = world

    def __len__(self) -> int:
        return self.config.steps * self.world

    def __getitem__(self, number: int) -> Batch:
        config, step = self.config, number // self.world
        of_step, random = np.random.default_rng([config.seed, step, 2]), np.random.default_rng([config.seed, number])
        height, width = view_size(config, of_step)
        views = [self.view(height, width, random) for _ in range(config.batch)]
        targets, points, labels = [], [], []
        for _, cover in views:
            chance = size_balance(cover.sum((1, 2)))
            repeats = len(cover) < config.prompts
            for index in random.choice(len(cover), config.prompts, replace=repeats, p=chance / chance.sum()):
                where, kinds = first_prompts(cover[index], random, config.box_share)
                targets.append(cover[index])
                points.append(where)
                labels.append(kinds)
        pixels = np.stack([view.image.transpose(2, 0, 1) for view, _ in views])
        return Batch(
            torch.from_numpy(np.ascontiguousarray(pixels)),
            torch.from_numpy(np.stack(targets))[:, None],
            torch.from_numpy(np.stack(points)),
            torch.from_numpy(np.stack(labels)),
            int(of_step.choice(ROUNDS, p=ROUND_CHANCES)),
        )

    def view(self, height: int, width: int, random: np.random.Generator) -> tuple[View, np.ndarray]:
        """A view that has at least one usable target, and the targets' cover, M x H/4 x W/4. DataError if none has."""
        synthetic = self.config.synthetic
        for _ in range(MOST_REFUSED):
            view = make_view(self.corpus.training, self.corpus.chances, synthetic, height, width, random)
            covers = [cover for cover in map(covered_share, view.masks) if usable(cover)]
            if covers:
                return view, np.stack(covers)
            if synthetic < 1:
                synthetic = 0.0  # or synthetic scenes would take the place of pictures that teach nothing
        raise DataError(
            f"No mask can be learnt from in views of {width} x {height} pixels: each is too small, or almost all."
        )


def view_size(config: TrainConfig, random: np.random.Generator) -> tuple[int, int]:
    """(height, width) of a step's views: one length of the longer side, one aspect ratio, either way up."""
    long_side = int(random.choice(config.long_sides))
    short_side = round(long_side * random.choice(ASPECTS) / 16) * 16
    return (long_side, short_side) if random.random() < 0.4 else (short_side, long_side)


def covered_share(mask: np.ndarray) -> np.ndarray:
    """Bool H x W -> float32 H/4 x W/4."""
    height, width = mask.shape
    return mask.reshape(height // GRID, GRID, width // GRID, GRID).mean((1, 3), dtype=np.float32)


def usable(cover: np.ndarray) -> bool:
    """Large enough to be clicked, and not nearly everything (paper appendix A drops masks above 90 %)."""
    return bool(cover.sum() >= SMALLEST and cover.max() > 0.5 and cover.mean() < 0.9)


def first_prompts(cover: np.ndarray, random: np.random.Generator, box_share: float) -> tuple[np.ndarray, np.ndarray]:
    """Up to three places, float32 3 x 2 in pixels, and their labels 3: a point, a box, or both."""
    target = cover > 0.5
    points, labels = np.zeros((3, 2), np.float32), np.full(3, -1, np.float32)
    draw = random.random()
    point_share = 1 - BOTH_SHARE - box_share
    if draw < point_share or draw >= point_share + box_share:
        rule: clicks.Rule = "centre" if random.random() < CENTRE_SHARE else "uniform"
        x, y, _ = clicks.first_click(target, rule, random)
        points[0], labels[0] = cell_place(x, y, random), 1
    if draw >= point_share:
        x0, y0, x1, y1 = clicks.noisy_box(cover > 0.25, random, most=20 / GRID)
        points[1:] = np.array([[x0, y0], [x1, y1]]) * GRID
        labels[1:] = 2, 3
    return points, labels


def cell_place(x: int, y: int, random: np.random.Generator) -> np.ndarray:
    """A place in cell (x, y), in pixels."""
    return (np.array([x, y]) + random.uniform(0.1, 0.9, 2)) * GRID


def batch_loader(config: TrainConfig, corpus: Corpus, start: int, rank: int = 0, world: int = 1) -> DataLoader[Batch]:
    """This process's batches from step `start` on, made ahead in `config.loaders` processes."""
    numbers: Sequence[int] = range(start * world + rank, config.steps * world, world)
    return DataLoader(
        Batches(config, corpus, world),
        sampler=numbers,
        batch_size=None,
        num_workers=config.loaders,
        prefetch_factor=4 if config.loaders else None,
        worker_init_fn=lambda _: torch.set_num_threads(1),
    )
