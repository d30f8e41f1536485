"""Sign in, datasets, upload with good and bad files, and every page without a complaint in the console."""

from __future__ import annotations

import io
import zipfile

import numpy as np
import pytest
from PIL import Image
from playwright.sync_api import expect

TABS = [
    *("Images", "Videos", "Stages", "Model", "Review", "Quality", "Proof", "Statistics", "Jobs", "Export", "People"),
    "Log",
]


def picture(kind: str = "PNG", seed: int = 0) -> bytes:
    pixels = np.random.default_rng(seed).integers(0, 255, (90, 120, 3), dtype=np.uint8)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, kind)
    return out.getvalue()


def test_a_wrong_password_is_told_and_a_right_one_signs_in(guest):
    guest.goto("/datasets/1")
    guest.get_by_label("User name").fill("demo")
    guest.get_by_label("Password").fill("wrong")
    guest.get_by_role("button", name="Sign in").click()
    expect(guest.get_by_role("alert")).to_be_visible()
    guest.get_by_role("button", name="Use the demo account").click()
    guest.wait_for_url("**/datasets/1")
    guest.get_by_role("button", name="demo").click()
    guest.get_by_role("menuitem", name="Sign out").click()
    guest.get_by_role("heading", name="Sign in").wait_for()


def test_a_new_dataset_takes_pictures_and_itemises_what_it_does_not_take(page):
    page.get_by_role("button", name="New dataset").click()
    page.get_by_label("Name").fill("Noise")
    page.get_by_role("button", name="Create dataset").click()
    page.get_by_role("heading", name="Noise").wait_for()
    expect(page.get_by_role("heading", name="No pictures yet")).to_be_visible()

    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as members:
        members.writestr("inside.png", picture(seed=2))
        members.writestr("broken.jpg", picture("JPEG", seed=3)[:200])
    page.locator("input[type=file]:not([data-folder])").set_input_files(
        [
            {"name": "good.png", "mimeType": "image/png", "buffer": picture(seed=1)},
            {"name": "words.jpg", "mimeType": "image/jpeg", "buffer": b"these are words"},
            {"name": "several.zip", "mimeType": "application/zip", "buffer": archive.getvalue()},
        ]
    )
    uploads = page.get_by_label("Uploads")
    expect(uploads.get_by_text("Uploads finished")).to_be_visible(timeout=60_000)
    expect(page.locator(".images > li")).to_have_count(2)
    expect(uploads.locator(".upload", has_text="good.png")).to_contain_text("1 added")
    expect(uploads.locator(".upload", has_text="words.jpg").locator(".upload__rejects")).not_to_be_empty()
    expect(uploads.locator(".upload", has_text="several.zip")).to_contain_text("1 added, 1 not taken")
    expect(uploads).to_contain_text("broken.jpg:")


def test_an_uploaded_picture_becomes_clickable(page):
    page.locator(".dataset-card", has_text="Sample pictures").click()
    page.locator(".images > li").first.wait_for()
    page.locator("input[type=file]:not([data-folder])").set_input_files(
        [{"name": "mine.jpg", "mimeType": "image/jpeg", "buffer": picture("JPEG", seed=5)}]
    )
    page.get_by_text("Uploads finished").wait_for()
    page.get_by_role("link", name="mine.jpg").click()
    page.locator(".stage__hint").wait_for(timeout=60_000)
    page.locator("canvas[data-layer=overlay]").click()
    page.locator(".candidate").first.wait_for()


@pytest.mark.parametrize(("width", "scheme"), [(1440, "light"), (390, "dark")])
def test_every_page_fits_and_complains_of_nothing(page, complaints, width, scheme):
    page.set_viewport_size({"width": width, "height": 844})
    page.emulate_media(color_scheme=scheme)
    page.locator(".dataset-card", has_text="Sample pictures").click()
    for tab in TABS:
        page.locator(".tabs").get_by_role("link", name=tab).click()
        page.wait_for_load_state("networkidle")
        assert page.evaluate("document.documentElement.scrollWidth") <= width, tab
    page.goto("/nowhere")
    page.get_by_role("heading", name="There is nothing at this address").wait_for()
    assert complaints == []


@pytest.mark.parametrize("path", ["/datasets/99999", "/datasets/99999/videos", "/images/99999"])
def test_a_link_to_what_is_gone_leads_back(page, path):
    page.goto(path)
    page.get_by_role("heading", name="There is nothing at this address", level=1).wait_for()
    assert page.get_by_role("button", name="Try again").count() == 0
    page.get_by_role("link", name="To the datasets").click()
    page.locator(".dataset-card", has_text="Sample pictures").wait_for()


def test_the_page_is_isolated_and_strict(page):
    assert page.evaluate("crossOriginIsolated")
    policy = page.request.get("/").headers["content-security-policy"]
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
