"""The proof page of videos: what a frame took by hand and where the object was followed."""

from __future__ import annotations

import pytest

from annotation.models import Track
from engine.frame_time import median
from tests.cast import add_image, add_mask, add_video
from tests.engine.test_proof import proof


@pytest.fixture
def track(cast):
    """Twelve frames by hand of 1..12 s, one of them corrected; ten followed, of which three were changed in 4 s."""
    video = add_video(cast.dataset, frames=22)
    track = Track.objects.create(video=video)
    frames = list(video.frames.order_by("frame_number"))
    for number, frame in enumerate(frames[:12], 1):
        first = add_mask(frame, track=track, created_by=cast.ben, seconds=number)
        if number == 12:
            type(first).objects.filter(pk=first.pk).update(status="superseded")
            add_mask(frame, track=track, created_by=cast.ben, seconds=8, parent=first)
    for number, frame in enumerate(frames[12:]):
        offered = add_mask(frame, track=track, source="model", created_by=None, status="superseded")
        seconds = 4 if number < 3 else 0
        add_mask(frame, track=track, parent=offered, source="model", created_by=cast.ben, seconds=seconds)
    return track


def test_a_frame_by_hand_is_told_from_one_that_was_followed(cast, as_, track):
    frames = proof(as_(cast.rae), cast.dataset)["frames"]
    assert (frames["by_hand"]["value"], frames["by_hand"]["of"]) == (6.5, 12)
    assert frames["by_hand"]["low"] < 6.5 < frames["by_hand"]["high"]
    assert (frames["followed"]["value"], frames["followed"]["of"]) == (0, 10)


def test_what_nobody_accepted_and_what_scripts_brought_is_no_frame(cast, as_, track):
    video = track.video
    more = add_video(cast.dataset, seed=1, frames=2)
    add_mask(more.frames.all()[0], track=Track.objects.create(video=more), created_by=cast.ben, seconds=0)
    add_mask(more.frames.all()[1], track=Track.objects.create(video=more), created_by=None, source="model")
    add_mask(video.frames.all()[0], created_by=cast.ben, seconds=100)  # of no track
    frames = proof(as_(cast.rae), cast.dataset)["frames"]
    assert (frames["by_hand"]["of"], frames["followed"]["of"]) == (12, 10)
    assert frames["by_hand"]["value"] == 6.5


def test_too_few_frames_say_nothing(cast, as_, track):
    track.masks.filter(image__frame_number__lt=4).delete()
    frames = proof(as_(cast.rae), cast.dataset)["frames"]
    assert frames["by_hand"] == {"value": None, "low": None, "high": None, "of": 8}
    assert frames["followed"]["of"] == 10


def test_a_dataset_without_videos_has_no_such_figure(cast, as_):
    add_mask(add_image(cast.dataset))
    assert proof(as_(cast.rae), cast.dataset)["frames"] is None


def test_the_interval_of_a_median_is_from_the_order_of_the_values():
    found = median([float(n) for n in range(1, 101)], 10)
    assert (found["value"], found["low"], found["high"]) == (50.5, 41.0, 60.0)
