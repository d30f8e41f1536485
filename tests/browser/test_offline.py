"""The browser says that it is offline: what is asked for fails at once, says so, and is not done later unseen."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def test_what_was_asked_for_is_not_done_when_the_network_is_back(page, site):
    site.add_people(rae="annotator")
    page.goto("/datasets/1/people")
    row = page.get_by_role("row").filter(has_text="rae")
    row.wait_for()
    page.context.set_offline(True)
    page.get_by_role("button", name="Remove rae").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(page.locator(".toast")).to_contain_text("The server cannot be reached.")
    removals = []
    page.on("request", lambda request: removals.append(request.url) if request.method == "DELETE" else None)
    with page.expect_response(re.compile("/members/$")):  # asked anew by itself
        page.context.set_offline(False)
    expect(row).to_be_visible()
    assert removals == []


def test_a_page_says_that_the_server_cannot_be_reached_and_comes_by_itself(page):
    page.goto("/datasets/1/people")
    page.get_by_role("row").first.wait_for()
    page.context.set_offline(True)
    page.get_by_role("link", name="Stages").click()
    told = page.get_by_role("alert").filter(has_text="The server cannot be reached.")
    expect(told).to_be_visible()
    page.context.set_offline(False)
    expect(told).to_have_count(0)
