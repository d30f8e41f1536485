"""Three hundred strokes taken back and given again, one by one, in the browser."""

from __future__ import annotations

import numpy as np
from playwright.sync_api import expect

from modelzoo import rle

COLUMNS, ROWS = 20, 15


def test_three_hundred_strokes_are_undone_and_redone(editor):
    editor.press("b", *["["] * 8)
    places = [(20 + 20 * (at % COLUMNS), 15 + 18 * (at // COLUMNS)) for at in range(COLUMNS * ROWS)]
    (left, top), scale = editor.at(0, 0), editor.scale()
    for x, y in places:
        editor.page.mouse.click(left + (x + 0.5) * scale, top + (y + 0.5) * scale)
    strip = editor.page.locator(".strip")
    undo, redo = (editor.page.get_by_role("button", name=name, exact=True) for name in ("Undo", "Redo"))
    expect(strip).to_be_visible()
    editor.press(*["Control+z"] * len(places))
    expect(strip).to_have_count(0)  # before the first stroke there is no mask in the making
    expect(undo).to_be_disabled()
    editor.press(*["Control+y"] * 100, *["Control+Shift+z"] * 200)
    expect(strip).to_be_visible()
    expect(redo).to_be_disabled()
    editor.press(*["Control+z"] * 100)
    editor.press("Enter")
    editor.saved()
    (mask,) = editor.masks()
    pixels = rle.decode(mask["segmentation"])
    painted = np.array([pixels[y, x] for x, y in places])
    assert painted[:200].all()
    assert not painted[200:].any()
    assert mask["edits"] == 200
