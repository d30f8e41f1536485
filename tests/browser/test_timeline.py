"""The timeline: along the frames of a video, and objects that are followed through them."""

from __future__ import annotations

import json
import os
import signal
from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.editor import READY_MS, Editor
from tests.browser.test_accessibility import check
from tests.clips import HEIGHT, WIDTH, clip

FRAMES = 6
# The square of tests.clips on the first frame that is taken: 20 pixels wide, 10 further to the right on each next one.
SQUARE = (10, 60)
TAKE = """
import json
from pathlib import Path
from django.contrib.auth.models import User
from annotation.models import Video
from annotation.services.datasets import dataset_create
from annotation.services.images import Incoming
from annotation.services.videos import video_take
class Report:
    added = known = refused = lambda self, *what: None
user = User.objects.get(username={user!r})
dataset = dataset_create(user=user, name="Film")
path = Path({path!r})
video_take(dataset=dataset, incoming=Incoming(path.name, path), user=user, rights=None, rate=5, report=Report(),
           progress=lambda share: None)
video = Video.objects.get(dataset=dataset)
print("MADE", json.dumps([video.pk, list(video.frames.order_by("frame_number").values_list("pk", flat=True))]))
"""


class Film(Editor):
    """The editor on the first frame of a short video."""

    def __init__(self, page: Any, video: int, frames: list[int]) -> None:
        self.page, self.video, self.frames = page, video, frames
        self.image = {"id": frames[0], "width": WIDTH, "height": HEIGHT}

    @property
    def slider(self) -> Any:
        return self.page.get_by_role("slider", name="Frame", exact=True)

    def at_frame(self, number: int) -> None:
        """Until this frame, counted from 1, is open and ours."""
        self.page.wait_for_url(f"**/images/{self.frames[number - 1]}")
        expect(self.slider).to_have_attribute("aria-valuenow", str(number))
        self.ready()

    def scrub(self, number: int) -> None:
        """Press the middle of a frame on the scrubber."""
        box = self.slider.bounding_box()
        x = box["x"] + box["width"] * (number - 0.5) / FRAMES
        self.page.mouse.click(x, box["y"] + box["height"] / 2)
        self.at_frame(number)

    def tracks(self) -> list[dict[str, Any]]:
        return self.get(f"/api/videos/{self.video}/tracks/")["tracks"]

    def row(self, text: str) -> Any:
        return self.page.locator(".film-track").filter(has_text=text)

    def draw(self) -> None:
        """The square, clicked, accepted and selected."""
        self.click(*SQUARE)
        self.press("Enter")
        self.page.locator(".mask-row__main").click()


@pytest.fixture(scope="module")
def video(site, tmp_path_factory) -> tuple[int, list[int]]:
    path = clip(tmp_path_factory.mktemp("clips") / "square.mp4", FRAMES * 5)
    account = json.loads((site.folder / "data" / "demo-account.json").read_text())
    said = site.manage("shell", "-c", TAKE.format(user=account["username"], path=str(path)))
    made = next(line for line in said.splitlines() if line.startswith("MADE"))
    number, frames = json.loads(made.removeprefix("MADE "))
    assert len(frames) == FRAMES
    return number, frames


@pytest.fixture
def film(page, video):
    """Without masks and tracks, and left so."""
    one = Film(page, *video)
    one.open()
    yield one
    page.goto("/")  # gives the image back
    tracks = one.tracks()
    addresses = [f"/api/tracks/{track['id']}/" for track in tracks]
    addresses += [f"/api/masks/{mask['id']}/" for track in tracks for mask in track["masks"]]
    for address in addresses:
        page.request.delete(address, headers=one._csrf())
    one.clear()


def test_along_the_frames_by_keyboard_and_mouse(film):
    page = film.page
    film.click(*SQUARE)  # a half-made mask
    film.press("+", "b")
    scale = page.locator(".scale-bar").inner_text()
    film.press(".")
    film.at_frame(2)
    expect(film.slider).to_have_attribute("aria-valuetext", "Frame 2 of 6, 0.2 s")
    assert page.locator(".scale-bar").inner_text() == scale
    expect(page.get_by_role("button", name="Brush", exact=True)).to_have_attribute("aria-pressed", "true")
    film.slider.focus()
    film.press("End")
    film.at_frame(6)
    film.scrub(3)
    film.press("Home")  # the slider has the focus since the click
    film.at_frame(1)
    expect(film.candidates.first).to_be_visible()  # the half-made mask is still there
    film.press("a")
    expect(page.get_by_text("This is the first frame.")).to_be_visible()
    film.press("w")
    film.at_frame(6)  # played to the end, and opened there


def test_an_object_is_followed_corrected_and_followed_again(film):
    page = film.page
    page.get_by_role("button", name="Follow", exact=True).click()
    expect(page.get_by_text("Select a mask first")).to_be_visible()
    film.draw()
    film.press("t")
    expect(film.row(f"accepted on 1 and proposed on {FRAMES - 1} of {FRAMES} frames")).to_be_visible(timeout=READY_MS)
    expect(page.get_by_role("button", name="Stop", exact=True)).to_have_count(0)
    (track,) = film.tracks()
    assert [mask["frame"] for mask in track["masks"]] == list(range(FRAMES))

    film.scrub(4)
    expect(page.locator(".mask-row--selected")).to_have_count(1)  # the track's mask on this frame
    film.press("b")
    film.drag((100, 20), (120, 20))
    film.press("Enter")
    expect(film.row(f"accepted on 2 and proposed on {FRAMES - 2}")).to_be_visible()
    film.press("t")  # nothing is selected: the track's mask is meant
    film.saved()
    expect(page.get_by_text("Found on 2 frames")).to_be_visible(timeout=READY_MS)
    (again,) = film.tracks()
    assert again["id"] == track["id"]
    assert [one["id"] for one in again["masks"][:3]] == [one["id"] for one in track["masks"][:3]]
    assert again["masks"][3]["status"] == "accepted"
    assert again["masks"][5]["status"] == "proposed"

    page.get_by_role("button", name="More on Track 1").click()
    page.get_by_role("menuitem", name="Accept up to this frame").click()
    page.get_by_role("button", name="Accept 2 masks").click()
    expect(film.row("accepted on 4 and proposed on 2")).to_be_visible()
    film.press("Control+Enter")
    film.at_frame(5)


def test_following_is_stopped(film, site):
    film.draw()
    film.saved()
    assert site.worker is not None
    os.kill(site.worker.pid, signal.SIGSTOP)  # so that there is something to stop, on the quickest machine too
    try:
        film.press("t")
        film.page.get_by_role("button", name="Stop", exact=True).click()
        expect(film.page.get_by_text("Following was stopped")).to_be_visible()
    finally:
        os.kill(site.worker.pid, signal.SIGCONT)
    assert [len(track["masks"]) for track in film.tracks()] == [1]


def test_a_track_is_named_and_ended(film):
    page = film.page
    film.draw()
    film.saved()
    (mask,) = film.masks()
    film.post(f"/api/videos/{film.video}/tracks/", {"mask": mask["id"]})
    page.reload()
    film.ready()
    page.get_by_role("button", name="More on Track 1").click()
    page.get_by_role("menuitem", name="Name of the track").click()
    page.get_by_label("Category").last.fill("square")
    page.keyboard.press("Enter")
    expect(film.row("square")).to_be_visible()
    check(page, "timeline")
    page.get_by_role("button", name="More on square").click()
    page.get_by_role("menuitem", name="End the track").click()
    page.get_by_role("button", name="End it").click()
    expect(page.get_by_text("Nothing is followed yet")).to_be_visible()
    (kept,) = film.masks()
    assert (kept["track"], kept["category"]) == (None, "square")


def test_on_a_phone(film):
    page = film.page
    page.set_viewport_size({"width": 390, "height": 780})
    page.emulate_media(color_scheme="dark")
    film.slider.focus()
    film.press("ArrowRight")
    page.wait_for_url(f"**/images/{film.frames[1]}")
    page.get_by_role("button", name="Submit", exact=True).and_(page.locator(":enabled")).wait_for(timeout=READY_MS)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    check(page, "timeline on a phone")
    page.get_by_role("button", name="Hide the tracks").click()
    expect(page.get_by_text("Nothing is followed yet")).to_have_count(0)
    page.get_by_role("button", name="Show the tracks").click()
    expect(page.get_by_text("Nothing is followed yet")).to_be_visible()
