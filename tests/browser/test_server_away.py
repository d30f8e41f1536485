"""The server goes away while a page is looked at: what is shown stays, and says that it may be old."""

from __future__ import annotations

from playwright.sync_api import Page, expect

FRESH = 5_500  # milliseconds for which an answer is not asked for again


def come_back_to(page: Page) -> None:
    """From another window, which has the page ask for what it shows."""
    page.wait_for_timeout(FRESH)
    page.evaluate("window.dispatchEvent(new Event('visibilitychange'))")


def test_a_page_keeps_what_it_shows_and_says_so(page, site):
    page.goto("/datasets/1/people")
    row = page.get_by_role("row").filter(has_text="demo")
    row.wait_for()
    note = page.get_by_text("This page shows what the server said last.")
    site.stop_web()
    try:
        come_back_to(page)
        expect(note).to_be_visible()
        expect(row).to_be_visible()
    finally:
        site.start_web()
    page.get_by_role("button", name="Ask again").click()
    expect(note).to_have_count(0)
    expect(row).to_be_visible()


def test_the_editor_stays_open(editor, site):
    editor.click(225, 175)
    dataset = f"{site.url}/api/datasets/{editor.image['dataset']}/"
    failed = []
    editor.page.on("requestfailed", lambda request: failed.append(request.url == dataset))
    site.stop_web()
    try:
        come_back_to(editor.page)
        while sum(failed) < 3:  # it is tried again before it counts as failed
            editor.page.wait_for_timeout(200)
        editor.page.wait_for_timeout(200)
        expect(editor.candidates.first).to_be_visible()
        editor.press("Enter")
        expect(editor.rows).to_have_count(1)
    finally:
        site.start_web()
    editor.saved()
    assert len(editor.masks()) == 1
