"""An upload that is cut off goes on after the page was loaded anew, and arrives whole: pictures, and annotations."""

from __future__ import annotations

import hashlib
import json
import re
import zipfile

import numpy as np
from PIL import Image
from playwright.sync_api import expect

from tests.browser.test_server_away import come_back_to

CHUNK = 8 << 20  # of frontend/src/api/tusUpload.ts


def noise(file, seed):
    """A bitmap of three pieces."""
    pixels = np.random.default_rng(seed).integers(0, 255, (2000, 3000, 3), dtype=np.uint8)
    Image.fromarray(pixels).save(file)
    assert file.stat().st_size > 2 * CHUNK
    return file


def new_dataset(page, name):
    page.get_by_role("button", name="New dataset").click()
    page.get_by_label("Name").fill(name)
    page.get_by_role("button", name="Create dataset").click()
    page.get_by_role("heading", name="No pictures yet").wait_for()


def let_one_through(route):
    first = route.request.headers.get("upload-offset") == "0"
    route.continue_() if first else route.abort()


def test_an_archive_with_annotations_goes_on_after_a_reload(page, tmp_path):
    document = {
        "images": [{"id": 1, "file_name": "noise.bmp", "width": 3000, "height": 2000}],
        "annotations": [
            {
                "id": 1,
                "image_id": 1,
                "category_id": 1,
                "iscrowd": 0,
                "segmentation": [[10, 10, 90, 10, 90, 60, 10, 60]],
            }
        ],
        "categories": [{"id": 1, "name": "field"}],
    }
    archive = tmp_path / "set.zip"
    with zipfile.ZipFile(archive, "w") as packed:
        packed.write(noise(tmp_path / "noise.bmp", seed=1), "images/noise.bmp")
        packed.writestr("annotations.json", json.dumps(document))
    new_dataset(page, "Annotated")
    page.get_by_role("link", name="Export").click()
    picker = page.locator("input[type=file]")
    page.get_by_role("button", name="Choose an archive").wait_for()
    page.route(re.compile("/api/uploads/"), let_one_through)
    picker.set_input_files(archive)
    uploads = page.get_by_label("Uploads")
    expect(uploads).to_contain_text("8.4 MB of 18.0 MB")
    uploads.get_by_role("button", name="Pause set.zip").click()

    page.unroute_all()
    page.reload()
    expect(uploads).to_contain_text("47 % of it is here")
    sent = []
    page.on("request", lambda request: sent.append(request) if request.method == "PATCH" else None)
    picker.set_input_files(archive)
    expect(page.get_by_label("Exports and imports")).to_contain_text("1 new picture, 1 new mask", timeout=60_000)
    assert sent[0].headers["upload-offset"] == str(CHUNK), "what was there is not sent again"
    expect(uploads).to_contain_text("arrived")
    expect(page.get_by_text("1 masks").or_(page.get_by_text("1 mask", exact=True)).first).to_be_visible()


def test_an_upload_that_is_cut_off_goes_on_after_a_reload(page, site, tmp_path):
    file = noise(tmp_path / "noise.bmp", seed=2)
    new_dataset(page, "Cut off")
    picker = page.locator("input[type=file]:not([data-folder])")

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


def test_what_one_person_chose_is_not_sent_for_the_next_one(page, site, tmp_path):
    new_dataset(page, "Left behind")
    site.add_people(rae="lead")
    page.route(re.compile("/api/uploads/"), let_one_through)
    page.locator("input[type=file]:not([data-folder])").set_input_files(noise(tmp_path / "noise.bmp", seed=3))
    uploads = page.get_by_label("Uploads")
    expect(uploads).to_contain_text("8.4 MB of 18.0 MB")
    (token,) = (cookie["value"] for cookie in page.context.cookies() if cookie["name"] == "csrftoken")
    headers = {"X-CSRFToken": token, "Referer": page.url}
    page.request.post("/api/session/", data={"username": "rae", "password": "raerae"}, headers=headers)  # another tab
    come_back_to(page)
    expect(page.get_by_role("banner")).to_contain_text("rae")
    expect(page.get_by_text("Drop pictures, videos, folders or archives")).to_be_visible()  # a lead, too
    expect(uploads).to_have_count(0)


def test_leaving_while_a_file_is_sent_is_asked_about_wherever_one_is(page, tmp_path):
    new_dataset(page, "On the way")
    page.route(re.compile("/api/uploads/"), let_one_through)
    page.locator("input[type=file]:not([data-folder])").set_input_files(noise(tmp_path / "noise.bmp", seed=4))
    expect(page.get_by_label("Uploads")).to_contain_text("8.4 MB of 18.0 MB")
    page.get_by_role("link", name="Stages").click()
    expect(page.get_by_label("Uploads")).to_have_count(0)
    asked = []

    def stay_or_go(dialog):
        asked.append(dialog.type)
        dialog.accept()

    page.on("dialog", stay_or_go)
    page.reload()
    assert asked == ["beforeunload"]
