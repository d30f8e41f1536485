"""One coin is masked and named; the others are found, shown behind a bar, taken at once; by the name and by a text."""

from __future__ import annotations

import os
import uuid
from pathlib import Path

import numpy as np
import pytest
from playwright.sync_api import Page, expect

from modelzoo import rle
from tests.browser.editor import Editor, as_demo

FOUND_MS = 90_000  # the worker has other work, and the machine too
COIN = (44, 58, 19)  # x, y and radius of one in the upper row


@pytest.fixture
def coins(site, guest):
    """The editor on the coins, emptied of masks before and after."""
    one = Editor(as_demo(guest), "coins.png")
    one.clear()
    yield one
    one.page.goto("/")
    one.clear()


def shoot(page: Page, name: str) -> None:
    """A picture for whoever looks at the screens (ANYMASK_SHOTS names a folder)."""
    if folder := os.environ.get("ANYMASK_SHOTS"):
        page.screenshot(path=Path(folder) / f"{name}.png")


def test_everything_like_one_coin_and_then_by_its_name(coins, complaints):
    editor, page = coins, coins.page
    rows, columns = np.mgrid[: editor.image["height"], : editor.image["width"]]
    x, y, radius = COIN
    disc = (columns - x) ** 2 + (rows - y) ** 2 <= radius**2
    editor.put(str(uuid.uuid4()), segmentation=dict(rle.encode(disc)), category="coin")
    editor.open()
    editor.rows.first.locator(".mask-row__main").click()
    editor.press("j")
    bar = page.locator(".options")
    count = bar.locator(".options__count")
    expect(count).to_contain_text("like it", timeout=FOUND_MS)
    shoot(page, "alike")
    slider = bar.get_by_label("Alike by")
    shown = int(count.inner_text().split()[0])
    assert shown >= 3
    slider.press("Home")
    expect(count).not_to_have_text(f"{shown} like it")
    assert int(count.inner_text().split()[0]) > shown
    slider.press("End")
    for _ in range(12):
        if int(count.inner_text().split()[0]) >= 2:
            break
        slider.press("ArrowLeft")
    taken = int(count.inner_text().split()[0])
    bar.get_by_role("button", name="Take all").click()
    expect(editor.rows).to_have_count(1 + taken)
    editor.saved()
    assert {mask["category"] for mask in editor.masks()} == {"coin"}
    expect(count).to_have_text("0 like it")
    page.keyboard.press("Control+z")
    expect(editor.rows).to_have_count(1)
    words = bar.get_by_label("Find by name or text")
    words.fill("Coin")
    shoot(page, "word")
    bar.get_by_role("button", name="Find (experimental)").click()
    expect(count).to_contain_text("like “coin”", timeout=FOUND_MS)
    expect(bar.get_by_role("button", name="Take all")).to_be_enabled()
    words.fill("a round coin")
    words.press("Enter")
    expect(count).to_contain_text("for “a round coin”", timeout=FOUND_MS)
    shoot(page, "text")
    assert complaints == []
