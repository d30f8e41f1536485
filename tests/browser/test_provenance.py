"""From a mask in the editor to the model that offered it, and on to what that model comes from."""

from __future__ import annotations

import re

from playwright.sync_api import expect


def test_a_clicked_mask_leads_to_its_model(editor, complaints):
    editor.click(225, 175)
    editor.press("Enter")
    editor.saved()
    [mask] = editor.masks()
    editor.rows.first.click()
    with editor.page.expect_popup() as opened:
        editor.page.get_by_role("button", name="Where it comes from").click()
    page = opened.value
    expect(page).to_have_url(re.compile(f"/masks/{mask['id']}$"))
    expect(page.get_by_role("img", name="The mask")).to_be_visible()
    expect(page.get_by_role("list", name="Versions of the mask")).to_contain_text("by the model, demo")
    expect(page.get_by_text("No training has used it yet.")).to_be_visible()
    page.get_by_role("list", name="Descent of the model").get_by_role("link").first.click()
    expect(page.get_by_role("list", name="Descent", exact=True)).to_contain_text("Came with the product")
    # Other tests have clicked on this site, too.
    expect(page.get_by_text(re.compile(r"It offered \d+ masks? of this dataset"))).to_be_visible()
    assert complaints == []
