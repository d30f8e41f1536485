"""An upload that is cut off goes on after the page was loaded anew, and arrives whole."""

from __future__ import annotations

import hashlib
import re

import numpy as np
from PIL import Image
from playwright.sync_api import expect

CHUNK = 8 << 20  # of frontend/src/api/tusUpload.ts


def test_an_upload_that_is_cut_off_goes_on_after_a_reload(page, site, tmp_path):
    pixels = np.random.default_rng(1).integers(0, 255, (2000, 3000, 3), dtype=np.uint8)
    file = tmp_path / "noise.bmp"
    Image.fromarray(pixels).save(file)
    assert file.stat().st_size > 2 * CHUNK
    page.get_by_role("button", name="New dataset").click()
    page.get_by_label("Name").fill("Cut off")
    page.get_by_role("button", name="Create dataset").click()
    page.get_by_text("No pictures yet").wait_for()
    picker = page.locator("input[type=file]:not([data-folder])")

    def let_one_through(route):
        first = route.request.headers.get("upload-offset") == "0"
        route.continue_() if first else route.abort()

    page.route(re.compile("/api/uploads/"), let_one_through)
    picker.set_input_files(file)
    uploads = page.get_by_label("Uploads")
    expect(uploads).to_contain_text("8.4 MB of 18.0 MB")
    uploads.get_by_role("button", name="Pause noise.bmp").click()
    expect(uploads).to_contain_text("paused")

    page.unroute_all()
    page.reload()
    expect(uploads).to_contain_text("47 % of it is here")
    sent = []
    page.on("request", lambda request: sent.append(request) if request.method == "PATCH" else None)
    picker.set_input_files(file)
    expect(uploads.locator(".upload", has_text="noise.bmp")).to_contain_text("1 added", timeout=60_000)
    assert sent[0].headers["upload-offset"] == str(CHUNK), "what was there is not sent again"
    expect(page.locator(".images > li")).to_have_count(1)
    digest = hashlib.sha256(file.read_bytes()).hexdigest()
    originals = (site.folder / "data" / "images").glob(f"*/*/{digest}/original.bmp")
    assert [hashlib.sha256(path.read_bytes()).hexdigest() for path in originals] == [digest]
