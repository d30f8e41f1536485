"""Reads CVAT for images 1.1: one XML file for many pictures. Polygons, masks, boxes and ellipses.

The file is read as a stream. A document type is refused, and with it every entity: there is nothing to expand.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.parsers import expat

import numpy as np

from annotation.errors import UserError
from annotation.formats.base import ImportFormat
from annotation.formats.shapes import ellipse, flat, rectangle, turned
from annotation.formats.source import FileIndex, Refusals, SourceImage, checked_mask, text
from modelzoo import rle

_READ = 1 << 18
MAX_ATTRIBUTE = 16 << 20  # characters of one outline
SHAPES = frozenset(("polygon", "mask", "box", "ellipse", "polyline", "points", "cuboid", "skeleton", "tag"))
WITHOUT_AREA = frozenset(("polyline", "points", "cuboid", "skeleton", "tag"))


@dataclass
class _Reader:
    """What stands between two calls of the parser; pictures that are whole wait in `done`."""

    name: str
    index: FileIndex
    refusals: Refusals
    done: list[SourceImage] = field(default_factory=list)
    open: SourceImage | None = None
    images: int = 0
    shapes: int = 0
    groups: dict[tuple[str, str], list[list[float]]] = field(default_factory=dict)
    inside: bool = False

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        """An element begins."""
        if tag == "image":
            self.images += 1
            self.inside = True
            self.open = self._image(attributes)
        elif self.inside and tag in SHAPES:
            self.shapes += 1
            if self.open is not None:
                self._shape(tag, attributes, self.open)

    def end(self, tag: str) -> None:
        """An element ends."""
        if tag != "image":
            return
        if self.open is not None:
            for (label, _), rings in self.groups.items():
                self._add(self.open, rings, label, f"{self.open.name}, group of {label}")
            self.done.append(self.open)
        self.groups.clear()
        self.open, self.inside = None, False

    def _image(self, attributes: dict[str, str]) -> SourceImage | None:
        told = attributes.get("name", "")
        item = f"{self.name}, image {text(told, 100) or self.images}"
        picture = self.index.find(told, self.name)
        width, height = _whole(attributes.get("width")), _whole(attributes.get("height"))
        if picture is None or width is None or height is None:
            why = "The picture is not there." if picture is None else "The size of the image is missing."
            self.refusals.add(item, "picture_missing", why)
            return None
        if width * height > rle.MAX_PIXELS:  # a mask of this size is drawn before the picture is looked at
            why = f"The image is told to have {width} x {height} pixels, more than a mask can have."
            self.refusals.add(item, "image_too_large", why)
            return None
        return SourceImage(text(told, 255) or picture.name, picture, width, height)

    def _shape(self, tag: str, attributes: dict[str, str], image: SourceImage) -> None:
        label = text(attributes.get("label"), 200)
        item = f"{image.name}, {tag} {self.shapes}"
        try:
            if tag in WITHOUT_AREA:
                raise UserError("shape_unsupported", f"A shape of the kind {tag} has no area and is no mask.")
            if tag == "mask":
                image.masks.append({"segmentation": _mask(attributes, image), "category": label})
                return
            ring = _ring(tag, attributes)
        except UserError as problem:
            self.refusals.add(item, problem.code, problem.message)
            return
        except rle.RLEError as problem:
            self.refusals.add(item, problem.code, str(problem))
            return
        group = attributes.get("group_id", "")
        if group not in ("", "0"):
            self.groups.setdefault((label, group), []).append(ring)
        else:
            self._add(image, [ring], label, item)

    def _add(self, image: SourceImage, rings: list[list[float]], label: str, item: str) -> None:
        try:
            mask = checked_mask(rings, image.height, image.width)
        except rle.RLEError as problem:
            self.refusals.add(item, problem.code, str(problem))
        else:
            image.masks.append({"segmentation": mask, "category": label})


def _ring(tag: str, attributes: dict[str, str]) -> list[float]:
    """The outline of a shape with one. Raises UserError."""
    turn = _number(attributes, "rotation", 0.0)
    if tag == "polygon":
        written = attributes.get("points", "")
        if len(written) > MAX_ATTRIBUTE:
            raise UserError("polygon_invalid", "The outline is too long.")
        return _numbers(written.replace(";", ",").split(","))
    if tag == "box":
        left, top, right, bottom = (_number(attributes, name) for name in ("xtl", "ytl", "xbr", "ybr"))
        ring = rectangle(left, top, right, bottom)
        corners = list(zip(ring[::2], ring[1::2], strict=True))
        return flat(turned(corners, (left + right) / 2, (top + bottom) / 2, turn))
    x, y, radius_x, radius_y = (_number(attributes, name) for name in ("cx", "cy", "rx", "ry"))
    return ellipse(x, y, radius_x, radius_y, turn)


def _mask(attributes: dict[str, str], image: SourceImage) -> rle.RLE:
    """CVAT's run lengths: row by row inside the box of the mask, the first run outside. Raises UserError, RLEError."""
    x, y, w, h = (_whole(attributes.get(name), 0) for name in ("left", "top", "width", "height"))
    if x is None or y is None or not w or not h or x + w > image.width or y + h > image.height:
        raise UserError("annotation_malformed", "The box of the mask does not lie inside its picture.")
    written = attributes.get("rle", "")
    if len(written) > MAX_ATTRIBUTE:
        raise UserError("rle_run_range", "The run lengths of the mask are too long.")
    try:
        runs = np.array([int(run) for run in written.split(",")], dtype=np.int64)
    except (ValueError, OverflowError):
        raise UserError("rle_malformed", "The run lengths of the mask must be whole numbers.") from None
    if runs.min() < 0 or runs.max() > w * h or runs.sum() != w * h:
        raise UserError("rle_sum", f"The runs of the mask do not cover the {w * h} pixels of its box.")
    inside = np.repeat(np.arange(len(runs)) % 2 == 1, runs).reshape(h, w)
    if not inside.any():
        raise UserError("mask_empty", "The mask has no pixels.")
    return rle.encode_box(inside, x, y, image.height, image.width)


def _whole(value: str | None, low: int = 1) -> int | None:
    """A whole number from `low` to a million, from text; None for anything else."""
    if value is None or not value.isdecimal() or len(value) > 7:
        return None
    number = int(value)
    return number if low <= number <= 10**6 else None


def _number(attributes: dict[str, str], name: str, default: float | None = None) -> float:
    if name not in attributes and default is not None:
        return default
    return _numbers([attributes.get(name, "")])[0]


def _numbers(texts: list[str]) -> list[float]:
    try:
        values = [float(one) for one in texts]
    except ValueError:
        raise UserError("annotation_malformed", "The coordinates of a shape must be numbers.") from None
    if not all(math.isfinite(value) and abs(value) < 1e9 for value in values):
        raise UserError("annotation_malformed", "The coordinates of a shape must be finite.")
    return values


def read(index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    """Pictures with their masks; what cannot be used is noted and the rest goes on."""
    for name, path in index.ending(".xml"):
        reader = _Reader(name, index, refusals)
        try:
            for _ in _parsed(path, reader):
                yield from reader.done
                reader.done.clear()
            yield from reader.done
        except UserError as problem:
            refusals.add(name, problem.code, problem.message)
            continue
        if not reader.images:
            refusals.add(name, "document_unknown", "This is not a CVAT document, or it lists no images.")


def _parsed(path: Path, reader: _Reader) -> Iterator[None]:
    """Feed the file to the parser piece by piece. Raises UserError."""
    parser: Any = expat.ParserCreate()
    parser.StartElementHandler = reader.start
    parser.EndElementHandler = reader.end
    parser.StartDoctypeDeclHandler = _refuse
    parser.EntityDeclHandler = _refuse
    with path.open("rb") as file:
        while True:
            chunk = file.read(_READ)
            try:
                parser.Parse(chunk, not chunk)
            except (expat.ExpatError, ValueError, LookupError):
                message = "The document is no XML, or is cut off; what stood before was taken."
                raise UserError("document_damaged", message) from None
            yield
            if not chunk:
                return


def _refuse(*_args: object) -> None:
    raise UserError("document_type", "An XML file with a document type or entities is not read.")


def recognises(index: FileIndex) -> bool:
    """Whether an XML file begins with a list of annotations."""
    return any(b"<annotations" in index.head(name, 1 << 12) for name, _ in index.ending(".xml")[:5])


IMPORT = ImportFormat(
    name="cvat",
    title="CVAT for images 1.1",
    about="Pictures and annotations.xml: polygons, masks, boxes, ellipses; grouped outlines are one object.",
    read=read,
    recognises=recognises,
)
