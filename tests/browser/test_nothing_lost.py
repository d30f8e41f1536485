"""A dead server, a reload in mid-mask: no accepted mask and no half-made one is lost."""

from __future__ import annotations

from playwright.sync_api import expect

NOSE = (225, 175)


def test_a_half_made_mask_survives_a_reload(editor):
    editor.click(*NOSE)
    editor.press("1")
    editor.click(NOSE[0] + 15, NOSE[1] + 5)
    before = editor.page.locator(".candidate").all_inner_texts()
    editor.page.reload()
    editor.answered()
    assert editor.page.locator(".candidate").all_inner_texts() == before


def test_masks_accepted_while_the_server_is_dead_arrive_when_it_is_back(editor, site):
    editor.click(*NOSE)
    site.stop_web()
    try:
        editor.press("Enter")
        expect(editor.page.locator(".side__foot")).to_contain_text("Offline, 1 waiting")
        editor.click(155, 105)  # the model is here in the browser: work goes on
        editor.press("Enter")
        expect(editor.page.locator(".side__foot")).to_contain_text("2 waiting")
    finally:
        site.start_web()
    editor.saved()
    assert len(editor.masks()) == 2


def test_a_reload_sends_what_waited(editor, site):
    site.stop_web()
    try:
        editor.click(*NOSE)
        editor.press("Enter")
        expect(editor.page.locator(".side__foot")).to_contain_text("1 waiting")
    finally:
        site.start_web()
    editor.page.reload()
    expect(editor.rows).to_have_count(1)
    editor.saved()
    assert len(editor.masks()) == 1


def test_a_mask_that_somebody_corrected_meanwhile_is_shown_as_a_conflict(editor):
    editor.click(*NOSE)
    editor.press("Enter")
    editor.saved()
    (mine,) = editor.masks()
    theirs = "11111111-2222-4333-8444-555555555555"
    body = {"image": mine["image"], "segmentation": mine["segmentation"], "source": "hand", "parent": mine["id"]}
    answer = editor.page.request.put(f"/api/masks/{theirs}/", data=body, headers=editor._csrf())
    assert answer.status == 201
    editor.rows.first.locator(".mask-row__main").click()
    editor.page.locator(".side__detail").get_by_role("textbox").fill("nose")
    editor.press("Enter")
    editor.page.get_by_role("button", name="1 mask needs you").click()
    dialog = editor.page.get_by_role("dialog")
    expect(dialog).to_contain_text("Somebody corrected this mask meanwhile")
    dialog.get_by_role("button", name="Keep my version").click()
    dialog.get_by_role("button", name="Done").click()
    editor.saved()
    (current,) = editor.masks()
    assert current["category"] == "nose"
    assert current["parent"] == theirs
