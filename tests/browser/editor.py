"""The editor as an annotator uses it: image coordinates in, masks out."""

from __future__ import annotations

import io
import re
import time
import zipfile
from collections.abc import Callable
from typing import Any, TypeVar

from playwright.sync_api import Locator, Page

Seen = TypeVar("Seen")

MARGIN, LARGEST_SCALE = 24, 4  # as frontend/src/core/viewport.ts fits an image

WAIT_S = 30
READY_MS = 90_000  # two cores may carry two browsers, a server and a worker when an image is opened


def until(page: Page, read: Callable[[], Seen], right: Callable[[Seen], bool]) -> Seen:
    """What `read` gives once it is right. A canvas follows the document a frame later, on a busy machine many."""
    deadline = time.monotonic() + WAIT_S
    while not right(seen := read()):
        assert time.monotonic() < deadline, seen
        page.wait_for_timeout(100)
    return seen


def as_demo(page: Page) -> Page:
    """The page, signed in with the demo account, on the list of datasets."""
    page.goto("/")
    page.get_by_role("button", name="Use the demo account").click()
    page.get_by_role("heading", name="Datasets").wait_for()
    return page


class Editor:
    """Works on one sample picture. Points are (x, y) in image pixels; the view must be fitted, as it is at first."""

    def __init__(self, page: Page, file_name: str) -> None:
        self.page = page
        self.image = next(row for row in self._images() if row["file_name"] == file_name)

    def _images(self) -> list[dict[str, Any]]:
        dataset = self.get("/api/datasets/")["results"][0]
        return self.get(f"/api/datasets/{dataset['id']}/images/")["results"]

    def get(self, path: str) -> Any:
        answer = self.page.request.get(path)
        assert answer.ok, f"{path}: {answer.status} {answer.text()[:300]}"
        return answer.json()

    def post(self, path: str, body: Any = None) -> Any:
        return self.page.request.post(path, data=body or {}, headers=self._csrf()).json()

    def masks(self) -> list[dict[str, Any]]:
        """Current masks as the server has them."""
        return self.get(f"/api/images/{self.image['id']}/masks/")

    def clear(self) -> None:
        """Delete the masks of the image."""
        for mask in self.masks():
            self.page.request.delete(f"/api/masks/{mask['id']}/", headers=self._csrf())

    def _csrf(self) -> dict[str, str]:
        cookies = {cookie["name"]: cookie["value"] for cookie in self.page.context.cookies()}
        return {"X-CSRFToken": cookies["csrftoken"], "Referer": self.page.url}

    def put(self, mask_id: str, **fields: Any) -> Any:
        """Save a mask as a client would, past the page: other people do."""
        body = {"image": self.image["id"], "source": "hand", **fields}
        answer = self.page.request.put(f"/api/masks/{mask_id}/", data=body, headers=self._csrf())
        assert answer.ok, answer.text()[:300]
        return answer.json()

    def open(self) -> None:
        """Until the model can answer and the image is ours."""
        self.page.goto(f"/images/{self.image['id']}")
        self.ready()

    def ready(self) -> None:
        self.page.locator(".editor").wait_for()
        submit = self.page.get_by_role("button", name="Submit and next").and_(self.page.locator(":enabled"))
        submit.wait_for(timeout=READY_MS)
        self.page.locator(".stage__banner").wait_for(state="detached")

    def scale(self) -> float:
        box = self._canvas()
        room = (box["width"] - 2 * MARGIN, box["height"] - 2 * MARGIN)
        return min(room[0] / self.image["width"], room[1] / self.image["height"], LARGEST_SCALE)

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Position on the page of an image point."""
        box, scale = self._canvas(), self.scale()
        left = box["x"] + (box["width"] - self.image["width"] * scale) / 2
        top = box["y"] + (box["height"] - self.image["height"] * scale) / 2
        return left + x * scale, top + y * scale

    def _canvas(self) -> dict[str, float]:
        box = self.page.locator("canvas[data-layer=overlay]").bounding_box()
        assert box is not None
        return box

    def click(self, x: float, y: float, button: str = "left") -> None:
        """A prompt, and its answer awaited."""
        self.page.mouse.click(*self.at(x, y), button=button)
        self.answered()

    def drag(self, *points: tuple[float, float]) -> None:
        self.page.mouse.move(*self.at(*points[0]))
        self.page.mouse.down()
        for point in points[1:]:
            self.page.mouse.move(*self.at(*point), steps=4)
        self.page.mouse.up()

    def answered(self) -> None:
        self.page.locator(".strip[aria-busy=false] .candidate").first.wait_for()

    @property
    def candidates(self) -> Locator:
        return self.page.locator(".candidate")

    @property
    def rows(self) -> Locator:
        return self.page.locator(".side__list > ul .mask-row")

    def chosen(self) -> int:
        """Place of the chosen candidate in the strip, from 0."""
        marks = [one.get_attribute("aria-checked") for one in self.candidates.all()]
        return marks.index("true")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def saved(self) -> None:
        """Until the status line says so."""
        self.page.locator(".side__foot").get_by_text("All saved").wait_for()

    def exported(self) -> zipfile.ZipFile:
        """The dataset as COCO, asked for on its page and downloaded: this export, not one that lay there before."""
        page = self.page
        page.goto(f"/datasets/{self.image['dataset']}/export")
        asks = re.compile(r"/api/datasets/.+/exports/$")
        with page.expect_response(asks) as asked:
            page.get_by_role("button", name="Export as COCO").click()
        link = page.locator(f"a[href*='{asked.value.json()['id']}']", has_text="Download")
        link.wait_for(timeout=READY_MS)
        with page.expect_download() as download:
            link.click()
        return zipfile.ZipFile(io.BytesIO(download.value.path().read_bytes()))
