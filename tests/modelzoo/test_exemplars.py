"""Everything like these, on a picture whose map is known: what is alike is found once, at its size."""

from __future__ import annotations

from types import SimpleNamespace

import numpy as np
import pytest

from modelzoo import rle
from modelzoo.embedding import Embedding
from modelzoo.exemplars import Concept, ExemplarFinder, finest, prototypes, seeds
from modelzoo.geometry import Frame
from modelzoo.pooling import pooled

SIDE, STRIDE = 128, 4
PLUM, LEAF, TABLE = (1.0, 0.2, 0.0), (0.0, 1.0, 0.3), (0.1, 0.1, 1.0)
PLUMS = [(20, 20), (20, 80), (70, 30), (100, 100)]
LEAVES = [(60, 90), (104, 24)]
RADIUS = 10


def disc(x: float, y: float, radius: float = RADIUS) -> np.ndarray:
    rows, columns = np.mgrid[:SIDE, :SIDE] + 0.5
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


class KnowsTheDiscs:
    """Answers a click inside a disc by that disc and by one twice as wide, elsewhere by nothing; boxes likewise."""

    model = SimpleNamespace(mask_threshold=0.0, mask_stride=STRIDE, one_part=False)

    def __init__(self) -> None:
        self.asked = 0

    def _low(self, mask: np.ndarray) -> np.ndarray:
        cells = mask.reshape(SIDE // STRIDE, STRIDE, SIDE // STRIDE, STRIDE).mean(axis=(1, 3))
        return np.where(cells > 0.5, 9.0, -9.0).astype(np.float32)

    def _at(self, x: float, y: float) -> tuple[float, float] | None:
        inside = [place for place in (*PLUMS, *LEAVES) if np.hypot(x - place[0], y - place[1]) <= RADIUS]
        return inside[0] if inside else None

    def decode_points(self, embedding: Embedding, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        self.asked += len(points)
        none = np.zeros((SIDE, SIDE), bool)
        answers = []
        for x, y in points:
            place = self._at(x, y)
            wide = disc(*place, 2 * RADIUS) if place else none
            answers.append([self._low(mask) for mask in (disc(*place) if place else none, wide, none)])
        return np.array(answers), np.full((len(points), 3), 0.9, np.float32)

    def decode_boxes(self, embedding: Embedding, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        middles = [((x0 + x1) / 2, (y0 + y1) / 2) for x0, y0, x1, y1 in boxes]
        places = [self._at(*middle) for middle in middles]
        masks = [disc(*place) if place else np.zeros((SIDE, SIDE), bool) for place in places]
        return np.array([self._low(mask) for mask in masks]), np.full(len(boxes), 0.95, np.float32)


@pytest.fixture
def embedding() -> Embedding:
    """A coarse map that says nothing, and a fine one with a colour for plums, leaves and the table."""
    cells = np.zeros((SIDE, SIDE, 3), np.float32) + TABLE
    for places, colour in ((PLUMS, PLUM), (LEAVES, LEAF)):
        for place in places:
            cells[disc(*place)] = colour
    fine = cells.reshape(SIDE // STRIDE, STRIDE, SIDE // STRIDE, STRIDE, 3).mean(axis=(1, 3))
    coarse = np.ones((5, 4, 4), np.float32)
    frame = Frame((SIDE, SIDE), (SIDE, SIDE), (SIDE, SIDE))
    return Embedding({"coarse": coarse, "fine": np.moveaxis(fine, -1, 0)}, frame)


def example(embedding: Embedding, place: tuple[int, int], unlike: tuple[int, int] | None = None) -> Concept:
    _, part = finest([(name, tensor.shape) for name, tensor in embedding.tensors.items()])

    def vector(at: tuple[int, int]) -> np.ndarray:
        return pooled(embedding, rle.encode(disc(*at)))[part][None]

    other = None if unlike is None else vector(unlike)
    return Concept.of(vector(place), [float(disc(*place).sum())], [SIDE], other)


def found_places(records: list[dict], least: float = 0.6) -> set[tuple[int, int]]:
    """Which discs the records show, each of which must show exactly one."""
    shown = []
    for record in records:
        if record["score"] >= least:
            mask = rle.decode(record["segmentation"])
            [place] = [place for place in (*PLUMS, *LEAVES) if rle.mask_iou(mask, disc(*place)) > 0.7]
            shown.append(place)
    assert len(shown) == len(set(shown))
    return set(shown)


def test_one_example_finds_the_others_and_nothing_else(embedding):
    records = ExemplarFinder(KnowsTheDiscs()).find(embedding, example(embedding, PLUMS[0]))
    assert found_places(records) == set(PLUMS)
    scores = [record["score"] for record in records]
    assert scores == sorted(scores, reverse=True)
    assert all(0 <= score <= 1 for score in scores)
    for record in records:
        assert record["area"] == rle.area(record["segmentation"])
        assert record["bbox"] == rle.bbox(record["segmentation"])
        assert record["prompts"][0]["type"] in ("point", "box")


def test_another_example_finds_the_other_kind(embedding):
    records = ExemplarFinder(KnowsTheDiscs()).find(embedding, example(embedding, LEAVES[1]))
    assert found_places(records) == set(LEAVES)


def test_what_it_must_not_be_taken_for_lowers_the_score(embedding):
    """A vector between plum and leaf finds both; told that a leaf is something else, plums alone."""
    both = example(embedding, PLUMS[0])
    both = Concept(both.likes + example(embedding, LEAVES[0]).likes, both.sides, both.unlikes)
    finder = ExemplarFinder(KnowsTheDiscs())
    assert found_places(finder.find(embedding, both), 0.15) == {*PLUMS, *LEAVES}
    leaf = example(embedding, PLUMS[0], unlike=LEAVES[0]).unlikes
    told = Concept(both.likes + 0.3 * example(embedding, PLUMS[0]).likes, both.sides, leaf)
    assert found_places(finder.find(embedding, told), 0.15) <= set(PLUMS)


def test_a_stop_is_heard_and_progress_rises(embedding):
    heard: list[float] = []
    ExemplarFinder(KnowsTheDiscs()).find(embedding, example(embedding, PLUMS[0]), heard.append)
    assert heard == sorted(heard)
    assert heard[-1] == 1

    class Stopped(Exception):
        pass

    def stop(share: float) -> None:
        raise Stopped

    with pytest.raises(Stopped):
        ExemplarFinder(KnowsTheDiscs()).find(embedding, example(embedding, PLUMS[0]), stop)


def test_no_more_prompts_than_allowed(embedding):
    predictor = KnowsTheDiscs()
    ExemplarFinder(predictor, most_prompts=3).find(embedding, example(embedding, PLUMS[0]))
    assert predictor.asked == 3


def test_a_picture_of_one_colour_has_nothing_alike():
    frame = Frame((SIDE, SIDE), (SIDE, SIDE), (SIDE, SIDE))
    flat = Embedding({"fine": np.ones((3, 32, 32), np.float32)}, frame)
    concept = Concept.of(np.array([[1, 0, 0]], np.float32), [100.0], [SIDE])
    assert ExemplarFinder(KnowsTheDiscs()).find(flat, concept) == []


def test_prompts_keep_their_distance_and_begin_with_the_most_alike():
    likeness = np.zeros((20, 30), np.float32)
    likeness[3:6, 4:7], likeness[11:14, 19:22] = 1.0, 0.8
    places = seeds(likeness, side=10, most=50)
    assert np.abs(places[0] - [5.5, 4.5]).max() <= 1
    apart = np.hypot(*(places[:, None] - places[None]).transpose(2, 0, 1))
    assert apart[~np.eye(len(places), dtype=bool)].min() > 4


def test_many_examples_are_stood_for_by_a_few():
    random = np.random.default_rng(0)
    kinds = np.eye(3, dtype=np.float32)
    many = kinds[random.integers(3, size=200)] + 0.01 * random.normal(size=(200, 3)).astype(np.float32)
    few = prototypes(many)
    assert len(few) <= 8
    assert (few @ kinds.T).max(axis=0).min() > 0.99
    assert np.array_equal(prototypes(many), few)
