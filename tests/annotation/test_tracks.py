"""Tracks: one thing through the frames of a video, with at most one current mask on each frame."""

from __future__ import annotations

import uuid
from typing import Any

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation.errors import Conflict
from annotation.models import Mask, Task, Track
from annotation.services.masks import masks_add
from annotation.services.tracks import track_propose
from modelzoo import rle
from tests.cast import add_image, add_mask, add_video, client_of, ellipse, make_cast, mask_body

pytestmark = pytest.mark.django_db


class Scene:
    """A video of three frames with a followed thing on the first, as Ben sees it."""

    def __init__(self) -> None:
        self.cast = make_cast()
        self.video = add_video(self.cast.dataset)
        self.frames = list(self.video.frames.order_by("frame_number"))
        self.first = add_mask(self.frames[0], category="plum")
        self.ben = client_of(self.cast.ben)
        self.track = Track.objects.get(uuid=self.begin(self.first).json()["id"])

    def begin(self, mask: Mask) -> Any:
        return self.ben.post(f"/api/videos/{self.video.pk}/tracks/", {"mask": str(mask.uuid)}, format="json")

    def put(self, mask: Mask, track: Track | None = None) -> Any:
        return self.ben.put(f"/api/tracks/{(track or self.track).uuid}/masks/{mask.uuid}/")

    def draw(self, frame: int, **fields: Any) -> Any:
        body = mask_body(self.frames[frame], ellipse(self.frames[frame], size=0.2), **fields)
        return self.ben.put(f"/api/masks/{uuid.uuid4()}/", body, format="json")

    def listed(self) -> list[dict[str, Any]]:
        tracks: list[dict[str, Any]] = self.ben.get(f"/api/videos/{self.video.pk}/tracks/").json()["tracks"]
        return tracks


@pytest.fixture
def scene() -> Scene:
    return Scene()


def test_a_track_begins_with_a_mask_and_takes_its_category(scene):
    [track] = scene.listed()
    assert track["category"] == "plum"
    assert track["masks"] == [
        {
            "id": str(scene.first.uuid),
            "image": scene.frames[0].pk,
            "frame": 0,
            "status": "accepted",
            "source": "hand",
            "confidence": None,
        }
    ]


def test_the_same_mask_sent_twice_gives_the_same_track(scene):
    answer = scene.begin(scene.first)
    assert answer.status_code == 200
    assert answer.json()["id"] == str(scene.track.uuid)
    assert Track.objects.count() == 1


def test_a_mask_of_another_track_begins_none(scene):
    other = add_mask(scene.frames[1])
    scene.put(other)
    answer = scene.begin(other)
    assert answer.status_code == 409
    assert answer.json()["code"] == "mask_tracked"
    assert answer.json()["details"] == {"track": str(scene.track.uuid)}


def test_a_mask_that_is_not_on_a_frame_of_the_video_is_not_followed(scene):
    elsewhere = add_mask(add_video(scene.cast.dataset, seed=1).frames.all()[0])
    for mask in (add_mask(add_image(scene.cast.dataset)), elsewhere):
        assert scene.begin(mask).json()["code"] == "other_video"
        assert scene.put(mask).json()["code"] == "other_video"


def test_a_corrected_mask_is_told_as_superseded(scene):
    mask = add_mask(scene.frames[1])
    corrected = scene.draw(1, parent=str(mask.uuid)).json()
    for answer in (scene.begin(mask), scene.put(mask)):
        assert answer.status_code == 409
        assert answer.json()["code"] == "mask_superseded"
        assert answer.json()["details"]["current"]["id"] == corrected["id"]


def test_a_new_mask_may_be_drawn_into_a_track(scene):
    answer = scene.draw(1, track=str(scene.track.uuid))
    assert answer.status_code == 201
    assert answer.json()["track"] == str(scene.track.uuid)
    assert [mask["frame"] for mask in scene.listed()[0]["masks"]] == [0, 1]


def test_a_second_mask_of_the_track_on_a_frame_is_refused_with_the_one_that_is_there(scene):
    answer = scene.draw(0, track=str(scene.track.uuid))
    assert answer.status_code == 409
    assert answer.json()["code"] == "frame_taken"
    assert answer.json()["details"]["current"]["id"] == str(scene.first.uuid)
    answer = scene.put(add_mask(scene.frames[0]))
    assert answer.status_code == 409
    assert answer.json()["details"]["current"]["id"] == str(scene.first.uuid)


@pytest.mark.parametrize("kind", ["ended", "of another video"])
def test_a_mask_for_a_track_that_is_not_there_is_kept_without_it(scene, kind):
    other = Track.objects.create(video=add_video(scene.cast.dataset, seed=1))
    told = str(other.uuid if kind == "of another video" else uuid.uuid4())
    answer = scene.draw(1, track=told)
    assert answer.status_code == 201
    assert answer.json()["track"] is None


def test_a_correction_inherits_the_track(scene):
    answer = scene.draw(0, parent=str(scene.first.uuid))
    assert answer.json()["track"] == str(scene.track.uuid)
    assert [mask["id"] for mask in scene.listed()[0]["masks"]] == [answer.json()["id"]]


def test_a_deleted_mask_leaves_the_track_and_comes_back_to_it(scene):
    assert scene.ben.delete(f"/api/masks/{scene.first.uuid}/").status_code == 204
    assert scene.listed()[0]["masks"] == []
    assert scene.ben.post(f"/api/masks/{scene.first.uuid}/restore/").json()["track"] == str(scene.track.uuid)


def test_a_mask_whose_place_was_taken_meanwhile_is_not_restored(scene):
    scene.ben.delete(f"/api/masks/{scene.first.uuid}/")
    taken = scene.draw(0, track=str(scene.track.uuid)).json()
    answer = scene.ben.post(f"/api/masks/{scene.first.uuid}/restore/")
    assert answer.status_code == 409
    assert answer.json()["code"] == "frame_taken"
    assert answer.json()["details"]["current"]["id"] == taken["id"]


def test_a_mask_moves_from_track_to_track_and_out(scene):
    mask = add_mask(scene.frames[1])
    other = Track.objects.get(uuid=scene.begin(mask).json()["id"])
    assert scene.put(mask).json()["track"] == str(scene.track.uuid)
    assert scene.put(mask).status_code == 200
    assert other.masks.count() == 0
    assert scene.ben.delete(f"/api/tracks/{other.uuid}/masks/{mask.uuid}/").status_code == 204  # it is in another
    mask.refresh_from_db()
    assert mask.track == scene.track
    assert scene.ben.delete(f"/api/tracks/{scene.track.uuid}/masks/{mask.uuid}/").status_code == 204
    mask.refresh_from_db()
    assert (mask.track, mask.status) == (None, "accepted")


def test_who_names_a_track_names_its_current_masks(scene):
    scene.draw(1, track=str(scene.track.uuid))
    gone = add_mask(scene.frames[2], track=scene.track, status="deleted")
    answer = scene.ben.patch(f"/api/tracks/{scene.track.uuid}/", {"category": "damson"}, format="json")
    assert answer.json()["category"] == "damson"
    assert set(scene.track.masks.filter(status="accepted").values_list("category", flat=True)) == {"damson"}
    gone.refresh_from_db()
    assert gone.category == ""
    changes = scene.ben.get(f"/api/images/{scene.frames[1].pk}/changes/").json()
    assert [mask["category"] for mask in changes["masks"]] == ["damson"]


@pytest.mark.parametrize(
    ("query", "left"), [("", "deleted"), ("?proposed=true", "deleted"), ("?proposed=false", "proposed")]
)
def test_an_ended_track_leaves_what_people_accepted(scene, query, left):
    proposed = add_mask(scene.frames[1], track=scene.track, status="proposed", source="model")
    assert scene.ben.delete(f"/api/tracks/{scene.track.uuid}/{query}").status_code == 204
    assert scene.listed() == []
    scene.first.refresh_from_db()
    proposed.refresh_from_db()
    assert (scene.first.status, scene.first.track) == ("accepted", None)
    assert (proposed.status, proposed.track) == (left, None)
    if left == "deleted":
        assert scene.ben.post(f"/api/masks/{proposed.uuid}/restore/").json()["status"] == "proposed"


def test_a_second_persons_masks_are_in_no_track(scene):
    task = Task.objects.create(image=scene.frames[0], kind=Task.Kind.OVERLAP, state="claimed", assignee=scene.cast.ben)
    answer = scene.draw(0, track=str(scene.track.uuid), task=task.pk)
    assert (answer.status_code, answer.json()["status"], answer.json()["track"]) == (201, "compared", None)
    compared = Mask.objects.get(uuid=answer.json()["id"])
    assert scene.begin(compared).json()["code"] == "mask_compared"


def record(frame: Any, size: float = 0.3, **fields: Any) -> dict[str, Any]:
    return {"segmentation": rle.encode(ellipse(frame, size=size)), **fields}


def test_the_machine_proposes_and_replaces_what_it_proposed(scene):
    frame = scene.frames[1]
    first = track_propose(track=scene.track, image=frame, record=record(frame, predicted_iou=0.7), model="a" * 64)
    same = track_propose(track=scene.track, image=frame, record=record(frame, predicted_iou=0.7), model="a" * 64)
    better = track_propose(track=scene.track, image=frame, record=record(frame, 0.2, predicted_iou=0.9), model="a" * 64)
    assert first is not None
    assert same == first
    assert (better.status, better.category, better.created_by, better.parent) == ("proposed", "plum", None, first)
    assert scene.listed()[0]["masks"][1]["confidence"] == 0.9
    first.refresh_from_db()
    assert (first.status, first.status_changed_by) == ("superseded", None)


def test_the_machine_leaves_alone_what_people_accepted(scene):
    told = track_propose(track=scene.track, image=scene.frames[0], record=record(scene.frames[0]), model="a" * 64)
    assert told is None
    assert Mask.objects.filter(image=scene.frames[0]).count() == 1


def test_masks_added_many_at_once_keep_to_one_for_each_frame(scene):
    many = [record(scene.frames[0], 0.1 + n / 10, track=scene.track.uuid) for n in range(2)]
    with pytest.raises(Conflict) as refused:
        masks_add(image=scene.frames[0], records=many, stage="assisted", source="model", status="proposed")
    assert refused.value.code == "frame_taken"
    assert Mask.objects.filter(image=scene.frames[0]).count() == 1


def test_tracks_cost_two_queries_more_however_many_they_are(scene):
    def queries() -> int:
        with CaptureQueriesContext(
            connection,
        ) as captured:
            scene.listed()
        return len(captured)

    before = queries()
    for _ in range(3):
        track = Track.objects.create(video=scene.video)
        for frame in scene.frames:
            add_mask(frame, track=track)
    assert len(scene.listed()) == 4
    assert queries() == before
