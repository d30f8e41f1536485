"""A video that is added like a picture: it is listed, opens at its first frame, and goes with all of them."""

from __future__ import annotations

from playwright.sync_api import expect

from tests.browser.test_uploads import new_dataset
from tests.clips import clip


def test_a_video_comes_in_opens_and_goes(page, tmp_path):
    film = clip(tmp_path / "plums.mp4")
    new_dataset(page, "Film")
    page.get_by_text("Rights and privacy of what you add").click()
    page.get_by_label("Frames taken of videos").select_option("2")
    expect(page.get_by_text("At most 3,000 frames of one video are taken: 25 min 00 s at this rate.")).to_be_visible()
    page.locator("input[type=file]:not([data-folder])").set_input_files(film)
    expect(page.get_by_label("Uploads")).to_contain_text("4 added")
    expect(page.get_by_text("Frame 3", exact=True)).to_be_visible()

    page.get_by_role("link", name="Videos", exact=True).click()
    open_it = page.get_by_role("link", name="Open plums.mp4 in the editor")
    card = page.get_by_role("listitem").filter(has=open_it)
    expect(card).to_contain_text("2 s · 160 × 120 · 4 frames, 2 a second")
    open_it.click()
    expect(page.get_by_role("heading", name="plums.mp4 #000000")).to_be_visible()

    page.go_back()
    page.get_by_role("button", name="Delete plums.mp4").click()
    expect(page.get_by_role("dialog")).to_contain_text("Its 4 frames go with it")
    page.get_by_role("dialog").get_by_role("button", name="Delete").click()
    expect(page.get_by_text("No videos yet")).to_be_visible()
    page.get_by_role("link", name="Images", exact=True).click()
    expect(page.get_by_role("heading", name="No pictures yet")).to_be_visible()
