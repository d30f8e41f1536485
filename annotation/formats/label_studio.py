"""Reads Label Studio: JSON and JSON-MIN exports. Brush masks, polygons, rectangles and ellipses.

Brush masks are packed runs of the bytes of an RGBA picture (github.com/thi-ng/umbrella, package rle-pack); what counts
is where alpha is not 0. Other shapes are in hundredths of width and height.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.errors import UserError
from annotation.formats import json_stream
from annotation.formats.base import ImportFormat
from annotation.formats.shapes import ellipse, flat, rectangle
from annotation.formats.source import FileIndex, Refusals, SourceImage, checked_mask, numbers, text, whole
from modelzoo import rle

MAX_BLOCKS = 400_000  # of one brush mask: a few seconds
MAX_PACKED = 32 << 20  # bytes of one brush mask
MAX_PIXELS = 1 << 27
DRAWN = frozenset(("rle", "points", "x"))  # a value with one of these has a shape


def unpacked(packed: object, height: int, width: int) -> NDArray[np.bool_]:
    """A brush mask, bool (height, width). `packed` is a list of bytes. Raises RLEError, never more than O(pixels)."""
    if not isinstance(packed, list) or not 6 <= len(packed) <= MAX_PACKED or height * width > MAX_PIXELS:
        raise rle.RLEError("rle_malformed", "A brush mask must be a list of bytes.")
    if any(type(byte) is not int or not 0 <= byte <= 255 for byte in packed):
        raise rle.RLEError("rle_malformed", "A brush mask must be a list of bytes.")
    bits = _Bits(np.unpackbits(np.array(packed, np.uint8)))
    total, size = bits.number(32), bits.number(5) + 1
    lengths = [bits.number(4) + 1 for _ in range(4)]
    if total != height * width * 4:
        raise rle.RLEError("rle_size_mismatch", f"The brush mask is of another size than {width} x {height} pixels.")
    if size > 16:
        raise rle.RLEError("rle_malformed", "The words of a brush mask are too long.")
    alpha = np.zeros(height * width, bool)
    done = 0
    for _ in range(MAX_BLOCKS):
        if done >= total:
            return alpha.reshape(height, width)
        same = bits.number(1)
        end = done + 1 + bits.number(lengths[bits.number(2)])
        if end > total:
            raise rle.RLEError("rle_sum", "The runs of the brush mask are longer than its picture.")
        first, last = done // 4, end // 4  # pixels whose alpha byte, the fourth, lies in [done, end)
        if same:
            if bits.number(size):
                alpha[first:last] = True
        else:
            values = bits.numbers(end - done, size)
            alpha[first:last] = values[4 * first + 3 - done :: 4][: last - first] != 0
        done = end
    raise rle.RLEError("rle_run_range", "The brush mask has too many runs.")


class _Bits:
    """Numbers of some bits each, highest bit first."""

    def __init__(self, bits: NDArray[np.uint8]) -> None:
        self._bits = bits
        self._at = 0

    def number(self, size: int) -> int:
        """The next one."""
        value = 0
        for bit in self._taken(size):
            value = value * 2 + bit
        return value

    def numbers(self, count: int, size: int) -> NDArray[np.int64]:
        """The next `count`, (count,)."""
        found: NDArray[np.int64] = np.array(self._taken(count * size)).reshape(count, size) @ (
            1 << np.arange(size - 1, -1, -1)
        )
        return found

    def _taken(self, size: int) -> list[int]:
        end = self._at + size
        if end > len(self._bits):
            raise rle.RLEError("rle_truncated", "The brush mask ends in the middle of a run.")
        taken: list[int] = self._bits[self._at : end].tolist()
        self._at = end
        return taken


def read(index: FileIndex, refusals: Refusals) -> Iterator[SourceImage]:
    """Pictures with their masks; what cannot be used is noted and the rest goes on."""
    for name, path in index.documents():
        try:
            for number, (key, task, _) in enumerate(json_stream.members(path, name)):
                if key:
                    raise UserError("document_unknown", "This is not a Label Studio export: it must be a list.")
                if (source := _read_task(name, f"{name}, task {number}", task, index, refusals)) is not None:
                    yield source
        except UserError as problem:
            refusals.add(name, problem.code, problem.message)


def _read_task(document: str, item: str, task: object, index: FileIndex, refusals: Refusals) -> SourceImage | None:
    if not isinstance(task, dict):
        refusals.add(item, "document_unknown", "A task must be an object.")
        return None
    found = _picture(document, task, index)
    if found is None:
        refusals.add(item, "picture_missing", "The picture of this task is not there.")
        return None
    shown, path = found
    source = SourceImage(shown, path)
    for number, (result, label) in enumerate(_results(task)):
        place = f"{item}, region {number}"
        width, height = whole(result.get("original_width"), 1, 10**6), whole(result.get("original_height"), 1, 10**6)
        try:
            if width is None or height is None:
                raise UserError("annotation_malformed", "The region does not say how large its picture is.")
            if source.width and (source.width, source.height) != (width, height):
                raise UserError("image_size_mismatch", "The region is of another size than the one before it.")
            mask = _mask(result, height, width)
            source.width, source.height = width, height
            source.masks.append({"segmentation": mask, "category": label})
        except UserError as problem:
            refusals.add(place, problem.code, problem.message)
        except rle.RLEError as problem:
            refusals.add(place, problem.code, str(problem))
    return source


def _picture(document: str, task: dict[str, Any], index: FileIndex) -> tuple[str, Path] | None:
    """(name, place) of a task's picture: the first text in its data that names one. Uploads begin with a number.

    Local files (`?d=`) are told with their folders; addresses and uploads say nothing of where the pictures lie here.
    """
    data = task.get("data")
    values = list((data if isinstance(data, dict) else task).values())
    for value in values:
        if not isinstance(value, str) or len(value) > 2000:
            continue
        _, local, told = value.replace("\\", "/").rpartition("?d=")
        place = told.split("?", 1)[0]
        last = place.rsplit("/", 1)[-1]
        for name in (place,) if local else (place, last, last.split("-", 1)[-1]):
            if (path := index.find(name, document)) is not None:
                return text(name.rsplit("/", 1)[-1], 255), path
    return None


def _results(task: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str]]:
    """(region, its label) of a task in the form JSON or JSON-MIN; annotations that were cancelled do not count."""
    annotations = task.get("annotations")
    if isinstance(annotations, list):
        for annotation in annotations:
            if isinstance(annotation, dict) and not annotation.get("was_cancelled"):
                results = annotation.get("result")
                yield from _regions(
                    {**result, **result["value"]}
                    for result in (results if isinstance(results, list) else [])
                    if isinstance(result, dict) and isinstance(result.get("value"), dict)
                )
        return
    yield from _regions(
        result
        for value in task.values()
        for result in (value if isinstance(value, list) else [])
        if isinstance(result, dict) and "original_width" in result
    )


def _regions(results: Iterable[dict[str, Any]]) -> Iterator[tuple[dict[str, Any], str]]:
    """(region, its label): each control has a result of its own for a region, and they share its id."""
    regions: dict[object, list[dict[str, Any]]] = {}
    for number, result in enumerate(results):
        told = result.get("id")
        key = ("", number) if type(told) not in (str, int) or told == "" else told
        regions.setdefault(key, []).append(result)
    for same in regions.values():
        label = next((label for one in same if (label := _label(one))), "")
        yield next((one for one in same if DRAWN & one.keys()), same[0]), label


def _label(region: dict[str, Any]) -> str:
    """The first label of a control that labels regions: `labels`, `polygonlabels`, `brushlabels`, ..."""
    for name, labels in region.items():
        if name.endswith("labels") and isinstance(labels, list) and labels:
            return text(labels[0], 200)
    return ""


def _mask(region: dict[str, Any], height: int, width: int) -> rle.RLE:
    """The mask of one region. Raises UserError or RLEError."""
    if region.get("format") == "rle" or "rle" in region:
        return checked_mask(dict(rle.encode(unpacked(region.get("rle"), height, width))), height, width)
    share_x, share_y = width / 100, height / 100
    if isinstance(region.get("points"), list):
        points = [numbers(point, 2) for point in region["points"]]
        if any(point is None for point in points):
            raise UserError("annotation_malformed", "The points of a polygon must be pairs of numbers.")
        ring = flat((point[0] * share_x, point[1] * share_y) for point in points if point is not None)
        return checked_mask([ring], height, width)
    turn = numbers([region.get("rotation") or 0], 1)
    box = numbers([region.get(name) for name in ("x", "y", "width", "height")], 4)
    round_ = numbers([region.get(name) for name in ("x", "y", "radiusX", "radiusY")], 4)
    if turn is None or (box is None and round_ is None):
        raise UserError(
            "shape_unsupported", f"A region of type {text(region.get('type'), 40) or 'unknown'} is no mask."
        )
    if box is not None:
        x, y, w, h = box[0] * share_x, box[1] * share_y, box[2] * share_x, box[3] * share_y
        return checked_mask([rectangle(x, y, x + w, y + h, turn[0])], height, width)
    assert round_ is not None
    x, y, radius_x, radius_y = (value * share for value, share in zip(round_, (share_x, share_y) * 2, strict=True))
    return checked_mask([ellipse(x, y, radius_x, radius_y, turn[0])], height, width)


def recognises(index: FileIndex) -> bool:
    """Whether one of the first JSON files is a list of tasks."""
    heads = [index.head(name).lstrip(b"\xef\xbb\xbf \t\r\n") for name, _ in index.documents()[:5]]
    return any(head.startswith(b"[") and (b'"data"' in head or b"original_width" in head) for head in heads)


IMPORT = ImportFormat(
    name="label_studio",
    title="Label Studio",
    about="JSON or JSON-MIN with the pictures: brush masks, polygons, rectangles, ellipses.",
    read=read,
    recognises=recognises,
)
