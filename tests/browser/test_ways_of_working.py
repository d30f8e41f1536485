"""By clicks alone, by holding still, by finger, with large targets."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect

from modelzoo import rle
from tests.browser.editor import Editor, as_demo


def choose(editor, *labels: str) -> None:
    """Switch on ways of working."""
    editor.press("Control+,")
    for label in labels:
        editor.page.get_by_label(label).check()
    editor.page.keyboard.press("Escape")


def test_no_drag_is_needed_for_a_brush(editor):
    choose(editor, "Work by clicks alone")
    editor.press("b")
    for point in ((80, 100), (280, 100), (280, 200)):
        editor.page.mouse.click(*editor.at(*point))
    editor.page.get_by_role("button", name="Accept").click()
    editor.saved()
    (mask,) = editor.masks()
    pixels = rle.decode(mask["segmentation"])
    assert pixels[100, 80:280].all()
    assert pixels[100:200, 280].all()
    assert mask["edits"] == 3


def test_holding_still_clicks(editor):
    choose(editor, "Click by holding still")
    page = editor.page
    page.mouse.move(*editor.at(200, 150))
    expect(page.locator(".dwell")).to_have_count(1)
    editor.answered()
    expect(page.locator(".dwell")).to_have_count(0)
    page.get_by_role("button", name="Remove", exact=True).click()
    page.mouse.move(*editor.at(240, 170))
    page.locator(".candidate").nth(3).wait_for()
    page.get_by_role("button", name="Accept").click()
    editor.saved()
    assert [prompt["label"] for prompt in editor.masks()[0]["prompts"]] == [1, 0]


def test_large_buttons_are_large(editor):
    choose(editor, "Large buttons")
    sizes = [one.bounding_box() for one in editor.page.locator(".editor__rail button:visible").all()]
    assert min(min(size["width"], size["height"]) for size in sizes) >= 48


def test_the_look_of_masks_is_kept(editor):
    page = editor.page
    choose(editor, "Outline only")
    page.reload()
    editor.ready()
    editor.press("Control+,")
    expect(page.get_by_label("Outline only")).to_be_checked()


@pytest.fixture
def touched(site, browser):
    """The editor on a phone."""
    context = browser.new_context(
        base_url=site.url, viewport={"width": 390, "height": 844}, has_touch=True, is_mobile=True
    )
    page = context.new_page()
    page.set_default_timeout(30_000)
    as_demo(page)
    one = Editor(page, "chelsea the cat.png")
    one.clear()
    page.goto(f"/images/{one.image['id']}")
    page.get_by_role("button", name="Submit", exact=True).and_(page.locator(":enabled")).wait_for()
    page.locator(".stage__banner").wait_for(state="detached")
    yield one
    page.goto("/")
    one.clear()
    context.close()


class Fingers:
    """Touches through the browser's own input pipeline; points are of the page."""

    def __init__(self, page):
        self.session = page.context.new_cdp_session(page)

    def __call__(self, kind: str, *points: tuple[float, float]) -> None:
        touches = [{"x": x, "y": y, "id": at} for at, (x, y) in enumerate(points)]
        self.session.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": touches})


def test_taps_add_and_remove_and_two_fingers_zoom(touched):
    editor, page = touched, touched.page
    page.touchscreen.tap(*editor.at(225, 175))
    editor.answered()
    page.get_by_role("button", name="Remove", exact=True).click()
    page.touchscreen.tap(*editor.at(245, 195))
    page.locator(".candidate").nth(3).wait_for()
    zoom = page.locator(".stage")
    before = page.screenshot(clip=zoom.bounding_box())
    x, y = editor.at(225, 120)
    fingers = Fingers(page)
    fingers("touchStart", (x - 30, y), (x + 30, y))
    for step in range(1, 6):
        fingers("touchMove", (x - 30 - 10 * step, y), (x + 30 + 10 * step, y))
    fingers("touchEnd")
    assert page.screenshot(clip=zoom.bounding_box()) != before
    with page.expect_response(lambda answer: answer.request.method == "PUT"):
        page.get_by_role("button", name="Accept").click()
    (mask,) = editor.masks()
    assert [prompt["label"] for prompt in mask["prompts"]] == [1, 0]
