"""Every tool by mouse: scribble, lasso, polygon, brush lines, work on whole masks, segment everything."""

from __future__ import annotations

import json

import numpy as np
import pytest
from playwright.sync_api import expect

from modelzoo import rle

NOSE = (225, 175)
SQUARE = ((60, 60), (160, 60), (160, 160), (60, 160))
INNER = ((90, 90), (130, 90), (130, 130), (90, 130))


def outline(editor, points, button="left"):
    """Click corners, then Enter."""
    for at, point in enumerate(points):
        editor.page.mouse.click(*editor.at(*point), button=button if at == 0 else "left")
    editor.press("Enter")


def drawn(editor, points=SQUARE):
    """A polygon, accepted; its mask as the server has it."""
    editor.press("p")
    outline(editor, points)
    editor.press("Enter")
    editor.saved()
    return editor.masks()[-1]


def pixels(mask):
    return rle.decode(mask["segmentation"])


def test_a_scribble_adds_and_a_right_scribble_removes(editor):
    editor.press("s")
    editor.drag((190, 150), (225, 175), (260, 200))
    editor.answered()
    page = editor.page
    page.mouse.move(*editor.at(100, 60))
    page.mouse.down(button="right")
    page.mouse.move(*editor.at(140, 60), steps=4)
    page.mouse.up(button="right")
    editor.answered()
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    labels = [prompt["label"] for prompt in mask["prompts"]]
    assert labels == sorted(labels, reverse=True)
    assert labels.count(1) >= 2
    assert labels.count(0) >= 1
    assert mask["source"] == "model"


def test_a_lasso_is_a_rough_mask_for_the_model(editor):
    editor.press("l")
    editor.drag((120, 80), (150, 70), (190, 85), (200, 110), (180, 140), (140, 140), (115, 110))
    editor.answered()
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    assert [prompt["type"] for prompt in mask["prompts"]] == ["mask"]
    assert mask["source"] == "model"
    assert pixels(mask)[110, 155]


def test_what_was_painted_goes_to_the_model_when_asked(editor):
    editor.press("b", "]", "]", "]")
    editor.drag((130, 100), (180, 110))
    editor.press("m")
    editor.answered()
    editor.press("Control+z")
    expect(editor.page.get_by_text("Painted mask")).to_be_visible()
    editor.press("Control+y")
    editor.answered()


def test_a_polygon_with_a_hole_survives_save_reload_and_export(editor, tmp_path):
    page = editor.page
    editor.press("p")
    for point in (*SQUARE, (300, 250)):
        page.mouse.click(*editor.at(*point))
    editor.press("Backspace", "Enter")
    outline(editor, INNER, button="right")
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    expected = np.zeros((editor.image["height"], editor.image["width"]), bool)
    expected[60:160, 60:160] = True
    expected[90:130, 90:130] = False
    # Corners are set in whole screen pixels, not in whole image pixels.
    assert np.count_nonzero(pixels(mask) != expected) < 600
    assert not pixels(mask)[110, 110]
    assert mask["source"] == "hand"

    page.reload()
    expect(editor.rows).to_have_count(1)
    archive = editor.exported()
    document = json.loads(archive.read(next(name for name in archive.namelist() if name.endswith("annotations.json"))))
    (exported,) = [one for one in document["annotations"] if one["anymask"]["id"] == mask["id"]]
    assert np.array_equal(rle.decode(exported["segmentation"]), pixels(mask))


def test_a_double_click_closes_and_a_drawn_outline_closes_itself(editor):
    page = editor.page
    editor.press("p")
    for point in SQUARE[:2]:
        page.mouse.click(*editor.at(*point))
    page.mouse.dblclick(*editor.at(*SQUARE[2]))
    expect(page.get_by_text("Painted mask")).to_be_visible()
    editor.drag(*SQUARE)
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    assert mask["edits"] == 2
    assert abs(np.count_nonzero(pixels(mask)) - 100 * 100) < 500


def test_shift_click_paints_a_line_and_the_wheel_sizes_the_brush(editor):
    page = editor.page
    editor.press("b")
    page.mouse.move(*editor.at(100, 100))
    size = page.locator(".options output")
    before = size.inner_text()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -600)
    expect(size).not_to_have_text(before)
    page.mouse.wheel(0, 600)
    page.keyboard.up("Control")
    expect(size).to_have_text(before)
    page.mouse.click(*editor.at(80, 100))
    page.keyboard.down("Shift")
    page.mouse.click(*editor.at(280, 100))
    page.keyboard.up("Shift")
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    assert pixels(mask)[100, 80:280].all()
    assert mask["edits"] == 2


def test_grow_shrink_smooth_and_fill_each_come_back_with_one_undo(editor):
    mask = drawn(editor)
    editor.press("v")
    editor.page.mouse.click(*editor.at(110, 110))
    area = editor.page.locator(".mask-row__main span").first
    sizes = [area.inner_text()]
    for key in (">", "<", "Shift+S"):
        editor.press(key)
        expect(area).not_to_have_text(sizes[-1])
        sizes.append(area.inner_text())
    for before in reversed(sizes[:-1]):
        editor.press("Control+z")
        expect(area).to_have_text(before)
    editor.saved()
    (current,) = editor.masks()
    assert current["area"] == mask["area"]


def test_a_hole_is_filled_and_islands_go(editor):
    page = editor.page
    editor.press("p")
    outline(editor, SQUARE)
    outline(editor, INNER, button="right")
    outline(editor, ((300, 200), (304, 200), (304, 204), (300, 204)))
    page.get_by_role("button", name="Work on the whole mask").click()
    menu = page.get_by_role("dialog", name="Work on the whole mask")
    menu.get_by_role("button", name="Fill holes").click()
    menu.get_by_role("button", name="Remove islands").click()
    page.keyboard.press("Escape")
    expect(menu).to_have_count(0)
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    assert pixels(mask)[110, 110]
    assert not pixels(mask)[202, 302]


def test_split_and_merge(editor):
    editor.press("p")
    outline(editor, SQUARE)
    outline(editor, ((200, 60), (240, 60), (240, 100), (200, 100)))
    editor.press("Enter", "v")
    page = editor.page
    page.mouse.click(*editor.at(110, 110))
    editor.press("Shift+P")
    expect(editor.rows).to_have_count(2)
    page.mouse.click(*editor.at(110, 110))
    page.keyboard.down("Shift")
    page.mouse.click(*editor.at(220, 80))
    page.keyboard.up("Shift")
    editor.press("Shift+J")
    expect(editor.rows).to_have_count(1)
    editor.press("Control+z")
    expect(editor.rows).to_have_count(2)
    editor.saved()
    assert len(editor.masks()) == 2
    assert not (pixels(editor.masks()[0]) & pixels(editor.masks()[1])).any()


@pytest.mark.parametrize("way", ["by command", "always"])
def test_masks_that_do_not_overlap(editor, way):
    page = editor.page
    drawn(editor)
    if way == "always":
        editor.press("Control+,")
        page.get_by_label("Masks do not overlap").check()
        page.keyboard.press("Escape")
    second = drawn(editor, ((120, 120), (220, 120), (220, 220), (120, 220)))
    if way == "by command":
        editor.press("v")
        page.mouse.click(*editor.at(200, 200))
        editor.press("Shift+X")
        expect(page.get_by_text("Cut out of 1 other mask")).to_be_visible()
        editor.saved()
    one, other = editor.masks()
    assert not (pixels(one) & pixels(other)).any()
    assert second["area"] in (one["area"], other["area"])


@pytest.mark.timeout(600, func_only=True)
def test_segment_everything_and_take_one(editor):
    page = editor.page
    editor.press("g")
    page.get_by_role("button", name="Again").wait_for(timeout=400_000)
    page.get_by_label("Sure by").fill("0.2")
    for x, y in [(x, y) for y in range(40, 300, 50) for x in range(40, 440, 50)]:
        page.mouse.click(*editor.at(x, y))
        if editor.rows.count() > 0:
            break
    expect(editor.rows).to_have_count(1)
    editor.saved()
    (mask,) = editor.masks()
    assert mask["source"] == "model"
    assert mask["prompts"][0]["type"] == "point"
    assert mask["predicted_iou"] >= 0.2
    editor.press("Control+z")
    expect(editor.rows).to_have_count(0)
