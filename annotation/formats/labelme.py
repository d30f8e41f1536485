"""Reads LabelMe: one JSON file per picture. Shapes that share label and group are one object."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from annotation.errors import UserError
from annotation.formats.base import ImportFormat
from annotation.formats.names import folder_of
from annotation.formats.shapes import ellipse, flat, rectangle
from annotation.formats.source import FileIndex, Refusals, SourceImage, checked_mask, numbers, read_json, text, whole
from modelzoo import rle

MAX_SHAPES = 100_000


def read(index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    """Pictures with their masks; what cannot be used is noted and the rest goes on."""
    for name, path in index.documents():
        try:
            yield _read_one(name, path, index, refusals)
        except UserError as problem:
            refusals.add(name, problem.code, problem.message)


def _read_one(name: str, path: Path, index: FileIndex, refusals: Refusals) -> SourceImage:
    document = read_json(path, name)
    if not isinstance(document, dict) or not isinstance(document.get("shapes"), list):
        raise UserError("document_unknown", "This is not a LabelMe document.")
    # The picture is beside the document, whatever the path in it says; older ones name it by another machine's path.
    stem = name.rpartition("/")[2][: -len(".json")]
    path_told = str(document.get("imagePath") or "")
    told = path_told.replace("\\", "/").rsplit("/", 1)[-1]
    picture = index.exactly(f"{folder_of(name)}/{told}") if told else None
    picture = picture or index.find(path_told, name) or index.with_stem(stem, name)
    if picture is None:
        raise UserError("picture_missing", "The picture of this document is not there.")
    width, height = whole(document.get("imageWidth"), 1, 10**6), whole(document.get("imageHeight"), 1, 10**6)
    if width is None or height is None:
        raise UserError("document_damaged", "The document does not say how large its picture is.")
    source = SourceImage(text(told, 255) or picture.name, picture, width, height)
    for item, rings, label in _objects(name, document["shapes"][:MAX_SHAPES], refusals):
        try:
            mask = checked_mask(rings, height, width)
        except rle.RLEError as problem:
            refusals.add(item, problem.code, str(problem))
            continue
        source.masks.append({"segmentation": mask, "category": label})
    return source


def _objects(name: str, shapes: list[Any], refusals: Refusals) -> Iterator[tuple[str, list[list[float]], str]]:
    """(where it stands, rings, label) of every object."""
    groups: dict[tuple[str, int], tuple[str, list[list[float]]]] = {}
    for number, shape in enumerate(shapes):
        item = f"{name}, shape {number}"
        try:
            ring, label = _ring(shape)
        except UserError as problem:
            refusals.add(item, problem.code, problem.message)
            continue
        group = shape.get("group_id")
        if type(group) is int:
            groups.setdefault((label, group), (item, []))[1].append(ring)
        else:
            yield item, [ring], label
    for (label, _), (item, rings) in groups.items():
        yield item, rings, label


def _ring(shape: object) -> tuple[list[float], str]:
    """Outline and label of one shape. Raises UserError."""
    if not isinstance(shape, dict) or not isinstance(shape.get("points"), list):
        raise UserError("annotation_malformed", "A shape needs points.")
    points = [numbers(point, 2) for point in shape["points"]]
    if any(point is None for point in points):
        raise UserError("annotation_malformed", "The points of a shape must be pairs of numbers.")
    pairs = [(point[0], point[1]) for point in points if point is not None]
    kind = shape.get("shape_type") or "polygon"
    label = text(shape.get("label"), 200)
    if kind == "polygon" and len(pairs) >= 3:
        return flat(pairs), label
    if kind == "rectangle" and len(pairs) == 2:
        return rectangle(*pairs[0], *pairs[1]), label
    if kind == "circle" and len(pairs) == 2:
        (x, y), (edge_x, edge_y) = pairs
        radius = math.hypot(edge_x - x, edge_y - y)
        return ellipse(x, y, radius, radius), label
    raise UserError("shape_unsupported", f"A {text(kind, 40) or 'shape'} of {len(pairs)} points is no mask.")


def recognises(index: FileIndex) -> bool:
    """Whether one of the first JSON files has shapes and the path of an image."""
    heads = [index.head(name, 1 << 14) for name, _ in index.documents()[:5]]
    return any(b'"shapes"' in head and (b'"flags"' in head or b'"imagePath"' in head) for head in heads)


IMPORT = ImportFormat(
    name="labelme",
    title="LabelMe",
    about="Pictures with one JSON file each: polygons, rectangles, circles; grouped shapes are one object.",
    read=read,
    recognises=recognises,
)
