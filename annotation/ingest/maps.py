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

    Parts that touch at a corner only are one. Raises UserError `map_too_many` beyond MAX_OBJECTS.
    """
    height, width = values.shape
    numbers, places = np.unique(values, return_inverse=True)
    wanted = [int(n) != 0 and (label_map.only is None or int(n) in label_map.only) for n in numbers]
    if sum(wanted) > MAX_OBJECTS:
        raise UserError("map_too_many", f"The map holds more than {MAX_OBJECTS} values.")
    from scipy import ndimage  # the web process has no scipy

    boxes = ndimage.find_objects((places + 1).reshape(values.shape).astype(np.int32))
    found = 0
    for number, box, take in zip(numbers, boxes, wanted, strict=True):
        if not take or box is None:
            continue
        inside = values[box] == number
        category = label_map.names.get(int(number), "")
        for part, rows, columns in _parts(inside) if label_map.split else [(inside, 0, 0)]:
            found += 1
            if found > MAX_OBJECTS:
                raise UserError("map_too_many", f"The map falls apart into more than {MAX_OBJECTS} objects.")
            x, y = int(box[1].start) + columns, int(box[0].start) + rows
            yield {
                "segmentation": rle.encode_box(part, x, y, height, width),
                "category": category,
                "crowd": int(number) in label_map.crowds,
            }


def _parts(inside: NDArray[np.bool_]) -> Iterator[tuple[NDArray[np.bool_], int, int]]:
    """(part, row, column) of every connected part of a bool mask: trimmed, and where its first pixel is."""
    from scipy import ndimage  # the web process has no scipy

    labels, _ = ndimage.label(inside, np.ones((3, 3)))
    for number, box in enumerate(ndimage.find_objects(labels), 1):
        yield labels[box] == number, int(box[0].start), int(box[1].start)
