"""Long lists come in pages: all of them can be reached, and a page that fails takes nothing away."""

from __future__ import annotations

import re

from playwright.sync_api import Route, expect

NEXT = "/api/datasets/?cursor=second"


def test_datasets_beyond_the_first_page_are_shown_after_a_failure_too(page):
    known = page.request.get("/api/datasets/").json()["results"][0]
    answers = iter([503, 503, 503, 200])  # a failed page is asked for twice more by itself

    def first(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, json=answer.json() | {"next": f"http://elsewhere{NEXT}"})

    def second(route: Route) -> None:
        status = next(answers)
        body = {"next": None, "previous": None, "results": [known | {"id": 61, "name": "The sixty-first"}]}
        refused = {"code": "busy", "message": "The server is busy.", "details": {}}
        route.fulfill(status=status, json=body if status == 200 else refused)

    page.route("**/api/datasets/", first)
    page.route(re.compile("cursor=second"), second)
    page.goto("/")
    cards = page.locator(".dataset-card")
    page.get_by_role("button", name="Show more").scroll_into_view_if_needed()
    expect(page.get_by_text("The server is busy.")).to_be_visible()
    expect(cards.first).to_be_visible()
    before = cards.count()
    page.get_by_role("button", name="Show more").click()
    expect(page.get_by_role("heading", name="The sixty-first")).to_be_visible()
    expect(cards).to_have_count(before + 1)
    expect(page.get_by_role("button", name="Show more")).to_have_count(0)
