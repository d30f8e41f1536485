"""A picture of 100 megapixels, made here, is opened in tiles and clicked; its mask has the picture's own resolution."""

from __future__ import annotations

import io
import re

from PIL import Image as Picture
from PIL import ImageDraw
from playwright.sync_api import expect

from tests.browser.editor import until

SIDE = 10_000


def field() -> bytes:
    """A JPEG of 10 000 x 10 000 pixels: a bright disc in the middle of a green ground, and four smaller ones."""
    picture = Picture.new("RGB", (SIDE, SIDE), (40, 90, 50))
    draw = ImageDraw.Draw(picture)
    for x, y, radius in (
        (5000, 5000, 1500),
        (1500, 1500, 700),
        (8500, 1500, 700),
        (1500, 8500, 700),
        (8500, 8500, 700),
    ):
        draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=(235, 215, 90))
    buffer = io.BytesIO()
    picture.save(buffer, "JPEG", quality=75)
    return buffer.getvalue()


def test_a_picture_of_100_megapixels_is_clicked(page):
    page.get_by_role("button", name="New dataset").click()
    page.get_by_label("Name").fill("Large")
    page.get_by_role("button", name="Create dataset").click()
    page.get_by_role("heading", name="No pictures yet").wait_for()
    file = {"name": "field.jpg", "mimeType": "image/jpeg", "buffer": field()}
    page.locator("input[type=file]:not([data-folder])").set_input_files([file])
    expect(page.get_by_label("Uploads")).to_contain_text("Uploads finished", timeout=120_000)

    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.get_by_role("link", name=re.compile("field.jpg")).click()
    page.locator(".stage__hint").wait_for(timeout=120_000)
    overlay = page.locator("canvas[data-layer=overlay]")
    with page.expect_response(lambda answer: "/api/masks/" in answer.url and answer.request.method == "PUT") as saved:
        overlay.click()
        page.locator(".candidate").first.wait_for(timeout=120_000)
        page.keyboard.press("Enter")
    mask = saved.value.json()
    assert mask["segmentation"]["size"] == [SIDE, SIDE]
    left, top, width, height = mask["bbox"]
    assert left <= 5000 <= left + width
    assert top <= 5000 <= top + height

    assert not [url for url in asked if "/file/" in url], "the whole picture is never asked for"
    fitted = {url for url in asked if "/tiles/" in url}
    assert 0 < len(fitted) < 25
    with page.expect_request(re.compile(r"/tiles/0/\d+/\d+/")):
        overlay.hover()
        for _ in range(12):
            page.mouse.wheel(0, -400)
    middle = "one => [...one.getContext('2d').getImageData(one.width / 2, one.height / 2, 1, 1).data]"
    picture = page.locator("canvas[data-layer=image]")  # the disc is under the pointer
    until(page, lambda: picture.evaluate(middle), lambda colour: colour[0] > 200 and colour[2] < 130)
