"""Outlines of masks: exact, with holes, and the same pixels when pycocotools draws them; boxes of the mask codec."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from pycocotools import mask as reference  # noqa: TID251  what everybody else reads masks with
from scipy import ndimage

from annotation.formats.cutouts import feathered
from annotation.formats.geojson import ring_area
from annotation.formats.outlines import joined, outlines, parts_of, polygons_of
from annotation.formats.painting import painted_values
from annotation.formats.yolo import drawn_from
from modelzoo import rle

patient = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])  # a busy machine is slow, not broken
masks = arrays(bool, st.tuples(st.integers(1, 12), st.integers(1, 12)))
some = masks.filter(lambda mask: mask.any())


def drawn_by_pycocotools(rings, height, width) -> np.ndarray:
    merged = reference.merge(reference.frPyObjects([[float(value) for value in ring] for ring in rings], height, width))
    return reference.decode(merged).astype(bool)


@patient
@given(some)
def test_polygons_give_the_same_mask(mask):
    coded = rle.encode(mask)
    rings = polygons_of(coded, rle.bbox(coded))
    assert rings is not None
    assert np.array_equal(drawn_by_pycocotools(rings, *mask.shape), mask)


@patient
@given(some)
def test_parts_are_those_that_scipy_finds(mask):
    labels, count = ndimage.label(mask)
    parts = outlines(mask)
    assert len(parts) == count
    for part in parts:
        closed = [np.concatenate((ring, ring[:1])) for ring in (part.outer, *part.holes)]
        outer, *holes = (ring_area(ring) for ring in closed)
        assert outer > 0
        assert all(hole < 0 for hole in holes)
        x, y = part.outer[0]
        assert outer + sum(holes) == np.count_nonzero(labels == labels[y, x])


@patient
@given(some)
def test_one_ring_holds_parts_and_holes(mask):
    """What YOLO writes: cuts without width change no pixel, even as shares with six decimals."""
    coded = rle.encode(mask)
    height, width = mask.shape
    rings = [ring for part in parts_of(coded, rle.bbox(coded)) for ring in (part.outer, *part.holes)]
    shares = [
        f"{value / size:.6f}" for point in joined(rings) for value, size in zip(point, (width, height), strict=True)
    ]
    assert np.array_equal(rle.decode(drawn_from(shares, height, width)), mask)


@patient
@given(some)
def test_a_box_of_a_mask_is_a_part_of_it(mask):
    coded = rle.encode(mask)
    x, y, w, h = rle.bbox(coded)
    inside = rle.decode_box(coded, [x, y, w, h])
    assert np.array_equal(inside, mask[y : y + h, x : x + w])
    assert rle.encode_box(inside, x, y, *mask.shape) == coded
    assert np.array_equal(rle.decode_box(coded, [0, 0, *mask.shape[::-1]]), mask)


@pytest.mark.parametrize("box", [[-1, 0, 1, 1], [0, 0, 4, 1], [3, 0, 1, 1], [0, 0, 1, 6]])
def test_a_box_outside_of_its_image_is_refused(box):
    coded = rle.encode(np.ones((5, 3), bool))
    with pytest.raises(rle.RLEError):
        rle.decode_box(coded, box)
    with pytest.raises(rle.RLEError):
        rle.encode_box(np.ones((box[3], box[2]), bool), box[0], box[1], 5, 3)


@patient
@given(st.lists(some.map(lambda mask: np.resize(mask, (9, 9))), max_size=5))
def test_of_two_masks_the_smaller_one_is_seen(several):
    several = [mask for mask in several if mask.any()]
    coded = [rle.encode(mask) for mask in several]
    values = painted_values((9, 9), coded, [rle.bbox(one) for one in coded], range(1, len(coded) + 1), np.uint16)
    for y, x in np.ndindex(9, 9):
        there = [(int(mask.sum()), -number) for number, mask in enumerate(several, 1) if mask[y, x]]
        assert values[y, x] == (-min(there)[1] if there else 0)


@patient
@given(some, st.integers(0, 4))
def test_a_feather_keeps_the_border_in_the_middle(mask, feather):
    alpha = feathered(mask, feather)
    assert np.array_equal(alpha >= 128, mask)
    if feather == 0:
        assert set(np.unique(alpha)) <= {0, 255}
