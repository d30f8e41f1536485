"""Generated clips tell the truth about themselves, and J and F are those of DAVIS."""

import numpy as np
import pytest

from benchmarks.video_measures import contour, contour_accuracy, region_similarity
from benchmarks.video_scenes import Thing, clip
from modelzoo.training.metrics import mask_iou

SIZE = (120, 160)
RED = Thing(np.full((60, 60, 3), (200, 30, 30), np.uint8), np.ones((60, 60), np.float32))
GROUND = np.full((200, 260, 3), 60, np.uint8)


def small(seed: int):
    return clip(seed, [RED], [GROUND], frames=12, size=SIZE)


@pytest.fixture(scope="module")
def clips():
    return [small(seed) for seed in range(12)]


def test_a_seed_gives_one_clip(clips):
    again = small(3)
    assert all(np.array_equal(a, b) for a, b in zip(again.frames, clips[3].frames, strict=True))
    assert all(np.array_equal(a, b) for a, b in zip(again.masks, clips[3].masks, strict=True))
    assert not np.array_equal(clips[3].frames[0], clips[4].frames[0])


def test_masks_are_what_is_to_be_seen_of_the_thing(clips):
    alone = [one for one in clips if "look-alike" not in one.about]
    assert len(alone) > 3
    for one in alone:
        for picture, mask in zip(one.frames, one.masks, strict=True):
            reddish = picture[..., 0].astype(int) - picture[..., 1] > 80
            assert mask_iou(reddish, mask) > 0.9 or reddish.sum() < 40, one.name


def test_things_move_and_some_are_hidden_or_leave_and_come_back(clips):
    for one in clips:
        assert one.masks[0].any()
        assert mask_iou(one.masks[0], one.masks[5]) < 0.95
    areas = [[int(mask.sum()) for mask in one.masks] for one in clips]
    gone = [one for one, area in zip(clips, areas, strict=True) if min(area) < 0.2 * area[0]]
    assert {word for one in gone for word in one.about} >= {"hidden", "leaves"}
    assert all(one.masks[-1].any() for one in gone)
    assert any("look-alike" in one.about for one in clips)


def square(left: int, side: int = 40) -> np.ndarray:
    mask = np.zeros((100, 150), bool)
    mask[30 : 30 + side, left : left + side] = True
    return mask


def test_a_contour_is_where_the_next_pixel_is_another():
    mask = np.zeros((4, 4), bool)
    mask[1:3, 1:3] = True
    assert contour(mask).astype(int).tolist() == [[1, 1, 1, 0], [1, 0, 1, 0], [1, 1, 1, 0], [0, 0, 0, 0]]


def test_contours_are_matched_within_eight_thousandths_of_the_diagonal():
    # 0.8 % of 180 pixels, rounded up: 2.
    assert contour_accuracy(square(40), square(40)) == 1
    assert contour_accuracy(square(42), square(40)) == 1
    assert contour_accuracy(square(48), square(40)) < 0.7
    assert contour_accuracy(square(100), square(10)) == 0


def test_nothing_agrees_with_nothing_alone():
    empty = np.zeros((100, 150), bool)
    assert (region_similarity(empty, empty), contour_accuracy(empty, empty)) == (1, 1)
    assert (region_similarity(empty, square(9)), contour_accuracy(empty, square(9))) == (0, 0)
    assert (region_similarity(square(9), empty), contour_accuracy(square(9), empty)) == (0, 0)
