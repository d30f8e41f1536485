"""A sign-in that runs out, here or in another tab: nobody is thrown out, and everybody's work stays their own."""

from __future__ import annotations

from playwright.sync_api import expect

NOSE = (225, 175)
EYE = (155, 105)


def test_an_expired_session_keeps_what_waits_and_brings_it_back_after_signing_in(editor):
    editor.click(*NOSE)
    editor.press("Enter")
    editor.saved()
    editor.page.context.clear_cookies(name="sessionid")  # as if it had run out
    banner = editor.page.locator(".stage__banner")
    expect(banner).to_contain_text("You are signed out. What you make is kept here.")
    editor.click(*EYE)  # nobody is thrown out of the image: work goes on
    editor.press("Enter")
    editor.page.get_by_role("link", name="Signed out, 1 waiting: sign in again").wait_for()
    banner.get_by_role("link", name="Sign in again").click()
    editor.page.get_by_role("button", name="Use the demo account").click()
    editor.ready()
    assert editor.page.url.endswith(f"/images/{editor.image['id']}")
    editor.saved()
    assert len(editor.masks()) == 2


def test_signing_in_again_in_another_tab_lets_work_go_on_with_its_undo(editor):
    editor.click(*NOSE)
    editor.press("Enter")
    editor.saved()
    context = editor.page.context
    (session,) = [cookie for cookie in context.cookies() if cookie["name"] == "sessionid"]
    context.clear_cookies(name="sessionid")
    banner = editor.page.locator(".stage__banner")
    expect(banner).to_contain_text("You are signed out")
    editor.click(*EYE)
    editor.press("Enter")
    editor.page.get_by_role("link", name="Signed out, 1 waiting: sign in again").wait_for()
    context.add_cookies([session])  # as the other tab would
    editor.page.evaluate("document.dispatchEvent(new Event('visibilitychange', {bubbles: true}))")
    expect(banner).to_have_count(0)
    editor.saved()
    editor.press("Control+z", "Control+z", "Control+z")  # accept and click of the eye, accept of the nose
    expect(editor.rows).to_have_count(0)


def test_signing_in_again_in_a_window_beside_is_seen_without_a_look_at_this_one(editor):
    context = editor.page.context
    (session,) = [cookie for cookie in context.cookies() if cookie["name"] == "sessionid"]
    context.clear_cookies(name="sessionid")
    banner = editor.page.locator(".stage__banner")
    expect(banner).to_contain_text("You are signed out")
    context.add_cookies([session])
    expect(banner).to_have_count(0)


def test_a_mask_accepted_after_somebody_else_signed_in_in_this_browser_waits_for_its_maker(editor, site):
    site.add_people(rae="annotator")
    maker = editor.get("/api/session/")["demo"]
    editor.click(*NOSE)
    editor.post("/api/session/", {"username": "rae", "password": "raerae"})  # as another tab would
    editor.press("Enter")
    expect(editor.page.locator(".stage__banner")).to_contain_text(maker["username"])  # now rae's page, of a held image
    assert editor.masks() == []
    editor.post("/api/session/", maker)
    expect(editor.rows).to_have_count(1)
    editor.saved()
    (mask,) = editor.masks()
    assert mask["created_by"] == maker["username"]
