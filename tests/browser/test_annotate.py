"""Click, choose, accept; box, negative click, brush; undo and redo; reload keeps."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from modelzoo import rle

EYE, NOSE = (155, 105), (225, 175)


def test_click_choose_accept_reload(editor, complaints):
    editor.click(*NOSE)
    expect(editor.candidates).to_have_count(3)
    editor.press("2")
    assert editor.chosen() == 1
    editor.press("Tab")
    assert editor.chosen() == 2
    editor.press("Enter")
    expect(editor.rows).to_have_count(1)
    editor.saved()

    (mask,) = editor.masks()
    assert mask["source"] == "model"
    assert mask["chosen"] == 2
    assert len(mask["candidates"]) == 3
    assert mask["prompts"][0] | {"x": 0, "y": 0} == {"type": "point", "x": 0, "y": 0, "label": 1, "fed": None}
    assert abs(mask["prompts"][0]["x"] - NOSE[0]) < 1
    assert mask["model"]
    assert mask["seconds"] > 0

    editor.page.reload()
    expect(editor.rows).to_have_count(1)
    assert complaints == []


def test_a_negative_click_takes_away_what_it_hits(editor):
    editor.click(*NOSE)
    editor.press("3")
    editor.click(NOSE[0] + 12, NOSE[1] - 18, button="right")
    expect(editor.candidates).to_have_count(4)  # the single mask first, then the three readings
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    assert [prompt["label"] for prompt in mask["prompts"]] == [1, 0]
    assert mask["prompts"][1]["fed"] in (1, 2, 3)


def test_alt_click_is_a_negative_click(editor):
    editor.click(*NOSE)
    editor.page.keyboard.down("Alt")
    editor.click(NOSE[0] + 12, NOSE[1] - 18)
    editor.page.keyboard.up("Alt")
    editor.press("n")
    editor.saved()
    assert [prompt["label"] for prompt in editor.masks()[0]["prompts"]] == [1, 0]


def test_box_by_drag_and_by_two_clicks(editor):
    editor.press("r")
    editor.drag((110, 70), (160, 110), (200, 140))
    editor.answered()
    editor.press("Enter")
    editor.page.mouse.click(*editor.at(40, 40))
    editor.page.mouse.click(*editor.at(120, 120))
    editor.answered()
    editor.press("Enter")
    editor.saved()
    first, second = (mask["prompts"][0] for mask in editor.masks())
    assert [round(first[key]) for key in ("x0", "y0", "x1", "y1")] == [110, 70, 200, 140]
    assert [round(second[key]) for key in ("x0", "y0", "x1", "y1")] == [40, 40, 120, 120]


def test_undo_and_redo_one_gesture_at_a_time(editor):
    editor.click(*EYE)
    editor.press("Enter")
    editor.click(*NOSE)
    editor.press("Enter")
    expect(editor.rows).to_have_count(2)
    editor.press("Control+z")
    expect(editor.rows).to_have_count(1)
    expect(editor.candidates).to_have_count(3)  # the half-made mask is back
    editor.press("Control+z", "Control+z")
    expect(editor.rows).to_have_count(0)
    editor.saved()
    with editor.page.expect_response(lambda answer: "/changes/" in answer.url):
        pass  # the server has told of what was undone, and it is done again all the same
    editor.press("Control+Shift+z", "Control+y", "Control+y")
    expect(editor.rows).to_have_count(2)
    editor.saved()
    assert len(editor.masks()) == 2
    editor.page.reload()
    expect(editor.rows).to_have_count(2)


def test_delete_and_restore(editor):
    editor.click(*EYE)
    editor.press("Enter")
    editor.press("v")
    x, y = editor.at(*EYE)
    editor.page.mouse.click(x, y)
    editor.press("Delete")
    expect(editor.rows).to_have_count(0)
    editor.saved()
    assert editor.masks() == []
    editor.page.reload()
    editor.ready()
    editor.page.get_by_text("Deleted (").first.click()
    editor.page.get_by_role("button", name="Restore this mask").last.click()
    expect(editor.rows).to_have_count(1)
    editor.saved()
    assert len(editor.masks()) == 1


def test_brush_and_eraser_make_a_hole_that_survives(editor):
    editor.press("b", "]", "]", "]")
    editor.drag((200, 100), (240, 100), (240, 130), (200, 130), (200, 100))
    editor.drag((220, 115), (221, 115))
    editor.press("e", "[", "[", "[", "[", "[", "[")
    editor.drag((219, 115), (221, 115))
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    assert mask["source"] == "hand"
    assert mask["edits"] == 3
    pixels = rle.decode(mask["segmentation"])
    assert not pixels[115, 220]
    assert pixels[100, 220]
    assert pixels[115, 200]


def test_a_correction_supersedes_and_can_be_undone(editor):
    editor.click(*NOSE)
    editor.press("Enter")
    editor.saved()
    before = editor.masks()[0]
    editor.rows.first.locator(".mask-row__main").click()
    editor.page.locator(".side__detail").get_by_label("Category").fill("nose")
    editor.press("Enter")
    expect(editor.rows.first).to_contain_text("nose")
    editor.saved()
    (after,) = editor.masks()
    assert after["parent"] == before["id"]
    assert after["category"] == "nose"
    editor.page.locator("canvas[data-layer=overlay]").focus()
    editor.press("Control+z")
    expect(editor.rows.first).to_contain_text("Mask 1")
    editor.saved()
    (back,) = editor.masks()
    assert back["category"] == ""
    assert back["segmentation"] == before["segmentation"]


def test_submit_opens_the_next_and_counts(editor):
    editor.press("Control+Enter")
    expect(editor.page.get_by_text("There are no masks yet", exact=False)).to_be_visible()
    editor.click(*NOSE)
    editor.press("Enter")
    editor.press("Control+Enter")
    editor.page.wait_for_url(re.compile(rf"/images/(?!{editor.image['id']}$)\d+$"))
    editor.page.locator(".editor").wait_for()
    assert editor.get(f"/api/images/{editor.image['id']}/")["task_state"] == "submitted"
