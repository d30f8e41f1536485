"""Statistics: the figures of SA-1B are right, counted by a job, and the datasheet tells them."""

from __future__ import annotations

import numpy as np
import pytest

from annotation import jobkit, jobs  # noqa: F401  what a worker imports
from annotation.models import Dataset, Job
from annotation.services.statistics import concavity_of
from modelzoo import rle
from tests.cast import add_image, add_mask


def shape(*boxes: tuple[int, int, int, int], size=(40, 60)) -> np.ndarray:
    array = np.zeros(size, bool)
    for x, y, width, height in boxes:
        array[y : y + height, x : x + width] = True
    return array


@pytest.fixture
def page(cast, as_):
    """`page()` asks and counts, `page(count=False)` only looks."""

    def look(count: bool = True):
        client, url = as_(cast.vic), f"/api/datasets/{cast.dataset.pk}/statistics/"
        if count:
            assert client.post(url).status_code == 202
            jobkit.run_pending(dataset=cast.dataset)
        return client.get(url).json()

    return look


def test_before_the_first_count_there_is_nothing_but_the_offer(page):
    assert page(count=False) == {"figures": None, "counted_at": None, "current": False, "counting": False}


def test_an_empty_dataset_can_be_counted(page):
    figures = page()["figures"]
    assert (figures["images"], figures["masks"], figures["concavity_masks"]) == (0, 0, 0)


def test_the_four_figures(page, cast):
    first, second = add_image(cast.dataset, seed=1), add_image(cast.dataset, seed=2, width=120, height=80)
    add_image(cast.dataset, seed=3)
    add_mask(first, shape((0, 0, 30, 20)), category="plum")  # a quarter of the image, centre at a quarter
    add_mask(first, shape((40, 0, 20, 40)), status="proposed")
    for x in range(6):
        add_mask(second, shape((x * 20, 40, 12, 20), size=(80, 120)), source="model")
    answer = page()
    figures = answer["figures"]
    assert answer["current"]
    assert (figures["images"], figures["masks"]) == (3, 7)
    centres = np.array(figures["centres"])
    assert centres.sum() == 7
    assert centres[8, 8] == 1
    assert {row["name"]: row["images"] for row in figures["masks_per_image"] if row["images"]} == {
        "0": 1,
        "1 to 5": 1,
        "6 to 10": 1,
    }
    sizes = figures["relative_sizes"]
    assert sizes[10] == 1, "the root of a quarter is a half"
    assert sum(sizes) == 7
    assert figures["concavity"][0] == 7, "boxes are convex"
    assert figures["categories"][:2] == [{"name": "", "count": 6}, {"name": "plum", "count": 1}]
    assert {row["name"]: row["count"] for row in figures["sources"]} == {"model": 6, "hand": 1}
    assert figures["sizes"][0] == {"width": 60, "height": 40, "images": 2}


@pytest.mark.parametrize(
    ("array", "expected"),
    [
        (shape((5, 5, 20, 10)), 0.0),
        (shape((5, 5, 1, 1)), 0.0),
        (shape((0, 0, 60, 40)), 0.0),
        (shape((5, 5, 30, 10), (5, 5, 10, 30)), 1 - 500 / 700),  # an L: its hull cuts the corner off a 30 x 30 square
        (shape((0, 0, 10, 10), (50, 0, 10, 10)), 1 - 200 / 600),  # two parts have one hull
    ],
)
def test_concavity_is_what_the_hull_of_pixels_says(array, expected):
    assert concavity_of(rle.encode(array)) == pytest.approx(expected)


def test_concavity_agrees_with_the_hull_of_a_drawn_mask():
    from scipy.spatial import ConvexHull

    random = np.random.default_rng(3)
    for _ in range(20):
        array = random.random((30, 50)) < 0.02
        rows, columns = np.nonzero(array)
        corners = np.concatenate([np.stack([columns + dx, rows + dy], 1) for dx in (0, 1) for dy in (0, 1)])
        expected = 1 - len(rows) / ConvexHull(corners).volume
        assert concavity_of(rle.encode(array)) == pytest.approx(expected)
    assert concavity_of(rle.encode(np.zeros((5, 5), bool))) is None


def test_what_changed_is_counted_again_and_what_did_not_is_not(page, cast):
    image = add_image(cast.dataset)
    page()
    assert Job.objects.count() == 1
    page()
    assert Job.objects.count() == 1
    add_mask(image)
    assert not page(count=False)["current"]
    assert page()["figures"]["masks"] == 1


def test_the_datasheet_has_the_headings_and_what_is_known(page, cast, as_):
    Dataset.objects.update(name="Fruit <script>|x", licence="CC BY 4.0", description="Apples *and* pears")
    add_mask(add_image(cast.dataset), category="a | b")
    page()
    answer = as_(cast.vic).get(f"/api/datasets/{cast.dataset.pk}/datasheet/")
    text = answer.content.decode()
    assert answer["Content-Type"].startswith("text/markdown")
    for heading in ("Motivation", "Composition", "Collection process", "Preprocessing", "Uses", "Distribution"):
        assert f"## {heading}" in text
    assert "1 images with 1 masks." in text
    assert "CC BY 4.0" in text
    assert "<script>" not in text
    assert "| a \\| b | 1 |" in text


def test_a_datasheet_without_a_count_says_so(cast, as_):
    text = as_(cast.vic).get(f"/api/datasets/{cast.dataset.pk}/datasheet/").content.decode()
    assert "Figures have not been counted yet." in text
