"""The whole flow without a mouse, and keys of one's own."""

from __future__ import annotations

import numpy as np
import pytest
from playwright.sync_api import expect

from modelzoo import rle


@pytest.fixture
def keys(editor):
    """The editor with the picture focused; the crosshair appears in the middle with the first arrow."""
    editor.page.locator("canvas[data-layer=overlay]").focus()
    editor.press("ArrowRight")
    return editor


def walk(editor, right: int = 0, down: int = 0) -> None:
    """Small steps of the crosshair, large ones where they fit."""
    for steps, positive, negative in ((right, "ArrowRight", "ArrowLeft"), (down, "ArrowDown", "ArrowUp")):
        key = positive if steps > 0 else negative
        large, small = divmod(abs(steps), 8)
        editor.press(*[f"Shift+{key}"] * large, *[key] * small)


def said(editor):
    return editor.page.locator(".stage p.sr-only[aria-live=polite]")


def test_click_choose_refine_accept_and_submit(keys):
    editor = keys
    editor.press("Space")
    editor.answered()
    expect(said(editor)).to_contain_text("3 candidates")
    editor.press("1")
    assert editor.chosen() == 0
    walk(editor, right=4)
    expect(said(editor)).to_contain_text("across")
    editor.press("Shift+Space")
    editor.answered()
    editor.press("Enter")
    expect(editor.rows).to_have_count(1)
    editor.saved()
    (mask,) = editor.masks()
    first, second = mask["prompts"]
    assert (first["label"], second["label"]) == (1, 0)
    assert second["x"] > first["x"]
    assert second["y"] == first["y"]
    editor.press("Control+Enter")
    editor.page.wait_for_url(lambda url: not url.endswith(f"/images/{editor.image['id']}"))


def test_box(keys):
    editor = keys
    editor.press("r", "Space")
    walk(editor, right=16, down=8)
    editor.press("Space")
    editor.answered()
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    (box,) = mask["prompts"]
    assert box["type"] == "box"
    assert box["x1"] - box["x0"] > box["y1"] - box["y0"] > 10


def test_scribble(keys):
    editor = keys
    editor.press("s", "Space")
    walk(editor, right=24)
    editor.press("Space")
    editor.answered()
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    assert [prompt["type"] for prompt in mask["prompts"]].count("point") >= 2
    assert {prompt["label"] for prompt in mask["prompts"]} == {1}


def test_brush_and_eraser(keys):
    editor = keys
    editor.press("b", "Space")
    walk(editor, right=24)
    expect(said(editor)).to_contain_text("Held down")
    editor.press("Space")
    expect(editor.page.get_by_text("Painted mask")).to_be_visible()
    editor.press("e", "[", "[", "[")
    walk(editor, right=-16)
    editor.press("Space", "Space", "Enter")
    editor.saved()
    (mask,) = editor.masks()
    assert mask["edits"] == 2
    pixels = rle.decode(mask["segmentation"])
    row = pixels[int(np.median(np.nonzero(pixels)[0]))]
    inside = row[np.nonzero(row)[0][0] : np.nonzero(row)[0][-1]]
    assert not inside.all()  # the eraser's dot lies within the brush's line


def test_a_mouse_that_takes_over_does_not_paint_on(keys):
    editor = keys
    editor.press("b", "Space")
    walk(editor, right=24)
    expect(said(editor)).to_contain_text("Held down")
    editor.page.mouse.move(*editor.at(5, 5))
    expect(editor.page.get_by_text("Painted mask")).to_be_visible()
    editor.page.mouse.move(*editor.at(9, 9))
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    assert mask["edits"] == 1
    pixels = rle.decode(mask["segmentation"])
    assert pixels.any()
    assert not pixels[:12, :12].any()


@pytest.mark.parametrize(("tool", "source"), [("p", "hand"), ("l", "model")])
def test_polygon_and_lasso(keys, tool, source):
    editor = keys
    editor.press(tool)
    for right, down in ((0, 0), (16, 0), (0, 16), (8, 8), (-16, 0)):
        walk(editor, right=right, down=down)
        editor.press("Space")
    editor.press("Backspace", "Enter")
    editor.page.locator(".strip[aria-busy=false]").get_by_role("button", name="Accept").wait_for()
    editor.press("Enter")
    editor.saved()
    assert editor.masks()[0]["source"] == source


def test_select_work_on_the_whole_mask_delete_and_undo(keys):
    editor = keys
    editor.press("b", "]", "]", "Space", "Space", "Enter", "v", "Space")
    expect(editor.page.locator(".mask-row--selected")).to_have_count(1)
    editor.press(">")
    editor.press("Delete")
    expect(editor.rows).to_have_count(0)
    editor.press("Control+z")
    expect(editor.rows).to_have_count(1)
    editor.saved()
    assert len(editor.masks()) == 1


def test_no_key_of_the_picture_keeps_anybody_from_leaving_it(keys):
    editor = keys
    editor.press("Space")
    editor.answered()
    editor.press("Tab")  # the next candidate
    focused = "document.activeElement.closest('.editor__top, .editor__rail, .strip, .editor__side')?.className"
    places = set()
    for _ in range(5):
        editor.press("F6")
        places.add(editor.page.evaluate(focused))
    assert {"editor__top", "editor__rail", "strip"} <= places


def test_a_key_is_changed_a_conflict_is_shown_and_all_is_undone(editor):
    page = editor.page
    editor.press("Control+,")
    page.get_by_role("tab", name="Keys").click()
    page.get_by_role("button", name="Add a key to “Brush”").click()
    page.keyboard.press("Alt+j")
    page.get_by_role("button", name="Add a key to “Eraser”").click()
    page.keyboard.press("Alt+j")
    expect(page.get_by_role("alert")).to_contain_text("is “Brush”")
    page.get_by_role("button", name="Leave it").click()
    page.keyboard.press("Escape")
    brush = page.get_by_role("button", name="Brush", exact=True)
    editor.press("Alt+j")
    expect(brush).to_have_attribute("aria-pressed", "true")
    page.reload()
    editor.ready()
    editor.press("Alt+j")
    expect(brush).to_have_attribute("aria-pressed", "true")
    editor.press("Control+,")
    page.get_by_role("tab", name="Keys").click()
    page.get_by_role("button", name="Undo all my changes").click()
    page.keyboard.press("Escape")
    editor.press("c", "j")
    expect(brush).to_have_attribute("aria-pressed", "false")


def test_presets_of_other_products(editor):
    page = editor.page
    editor.press("Control+,")
    page.get_by_role("tab", name="Keys").click()
    page.get_by_label("Preset").select_option(label="CVAT")
    page.keyboard.press("Escape")
    editor.press("Shift+Digit2")
    expect(page.get_by_role("button", name="Eraser", exact=True)).to_have_attribute("aria-pressed", "true")
    editor.press("F1")
    expect(page.get_by_role("dialog")).to_contain_text("Shift+2")
