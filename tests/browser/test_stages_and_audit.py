"""A lead sets a target and moves a dataset; people audit what others made; the page shows the figures."""

from __future__ import annotations

import uuid
from typing import Any

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from modelzoo import rle
from tests.browser.editor import READY_MS, Editor


def disc(image: dict[str, Any], x: float) -> dict[str, Any]:
    rows, columns = np.mgrid[: image["height"], : image["width"]]
    inside = (columns - x * image["width"]) ** 2 + (rows - 0.5 * image["height"]) ** 2 <= (image["height"] * 0.1) ** 2
    return dict(rle.encode(inside))


@pytest.fixture
def made_by_rae(sign_in):
    """Two masks on the coffee cup, submitted by somebody else."""
    editor = Editor(sign_in("rae"), "coffee.png")
    editor.clear()
    task = editor.post(f"/api/images/{editor.image['id']}/task/")
    for place in (0.3, 0.7):
        editor.put(str(uuid.uuid4()), segmentation=disc(editor.image, place), task=task["id"])
    editor.post(f"/api/tasks/{task['id']}/submit/", {"lease": task["lease"], "seconds": 9, "answer": "done"})
    yield editor
    editor.clear()


def test_a_target_is_set_and_a_move_is_written_down(page: Page):
    page.goto("/datasets/1/stages")
    masks = page.get_by_label("Target for masks").first
    masks.fill("250")
    masks.press("Enter")
    page.reload()
    expect(page.get_by_label("Target for masks").first).to_have_value("250")
    expect(page.get_by_text("2 of 2 conditions not met yet.")).to_be_visible()
    page.get_by_role("listitem").filter(has_text="Semi-automatic").get_by_role("button", name="Move here").click()
    page.get_by_label("Why").fill("To see it")
    page.get_by_role("button", name="Move now").click()
    moves = page.get_by_label("Moves between stages")
    expect(moves).to_contain_text("assisted → semi-automatic")
    expect(moves).to_contain_text("To see it")
    page.get_by_role("listitem").filter(has_text="Assisted").get_by_role("button", name="Move here").click()
    page.get_by_role("button", name="Move now").click()
    expect(moves).to_contain_text("semi-automatic → assisted")


def test_an_audit_from_the_sample_to_the_figures(page: Page, made_by_rae: Editor, complaints: list[str]):
    page.goto("/datasets/1/quality")
    page.get_by_label("Masks").select_option("accepted")
    page.get_by_label("Images", exact=True).fill("1")
    page.get_by_role("button", name="Draw the sample").click()
    page.get_by_role("link", name="Correct the next image").click()
    expect(page.get_by_text("Audit: correct every mask")).to_be_visible(timeout=READY_MS)
    page.get_by_role("button", name="Submit and next").click()
    expect(page.get_by_text("Nothing left to audit for you")).to_be_visible()
    page.get_by_role("link", name="To the dataset").click()
    audit = page.get_by_label("Latest audit")
    expect(audit).to_contain_text("2 masks on 1 image: 2 kept, 0 corrected, 0 deleted.")
    expect(audit).to_contain_text("100 %")
    assert complaints == []
