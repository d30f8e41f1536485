"""A new annotator begins with a gold picture, is told how close they came, and is passed by a lead."""

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
def gold(page: Page):
    """Two masks on the coffee cup, which is not gold yet."""
    editor = Editor(page, "coffee.png")
    editor.clear()
    for place in (0.3, 0.7):
        editor.put(str(uuid.uuid4()), segmentation=disc(editor.image, place))
    yield editor
    editor.clear()
    headers = editor._csrf()
    page.request.patch("/api/datasets/1/", data={"training_images": 0}, headers=headers)
    page.request.patch(f"/api/images/{editor.image['id']}/", data={"gold": False}, headers=headers)


def test_gold_first_then_the_leads_word(page: Page, gold: Editor, sign_in):
    page.goto("/datasets/1/stages")
    pictures = page.get_by_label("Training pictures for new annotators")
    pictures.fill("1")
    pictures.press("Enter")
    expect(page.get_by_text("No gold picture with masks yet")).to_be_visible()
    page.goto("/datasets/1")
    page.get_by_role("button", name="Make coffee.png gold").click()
    expect(page.get_by_role("button", name="coffee.png is gold")).to_be_visible()

    tom = sign_in("tom")
    tom.goto("/datasets/1/label")
    expect(tom.get_by_text("Training: mask every object.")).to_be_visible(timeout=READY_MS)
    expect(tom.get_by_text("Mask 1")).to_have_count(0)
    trainee = Editor(tom, "coffee.png")
    task = trainee.get(f"/api/images/{gold.image['id']}/changes/")["task"]
    trainee.put(str(uuid.uuid4()), segmentation=disc(gold.image, 0.3), task=task["id"])
    expect(tom.get_by_text("Mask 1")).to_be_visible()
    tom.get_by_role("button", name="Submit and next").click()
    expect(tom.get_by_text("Mean IoU 0.50")).to_be_visible()
    expect(tom.get_by_text("1 object missed: each counts as 0.")).to_be_visible()
    tom.get_by_role("link", name="Next picture").click()
    expect(tom.get_by_role("heading", name="You have done the training pictures")).to_be_visible()

    page.goto("/datasets/1/people")
    row = page.get_by_role("row").filter(has_text="tom")
    expect(row).to_contain_text("in training: 1 of 1 pictures, mean IoU 0.50")
    row.get_by_role("button", name="Pass").click()
    expect(row).to_contain_text("training passed")
    tom.goto("/datasets/1/label")
    tom.locator(".editor").wait_for()
