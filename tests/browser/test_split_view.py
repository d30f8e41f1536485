"""The image divided by a line: masks as first made on its left, as they are now on its right."""

from __future__ import annotations

import uuid

import numpy as np
import pytest
from playwright.sync_api import expect

from modelzoo import rle
from tests.browser.editor import Editor, until

FIRST, NOW = (150, 120), (560, 180)  # centres of the two versions, image pixels, on either side of the middle


def disc(image: dict, centre: tuple[int, int]) -> dict:
    y, x = np.mgrid[: image["height"], : image["width"]]
    return dict(rle.encode((x - centre[0]) ** 2 + (y - centre[1]) ** 2 < 30**2))


@pytest.fixture
def corrected(page):
    """A mask that was moved to another place, on a picture of its own.

    The first versions of other tests' masks, also of deleted ones, would be shown beside it.
    """
    editor = Editor(page, "motorcycle.png")
    before, after = str(uuid.uuid4()), str(uuid.uuid4())
    editor.put(before, segmentation=disc(editor.image, FIRST))
    editor.put(after, segmentation=disc(editor.image, NOW), parent=before)
    editor.open()
    yield editor
    editor.page.goto("/")  # gives the image back
    editor.clear()


def painted(editor, place: tuple[int, int]) -> bool:
    """Whether the layer of masks has colour at an image point."""
    canvas = editor.page.locator("canvas[data-layer=masks]")
    box = canvas.bounding_box()
    x, y = editor.at(*place)
    return bool(
        canvas.evaluate(
            "(one, [x, y]) => one.getContext('2d').getImageData(x * one.width, y * one.height, 1, 1).data[3] > 0",
            [(x - box["x"]) / box["width"], (y - box["y"]) / box["height"]],
        )
    )


def wait_painted(editor, first: bool, now: bool) -> None:
    until(editor.page, lambda: (painted(editor, FIRST), painted(editor, NOW)), lambda seen: seen == (first, now))


def test_the_line_moves_by_keys_and_by_drag_between_first_and_now(corrected):
    editor = corrected
    wait_painted(editor, first=False, now=True)
    editor.press("Shift+B")
    line = editor.page.get_by_role("separator", name="Masks as first made")
    expect(line).to_be_focused()
    wait_painted(editor, first=True, now=True)  # in the middle: each on its side
    editor.press("Home")
    wait_painted(editor, first=False, now=True)
    editor.press("End")
    wait_painted(editor, first=True, now=False)
    editor.press("Shift+ArrowLeft")  # off the edge, to be got hold of
    x, y = editor.at(editor.image["width"] / 2, 20)
    box = line.bounding_box()
    editor.page.mouse.move(box["x"] + box["width"] / 2, y)
    editor.page.mouse.down()
    editor.page.mouse.move(x, y, steps=4)
    editor.page.mouse.up()
    expect(line).to_have_attribute("aria-valuenow", "50")
    wait_painted(editor, first=True, now=True)
    editor.press("Escape")
    expect(line).to_have_count(0)
    wait_painted(editor, first=False, now=True)
    assert len(editor.masks()) == 1  # looking changes nothing
