"""Reads COCO instances: polygons, compressed and uncompressed RLE, crowds. Documents may be larger than memory."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from annotation.errors import UserError
from annotation.formats import json_stream
from annotation.formats.base import UNNAMED, ImportFormat
from annotation.formats.source import FileIndex, Refusals, SourceImage, measured_mask, text, whole
from annotation.formats.staging import Staging, staging
from modelzoo import rle

_IMAGES = "images"  # a key that no image id has: those are JSON


@dataclass
class _Document:
    name: str
    rows: Staging
    refusals: Refusals
    categories: dict[str, str] = field(default_factory=dict)
    licences: dict[str, str] = field(default_factory=dict)


def read(index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    """Images with their masks from every COCO document; what cannot be used is noted and the rest goes on."""
    for name, path in index.documents():
        with staging() as rows:
            document = _Document(name, rows, refusals)
            try:
                _stage(document, path)
            except UserError as problem:
                refusals.add(name, problem.code, problem.message)
                continue
            yield from _images(document, index)


def _stage(document: _Document, path: Path) -> None:
    """Go through the document once and put images and annotations on disk. Raises UserError."""
    images = annotations = 0
    for key, value, written in json_stream.members(path, document.name):
        if key == "images" and written:
            document.rows.add(_IMAGES, images, written)
            images += 1
        elif key == "annotations" and written:
            image = _key(value.get("image_id")) if isinstance(value, dict) else ""
            if image:
                document.rows.add(image, annotations, written)
            else:
                item = f"{document.name}, annotation {annotations}"
                document.refusals.add(item, "annotation_malformed", "The annotation names no image.")
            annotations += 1
        elif key in ("categories", "licenses") and isinstance(value, dict) and _key(value.get("id")):
            names = document.categories if key == "categories" else document.licences
            names[_key(value["id"])] = text(value.get("name"), 200)
    if not images:
        raise UserError("document_unknown", "This is not a COCO document, or it lists no images.")
    document.rows.finish()


def _images(document: _Document, index: FileIndex) -> Iterator[SourceImage]:
    name, refusals = document.name, document.refusals
    for number, written in document.rows.take(_IMAGES):
        row = _decoded(written)
        item = f"{name}, image {number}"
        if not isinstance(row, dict) or not _key(row.get("id")):
            refusals.add(item, "image_malformed", "The image has no id.")
            continue
        mine = document.rows.take(_key(row["id"]))  # a second image of the same id gets nothing
        picture = index.find(row.get("file_name"))
        width, height = whole(row.get("width"), 1, 10**6), whole(row.get("height"), 1, 10**6)
        if picture is None or width is None or height is None:
            why = "The picture is not there." if picture is None else "The size of the image is missing."
            refusals.add(f"{item} ({text(row.get('file_name'), 100)})", "picture_missing", why)
            list(mine)  # they go with their image
            continue
        shown = text(row.get("original_name"), 255) or text(row.get("file_name"), 255) or picture.name
        source = SourceImage(shown, picture, width, height, credit=text(row.get("credit"), 500))
        source.licence = document.licences.get(_key(row.get("license")), "")
        source.masks = list(_masks(document, mine, height, width))
        yield source
    for number in document.rows.left_over():
        refusals.add(f"{name}, annotation {number}", "image_unknown", "The annotation names an unknown image.")


def _masks(
    document: _Document, annotations: Iterator[tuple[int, str]], height: int, width: int
) -> Iterator[dict[str, Any]]:
    for number, written in annotations:
        annotation = _decoded(written)
        try:
            segmentation = measured_mask(annotation.get("segmentation"), height, width)
        except rle.RLEError as problem:
            document.refusals.add(f"{document.name}, annotation {number}", problem.code, str(problem))
            continue
        category = document.categories.get(_key(annotation.get("category_id")), "")
        yield {
            "segmentation": segmentation,
            "category": "" if category == UNNAMED else category,
            "crowd": annotation.get("iscrowd") in (1, True),
        }


def _decoded(written: str) -> Any:
    """A value that was decoded once before."""
    return json.loads(written, parse_constant=lambda _: math.nan)


def _key(value: object) -> str:
    """An id as text that tells 1 from "1"; empty for what is no id."""
    return json.dumps(value) if type(value) in (int, str) and value != "" else ""


def recognises(index: FileIndex) -> bool:
    """Whether there is a JSON file at all: the last guess."""
    return bool(index.documents())


IMPORT = ImportFormat(
    name="coco",
    title="COCO",
    about="Instances: polygons, run lengths (compressed or not), crowds.",
    read=read,
    recognises=recognises,
)
