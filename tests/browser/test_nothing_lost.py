"""A dead server, a reload in mid-mask: no accepted mask and no half-made one is lost."""

from __future__ import annotations

import re

from playwright.sync_api import expect

NOSE = (225, 175)
EYE = (155, 105)
FULL_DISK = """() => {
  IDBObjectStore.prototype.add = () => { throw new DOMException("full", "QuotaExceededError"); };
}"""


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
        editor.click(*EYE)  # the model is here in the browser: work goes on
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


def test_a_painted_mask_survives_a_page_that_dies_in_mid_work(editor):
    editor.press("b", "]", "]", "]")
    editor.drag((200, 100), (240, 100), (240, 130))
    editor.page.locator(".strip").get_by_text("Painted mask").wait_for()
    context = editor.page.context
    editor.page.close(run_before_unload=False)  # no farewell: what is on disk is all there is
    editor.page = context.new_page()
    editor.open()
    editor.page.locator(".strip").get_by_text("Painted mask").wait_for()
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    assert mask["source"] == "hand"
    assert mask["edits"] == 1


def test_the_server_dies_in_mid_work_and_comes_back_and_nothing_is_lost(editor, site):
    """Accept, correct, delete and a half-made mask, across the death of the server and a reload at the worst moment."""
    editor.click(*NOSE)
    editor.press("Enter")
    editor.saved()
    site.stop_web()
    try:
        expect(editor.page.locator(".stage__banner")).to_contain_text("Offline")
        editor.click(*EYE)
        editor.press("Enter")
        editor.rows.first.locator(".mask-row__main").click()
        editor.page.locator(".side__detail").get_by_label("Category").fill("eye")
        editor.press("Enter")
        editor.rows.last.locator(".mask-row__main").click()
        editor.page.locator("canvas[data-layer=overlay]").focus()
        editor.press("Delete")
        expect(editor.page.locator(".side__foot")).to_contain_text("Offline, 3 waiting")
        editor.click(300, 60)
    finally:
        site.start_web()
    editor.page.reload()
    editor.answered()  # the half-made mask is back
    expect(editor.rows).to_have_count(1)
    editor.saved()
    (kept,) = editor.masks()
    assert kept["category"] == "eye"


def test_a_full_disk_loses_nothing_while_the_page_is_open_and_signing_out_is_asked(editor, site):
    editor.page.evaluate(FULL_DISK)
    site.stop_web()
    try:
        editor.click(*NOSE)
        editor.press("Enter")
        expect(editor.page.locator(".side__foot")).to_contain_text("Offline, 1 waiting, kept only in this page")
        expect(editor.page.locator(".stage__banner")).to_contain_text("Keep this page open")
        editor.page.get_by_role("link", name=re.compile("^Back to ")).click()
        editor.page.locator(".header").get_by_role("button").last.click()
        editor.page.get_by_role("menuitem", name="Sign out").click()
        dialog = editor.page.get_by_role("dialog", name="Sign out and lose work?")
        dialog.get_by_role("button", name="Stay signed in").click()
    finally:
        site.start_web()
    editor.page.locator(".header").get_by_text("waiting").wait_for(state="detached")  # sent, without a reload
    assert len(editor.masks()) == 1
