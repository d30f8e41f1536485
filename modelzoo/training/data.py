"""Readers of the two folder formats that training and evaluation understand: COCO instances and SA-1B.

A record names a picture and holds its masks as validated COCO RLE; pixels are read when they are needed.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from modelzoo import rle

PICTURE_FORMATS = ("JPEG", "PNG", "WEBP", "TIFF", "BMP")


@dataclass(frozen=True)
class Record:
    """One picture and its masks.

    `source` names the set it came from; `weights` is one number per mask; `group` is what must stay on one side of a
    split: the picture, or the video it was taken from; `annotators` says who drew each mask, 0 where the set does not.
    """

    image_path: Path
    width: int
    height: int
    masks: list[rle.RLE]
    ids: list[str]
    licence: str = ""
    source: str = ""
    weights: list[float] = field(default_factory=list)
    group: str = ""
    annotators: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Sample:
    """A record with its pixels: image H x W x 3 uint8 RGB."""

    image: np.ndarray
    masks: list[rle.RLE]
    ids: list[str]
    source: str = ""


class DataError(ValueError):
    """A data folder that cannot be used, said in one sentence."""


def read_coco(images: Path, annotations: Path | None = None, licences: tuple[str, ...] = ()) -> list[Record]:
    """Read COCO instances. `images` is a folder with `annotations.json` and `images/`, or the pictures' own folder.

    Masks that are not legal for their picture raise DataError with the annotation's id: training data is ours, so a
    broken mask is a bug to be seen. `licences` keeps only pictures whose licence name is listed.
    """
    if annotations is None:
        images, annotations = images / "images", images / "annotations.json"
    document = _read_json(annotations)
    names = {entry["id"]: str(entry.get("name", "")) for entry in document.get("licenses", [])}
    by_image: dict[Any, list[dict[str, Any]]] = {}
    for annotation in document["annotations"]:
        by_image.setdefault(annotation["image_id"], []).append(annotation)
    records = []
    for entry in document["images"]:
        licence = names.get(entry.get("license"), "")
        found = by_image.get(entry["id"], [])
        if not found or (licences and licence not in licences):
            continue
        height, width = int(entry["height"]), int(entry["width"])
        masks = [_mask(annotation, height, width, annotations) for annotation in found]
        path = _inside(images, str(entry["file_name"]))
        ids = [str(annotation["id"]) for annotation in found]
        group = str(entry.get("sequence", path.name))
        people = [int(annotation.get("annotator", 0)) for annotation in found]
        name = images.parent.name
        records.append(Record(path, width, height, masks, ids, licence, name, group=group, annotators=people))
    return records


def read_sa1b(folder: Path, groups: Mapping[str, str] | None = None) -> list[Record]:
    """Read a folder of SA-1B records: one JSON per picture, the picture beside it.

    The format says nothing of videos: `groups` has the video of an `image_id` (as text), where it is known.
    """
    records = []
    for path in sorted(folder.rglob("*.json")):
        document = _read_json(path)
        if not isinstance(document, dict) or "image" not in document:
            continue  # a manifest, not a record
        image, found = document["image"], document["annotations"]
        height, width = int(image["height"]), int(image["width"])
        masks = [_mask(annotation, height, width, path) for annotation in found]
        if masks:
            ids = [str(annotation["id"]) for annotation in found]
            weights = [float(annotation.get("weight", 1.0)) for annotation in found]
            picture = _inside(path.parent, str(image["file_name"]))
            group = (groups or {}).get(str(image.get("image_id")), picture.name)
            name = folder.name
            records.append(Record(picture, width, height, masks, ids, source=name, weights=weights, group=group))
    return records


@lru_cache(maxsize=512)
def load_picture(path: Path) -> np.ndarray:
    """H x W x 3 uint8 RGB. The result is shared: do not write to it."""
    with Image.open(path, formats=PICTURE_FORMATS) as picture:
        pixels = np.asarray(picture.convert("RGB"))
    pixels.setflags(write=False)
    return pixels


def load_sample(record: Record) -> Sample:
    """The record with its pixels. DataError when the picture has another size than the record says."""
    image = load_picture(record.image_path)
    if image.shape[:2] != (record.height, record.width):
        raise DataError(f"{record.image_path.name} is {image.shape[1]}x{image.shape[0]}, its record says otherwise.")
    return Sample(image, record.masks, record.ids, record.source)


def split_off(records: list[Record], share: float) -> tuple[list[Record], list[Record]]:
    """(training, validation): validation gets about `share` of the groups, chosen by the digest of their name."""
    training: list[Record] = []
    validation: list[Record] = []
    for record in records:
        draw = int(sha256(group_of(record).encode()).hexdigest()[:8], 16) / 0xFFFFFFFF
        (validation if draw < share else training).append(record)
    return training, validation


def group_of(record: Record) -> str:
    """What must stay on one side of a split: the record's group, or its picture where it has none."""
    return record.group or record.image_path.name


def spread(records: Sequence[Record], most: int) -> list[Record]:
    """At most `most` of the records, evenly from all over them: neighbours are often frames of one video."""
    places = np.linspace(0, len(records) - 1, min(most, len(records))).round().astype(int)
    return [records[place] for place in places]


def load_samples(records: list[Record]) -> Iterator[Sample]:
    return (load_sample(record) for record in records)


def _read_json(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise DataError(f"Cannot read {path}: {error}") from error


def _mask(annotation: dict[str, Any], height: int, width: int, path: Path) -> rle.RLE:
    segmentation = annotation["segmentation"]
    try:
        if isinstance(segmentation, list):
            return rle.from_polygons(segmentation, height, width)
        return rle.validate(segmentation, height, width)
    except rle.RLEError as error:
        raise DataError(f"{path.name}, annotation {annotation.get('id')}: {error}") from error


def _inside(folder: Path, name: str) -> Path:
    """A file of the folder; names from documents are data and must not lead elsewhere."""
    path = (folder / name).resolve()
    if not path.is_relative_to(folder.resolve()):
        raise DataError(f"{name!r} points outside its folder.")
    return path
