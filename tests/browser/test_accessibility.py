"""axe-core, in real Chromium, on every page and in the states of the editor: nothing serious, nothing critical."""

from __future__ import annotations

from typing import Any

import pytest
from playwright.sync_api import Page, expect

from tests.browser.editor import Editor, as_demo
from tests.browser.site import ROOT

AXE = ROOT / "frontend" / "node_modules" / "axe-core" / "axe.min.js"
RUN = """async () => (await axe.run(document, { resultTypes: ["violations"] })).violations.map(
  ({ id, impact, nodes }) => ({ id, impact, nodes: nodes.map((node) => node.html.slice(0, 160)) }))"""
SETTLED = """() => Promise.allSettled(document.getAnimations()
  .filter((one) => one.effect.getComputedTiming().iterations !== Infinity).map((one) => one.finished))"""
LOOKS = [("light", 1440), ("dark", 1440), ("light", 390), ("dark", 390)]


def check(page: Page, where: str) -> None:
    """Fail with what axe found, if it is serious."""
    page.wait_for_timeout(300)
    page.evaluate(SETTLED)  # half-faded text has no contrast
    if not page.evaluate("typeof axe === 'object'"):
        # Not a script element: the content security policy would rightly refuse that.
        page.evaluate(AXE.read_text())
    found: list[dict[str, Any]] = page.evaluate(RUN)
    serious = [one for one in found if one["impact"] in ("serious", "critical")]
    assert serious == [], where


@pytest.fixture(params=LOOKS, ids=lambda look: f"{look[0]}-{look[1]}")
def looks(request, guest):
    """A guest's page in each colour scheme and width."""
    scheme, width = request.param
    guest.emulate_media(color_scheme=scheme)
    guest.set_viewport_size({"width": width, "height": 900})
    return guest


def test_every_page(looks):
    page = looks
    page.goto("/")
    page.get_by_role("button", name="Use the demo account").wait_for()
    check(page, "sign in")
    as_demo(page)
    check(page, "datasets")
    page.get_by_role("button", name="New dataset").click()
    check(page, "new dataset")
    page.keyboard.press("Escape")
    page.locator(".dataset-card", has_text="Sample pictures").click()
    tabs = page.locator(".tabs").get_by_role("link")
    for tab in tabs.all_inner_texts():
        tabs.filter(has_text=tab).click()
        page.wait_for_load_state("networkidle")
        check(page, tab)
    dataset = page.url.split("/")[4]
    for path in (f"/datasets/{dataset}/objects/alike", f"/datasets/{dataset}/models/compare", "/account"):
        page.goto(path)
        page.wait_for_load_state("networkidle")
        check(page, path)
    page.goto("/nowhere")
    page.get_by_role("heading", name="There is nothing at this address").wait_for()
    check(page, "not found")


def test_the_editor(looks):
    page = looks
    as_demo(page)
    editor = Editor(page, "chelsea the cat.png")
    editor.clear()
    page.goto(f"/images/{editor.image['id']}")
    page.locator(".editor .button--primary:enabled").first.wait_for()
    page.locator(".stage__banner").wait_for(state="detached")
    check(page, "empty")
    page.locator("canvas[data-layer=overlay]").focus()
    editor.press("ArrowRight", "Space")
    editor.answered()
    check(page, "candidates")
    editor.press("Enter")
    expect(page.locator(".side__list > ul .mask-row")).to_have_count(1)
    for key in ("b", "p", "l", "v"):
        editor.press(key)
        check(page, f"tool {key}")
    editor.press("Space")
    check(page, "mask selected")
    page.get_by_role("button", name="Work on the whole mask").click()
    check(page, "work on the whole mask")
    page.keyboard.press("Escape")
    editor.press("Control+,")
    check(page, "ways of working")
    page.get_by_label("Click by holding still").check()
    page.get_by_label("Large buttons").check()
    page.get_by_role("tab", name="Keys").click()
    check(page, "keys")
    page.keyboard.press("Escape")
    check(page, "large buttons")
    editor.press("?")
    check(page, "help")
    page.keyboard.press("Escape")
    editor.press("Control+Space")
    check(page, "skip")
    page.keyboard.press("Escape")
    page.goto("/")
    editor.clear()
