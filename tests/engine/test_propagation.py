"""A track followed through its video by a job: what it stores, where it stops, what of it outlives a kill."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import pytest
from django.test import TestCase
from PIL import Image as Picture

from annotation import jobkit, storage
from annotation.jobkit import run_pending
from annotation.models import Dataset, Image, Job, Mask, Track
from annotation.services.tracks import proposals_discard, track_delete, track_update
from annotation.signals import mask_deleted
from engine import jobs, propagation  # noqa: F401  the jobs
from engine.models import Embedding
from engine.stages.base import _align
from modelzoo import rle
from tests.cast import add_mask, add_video, client_of

following = pytest.importorskip("modelzoo.propagation")
pytestmark = pytest.mark.django_db

FRAMES, WIDTH, HEIGHT = 7, 96, 64
AWAY = 5  # the frame on which it is not to be seen


def disc(number: int) -> np.ndarray:
    """Where the thing is on a frame, bool H x W: it moves to the right; nowhere on AWAY."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    inside: np.ndarray = (columns - 28 - 5 * number) ** 2 + (rows - 32) ** 2 <= 13**2
    return inside & (number != AWAY)


def picture(number: int) -> bytes:
    """A red disc on blue and green noise, as a PNG."""
    random = np.random.default_rng(number)
    pixels = random.integers(0, 40, (HEIGHT, WIDTH, 3), dtype=np.uint8) + np.array([0, 60, 110], np.uint8)
    pixels[disc(number)] = (220, 50, 30)
    stored = io.BytesIO()
    Picture.fromarray(pixels).save(stored, "PNG")
    return stored.getvalue()


class Scene:
    """A video of a moving disc, which Ben has masked on the first frame."""

    def __init__(self, cast: Any) -> None:
        self.cast = cast
        self.video = add_video(cast.dataset, frames=FRAMES, width=WIDTH, height=HEIGHT)
        self.frames = list(self.video.frames.order_by("frame_number"))
        for number, image in enumerate(self.frames):
            path = image.display_path.replace(".jpg", ".png")
            storage.write_atomic(path, picture(number))
            Image.objects.filter(pk=image.pk).update(display_path=path)
        self.frames = list(self.video.frames.order_by("frame_number"))
        self.track = Track.objects.create(video=self.video, category="plum", created_by=cast.ben)
        self.first = self.say(0)
        self.ben = client_of(cast.ben)

    def say(self, number: int, **fields: Any) -> Mask:
        """Somebody accepts the right mask on a frame."""
        return add_mask(self.frames[number], disc(number), track=self.track, **fields)

    def ask(self, number: int = 0, **body: Any) -> Any:
        url = f"/api/tracks/{self.track.uuid}/propagate/"
        return self.ben.post(url, {"image": self.frames[number].pk, **body}, format="json")

    def follow(self, number: int = 0, **body: Any) -> Job:
        answer = self.ask(number, **body)
        assert answer.status_code == 202, answer.json()
        run_pending()
        return Job.objects.get(pk=answer.json()["id"])

    def proposed(self) -> dict[int, Mask]:
        """Frame number -> the track's proposed mask there."""
        rows = Mask.objects.filter(track=self.track, status=Mask.Status.PROPOSED).select_related("image")
        return {int(mask.image.frame_number or 0): mask for mask in rows}


@pytest.fixture
def scene(cast, real_base, monkeypatch) -> Scene:
    """The model's weights are random here: its decoder agrees with nobody, which must not count."""
    monkeypatch.setattr(following, "SEEN", 0.0)
    return Scene(cast)


def met(mask: Mask, number: int) -> float:
    return rle.mask_iou(rle.decode(mask.segmentation), disc(number))


def test_the_model_follows_a_thing_and_says_where_it_is_not(scene, real_base):
    job = scene.follow()
    assert job.state == Job.State.SUCCEEDED, job.log
    assert job.result == {
        "frames": 6,
        "masks": 5,
        "absent": [AWAY],
        "held": [],
        "stopped_at": [],
        "model": real_base.digest,
    }
    found = scene.proposed()
    assert sorted(found) == [1, 2, 3, 4, 6]
    for number, mask in found.items():
        assert met(mask, number) > 0.5, number
        assert mask.category == "plum"
        assert (mask.source, mask.model, mask.stage) == ("model", real_base.digest, "assisted")
        assert 0 < mask.predicted_iou <= 1
        assert mask.prompts[-1] == {"type": "mask"}
    assert Embedding.objects.filter(image__video=scene.video).count() == FRAMES


def test_what_was_followed_is_not_the_stages_own(scene, real_base):
    """The semi-automatic stage takes back what it proposed itself, and counts how much of that people keep."""
    Dataset.objects.update(stage="semi_automatic")
    scene.follow(frames=2)
    for image in scene.frames[1:3]:
        assert _align(image, "semi_automatic", set(), Mask.Status.PROPOSED) == set()
    assert sorted(scene.proposed()) == [1, 2]


def test_a_name_that_is_given_meanwhile_is_the_name_from_then_on(scene, real_base, monkeypatch):
    track = Track.objects.get(pk=scene.track.pk)
    stop_after(monkeypatch, 1, lambda: track_update(track=track, category="apricot", user=scene.cast.ana))
    scene.follow(frames=3)
    assert [mask.category for mask in scene.proposed().values()] == ["apricot"] * 3


def test_what_the_machine_takes_back_nobody_is_told_of(scene, real_base):
    told = []

    def hear(**about):
        told.append(about["mask_id"])

    mask_deleted.connect(hear)
    try:
        with TestCase.captureOnCommitCallbacks(execute=True):
            add_mask(scene.frames[1], disc(1), track=scene.track, status="proposed")
            proposals_discard(masks=Mask.objects.filter(image=scene.frames[1]))
        assert (scene.proposed(), told) == ({}, [])
    finally:
        mask_deleted.disconnect(hear)


def test_it_goes_as_far_and_the_way_it_is_told(scene):
    Mask.objects.filter(pk=scene.first.pk).delete()
    scene.say(3)
    assert scene.follow(3, direction="backward", frames=2).result["frames"] == 2
    assert sorted(scene.proposed()) == [1, 2]
    assert scene.follow(3, direction="both", frames=1).result["frames"] == 2
    assert sorted(scene.proposed()) == [1, 2, 4]


def test_it_stops_before_what_people_have_said(scene):
    said = scene.say(3)
    job = scene.follow()
    assert job.result["stopped_at"] == [3]
    assert sorted(scene.proposed()) == [1, 2]
    said.refresh_from_db()
    assert said.status == Mask.Status.ACCEPTED


def test_what_was_proposed_before_is_replaced_and_what_is_not_seen_any_more_goes_into_the_bin(scene):
    wrong = {
        number: add_mask(
            scene.frames[number],
            disc(0),
            track=scene.track,
            status=Mask.Status.PROPOSED,
            source="model",
            created_by=None,
        )
        for number in (1, AWAY)
    }
    scene.follow()
    for mask in wrong.values():
        mask.refresh_from_db()
    assert wrong[1].status == Mask.Status.SUPERSEDED
    assert scene.proposed()[1].parent == wrong[1]
    assert wrong[AWAY].status == Mask.Status.DELETED
    assert AWAY not in scene.proposed()


def test_a_frame_that_somebody_else_works_on_is_left_to_them(scene):
    rae = client_of(scene.cast.rae)
    assert rae.post(f"/api/images/{scene.frames[2].pk}/task/").status_code == 200
    assert scene.ben.post(f"/api/images/{scene.frames[3].pk}/task/").status_code == 200  # his own is no hindrance
    job = scene.follow(frames=4)
    assert job.result["held"] == [2]
    shown = Mask.objects.filter(track=scene.track, status=Mask.Status.PROPOSED)
    assert sorted(shown.values_list("image__frame_number", flat=True)) == [1, 3, 4]


def test_what_is_done_stays_when_it_is_stopped(scene, monkeypatch):
    asked = scene.ask()
    job = Job.objects.get(pk=asked.json()["id"])
    stop_after(monkeypatch, 2, lambda: jobkit.cancel(Job.objects.get(pk=job.pk)))
    run_pending()
    job.refresh_from_db()
    assert job.state == Job.State.CANCELLED
    assert sorted(scene.proposed()) == [1, 2]


def test_a_killed_job_goes_on_where_it_was_and_makes_nothing_twice(scene, monkeypatch):
    job = Job.objects.get(pk=scene.ask().json()["id"])

    def die() -> None:
        raise SystemExit("killed")

    with monkeypatch.context() as patched:
        stop_after(patched, 3, die)
        with pytest.raises(SystemExit):
            run_pending()
    before = {number: mask.uuid for number, mask in scene.proposed().items()}
    assert sorted(before) == [1, 2, 3]
    Job.objects.filter(pk=job.pk).update(state=Job.State.QUEUED, lease_expires_at=None)
    Mask.objects.filter(uuid=before[2]).update(status=Mask.Status.DELETED)  # somebody threw it away meanwhile
    run_pending()
    job.refresh_from_db()
    assert (job.state, job.result["frames"]) == (Job.State.SUCCEEDED, 6)
    after = {number: mask.uuid for number, mask in scene.proposed().items()}
    assert sorted(after) == [1, 3, 4, 6]
    assert (after[1], after[3]) == (before[1], before[3])
    assert Mask.objects.filter(track=scene.track).count() == 6


def test_a_job_that_is_tried_again_follows_the_start_as_it_is_by_then(scene, monkeypatch):
    """What was made of the mask that Ben has replaced meanwhile is not taken for the job's own."""
    job = Job.objects.get(pk=scene.ask().json()["id"])
    with monkeypatch.context() as patched:
        stop_after(patched, 2, lambda: jobkit.cancel(Job.objects.get(pk=job.pk)))
        run_pending()
    before = {number: mask.uuid for number, mask in scene.proposed().items()}
    assert sorted(before) == [1, 2]
    Mask.objects.filter(pk=scene.first.pk).update(status=Mask.Status.SUPERSEDED)
    small = disc(0)
    small[:, :28] = False  # the right half alone
    add_mask(scene.frames[0], small, track=scene.track)
    jobkit.retry(Job.objects.get(pk=job.pk))
    run_pending()
    job.refresh_from_db()
    assert job.state == Job.State.SUCCEEDED
    after = {number: mask.uuid for number, mask in scene.proposed().items()}
    assert {after.get(number) for number in before}.isdisjoint(before.values())


def test_an_attempt_that_was_given_up_writes_nothing(scene, monkeypatch):
    job = Job.objects.get(pk=scene.ask().json()["id"])
    stop_after(monkeypatch, 1, lambda: Job.objects.filter(pk=job.pk).update(attempts=9))
    run_pending()
    assert sorted(scene.proposed()) == [1]


def test_a_track_that_is_ended_meanwhile_ends_the_job(scene, monkeypatch):
    job = Job.objects.get(pk=scene.ask().json()["id"])
    stop_after(monkeypatch, 2, lambda: track_delete(track=Track.objects.get(pk=scene.track.pk), user=scene.cast.ana))
    run_pending()
    job.refresh_from_db()
    assert job.state == Job.State.SUCCEEDED
    assert not Mask.objects.filter(status=Mask.Status.PROPOSED).exists()


def test_a_frame_that_is_deleted_meanwhile_is_passed_over(scene, monkeypatch):
    def delete() -> None:
        Image.objects.filter(pk=scene.frames[2].pk).delete()
        storage.remove(scene.frames[2].display_path)

    stop_after(monkeypatch, 1, delete)
    job = scene.follow(frames=3)
    assert (job.state, job.result["frames"]) == (Job.State.SUCCEEDED, 2)
    assert sorted(scene.proposed()) == [1, 3]


def test_both_ways_remember_the_start_once(scene):
    """And what people accepted elsewhere: one frame each."""
    scene.say(4)
    remembered: list[int] = []
    follow = following.Propagator.step

    def counted(propagator: Any, view: Any) -> Any:
        remembered.append(propagator.memory)
        return follow(propagator, view)

    Mask.objects.filter(pk=scene.first.pk).delete()
    scene.say(2)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(following.Propagator, "step", counted)
        assert scene.follow(2, direction="both").result["stopped_at"] == [4]
    assert remembered == [2, 2, 2]


def test_one_job_follows_a_track_at_a_time(scene):
    first = scene.ask()
    again = scene.ask()
    assert again.json()["id"] == first.json()["id"]
    other = scene.ask(direction="backward")
    assert (other.status_code, other.json()["code"]) == (409, "propagation_open")
    assert other.json()["details"] == {"job": first.json()["id"]}


def test_what_cannot_be_followed_is_refused_in_a_sentence(scene):
    other = add_video(scene.cast.dataset, seed=1)
    assert scene.ask(4).json()["code"] == "no_mask_here"
    elsewhere = scene.ben.post(
        f"/api/tracks/{scene.track.uuid}/propagate/", {"image": other.frames.first().pk}, format="json"
    )
    assert (elsewhere.status_code, elsewhere.json()["code"]) == (400, "other_video")
    for body in ({"direction": "sideways"}, {"frames": 0}, {"frames": 10**9}, {"frames": "all"}, {"image": "x"}):
        answer = scene.ask(0, **body)
        assert answer.status_code == 400, body
    assert not Job.objects.exists()


def test_whoever_asked_may_stop_it_and_the_log_tells_of_it(scene):
    job = scene.ask().json()
    assert scene.ben.post(f"/api/jobs/{job['id']}/cancel/").json()["state"] == "cancelled"
    events = client_of(scene.cast.ana).get(f"/api/datasets/{scene.cast.dataset.pk}/events/").json()["results"]
    assert [event["subject"] for event in events if event["action"] == "track-propagate:post"] == ["track"]


def test_it_ends_without_a_word_when_its_start_is_gone(scene):
    job = Job.objects.get(pk=scene.ask().json()["id"])
    scene.first.delete()
    run_pending()
    job.refresh_from_db()
    assert (job.state, job.result["frames"]) == (Job.State.SUCCEEDED, 0)


def stop_after(monkeypatch: Any, count: int, act: Any) -> None:
    """Do something as soon as `count` frames are stored, before the next is begun."""
    frames = iter(range(1000))
    step = propagation.Walk._done

    def counted(walk: Any, image: Image) -> bool:
        if next(frames) == count:
            act()
        return step(walk, image)

    monkeypatch.setattr(propagation.Walk, "_done", counted)
