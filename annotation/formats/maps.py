"""PNG maps: one binary PNG per mask, or one map per image whose values are categories or objects.

Every file's masks stand in masks.jsonl: which file, which value, and where the mask comes from.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from annotation.errors import UserError
from annotation.formats import croissant
from annotation.formats.base import UNNAMED, Brief, ExportFormat, Option, Records
from annotation.formats.croissant import Column, Resource, Table
from annotation.formats.manifest import Counts, ManifestWriter, VerifyError, verify_files
from annotation.formats.pictures import (
    INDEX,
    IndexWriter,
    file_name_of,
    index_rows,
    load_png,
    painted,
    put_picture,
    save_png,
    stem_of,
)
from annotation.models import Image, Mask
from modelzoo import rle

FORMAT = "png"
NAMES = "labels.json"
BINARY, LABELS, INSTANCES = "binary", "labels", "instances"
PLACES = (
    Column("file", "string", "The map it is painted in."),
    Column("value", "int32", "Its value there."),
    Column("pixels", "int64", "How many of its pixels are seen there."),
)
TABLES = (croissant.PICTURE_TABLE, Table("masks", INDEX, (*croissant.INDEX_COLUMNS, *PLACES)))


def write(folder: Path, records: Records, brief: Brief) -> Counts:
    """Write a dataset into an empty folder; memory does not grow with it."""
    kind = str(brief.options.get("kind", INSTANCES))
    numbers = brief.category_ids()
    if kind == LABELS and len(numbers) > np.iinfo(np.uint16).max:
        raise UserError("too_many_categories", f"A label map holds 65535 categories, the dataset has {len(numbers)}.")
    writers: dict[str, Callable[..., int]] = {
        BINARY: _write_binary,
        INSTANCES: _write_instances,
        LABELS: partial(_write_labels, numbers=numbers),
    }
    write_image = writers[kind]
    with ManifestWriter(folder, file_format=f"{FORMAT}_{kind}", about=brief.about) as manifest:
        with IndexWriter(folder) as index:
            for name in ("images", kind):
                (folder / name).mkdir()
            for image, masks in records:
                picture = f"images/{file_name_of(image)}"
                put_picture(image, folder / picture)
                manifest.add(picture)
                written = write_image(folder, image, masks, manifest, index)
                manifest.counts.images += 1
                manifest.counts.masks += written
                manifest.counts.left_out += len(masks) - written
                brief.on_image()
        manifest.add(INDEX)
        names = {"0": "background"} | {str(number): name for name, number in numbers.items()}
        (folder / NAMES).write_text(json.dumps(names, ensure_ascii=False, indent=1) + "\n", encoding="utf-8")
        manifest.add(NAMES)
        croissant.described(folder, manifest, brief, _resources(kind), TABLES)
        manifest.counts.categories = list(numbers)
    return manifest.counts


def _resources(kind: str) -> tuple[Resource, ...]:
    maps = Resource("maps", ("image/png",), includes=(f"{kind}/*/*.png" if kind == BINARY else f"{kind}/*.png",))
    return Resource(INDEX, (croissant.JSON_LINES,), INDEX), croissant.pictures_of(), maps


def _write_binary(
    folder: Path, image: Image, masks: Sequence[Mask], manifest: ManifestWriter, index: IndexWriter
) -> int:
    """0 and 255, one file per mask, in a folder per image."""
    place = f"{BINARY}/{stem_of(image)}"
    (folder / place).mkdir()
    for mask in masks:
        name = f"{place}/{mask.serial:08d}.png"
        save_png(rle.decode(mask.segmentation).astype(np.uint8) * 255, folder / name)
        manifest.add(name)
        index.add(image, mask, file=name, value=255, pixels=mask.area)
    return len(masks)


def _write_instances(
    folder: Path, image: Image, masks: Sequence[Mask], manifest: ManifestWriter, index: IndexWriter
) -> int:
    """16 bits: masks are numbered from 1 in each image."""
    name = f"{INSTANCES}/{stem_of(image)}.png"
    canvas = painted(image, masks, range(1, len(masks) + 1), np.uint16)
    save_png(canvas, folder / name)
    manifest.add(name)
    seen = np.bincount(canvas.reshape(-1), minlength=len(masks) + 1)
    for number, mask in enumerate(masks, 1):
        index.add(image, mask, file=name, value=number, pixels=int(seen[number]))
    return int(np.count_nonzero(seen[1:]))


def _write_labels(
    folder: Path,
    image: Image,
    masks: Sequence[Mask],
    manifest: ManifestWriter,
    index: IndexWriter,
    *,
    numbers: dict[str, int],
) -> int:
    """Numbers of categories as in labels.json; 8 bits, or 16 where there are more than 255."""
    name = f"{LABELS}/{stem_of(image)}.png"
    values = [numbers[mask.category or UNNAMED] for mask in masks]
    canvas = painted(image, masks, values, np.uint8 if len(numbers) < 256 else np.uint16)
    save_png(canvas, folder / name)
    manifest.add(name)
    seen = np.bincount(canvas.reshape(-1), minlength=len(numbers) + 1)
    for value, mask in zip(values, masks, strict=True):
        index.add(image, mask, file=name, value=value, pixels=int(seen[value]))
    return sum(bool(seen[value]) for value in values)


def verify(folder: Path, counts: Counts) -> None:
    """Read everything again: every value covers the pixels that masks.jsonl tells of. Raises VerifyError."""
    verify_files(folder)
    images = sum(1 for _ in (folder / "images").iterdir())
    masks = 0
    told: dict[int, int] = {}
    opened = ""
    for row in index_rows(folder):
        if row["file"] != opened:
            _compare(folder, opened, told)
            opened, told = row["file"], {}
        told[row["value"]] = row["pixels"]
        masks += bool(row["pixels"])
    _compare(folder, opened, told)
    if (images, masks) != (counts.images, counts.masks):
        raise VerifyError(f"{images} images and {masks} masks read, {counts.images} and {counts.masks} written")


def _compare(folder: Path, name: str, told: dict[int, int]) -> None:
    if not name:
        return
    seen: Any = np.bincount(load_png(folder / name).reshape(-1))
    if {int(one): int(seen[one]) for one in np.flatnonzero(seen) if one} != {k: v for k, v in told.items() if v}:
        raise VerifyError(f"{name} does not hold what {INDEX} says")


EXPORT = ExportFormat(
    name=FORMAT,
    title="PNG masks",
    about="Pictures, and black and white or numbered PNG files of their masks.",
    loses="In one map per image masks cannot overlap: the smaller one is seen. Everything else stands in masks.jsonl.",
    options=(
        Option(
            "kind",
            "Files",
            INSTANCES,
            (
                (INSTANCES, "one map per image: which object (16 bits)"),
                (LABELS, "one map per image: which category"),
                (BINARY, "one per mask: black and white"),
            ),
        ),
    ),
    write=write,
    verify=verify,
)
