"""What is measured of masks, in pixels and in units; the table, its figures and the file to take along."""

from __future__ import annotations

import csv
import io
import math

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from skimage import measure as reference

from annotation import jobs  # noqa: F401  binds the functions of the jobs
from annotation.jobkit import run_pending
from annotation.measures import measure
from annotation.models import Image, Mask, Measurement
from modelzoo import rle
from tests.cast import add_image, add_mask, client_of, make_cast


@pytest.fixture
def cast(db):
    return make_cast()


def disc(radius: float, height: int = 120, width: int = 160, x: float = 70, y: float = 60) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width] + 0.5
    return (columns - x) ** 2 + (rows - y) ** 2 <= radius**2


def measured(cast, user=None) -> dict:
    client = client_of(user or cast.vic)
    assert client.post(f"/api/datasets/{cast.dataset.pk}/measurements/figures/").status_code == 202
    run_pending()
    state = client.get(f"/api/datasets/{cast.dataset.pk}/measurements/figures/").json()
    assert state["current"]
    assert not state["measuring"]
    return state


def rows_of(cast, **query) -> list[dict]:
    answer = client_of(cast.vic).get(f"/api/datasets/{cast.dataset.pk}/measurements/", query)
    assert answer.status_code == 200
    return answer.json()["results"]


# --- The measures themselves --------------------------------------------------------------------------------------


@pytest.mark.parametrize("radius", [10, 20, 45])
def test_a_disc_measures_like_a_disc(radius):
    found = measure(rle.encode(disc(radius)))
    assert found.area == pytest.approx(math.pi * radius**2, rel=0.02)
    assert found.perimeter == pytest.approx(2 * math.pi * radius, rel=0.02)
    assert found.length == pytest.approx(2 * radius, rel=0.08)
    assert (found.x, found.y) == pytest.approx((70, 60))


@pytest.mark.parametrize("seed", range(4))
def test_area_perimeter_and_centroid_are_those_of_scikit_image(seed):
    draw = np.random.default_rng(seed)
    inside = np.zeros((80, 90), bool)
    for _ in range(4):
        inside |= disc(draw.uniform(4, 20), 80, 90, draw.uniform(0, 90), draw.uniform(0, 80))
    region = reference.regionprops(inside.astype(np.uint8))[0]
    found = measure(rle.encode(inside))
    assert found.area == region.area
    assert found.perimeter == pytest.approx(region.perimeter_crofton)
    assert (found.y - 0.5, found.x - 0.5) == pytest.approx(region.centroid)
    # Theirs is measured between the pixels' contour, ours between their corners.
    assert found.length == pytest.approx(region.feret_diameter_max, abs=1.5)


def test_the_length_of_a_line_of_pixels_is_its_diagonal():
    inside = np.zeros((20, 30), bool)
    inside[7, 5:15] = True
    found = measure(rle.encode(inside))
    assert found.length == pytest.approx(math.hypot(10, 1))
    assert (found.x, found.y) == (10, 7.5)


# --- Measuring a dataset ------------------------------------------------------------------------------------------


def test_accepted_masks_are_measured_once_and_new_ones_follow(cast):
    image = add_image(cast.dataset, width=160, height=120)
    small, large = add_mask(image, disc(10), category="cell"), add_mask(image, disc(30))
    add_mask(image, disc(20), status="proposed")
    add_mask(image, disc(25), crowd=True)
    state = measured(cast)
    assert state["figures"]["masks"] == 2
    assert {row["mask"] for row in rows_of(cast)} == {str(small.uuid), str(large.uuid)}
    corrected = add_mask(image, disc(12), parent=small)
    Mask.objects.filter(pk=small.pk).update(status="superseded")
    before = Measurement.objects.get(pk=large.pk)
    client = client_of(cast.vic)
    assert not client.get(f"/api/datasets/{cast.dataset.pk}/measurements/figures/").json()["current"]
    assert measured(cast)["figures"]["masks"] == 2
    assert {row["mask"] for row in rows_of(cast)} == {str(corrected.uuid), str(large.uuid)}
    assert Measurement.objects.get(pk=large.pk).perimeter == before.perimeter


def test_figures_are_those_of_the_table(cast):
    image = add_image(cast.dataset, width=160, height=120)
    for radius in (8, 10, 12, 30):
        add_mask(image, disc(radius), category="cell" if radius < 20 else "")
    figures = measured(cast)["figures"]
    areas = [row["pixels"]["area"] for row in rows_of(cast)]
    told = {one["name"]: one for one in figures["quantities"]}["area"]
    assert told["mean"] == pytest.approx(np.mean(areas))
    assert told["deviation"] == pytest.approx(np.std(areas, ddof=1))
    assert (told["least"], told["most"], told["count"]) == (min(areas), max(areas), 4)
    assert told["median"] == pytest.approx(np.median(areas))
    assert sum(told["bars"]) == 4
    assert [(one["name"], one["quantities"][0]["count"]) for one in figures["categories"]] == [("cell", 3), ("", 1)]


def test_a_dataset_without_masks_has_figures_of_nothing(cast):
    figures = measured(cast)["figures"]
    assert (figures["masks"], figures["quantities"], figures["categories"]) == (0, [], [])


def test_lengths_follow_the_image_s_pixels_else_the_dataset_s(cast):
    own, other = (
        add_image(cast.dataset, seed=1, width=160, height=120),
        add_image(cast.dataset, seed=2, width=160, height=120),
    )
    add_mask(own, disc(10))
    add_mask(other, disc(10))
    lead = client_of(cast.ana)
    url = f"/api/datasets/{cast.dataset.pk}/"
    assert lead.patch(url, {"length_unit": "um"}, format="json").json()["length_unit"] == "um"
    assert [row["values"] for row in rows_of(cast)] == []
    state = measured(cast)
    assert (state["figures"]["without_scale"], state["unknown_images"], state["figures"]["quantities"]) == (2, 2, [])
    lead.patch(url, {"pixel_size": 2e-6}, format="json")
    answer = lead.patch(f"/api/images/{own.pk}/", {"pixel_size": 5e-7}, format="json").json()
    assert (answer["pixel_size"], answer["pixel_size_from"]) == (5e-7, "by hand")
    state = measured(cast)
    assert (state["unknown_images"], state["scales"]) == (0, [{"said": "by hand", "images": 1}])
    first, second = rows_of(cast)
    assert first["values"]["length"] == pytest.approx(first["pixels"]["length"] * 0.5)
    assert first["values"]["area"] == pytest.approx(first["pixels"]["area"] * 0.25)
    assert second["values"]["perimeter"] == pytest.approx(second["pixels"]["perimeter"] * 2)
    lead.patch(f"/api/images/{own.pk}/", {"pixel_size": None}, format="json")
    assert Image.objects.get(pk=own.pk).pixel_size_from == ""


@pytest.mark.parametrize("value", [0, -1, "1", True, 1e9, [1]])
def test_a_pixel_size_that_is_none_is_refused(cast, value):
    answer = client_of(cast.ana).patch(f"/api/datasets/{cast.dataset.pk}/", {"pixel_size": value}, format="json")
    assert answer.status_code == 400


def test_the_table_is_for_one_image_or_one_category(cast):
    first, second = (
        add_image(cast.dataset, seed=1, width=160, height=120),
        add_image(cast.dataset, seed=2, width=160, height=120),
    )
    add_mask(first, disc(9), category="cell")
    add_mask(second, disc(9))
    measured(cast)
    assert [row["image"] for row in rows_of(cast, image=second.pk)] == [second.pk]
    assert [row["category"] for row in rows_of(cast, category="cell")] == ["cell"]
    assert [row["image"] for row in rows_of(cast, category="")] == [second.pk]
    client = client_of(cast.vic)
    for query in ({"image": "x"}, {"image": "9" * 40}, {"category": "a\x00"}):
        assert client.get(f"/api/datasets/{cast.dataset.pk}/measurements/", query).status_code == 400


def test_the_file_holds_every_row_in_pixels_and_in_the_unit(cast):
    image = add_image(cast.dataset, width=160, height=120)
    Image.objects.update(file_name='=cmd(), "x".jpg', pixel_size=1e-3)
    cast.dataset.length_unit = "mm"
    cast.dataset.save()
    mask = add_mask(image, disc(10), category="cell")
    add_mask(image, disc(20), category="stone")
    measured(cast)
    answer = client_of(cast.vic).get(f"/api/datasets/{cast.dataset.pk}/measurements/csv/", {"category": "cell"})
    assert answer["Content-Type"].startswith("text/csv")
    (row,) = csv.DictReader(io.StringIO(b"".join(answer.streaming_content).decode()))
    assert row["mask"] == str(mask.uuid)
    assert row["file_name"].startswith("'=cmd()")
    assert float(row["area_px"]) == mask.area
    assert float(row["area"]) == pytest.approx(mask.area)
    assert (row["unit"], row["pixel_size_m"]) == ("mm", "0.001")
    assert (float(row["centroid_x_px"]), float(row["centroid_y_px"])) == pytest.approx((70, 60))


def test_a_page_of_thirty_rows_costs_as_many_queries_as_one_of_three(cast):
    image = add_image(cast.dataset, width=160, height=120)
    for radius in range(5, 8):
        add_mask(image, disc(radius))
    measured(cast)

    def cost(address: str) -> int:
        with CaptureQueriesContext(connection) as queries:
            answer = client_of(cast.vic).get(f"/api/datasets/{cast.dataset.pk}/measurements/{address}")
            if answer.streaming:
                b"".join(answer.streaming_content)
        return len(queries)

    few = [cost(address) for address in ("", "figures/", "csv/")]
    for seed in range(27):
        add_mask(add_image(cast.dataset, seed=seed + 50, width=160, height=120), disc(9))
    measured(cast)
    assert [cost(address) for address in ("", "figures/", "csv/")] == few
