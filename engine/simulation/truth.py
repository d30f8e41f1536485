"""What a simulated person sees in a picture: the objects that are really there, the most prominent first."""

from __future__ import annotations

import json
from collections import Counter
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from annotation import storage
from annotation.models import Image, split_for
from modelzoo import rle
from modelzoo.training.data import DataError, Record, read_coco


@dataclass(frozen=True)
class Picture:
    """A picture with its objects, largest first. ``held_out``: the product will never train on it (by its digest)."""

    record: Record
    held_out: bool

    @property
    def file_name(self) -> str:
        """Its name in the folder, which is what the product shows."""
        return self.record.image_path.name

    @property
    def objects(self) -> list[rle.RLE]:
        """Masks in image pixels."""
        return self.record.masks


def read_truth(
    images: Path,
    annotations: Path,
    *,
    most_images: int = 0,
    most_objects: int = 0,
    smallest: float = 0.0,
    crowded: int = 0,
    seed: int = 0,
) -> list[Picture]:
    """Pictures of a COCO file in an order that ``seed`` draws; 0 means all.

    ``smallest`` is the share of the picture from which an object counts. Pictures with more than ``crowded`` objects
    are left out: what is cut from one is neither object nor background to a detector. Where several people have
    segmented the same picture (a field ``annotator``), the first one's objects are taken. DataError when nothing usable
    is there.
    """
    document = json.loads(annotations.read_text("utf-8")) if annotations.is_file() else {}
    people = {str(entry["id"]): str(entry.get("annotator", "")) for entry in document.get("annotations", [])}
    records = [_seen_by_one(record, people) for record in read_coco(images, annotations)]
    records = [_prominent(record, most_objects, smallest) for record in records]
    records = [record for record in records if 0 < len(record.masks) <= (crowded or len(record.masks))]
    twice = [name for name, count in Counter(record.image_path.name for record in records).items() if count > 1]
    if twice:
        raise DataError(f"Two pictures are called {twice[0]}; a simulation tells them apart by their names.")
    if not records:
        raise DataError(f"{annotations.name} names no picture with objects that are large enough.")
    order = np.random.default_rng(seed).permutation(len(records))[: most_images or None]
    return [Picture(records[place], _is_held_out(records[place].image_path)) for place in order]


def deal(pictures: list[Picture], rounds: int) -> list[list[Picture]]:
    """The pictures of each round: like cards, held-out ones apart, so that every round has its share of both.

    DataError when there are fewer held-out pictures or others than rounds.
    """
    held_out = [picture for picture in pictures if picture.held_out]
    others = [picture for picture in pictures if not picture.held_out]
    if len(held_out) < 1 or len(others) < rounds:
        raise DataError(
            f"{len(others)} pictures to train on and {len(held_out)} held-out ones are too few for {rounds} rounds."
        )
    return [held_out[place::rounds] + others[place::rounds] for place in range(rounds)]


def _seen_by_one(record: Record, people: dict[str, str]) -> Record:
    first = min(people.get(identity, "") for identity in record.ids)
    return _kept(record, [index for index, identity in enumerate(record.ids) if people.get(identity, "") == first])


def _prominent(record: Record, most: int, smallest: float) -> Record:
    areas = [rle.area(mask) for mask in record.masks]
    floor = max(1.0, smallest * record.width * record.height)
    order = sorted((index for index, area in enumerate(areas) if area >= floor), key=lambda index: -areas[index])
    return _kept(record, order[: most or None])


def _kept(record: Record, indices: list[int]) -> Record:
    masks, ids = [record.masks[i] for i in indices], [record.ids[i] for i in indices]
    return replace(record, masks=masks, ids=ids, weights=[])


def _is_held_out(path: Path) -> bool:
    return split_for(storage.sha256_of(path)) == Image.Split.HELD_OUT
