"""A 16-bit TIFF, a DICOM file and a GeoTIFF are taken, clicked and masked; how a scan is shown is changed."""

from __future__ import annotations

import re

from playwright.sync_api import expect

from tests.pictures import dicom, geotiff, tiff16

FILES = {
    "cells.tif": ("image/tiff", tiff16(hot=60_000)),
    "scan.dcm": ("application/dicom", dicom()),
    "field.tif": ("image/tiff", geotiff()),
}


def is_saved_mask(answer) -> bool:
    return "/api/masks/" in answer.url and answer.request.method == "PUT"


def test_deep_medical_and_geographic_pictures_are_clicked(page):
    page.get_by_role("button", name="New dataset").click()
    page.get_by_label("Name").fill("Kinds")
    page.get_by_role("button", name="Create dataset").click()
    page.get_by_role("heading", name="No pictures yet").wait_for()
    here = page.url
    files = [{"name": name, "mimeType": kind, "buffer": data} for name, (kind, data) in FILES.items()]
    page.locator("input[type=file]:not([data-folder])").set_input_files(files)
    expect(page.get_by_label("Uploads")).to_contain_text("Uploads finished", timeout=60_000)
    expect(page.locator(".images > li")).to_have_count(3)

    page.get_by_role("button", name="Choose", exact=True).click()
    page.get_by_label("Choose scan.dcm").check()
    page.get_by_role("button", name="About this picture").click()
    before = page.get_by_alt_text("As it is shown now").get_attribute("src")
    page.get_by_label("Black at").fill("-1000")
    page.get_by_label("White at").fill("1000")
    page.get_by_role("button", name="Show it so").click()
    expect(page.get_by_alt_text("As it is shown now")).not_to_have_attribute("src", before, timeout=120_000)
    expect(page.get_by_role("dialog")).to_contain_text("values -1000 to 1000 mapped")
    page.keyboard.press("Escape")

    for name in FILES:
        page.goto(here)
        page.get_by_role("link", name=re.compile(name)).click()
        page.locator(".stage__hint").wait_for(timeout=60_000)
        with page.expect_response(is_saved_mask) as saved:
            page.locator("canvas[data-layer=overlay]").click()
            page.locator(".candidate").first.wait_for()
            page.keyboard.press("Enter")
        mask = saved.value.json()
        assert (saved.value.status, mask["source"]) == (201, "model"), name
        assert mask["area"] > 0
        if name == "scan.dcm":
            page.keyboard.press("i")
            panel = page.get_by_label("Picture and view")
            white = panel.get_by_label("White at, value")
            expect(white).to_have_value("1000", timeout=90_000)  # as it was stored
            white.fill("-992")
            white.press("Enter")
            black = panel.get_by_label("Black at, value")
            black.fill("900")  # beyond white, which gives way
            black.press("Enter")
            expect(white).not_to_have_value("-992")
