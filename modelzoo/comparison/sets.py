"""The masks to judge on: a fixed draw from a labelled set, without the pictures that a model was trained on."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from modelzoo import rle
from modelzoo.training.config import TrainConfig
from modelzoo.training.data import DataError, Record, read_coco, split_off

# Share of the picture below which masks are not drawn. BSDS regions: as in the trial that set our targets.
SMALLEST_SHARE = {"bsds500": 0.01}


@dataclass(frozen=True)
class SetFolder:
    """A labelled set on disk: COCO instances, the folder of the pictures, and the name it goes by in reports."""

    name: str
    images: Path
    annotations: Path

    @classmethod
    def of(cls, folder: Path) -> SetFolder:
        """A folder in our layout: `annotations.json` beside `images/`."""
        return cls(folder.resolve().name, folder / "images", folder / "annotations.json")


@dataclass(frozen=True)
class Picture:
    """One picture of a set with the masks drawn from it.

    group: what belongs together when intervals are made: the picture itself, or its video. annotators: who drew each
    mask, in the order of `masks`. others: everything that people drew on this picture, (annotator, mask), in sets that
    several people have segmented; else empty.
    """

    set_name: str
    path: Path
    size: tuple[int, int]
    group: str
    masks: list[rle.RLE]
    ids: list[str]
    annotators: list[int]
    others: list[tuple[int, rle.RLE]]


def draw_pictures(
    folder: SetFolder, configs: Sequence[TrainConfig] = (), most: int = 0, smallest: float | None = None, seed: int = 0
) -> list[Picture]:
    """At most `most` masks (0: all) of a set with their pictures, the same ones for every seed and split.

    Left out are pictures that a run of `configs` trained on, and masks of `smallest` or less of their picture (None:
    as SMALLEST_SHARE says). DataError where nothing is left.
    """
    everything = read_coco(folder.images, folder.annotations)
    seen = {record.image_path for config in configs for record in trained_on(folder.name, everything, config)}
    records = [one for one in everything if one.image_path not in seen]
    floor = smallest_share(folder, smallest)
    large = [
        (number, index)
        for number, record in enumerate(records)
        for index, mask in enumerate(record.masks)
        if rle.area(mask) > floor * record.width * record.height
    ]
    if not large:
        raise DataError(f"{folder.name} has no mask to judge on: every picture was trained on, or all are too small.")
    drawn = np.random.default_rng(seed).permutation(len(large))[: most or None]
    chosen: dict[int, list[int]] = {}
    for place in sorted(drawn):
        number, index = large[place]
        chosen.setdefault(number, []).append(index)
    several = len({person for record in everything for person in record.annotators}) > 1
    return [one_picture(folder.name, records[number], indices, several) for number, indices in chosen.items()]


def smallest_share(folder: SetFolder, asked: float | None) -> float:
    return SMALLEST_SHARE.get(folder.name, 0.0) if asked is None else asked


def one_picture(name: str, record: Record, indices: list[int], several: bool) -> Picture:
    return Picture(
        set_name=name,
        path=record.image_path,
        size=(record.height, record.width),
        group=record.group or record.image_path.name,
        masks=[record.masks[i] for i in indices],
        ids=[record.ids[i] for i in indices],
        annotators=[record.annotators[i] for i in indices],
        others=list(zip(record.annotators, record.masks, strict=True)) if several else [],
    )


def trained_on(name: str, records: list[Record], config: TrainConfig) -> Iterator[Record]:
    """Which records of a set a run trained on, by the configuration's own licences and split.

    The set is recognised by its folder's name, so the data may lie elsewhere than on the machine of the run.
    """
    for source in config.data:
        if source.path.name == name and source.format == "coco":
            licensed = [one for one in records if not source.licences or one.licence in source.licences]
            yield from licensed if config.validation else split_off(licensed, config.validation_share)[0]
