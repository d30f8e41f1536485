"""Label maps from outside: decoded in a caged child, taken apart into masks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
from django.conf import settings
from numpy.typing import NDArray

from annotation.errors import UserError
from annotation.formats.source import LabelMap
from annotation.ingest.cage import Cage
from modelzoo import rle

MAX_OBJECTS = 65_535
MAX_LOOKS = 64  # at each pixel of a map, on average
MIN_LOOKS = 1 << 26  # a second; small maps may be as scattered as they like
BAND = 1 << 22  # pixels at a time


class MapCage(Cage):
    """A child that reads label maps."""

    module = "annotation.ingest.map_child"

    def values(self, label_map: LabelMap, work: Path) -> NDArray[np.uint32]:
        """Values of a map, (H, W). `work` is a folder for the passing file. Raises UserError with the reason."""
        target = work / "values.npy"
        request = {
            "source": str(label_map.path),
            "target": str(target),
            "max_pixels": settings.ANYMASK_MAX_IMAGE_PIXELS,
            "rgb": label_map.rgb,
        }
        told = self._ask(request)
        if "code" in told:
            raise UserError(told["code"], told["message"])
        try:
            values: NDArray[np.uint32] = np.load(target, allow_pickle=False)
            return values
        finally:
            target.unlink(missing_ok=True)


def masks_of(label_map: LabelMap, values: NDArray[np.uint32]) -> Iterator[dict[str, Any]]:
    """Records for annotation.services.masks.masks_add: one per value, or per connected part where the map is split.

    Parts that touch at a corner only are one. Raises UserError `map_too_many` beyond MAX_OBJECTS, `map_scattered` if
    their boxes would take too long to look through.
    """
    from scipy import ndimage  # the web process has no scipy

    height, width = values.shape
    numbers = _wanted(label_map, values)
    boxes = ndimage.find_objects(_places(values, numbers), len(numbers))
    room = _Room(values.size)
    room.take(boxes)
    found = 0
    for number, box in zip(numbers.tolist(), boxes, strict=True):
        inside = values[box] == number
        category = label_map.names.get(number, "")
        for part, rows, columns in _parts(inside, room) if label_map.split else [(inside, 0, 0)]:
            found += 1
            if found > MAX_OBJECTS:
                raise UserError("map_too_many", f"The map falls apart into more than {MAX_OBJECTS} objects.")
            x, y = int(box[1].start) + columns, int(box[0].start) + rows
            yield {
                "segmentation": rle.encode_box(part, x, y, height, width),
                "category": category,
                "crowd": number in label_map.crowds,
            }


class _Room:
    """Pixels that may be looked at for one map: each object's box is, so that scattered ones would cost hours."""

    def __init__(self, pixels: int) -> None:
        self._left = max(MAX_LOOKS * pixels, MIN_LOOKS)

    def take(self, boxes: list[tuple[slice, slice]]) -> None:
        """Take the room of these boxes. Raises UserError `map_scattered` if there is not enough."""
        self._left -= sum((rows.stop - rows.start) * (columns.stop - columns.start) for rows, columns in boxes)
        if self._left < 0:
            raise UserError("map_scattered", "The values of the map lie scattered all over it: they are no objects.")


def _wanted(label_map: LabelMap, values: NDArray[np.uint32]) -> NDArray[np.uint32]:
    """The values that become masks, sorted. Raises UserError `map_too_many`."""
    numbers: NDArray[np.uint32] = np.unique(np.concatenate([np.unique(values[rows]) for rows in _bands(values)]))
    numbers = numbers[numbers != 0]
    if label_map.only is not None:
        numbers = numbers[np.isin(numbers, list(label_map.only))]
    if label_map.void is not None and len(numbers) > 1:
        numbers = numbers[numbers != label_map.void]
    if len(numbers) > MAX_OBJECTS:
        raise UserError("map_too_many", f"The map holds more than {MAX_OBJECTS} values.")
    return numbers


def _places(values: NDArray[np.uint32], numbers: NDArray[np.uint32]) -> NDArray[np.int32]:
    """For every pixel the place of its value in `numbers`, from 1; 0 for another value. (H, W)"""
    places = np.zeros(values.shape, np.int32)
    if len(numbers):
        for rows in _bands(values):
            at = np.minimum(np.searchsorted(numbers, values[rows]), len(numbers) - 1)
            places[rows] = np.where(numbers[at] == values[rows], at + 1, 0)
    return places


def _bands(values: NDArray[np.uint32]) -> Iterator[slice]:
    """Rows by rows: what numpy makes on its way is several times as large as what it is made of."""
    rows = max(1, BAND // values.shape[1])
    return (slice(top, top + rows) for top in range(0, values.shape[0], rows))


def _parts(inside: NDArray[np.bool_], room: _Room) -> Iterator[tuple[NDArray[np.bool_], int, int]]:
    """(part, row, column) of every connected part of a bool mask: trimmed, and where its first pixel is."""
    from scipy import ndimage  # the web process has no scipy

    labels, count = ndimage.label(inside, np.ones((3, 3)))
    if count > MAX_OBJECTS:
        raise UserError("map_too_many", f"The map falls apart into more than {MAX_OBJECTS} objects.")
    boxes = ndimage.find_objects(labels)
    room.take(boxes)
    for number, box in enumerate(boxes, 1):
        yield labels[box] == number, int(box[0].start), int(box[1].start)
