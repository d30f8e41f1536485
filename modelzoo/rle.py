"""COCO run-length masks: the only codec in Python and the only door to pycocotools.

pycocotools trusts its input: a plain `counts` string makes it write out of bounds, and runs that sum short make it
return other memory of the process as a mask. Every function here therefore validates first, in pure Python and numpy,
and canonicalises (no zero-length runs inside), so the C code only ever sees strings that it could have written itself.

A mask is a bool array HxW (row, column). Runs are column-major (Fortran order), the first run counts zeros.
Boxes are COCO XYWH in pixels: x and y of the first pixel, number of columns, number of rows.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, TypedDict

import numpy as np
from numpy.typing import NDArray
from pycocotools import mask as coco_mask  # noqa: TID251  this module is the validator that the ban points to

MAX_PIXELS = 1 << 28  # decode() allocates one byte per pixel
MAX_RINGS = 2_000
MAX_VERTICES = 200_000
MAX_PERIMETER = 2_000_000  # pixels walked by the rasteriser, at about 150 bytes each
MAX_CHARACTERS = 7  # of one number: 7 x 5 bits hold every 32-bit run and its sign


class RLE(TypedDict):
    """Compressed COCO RLE: `size` is [height, width], `counts` is text of the characters 48..111."""

    size: list[int]
    counts: str


@dataclass(frozen=True)
class Measured:
    """A mask that `examine` has checked, so that nobody needs to do it again: canonical, with its `area` and `bbox`."""

    segmentation: RLE
    area: int
    bbox: list[int]


class RLEError(ValueError):
    """A mask from outside that is not a legal mask. `code` is stable, the text is a sentence for people."""

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def validate(segmentation: object, height: int, width: int) -> RLE:
    """Check an RLE from outside against the image it belongs to and return it compressed and canonical.

    `segmentation` is {"size": [h, w], "counts": text | bytes | list of int}; `height` and `width` are those of the
    stored image in pixels. Raises RLEError; never crashes, whatever the input.
    """
    return _compress(_checked_runs(segmentation, height, width), height, width)


def examine(segmentation: object, height: int, width: int) -> Measured:
    """`validate` and `measure`, read once. Raises RLEError."""
    lengths = _checked_runs(segmentation, height, width)
    return Measured(_compress(lengths, height, width), int(lengths[1::2].sum()), _box_of(lengths, height))


def _checked_runs(segmentation: object, height: int, width: int) -> NDArray[np.int64]:
    """Canonical run lengths of an RLE from outside."""
    if not isinstance(segmentation, dict):
        raise RLEError("rle_malformed", "A mask must be an object with size and counts.")
    size = segmentation.get("size")
    if not isinstance(size, list | tuple) or len(size) != 2 or any(type(side) is not int for side in size):
        raise RLEError("rle_malformed", "The size of a mask must be two whole numbers: height and width.")
    _check_frame(height, width)
    if size[0] != height or size[1] != width:
        shown = " x ".join(str(side) if abs(side) < 10**9 else "a huge number" for side in size)
        raise RLEError("rle_size_mismatch", f"The mask is {shown}, the image {height} x {width} (height x width).")
    return _canonical(_runs(segmentation.get("counts"), height * width))


def encode(mask: NDArray[Any]) -> RLE:
    """Encode a mask HxW: bool, or numbers of which every non-zero one is inside."""
    if mask.ndim != 2:
        raise RLEError("rle_malformed", "A mask array must have two axes: rows and columns.")
    _check_frame(*mask.shape)
    # Values other than 0 and one constant give a wrong mask without an error, so only 0 and 1 go down.
    binary = np.asfortranarray(mask != 0).view(np.uint8)
    coded = coco_mask.encode(binary)
    return {"size": [int(side) for side in coded["size"]], "counts": coded["counts"].decode("ascii")}


def encode_box(inside: NDArray[np.bool_], x: int, y: int, height: int, width: int) -> RLE:
    """Encode a bool mask (h, w) whose first pixel is pixel (x, y) of an image; the rest of the image is outside.

    Raises RLEError if it does not lie inside the image.
    """
    _check_frame(height, width)
    h, w = inside.shape
    if min(x, y) < 0 or min(h, w) < 1 or x + w > width or y + h > height:
        raise RLEError("rle_size_mismatch", "A box must lie inside the image.")
    columns = np.zeros((w, h + 2), bool)  # what lies above and below the box is outside
    columns[:, 1:-1] = inside.T
    flat = columns.reshape(-1)
    column, row = np.divmod(np.flatnonzero(flat[1:] != flat[:-1]), h + 2)
    edges = (x + column) * height + y + row
    starts, ends = edges[::2], edges[1::2]
    apart = starts[1:] != ends[:-1]  # a run goes on from the foot of one column to the head of the next
    starts, ends = np.append(starts[:1], starts[1:][apart]), np.append(ends[:-1][apart], ends[-1:])
    runs_and_rest = np.diff(np.stack((starts, ends), axis=1).reshape(-1), prepend=0, append=height * width)
    return _compress(runs_and_rest[: len(runs_and_rest) - (runs_and_rest[-1] == 0)], height, width)


def decode(rle: RLE) -> NDArray[np.bool_]:
    """Decode to a bool mask HxW. Raises RLEError if `rle` is not legal."""
    height, width = _size_of(rle)
    lengths = runs(rle)
    columns = np.repeat(np.arange(len(lengths)) % 2 == 1, lengths).reshape(width, height)
    return np.ascontiguousarray(columns.T)


def decode_box(rle: RLE, box: Sequence[int]) -> NDArray[np.bool_]:
    """The part of a mask inside a box [x, y, w, h] of whole pixels: bool (h, w). Only the box's columns are made.

    Raises RLEError if `rle` is not legal or the box leaves its image.
    """
    height, width = _size_of(rle)
    x, y, w, h = box
    if min(x, y, w, h) < 0 or x + w > width or y + h > height:
        raise RLEError("rle_size_mismatch", "A box must lie inside the image.")
    lengths = runs(rle)
    ends = np.clip(np.concatenate(([0], np.cumsum(lengths))), x * height, (x + w) * height)
    columns = np.repeat(np.arange(len(lengths)) % 2 == 1, np.diff(ends)).reshape(w, height)
    return np.ascontiguousarray(columns[:, y : y + h].T)


def area(rle: RLE) -> int:
    """Number of pixels inside. Raises RLEError if `rle` is not legal."""
    return int(runs(rle)[1::2].sum())


def measure(rle: RLE) -> tuple[int, list[int]]:
    """(`area`, `bbox`), read once. Raises RLEError if `rle` is not legal."""
    lengths = runs(rle)
    return int(lengths[1::2].sum()), _box_of(lengths, rle["size"][0])


def bbox(rle: RLE) -> list[int]:
    """Smallest box [x, y, w, h] around the mask, in pixels; [0, 0, 0, 0] for an empty mask."""
    return _box_of(runs(rle), rle["size"][0])


def _box_of(lengths: NDArray[np.int64], height: int) -> list[int]:
    ends = np.cumsum(lengths)
    last = ends[1::2] - 1  # column-major index of the last pixel of each run of ones
    first = ends[0::2][: len(last)]
    if len(last) == 0:
        return [0, 0, 0, 0]
    left, right = int(first[0]) // height, int(last[-1]) // height
    tops, bottoms = first % height, last % height
    if (bottoms - tops != last - first).any():  # a run over a column border holds a bottom and a top pixel
        top, bottom = 0, height - 1
    else:
        top, bottom = int(tops.min()), int(bottoms.max())
    return [left, top, right - left + 1, bottom - top + 1]


def runs(rle: RLE) -> NDArray[np.int64]:
    """Run lengths, column-major, zeros first; no zero-length run but perhaps the first. Raises RLEError."""
    height, width = _size_of(rle)
    return _canonical(_runs(rle["counts"], height * width))


def boxes_meet(a: Sequence[int], b: Sequence[int]) -> bool:
    """Whether two boxes [x, y, w, h] have a pixel in common: a cheap no before masks are compared."""
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]


def iou(a: RLE, b: RLE) -> float:
    """Intersection over union of two masks of one size, 0..1; 0 when both are empty."""
    one, other = _checked(a), _checked(b)
    if one["size"] != other["size"]:
        raise RLEError("rle_size_mismatch", "Two masks of different sizes cannot be compared.")
    value = float(coco_mask.iou([one], [other], [0])[0, 0])
    return value if math.isfinite(value) else 0.0


def mask_iou(a: NDArray[np.bool_], b: NDArray[np.bool_]) -> float:
    """Intersection over union of two bool masks HxW, 0..1; 0 when both are empty."""
    union = int(np.count_nonzero(a | b))
    return int(np.count_nonzero(a & b)) / union if union else 0.0


def from_polygons(polygons: object, height: int, width: int) -> RLE:
    """Rasterise COCO polygons [[x1, y1, x2, y2, ...], ...] (pixels, origin at the top left corner) as pycocotools does.

    Coordinates more than one image away are refused, those just outside are clipped. Raises RLEError.
    """
    _check_frame(height, width)
    if not isinstance(polygons, list | tuple) or not 0 < len(polygons) <= MAX_RINGS:
        raise RLEError("polygon_invalid", f"A polygon mask must be a list of 1 to {MAX_RINGS} rings.")
    rings: list[list[float]] = []
    vertices, perimeter = 0, 0.0
    for ring in polygons:
        points = _ring(ring, height, width, MAX_VERTICES - vertices)
        vertices += len(points)
        steps = np.abs(np.diff(points, axis=0, append=points[:1])).max(axis=1)
        perimeter += float(steps.sum())
        if perimeter > MAX_PERIMETER:
            raise RLEError("polygon_invalid", "The outline of this polygon is too long to draw.")
        rings.append(points.reshape(-1).tolist())
    merged = coco_mask.merge(coco_mask.frPyObjects(rings, height, width))
    return validate({"size": [height, width], "counts": merged["counts"]}, height, width)


def _ring(ring: object, height: int, width: int, room: int) -> NDArray[np.float64]:
    """One ring as an Nx2 array of (x, y), or RLEError."""
    if not isinstance(ring, list | tuple) or len(ring) < 6 or len(ring) % 2:
        raise RLEError("polygon_invalid", "A ring needs at least three points, as a flat list x1, y1, x2, y2, ...")
    if len(ring) // 2 > room:
        raise RLEError("polygon_invalid", f"A polygon mask may have {MAX_VERTICES} points at the most.")
    if any(type(value) not in (int, float) for value in ring):
        raise RLEError("polygon_invalid", "The coordinates of a polygon must be numbers.")
    # Compared as Python numbers first: a whole number of 400 digits does not fit a float.
    if not all(-(10**9) < value < 10**9 for value in ring):
        raise RLEError("polygon_invalid", "The coordinates of a polygon must be finite and near the image.")
    points = np.asarray(ring, dtype=np.float64).reshape(-1, 2)
    low, high = np.array([-width, -height]), np.array([2 * width, 2 * height])
    if np.any(points < low) or np.any(points > high):
        raise RLEError("polygon_invalid", "The polygon lies far outside the image.")
    return points


def _check_frame(height: int, width: int) -> None:
    if height < 1 or width < 1 or height * width > MAX_PIXELS:
        raise RLEError("rle_size_mismatch", f"A mask must have between 1 and {MAX_PIXELS} pixels.")


def _size_of(rle: RLE) -> tuple[int, int]:
    size = rle["size"]
    if len(size) != 2 or any(type(side) is not int for side in size):
        raise RLEError("rle_malformed", "The size of a mask must be two whole numbers: height and width.")
    _check_frame(size[0], size[1])
    return size[0], size[1]


def _checked(rle: RLE) -> RLE:
    return validate(rle, *_size_of(rle))


def _runs(counts: object, pixels: int) -> NDArray[np.int64]:
    """Run lengths from text, bytes or a list; every one 0..pixels and their sum exactly `pixels`, or RLEError."""
    if isinstance(counts, bytes):
        lengths = _runs_of_text(counts, pixels)
    elif isinstance(counts, str):
        if not counts.isascii():
            raise RLEError("rle_characters", "The counts of a mask hold a character that cannot occur there.")
        lengths = _runs_of_text(counts.encode("ascii"), pixels)
    elif isinstance(counts, list | tuple):
        lengths = _runs_of_list(counts, pixels)
    else:
        raise RLEError("rle_malformed", "The counts of a mask must be text or a list of whole numbers.")
    # At most pixels + 2 runs of at most `pixels` (2^28) each: the sum stays far inside 64 bits.
    total = int(lengths.sum())
    if total != pixels:
        raise RLEError("rle_sum", f"The runs of the mask cover {total} pixels but the image has {pixels}.")
    return lengths


def _runs_of_list(counts: Sequence[object], pixels: int) -> NDArray[np.int64]:
    _check_count(len(counts), pixels)
    if any(type(value) is not int for value in counts):  # bool is an int to isinstance, not here
        raise RLEError("rle_malformed", "The counts of a mask must be whole numbers.")
    if any(not 0 <= value <= pixels for value in counts):  # type: ignore[operator]  # whole numbers, by the lines above
        raise RLEError("rle_run_range", "A run of the mask is negative or longer than the image.")
    return np.array(counts, dtype=np.int64)


def _runs_of_text(text: bytes, pixels: int) -> NDArray[np.int64]:
    codes = np.frombuffer(text, dtype=np.uint8)
    if len(codes) == 0:
        raise RLEError("rle_sum", "The mask has no runs.")
    if codes.min() < 48 or codes.max() > 111:
        raise RLEError("rle_characters", "The counts of a mask hold a character that cannot occur there.")
    groups = codes.astype(np.int64) - 48
    stops = np.flatnonzero((groups & 0x20) == 0)
    if len(stops) == 0 or stops[-1] != len(groups) - 1:
        raise RLEError("rle_truncated", "The counts of the mask end in the middle of a number.")
    starts = np.concatenate(([0], stops[:-1] + 1))
    widths = stops - starts + 1
    if widths.max() > MAX_CHARACTERS:
        raise RLEError("rle_run_range", "A number in the counts of the mask is too long.")
    _check_count(len(stops), pixels)
    place = np.arange(len(groups)) - np.repeat(starts, widths)
    values = np.add.reduceat((groups & 0x1F) << (5 * place), starts)
    values -= np.where(groups[stops] & 0x10, np.int64(1) << (5 * widths), 0)
    # From the fourth number on, each is the difference to the one two before. |value| < 2^35 and at most 2^28 + 2
    # of them: the running sums cannot leave 64 bits.
    values[1::2] = np.cumsum(values[1::2])
    values[2::2] = np.cumsum(values[2::2])
    if values.min() < 0 or values.max() > pixels:
        raise RLEError("rle_run_range", "A run of the mask is negative or longer than the image.")
    return values


def _check_count(count: int, pixels: int) -> None:
    if not 0 < count <= pixels + 2:
        raise RLEError("rle_run_range", "The mask has more runs than the image has pixels, or none.")


def _canonical(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    """Merge the neighbours of zero-length runs; only the first run (zeros) may stay empty."""
    if lengths[1:].all():
        return lengths
    kept = np.flatnonzero(lengths)
    parity = kept % 2
    first_of_group = np.concatenate(([True], parity[1:] != parity[:-1]))
    merged = np.add.reduceat(lengths[kept], np.flatnonzero(first_of_group))
    return np.concatenate(([0], merged)) if parity[0] == 1 else merged


def _compress(lengths: NDArray[np.int64], height: int, width: int) -> RLE:
    coded = coco_mask.frPyObjects({"size": [height, width], "counts": lengths.tolist()}, height, width)
    return {"size": [height, width], "counts": coded["counts"].decode("ascii")}
