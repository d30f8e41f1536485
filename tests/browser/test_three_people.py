"""The whole life of a dataset: invited, trained, labelled, reviewed, returned, corrected, proved and exported."""

from __future__ import annotations

import io
import time
import uuid
from typing import Any

import numpy as np
from PIL import Image
from playwright.sync_api import Page, expect

from modelzoo import rle
from tests.browser.editor import READY_MS

SIZE = 160


def picture(seed: int) -> bytes:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    pixels = np.zeros((SIZE, SIZE, 3), np.uint8) + np.uint8(40 + seed * 20)
    for x in (50, 110):
        pixels[(columns - x) ** 2 + (rows - 80) ** 2 <= 20**2] = (230, 200, 40)
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG")
    return out.getvalue()


def disc(x: int, radius: int = 20) -> dict[str, Any]:
    rows, columns = np.mgrid[:SIZE, :SIZE]
    return dict(rle.encode((columns - x) ** 2 + (rows - 80) ** 2 <= radius**2))


class Person:
    """A page, and the API in its name."""

    def __init__(self, page: Page) -> None:
        self.page = page

    def call(self, method: str, path: str, body: Any = None) -> Any:
        cookies = {cookie["name"]: cookie["value"] for cookie in self.page.context.cookies()}
        headers = {"X-CSRFToken": cookies["csrftoken"], "Referer": self.page.url}
        answer = self.page.request.fetch(path, method=method, data=body, headers=headers)
        assert answer.ok, f"{method} {path}: {answer.status} {answer.text()[:300]}"
        return answer.json() if answer.status != 204 else None

    def mask(self, image: int, x: int, **fields: Any) -> None:
        body = {"image": image, "source": "hand", "seconds": 4, "segmentation": disc(x), **fields}
        self.call("PUT", f"/api/masks/{uuid.uuid4()}/", body)

    def image(self) -> int:
        """Of the open editor."""
        return int(self.page.url.rsplit("/", 1)[1])

    def task(self) -> int:
        return int(self.call("GET", f"/api/images/{self.image()}/changes/")["task"]["id"])

    def masks_here(self) -> list[dict[str, Any]]:
        masks: list[dict[str, Any]] = self.call("GET", f"/api/images/{self.image()}/masks/")
        return masks

    def items_here(self) -> list[dict[str, Any]]:
        items: list[dict[str, Any]] = self.call("GET", f"/api/tasks/{self.task()}/review/")["items"]
        return items

    def submit(self) -> None:
        button = self.page.get_by_role("button", name="Submit and next").and_(self.page.locator(":enabled"))
        button.click(timeout=READY_MS)


def found(lead: Person) -> tuple[int, int, int]:
    """A dataset with a gold picture that is done and one to label: (dataset, gold, other). Everything is reviewed."""
    dataset = lead.call("POST", "/api/datasets/", {"name": f"Life {uuid.uuid4().hex[:6]}"})["id"]
    cookies = {cookie["name"]: cookie["value"] for cookie in lead.page.context.cookies()}
    images = []
    for seed in (1, 2):
        answer = lead.page.request.post(
            f"/api/datasets/{dataset}/images/",
            multipart={"files": {"name": f"{seed}.png", "mimeType": "image/png", "buffer": picture(seed)}},
            headers={"X-CSRFToken": cookies["csrftoken"], "Referer": lead.page.url},
        )
        images.append(answer.json()["accepted"][0]["id"])
    gold, other = images
    task = lead.call("POST", f"/api/images/{gold}/task/", {})
    lead.mask(gold, 50, task=task["id"])
    lead.call("POST", f"/api/tasks/{task['id']}/submit/", {"lease": task["lease"], "seconds": 5, "answer": "done"})
    lead.call("PATCH", f"/api/images/{gold}/", {"gold": True})
    rules = {"training_images": 1, "training_iou": 0.8, "review_share": 1, "auto_retrain": False}
    lead.call("PATCH", f"/api/datasets/{dataset}/", rules)
    return dataset, gold, other


def invite(lead: Page, dataset: int, role: str) -> str:
    """The link that the page shows."""
    lead.goto(f"/datasets/{dataset}/people")
    form = lead.locator("form", has=lead.get_by_role("heading", name="Invite by link"))
    form.get_by_label("As").select_option(role)
    form.get_by_role("button", name="Make a link").click()
    return form.get_by_label("Link to send").input_value()


def join(page: Page, link: str, name: str) -> Person:
    page.goto(link)
    page.get_by_label("User name").fill(name)
    page.get_by_label("Password").fill("correct horse battery")
    page.get_by_role("button", name="Make an account and join").click()
    page.get_by_role("link", name="Images").wait_for()
    return Person(page)


def train_and_label(annotator: Person, dataset: int, gold: int, other: int) -> None:
    """Through the gold picture to the first real one, which is submitted with two masks."""
    page = annotator.page
    page.goto(f"/datasets/{dataset}/label")
    expect(page.get_by_text("Training: mask every object.")).to_be_visible(timeout=READY_MS)
    task = annotator.call("GET", f"/api/images/{gold}/changes/")["task"]
    annotator.mask(gold, 50, task=task["id"])
    expect(page.get_by_text("Mask 1")).to_be_visible()
    annotator.submit()
    expect(page.get_by_text("Mean IoU 1.00")).to_be_visible()
    page.get_by_role("link", name="Next picture").click()
    page.wait_for_url(f"**/images/{other}")
    task = annotator.call("GET", f"/api/images/{other}/changes/")["task"]
    annotator.mask(other, 50, task=task["id"])
    annotator.mask(other, 110, task=task["id"], segmentation=disc(110, 12))
    expect(page.get_by_text("Mask 2")).to_be_visible()
    annotator.submit()
    expect(page.get_by_text("Every image is taken care of")).to_be_visible()


def return_one(reviewer: Person) -> None:
    """From the first page to the review: the second mask is returned with the pixels that it lacks."""
    page = reviewer.page
    page.goto("/")
    page.get_by_role("link", name="Review in Life").click()
    panel = page.get_by_role("region", name="Review")
    panel.get_by_role("button", name="Mask").nth(1).wait_for(timeout=READY_MS)
    small = min(reviewer.masks_here(), key=lambda mask: mask["area"])
    at = [item["mask"] for item in reviewer.items_here()].index(small["id"])
    panel.get_by_role("button", name="Mask").nth(at).click()
    page.get_by_role("button", name="Correct").and_(page.locator(":enabled")).click(timeout=READY_MS)
    box = page.locator("canvas[data-layer=overlay]").bounding_box()
    assert box is not None
    middle = (box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.mouse.move(middle[0], middle[1])
    page.mouse.down()
    page.mouse.move(middle[0] + 60, middle[1] + 40, steps=4)
    page.mouse.up()
    panel.get_by_label("What is wrong").select_option("missing_part")
    panel.get_by_label("Comment").fill("The rim is missing")
    panel.get_by_role("button", name="Return, showing these pixels").click()
    expect(panel.get_by_text("returned")).to_be_visible()
    reviewer.submit()
    expect(page.get_by_text("Nothing left to review for you")).to_be_visible()


def correct(annotator: Person) -> None:
    """The annotator sees the reason and the wrong pixels, puts the mask right and submits."""
    page = annotator.page
    page.goto("/")
    page.get_by_role("link", name="Correct in Life").click()
    panel = page.get_by_role("region", name="What came back")
    expect(panel).to_contain_text("A part is missing", timeout=READY_MS)
    expect(panel).to_contain_text("The rim is missing")
    expect(panel).to_contain_text("blue: missing, add it")
    [item] = annotator.items_here()
    assert item["suggestion"] is not None
    annotator.mask(annotator.image(), 110, parent=item["mask"], task=annotator.task(), segmentation=disc(110))
    expect(panel.get_by_text("changed")).to_be_visible()
    annotator.submit()
    expect(page.get_by_text("Every image is taken care of")).to_be_visible()


def test_the_whole_life_of_a_dataset(page: Page, browser, site, complaints: list[str]):
    lead = Person(page)
    dataset, gold, other = found(lead)
    contexts = [browser.new_context(base_url=site.url, viewport={"width": 1440, "height": 900}) for _ in range(2)]
    try:
        name = uuid.uuid4().hex[:6]
        annotator = join(contexts[0].new_page(), invite(page, dataset, "annotator"), f"tom{name}")
        reviewer = join(contexts[1].new_page(), invite(page, dataset, "reviewer"), f"rae{name}")
        train_and_label(annotator, dataset, gold, other)
        return_one(reviewer)
        correct(annotator)
        reviewer.page.goto("/")
        reviewer.page.get_by_role("link", name="Review in Life").click()
        reviewer.page.get_by_role("region", name="Review").wait_for()
        reviewer.submit()
        expect(reviewer.page.get_by_text("Nothing left to review for you")).to_be_visible()
    finally:
        for context in contexts:
            context.close()
    page.goto(f"/datasets/{dataset}/proof")
    expect(page.get_by_role("heading", name="What a mask takes")).to_be_visible()
    expect(page.get_by_role("region", name="By person")).to_contain_text("tom")
    page.goto(f"/datasets/{dataset}/log")
    expect(page.get_by_role("region", name="Log", exact=True)).to_contain_text("judged a mask")
    exported(lead, dataset)
    assert complaints == []


def exported(lead: Person, dataset: int) -> None:
    """An archive that the server has read again."""
    job = lead.call("POST", f"/api/datasets/{dataset}/exports/", {"format": "coco"})
    for _ in range(120):
        told = lead.call("GET", f"/api/jobs/{job['id']}/")
        if told["state"] not in ("queued", "running"):
            break
        time.sleep(0.5)
    assert told["state"] == "succeeded", told
    archive = lead.page.request.get(f"/api/exports/{job['id']}/download/")
    assert archive.body()[:2] == b"PK"
