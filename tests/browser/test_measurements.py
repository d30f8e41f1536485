"""Sizes of masks on the page: in pixels, in micrometres once a lead tells the scale, and as a file."""

from __future__ import annotations

import csv
import io
import uuid
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import expect

from modelzoo import rle

MEASURED_MS = 120_000


@pytest.fixture
def square(editor):
    """A mask of 40 by 50 pixels named "tile" on the cat, whose scale is forgotten afterwards."""
    array = np.zeros((editor.image["height"], editor.image["width"]), bool)
    array[100:150, 200:240] = True
    editor.put(str(uuid.uuid4()), segmentation=dict(rle.encode(array)), category="tile")
    yield editor
    body = {"pixel_size": None}
    editor.page.request.patch(f"/api/images/{editor.image['id']}/", data=body, headers=editor._csrf())


def test_a_mask_is_measured_scaled_and_downloaded(square, complaints):
    page = square.page
    page.goto("/datasets/1/objects")
    line = page.get_by_role("row").filter(has=page.get_by_role("link", name="tile"))
    expect(line).to_contain_text("2,000", timeout=MEASURED_MS)
    expect(line).to_contain_text("220.0, 125.0")
    line.get_by_role("button", name=square.image["file_name"]).click()
    page.get_by_label("Side of a pixel of this image").fill("0,5")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_text("side of a pixel: 0.5 µm", exact=False)).to_be_visible()
    with page.expect_download() as waiting:
        page.get_by_role("link", name="CSV").click()
    told = list(csv.DictReader(io.StringIO(Path(waiting.value.path()).read_text("utf-8-sig"))))
    [row] = [one for one in told if one["category"] == "tile"]
    assert (float(row["area_px"]), float(row["pixel_size_m"])) == (2000, 5e-7)
    page.get_by_label("Quantity").select_option("area")
    with page.expect_download() as waiting:
        page.get_by_role("button", name="as CSV").click()
    bars = list(csv.reader(io.StringIO(Path(waiting.value.path()).read_text("utf-8"))))[1:]
    assert [[float(cell) for cell in bar] for bar in bars], "numbers, not their looks on the page"
    assert complaints == []
