"""A sign-in that runs out, here or in another tab: nobody is thrown out, and everybody's work stays their own."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.browser.test_sign_in_elsewhere import INVITE

NOSE = (225, 175)
EYE = (155, 105)


def test_an_expired_session_keeps_what_waits_and_brings_it_back_after_signing_in(editor):
    here = f"/images/{editor.image['id']}?mask=none"
    editor.page.goto(here)
    editor.ready()
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
    assert editor.page.url.endswith(here)
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
    expect(editor.page.get_by_text("rae has signed in in this browser.")).to_be_visible()
    assert editor.masks() == []
    editor.post("/api/session/", maker)
    expect(editor.rows).to_have_count(1)
    editor.saved()
    (mask,) = editor.masks()
    assert mask["created_by"] == maker["username"]


def test_the_page_that_was_wanted_opens_after_the_sign_in_with_all_that_it_was_asked(guest):
    guest.goto("/datasets/1/objects?category=tile")
    guest.get_by_role("button", name="Use the demo account").click()
    guest.wait_for_url("**/datasets/1/objects?category=tile")


def test_a_sign_out_that_fails_says_so(page):
    page.route("**/api/session/", lambda route: route.abort())
    page.get_by_role("banner").get_by_role("button").last.click()
    page.get_by_role("menuitem", name="Sign out").click()
    expect(page.get_by_text("You are still signed in. The server cannot be reached.")).to_be_visible()


def test_nobody_joins_by_a_button_that_names_somebody_else(page, site):
    site.add_people(rae="annotator")
    secret = site.manage("shell", "-c", INVITE).split()[-1]
    page.goto(f"/join/{secret}")
    button = page.get_by_role("button", name=re.compile("^Join as"))
    button.wait_for()
    (token,) = (cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    headers = {"X-CSRFToken": token, "Referer": page.url}
    page.request.post("/api/session/", data={"username": "rae", "password": "raerae"}, headers=headers)  # another tab
    button.click()
    expect(page.get_by_text("Somebody else has signed in")).to_be_visible()
    expect(page.get_by_role("button", name="Join as rae")).to_be_visible()
