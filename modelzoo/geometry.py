"""Pixel frames and the mappings between them (numpy only: usable where torch must not be loaded).

Three frames occur everywhere in this package:

* *original*: the picture as people see it, H x W pixels;
* *input*: the picture resized for the model (aspect ratio kept up to rounding), at the top left of
* *padded*: what the model is run on; right of and below the input there is padding.

Sizes are always (height, width), coordinates always (x, y). A pixel covers one unit, so pixel (0, 0) spans [0, 1)
and its centre is at 0.5; prompts are given in this continuous measure.
Low-resolution logits (`low_res`) cover the padded frame with fewer pixels.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any, cast

import numpy as np
import numpy.typing as npt

Size = tuple[int, int]
FloatArray = npt.NDArray[np.floating[Any]]
BAND = 32  # rows of a full-size mask that are made at once: their float values stay in the processor's cache


def preprocess_shape(height: int, width: int, long_side: int) -> Size:
    """Size (h, w) of an image whose longer side is resized to `long_side`.

    Both sides are scaled by long_side / max(height, width) and rounded half up, `int(x + 0.5)`; Python's `round`
    would round half to even and differ by a pixel now and then. No side becomes smaller than 1.
    """
    if min(height, width, long_side) < 1:
        raise ValueError(f"Sizes must be at least 1 pixel, got {height} x {width} and long side {long_side}.")
    scale = long_side * 1.0 / max(height, width)
    return max(1, int(height * scale + 0.5)), max(1, int(width * scale + 0.5))


def _size(value: Any) -> Size:
    height, width = (int(side) for side in value)
    return height, width


@dataclass(frozen=True)
class Frame:
    """How one picture sits in the model's input. Every size is (h, w) in pixels.

    Raises ValueError when a size is not positive or the input does not fit into the padded frame.
    """

    original_size: Size
    input_size: Size
    padded_size: Size

    def __post_init__(self) -> None:
        for name in ("original_size", "input_size", "padded_size"):
            size = _size(getattr(self, name))
            if min(size) < 1:
                raise ValueError(f"{name} must be at least 1 x 1, got {size[0]} x {size[1]}.")
            object.__setattr__(self, name, size)
        if self.input_size[0] > self.padded_size[0] or self.input_size[1] > self.padded_size[1]:
            raise ValueError(f"An input of {self.input_size} does not fit into {self.padded_size}.")

    def picture_in(self, size: Sequence[int]) -> tuple[slice, slice]:
        """Rows and columns that the picture takes of a map over the padded frame; `size` is the map's (h, w)."""
        rows, columns = (-(-self.input_size[axis] * size[axis] // self.padded_size[axis]) for axis in (0, 1))
        return slice(0, rows), slice(0, columns)

    def _scale_xy(self) -> npt.NDArray[np.float64]:
        (old_h, old_w), (new_h, new_w) = self.original_size, self.input_size
        return np.array([new_w / old_w, new_h / old_h], dtype=np.float64)

    def to_input(self, coords: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Coordinates (..., 2) as (x, y) in original pixels -> the same points in input pixels, float64.

        The two axes scale by slightly different factors because the input size is rounded to whole pixels.
        """
        points = np.asarray(coords, dtype=np.float64)
        return points * self._scale_xy()

    def to_original(self, coords: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Inverse of `to_input`: (..., 2) as (x, y) in input pixels -> original pixels, float64."""
        points = np.asarray(coords, dtype=np.float64)
        return points / self._scale_xy()

    def box_to_input(self, boxes: npt.ArrayLike) -> npt.NDArray[np.float64]:
        """Boxes (..., 4) as x0, y0, x1, y1 in original pixels -> input pixels, float64."""
        corners = np.asarray(boxes, dtype=np.float64)
        return self.to_input(corners.reshape(*corners.shape[:-1], 2, 2)).reshape(corners.shape)

    def as_dict(self) -> dict[str, list[int]]:
        """JSON form, sizes as [h, w]; the browser reads the same names."""
        return {
            "original_size": list(self.original_size),
            "input_size": list(self.input_size),
            "padded_size": list(self.padded_size),
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Frame:
        """Inverse of `as_dict`; raises KeyError or ValueError on anything else."""
        return cls(_size(data["original_size"]), _size(data["input_size"]), _size(data["padded_size"]))


def _source(size_in: int, size_out: int) -> tuple[npt.NDArray[np.intp], npt.NDArray[np.intp], npt.NDArray[np.float32]]:
    """Per output pixel: the two input pixels and the weight of the second one.

    The scale is rounded to float32 and the position once more, but not the product in between: that is what torch's
    fused multiply-subtract does, and near pixel 1000 each rounding moves a weight by up to 6e-5, which is more than
    the parity tolerance of a steep logit allows.
    """
    scale = np.float64(np.float32(size_in) / np.float32(size_out))
    position = ((np.arange(size_out, dtype=np.float64) + 0.5) * scale - 0.5).astype(np.float32)
    position = np.maximum(position, np.float32(0))
    first = np.minimum(position.astype(np.intp), size_in - 1)
    second = np.minimum(first + 1, size_in - 1)
    weight = np.clip(position - first.astype(np.float32), np.float32(0), np.float32(1)).astype(np.float32)
    return first, second, weight


def _resize_rows(array: FloatArray, size_out: int) -> FloatArray:
    """(..., h, w) -> (..., size_out, w), bilinear along the rows."""
    if array.shape[-2] == size_out:
        return array
    first, second, weight = _source(array.shape[-2], size_out)
    column = weight.astype(array.dtype)[:, None]
    return array[..., first, :] * (1 - column) + array[..., second, :] * column


def _resize_columns(array: FloatArray, size_out: int) -> FloatArray:
    """(..., h, w) -> (..., h, size_out), bilinear along the columns."""
    if array.shape[-1] == size_out:
        return array
    first, second, weight = _source(array.shape[-1], size_out)
    row = weight.astype(array.dtype)
    result = np.take(array, first, axis=-1)
    result *= 1 - row
    other = np.take(array, second, axis=-1)
    other *= row
    result += other
    return result


def _as_float(array: npt.ArrayLike) -> FloatArray:
    values = np.asarray(array)
    if values.ndim < 2:
        raise ValueError(f"An array of shape (..., h, w) is needed, got {values.shape}.")
    return values if values.dtype in (np.float32, np.float64) else values.astype(np.float32)


def resize_bilinear(array: npt.ArrayLike, size: Size) -> FloatArray:
    """(..., h, w) -> (..., H, W), bilinear without antialiasing.

    Equals `torch.nn.functional.interpolate(mode="bilinear", align_corners=False)` up to float rounding (measured in
    tests). float32 and float64 keep their dtype, anything else becomes float32. `size` is (H, W).
    """
    values = _as_float(array)
    if min(size) < 1 or min(values.shape[-2:]) < 1:
        raise ValueError(f"Cannot resize {values.shape[-2:]} to {size}: every side needs at least one pixel.")
    return _resize_columns(_resize_rows(values, size[0]), size[1])


@lru_cache(maxsize=8)
def upscale_matrices(low_size: Size, frame: Frame) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """The resizing of `upscale_logits` as two matrices: rows (H, h) and columns (W, w), float32, read-only.

    `rows @ logits @ columns.T` is the full-size mask. A few rows of each evaluate a mask inside a rectangle only,
    which is what the automatic mask generator lives on.
    """
    sides = []
    for axis in (0, 1):
        eye = np.eye(low_size[axis], dtype=np.float32)
        padded = _resize_rows(eye, frame.padded_size[axis])[: frame.input_size[axis]]
        matrix = np.ascontiguousarray(_resize_rows(padded, frame.original_size[axis]), np.float32)
        matrix.flags.writeable = False
        sides.append(matrix)
    return sides[0], sides[1]


def upscale_logits(low_res: npt.ArrayLike, frame: Frame) -> npt.NDArray[np.float32]:
    """Mask logits (..., h, w) over the padded frame -> (..., H, W) over the original picture, float32.

    Two bilinear steps, as SAM does it: to the padded size, cut to the input size, to the original size. One step with
    the exact geometry would be smoother but gives other masks. Both steps are linear and separable, so they are two
    small matrix products here, five times faster than gathering and without the padded intermediate; logits must be
    finite.
    """
    values = _as_float(low_res).astype(np.float32, copy=False)
    rows, columns = upscale_matrices(_size(values.shape[-2:]), frame)
    return cast(npt.NDArray[np.float32], rows @ values @ columns.T)


@dataclass(frozen=True)
class Band:
    """Rows of the picture, the rows of low-resolution logits that they are mixed from, and the weights (n, k)."""

    rows: slice
    sources: slice
    weights: npt.NDArray[np.float32]


@lru_cache(maxsize=8)
def row_bands(low_size: Size, frame: Frame) -> tuple[Band, ...]:
    """The row matrix of `upscale_matrices`, cut where it is not zero."""
    matrix, _ = upscale_matrices(low_size, frame)
    bands = []
    for top in range(0, len(matrix), BAND):
        part = matrix[top : top + BAND]
        used = np.flatnonzero(part.any(0))
        sources = slice(int(used[0]), int(used[-1]) + 1)
        bands.append(Band(slice(top, top + BAND), sources, np.ascontiguousarray(part[:, sources])))
    return tuple(bands)


def upscale_masks(low_res: npt.ArrayLike, frame: Frame, threshold: float = 0.0) -> npt.NDArray[np.bool_]:
    """`upscale_logits(low_res, frame) > threshold`: (..., h, w) -> bool (..., H, W), at a tenth of the time.

    A row of the picture mixes up to four rows of logits, so the large matrix product falls apart into small ones, each
    thresholded while it is in the cache. Bands that see no logit above the threshold are not made at all: what is
    mixed never exceeds what it is mixed from. Rounding differs from `upscale_logits` in the last place.
    """
    values = _as_float(low_res).astype(np.float32, copy=False)
    low_size = _size(values.shape[-2:])
    _, columns = upscale_matrices(low_size, frame)
    masks = np.zeros((*values.shape[:-2], *frame.original_size), bool)
    for wide, mask in zip(
        (values @ columns.T).reshape(-1, low_size[0], len(columns)),
        masks.reshape(-1, *frame.original_size),
        strict=True,
    ):
        reached = wide.max(axis=1) > threshold
        for band in row_bands(low_size, frame):
            if reached[band.sources].any():
                np.greater(band.weights @ wide[band.sources], threshold, out=mask[band.rows])
    return masks
