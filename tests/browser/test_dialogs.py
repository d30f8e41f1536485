"""Dialogs: what is typed into one is not lost by a press on its edge, and the focus goes back to where it was."""

from __future__ import annotations

import pytest
from playwright.sync_api import expect


def test_a_dialog_stays_under_a_press_on_its_edge_and_goes_with_one_beside_it(page):
    page.get_by_role("button", name="New dataset").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("Name").fill("Half typed")
    dialog.evaluate("(one) => { one.style.borderWidth = '20px' }")  # a browser without a head has no scrollbar to press
    box = dialog.bounding_box()
    middle = box["y"] + box["height"] / 2
    page.mouse.click(box["x"] + 10, middle)
    expect(dialog.get_by_label("Name")).to_have_value("Half typed")
    page.mouse.click(box["x"] - 20, middle)
    expect(dialog).to_have_count(0)


@pytest.mark.parametrize("way", ["Escape", "Close"])
def test_the_focus_goes_back_to_what_opened_a_dialog(page, way):
    opener = page.get_by_role("button", name="New dataset")
    opener.press("Enter")
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_label("Name")).to_be_focused()
    if way == "Escape":
        page.keyboard.press("Escape")
    else:
        dialog.get_by_role("button", name="Close").click()
    expect(dialog).to_have_count(0)
    expect(opener).to_be_focused()
