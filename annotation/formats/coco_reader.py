"""Reads COCO instances: polygons, compressed and uncompressed RLE, crowds. Documents may be larger than memory."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotation.errors import UserError
from annotation.formats import json_stream
from annotation.formats.base import UNNAMED, ImportFormat
from annotation.formats.source import FileIndex, Refusals, SourceImage, measured_masks, numbers, share, text, whole
from annotation.formats.staging import Staging, staging
from modelzoo import rle

_IMAGES = "images"  # a key that no image id has: those are JSON


@dataclass
class Document:
    """A document whose images and annotations wait on disk for each other."""

    name: str
    rows: Staging
    refusals: Refusals
    categories: dict[str, str] = field(default_factory=dict)
    licences: dict[str, str] = field(default_factory=dict)


Take = Callable[[Document, SourceImage, Iterator[tuple[int, str]]], None]


def read(index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    """Images with their masks from every COCO document; what cannot be used is noted and the rest goes on."""
    yield from documents_read(index, refusals, _take_masks)


def documents_read(index: FileIndex, refusals: Refusals, take: Take) -> Iterator[SourceImage]:
    """Images from every document of COCO's shape; `take` gives each its annotations, as (number, JSON)."""
    documents = index.documents()
    detections = [one for one in documents if index.head(one[0], 64).lstrip(b"\xef\xbb\xbf \t\r\n").startswith(b"[")]
    if len(detections) == len(documents):
        why = "A list of detections needs the document that lists the images beside it."
        for name, _ in detections:
            refusals.add(name, "document_unknown", why)
    for name, path in documents:
        if (name, path) in detections:
            continue
        with staging() as rows:
            document = Document(name, rows, refusals)
            try:
                _stage(document, path, detections)
            except UserError as problem:
                refusals.add(name, problem.code, problem.message)
                continue
            yield from _images(document, index, take)


def _stage(document: Document, path: Path, detections: list[tuple[str, Path]]) -> None:
    """Go through the document once and put images and annotations on disk. Raises UserError.

    COCO's results format is a list of annotations without images; such lists belong to every document beside them.
    """
    images = annotations = 0
    for key, value, written in _members(document, path, detections):
        if key == "images" and written:
            document.rows.add(_IMAGES, images, written)
            images += 1
        elif key in ("annotations", "") and written:
            image = key_of(value.get("image_id")) if isinstance(value, dict) else ""
            if image:
                document.rows.add(image, annotations, written)
            else:
                item = f"{document.name}, annotation {annotations}"
                document.refusals.add(item, "annotation_malformed", "The annotation names no image.")
            annotations += 1
        elif key in ("categories", "licenses") and isinstance(value, dict) and key_of(value.get("id")):
            names = document.categories if key == "categories" else document.licences
            names[key_of(value["id"])] = text(value.get("name"), 200)
    if not images:
        raise UserError("document_unknown", "This is not a COCO document, or it lists no images.")
    document.rows.finish()


def _members(document: Document, path: Path, detections: list[tuple[str, Path]]) -> Iterator[tuple[str, Any, str]]:
    yield from json_stream.members(path, document.name)
    for name, other in detections:
        try:
            yield from json_stream.members(other, name)
        except UserError as problem:
            document.refusals.add(name, problem.code, problem.message)


def _images(document: Document, index: FileIndex, take: Take) -> Iterator[SourceImage]:
    name, refusals = document.name, document.refusals
    for number, written in document.rows.take(_IMAGES):
        row = decoded(written)
        item = f"{name}, image {number}"
        if not isinstance(row, dict) or not key_of(row.get("id")):
            refusals.add(item, "image_malformed", "The image has no id.")
            continue
        mine = document.rows.take(key_of(row["id"]))  # a second image of the same id gets nothing
        picture = index.find(row.get("file_name"), name)
        width, height = whole(row.get("width"), 1, 10**6), whole(row.get("height"), 1, 10**6)
        if picture is None or width is None or height is None:
            why = "The picture is not there." if picture is None else "The size of the image is missing."
            refusals.add(f"{item} ({text(row.get('file_name'), 100)})", "picture_missing", why)
            list(mine)  # they go with their image
            continue
        shown = text(row.get("original_name"), 255) or text(row.get("file_name"), 255) or picture.name
        source = SourceImage(shown, picture, width, height, credit=text(row.get("credit"), 500))
        source.licence = document.licences.get(key_of(row.get("license")), "")
        take(document, source, mine)
        yield source
    for number in document.rows.left_over():
        refusals.add(f"{name}, annotation {number}", "image_unknown", "The annotation names an unknown image.")


def _take_masks(document: Document, source: SourceImage, mine: Iterator[tuple[int, str]]) -> None:
    annotations = [(number, decoded(written)) for number, written in mine]
    told = [annotation.get("segmentation") for _, annotation in annotations]
    measured = measured_masks(told, source.height, source.width)
    for (number, annotation), found in zip(annotations, measured, strict=True):
        category = document.categories.get(key_of(annotation.get("category_id")), "")
        category = "" if category == UNNAMED else category
        box = None if annotation.get("segmentation") else _box(annotation.get("bbox"), source)
        if box is not None:
            source.boxes.append({"bbox": box, "category": category, "score": share(annotation.get("score"))})
            continue
        if isinstance(found, rle.RLEError):
            document.refusals.add(f"{document.name}, annotation {number}", found.code, str(found))
            continue
        crowd = annotation.get("iscrowd") in (1, True)
        source.masks.append({"segmentation": found, "category": category, "crowd": crowd})


def _box(value: object, source: SourceImage) -> list[float] | None:
    """[x, y, w, h] inside the picture, at least a pixel on each side; None for what is none."""
    found = numbers(value, 4)
    if found is None:
        return None
    x, y, width, height = found
    left, top = max(0.0, x), max(0.0, y)
    right, bottom = min(x + width, source.width), min(y + height, source.height)
    return [left, top, right - left, bottom - top] if right - left >= 1 and bottom - top >= 1 else None


def decoded(written: str) -> Any:
    """A value that was decoded once before."""
    return json.loads(written, parse_constant=lambda _: math.nan)


def key_of(value: object) -> str:
    """An id as text that tells 1 from "1"; empty for what is no id."""
    return json.dumps(value) if type(value) in (int, str) and value != "" else ""


def recognises(index: FileIndex) -> bool:
    """Whether there is a JSON file at all: the last guess."""
    return bool(index.documents())


IMPORT = ImportFormat(
    name="coco",
    title="COCO",
    about="Instances: polygons, run lengths (compressed or not), crowds. Boxes alone are shown to the model.",
    read=read,
    recognises=recognises,
)
