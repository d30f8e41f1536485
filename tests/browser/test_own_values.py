"""A 16-bit picture is windowed in its own values: what 8 bits cannot show is seen, read and changes nothing stored."""

from __future__ import annotations

import io
import re
from functools import partial

import numpy as np
import tifffile
from playwright.sync_api import expect

from tests.browser.editor import LARGEST_SCALE, MARGIN, until

WIDTH, HEIGHT = 600, 400
GROUND, SQUARE = 30_050, 30_090  # of 0 to 60 000: both are 128 of 255
IN_SQUARE, BESIDE = (400.5, 250.5), (150.5, 250.5)  # in the middle of a pixel


def hidden_square() -> bytes:
    """A strip of black and white, and below it a square that differs by less than a 255th of the range."""
    values = np.full((HEIGHT, WIDTH), GROUND, np.uint16)
    values[:40, :300], values[:40, 300:] = 0, 60_000
    values[150:350, 300:500] = SQUARE
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, values)
    return buffer.getvalue()


def place(page, point):
    """Where an image point lies in the canvas, in CSS pixels: the view is fitted, as it is at first."""
    box = page.locator("canvas[data-layer=overlay]").bounding_box()
    scale = min((box["width"] - 2 * MARGIN) / WIDTH, (box["height"] - 2 * MARGIN) / HEIGHT, LARGEST_SCALE)
    x = (box["width"] - WIDTH * scale) / 2 + point[0] * scale
    y = (box["height"] - HEIGHT * scale) / 2 + point[1] * scale
    return x, y


def grey(page, point) -> int:
    """What the canvas of the picture shows at an image point."""
    read = """([x, y]) => {
        const canvas = document.querySelector("canvas[data-layer=image]");
        const ratio = canvas.width / canvas.clientWidth;
        return canvas.getContext("2d").getImageData(x * ratio, y * ratio, 1, 1).data[0];
    }"""
    return int(page.evaluate(read, place(page, point)))


def greys(page) -> tuple[int, int]:
    """Of the ground and of the square."""
    return grey(page, BESIDE), grey(page, IN_SQUARE)


def test_a_structure_that_eight_bits_hide_is_seen_and_read(page):
    page.get_by_role("button", name="New dataset").click()
    page.get_by_label("Name").fill("Deep")
    page.get_by_role("button", name="Create dataset").click()
    page.get_by_role("heading", name="No pictures yet").wait_for()
    files = [{"name": "deep.tif", "mimeType": "image/tiff", "buffer": hidden_square()}]
    page.locator("input[type=file]:not([data-folder])").set_input_files(files)
    page.get_by_role("link", name=re.compile("deep.tif")).click(timeout=60_000)
    page.locator(".stage__hint").wait_for(timeout=90_000)
    until(page, partial(greys, page), lambda seen: seen == (128, 128))

    page.keyboard.press("i")
    panel = page.get_by_label("Picture and view")
    expect(panel.get_by_role("button", name="Fit to what is in view")).to_be_visible(timeout=90_000)
    panel.get_by_label("White at, value").fill("30100")
    panel.get_by_label("White at, value").press("Enter")
    panel.get_by_label("Black at, value").fill("30040")
    panel.get_by_label("Black at, value").press("Enter")
    expect(panel.get_by_label("Black at, value")).to_have_value("30040")
    until(page, partial(greys, page), lambda seen: abs(seen[0] - 42) <= 2 and abs(seen[1] - 212) <= 2)
    assert not page.locator("canvas[data-layer=image]").get_attribute("style")

    x, y = place(page, IN_SQUARE)
    page.locator("canvas[data-layer=overlay]").hover(position={"x": x, "y": y})
    expect(page.get_by_label("Value under the pointer")).to_have_text(re.compile(rf"x 400, y 250 · {SQUARE}"))
    image = page.url.rstrip("/").rsplit("/", 1)[-1]
    stored = page.request.get(f"/api/images/{image}/").json()["mapping"]
    assert (stored["low"], stored["high"]) == ([0], [60_000]), "what others see stays as it is"


def test_a_picture_of_eight_bits_is_windowed_as_it_is_stored(editor):
    page = editor.page
    page.keyboard.press("i")
    panel = page.get_by_label("Picture and view")
    panel.get_by_label("White at").fill("0.2")  # 51 of 255
    expect(page.locator("canvas[data-layer=image]")).to_have_attribute("style", re.compile("filter"))
    expect(panel.get_by_role("button", name="Fit to what is in view")).to_have_count(0)
    expect(panel.get_by_role("button", name="Grey")).to_be_visible()
