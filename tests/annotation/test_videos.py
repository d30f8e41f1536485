"""Videos of a dataset: the list, the frames in their order, and that nothing stays of a deleted one."""

from __future__ import annotations

import pytest

from annotation import storage
from annotation.models import Image, Mask, Task, Track
from tests.cast import add_image, add_mask, add_video, client_of, make_cast

pytestmark = pytest.mark.django_db


def test_a_dataset_lists_its_videos():
    cast = make_cast()
    video = add_video(cast.dataset, frames=3)
    add_video(make_cast("Vegetables").dataset, seed=1)
    Track.objects.create(video=video)
    first = video.frames.get(frame_number=0)
    [row] = client_of(cast.vic).get(f"/api/datasets/{cast.dataset.pk}/videos/").json()["results"]
    told = {name: row[name] for name in ("id", "file_name", "frame_count", "frames", "complete", "tracks")}
    assert told == {
        "id": video.pk,
        "file_name": "clip-0.mp4",
        "frame_count": 3,
        "frames": 3,
        "complete": True,
        "tracks": 1,
    }
    assert (row["first_image"], row["thumbnail_url"]) == (first.pk, f"/api/images/{first.pk}/thumbnail/")
    assert client_of(cast.vic).get(f"/api/videos/{video.pk}/").json() == row


def test_a_video_none_of_whose_frames_is_there_has_no_thumbnail():
    cast = make_cast()
    video = add_video(cast.dataset, frames=0)
    row = client_of(cast.vic).get(f"/api/videos/{video.pk}/").json()
    assert (row["frames"], row["first_image"], row["thumbnail_url"]) == (0, None, None)


def test_frames_come_in_their_order_page_by_page():
    cast = make_cast()
    video = add_video(cast.dataset, frames=5)
    add_mask(video.frames.get(frame_number=2))
    client = client_of(cast.ben)
    page = client.get(f"/api/videos/{video.pk}/frames/?limit=2").json()
    assert [frame["number"] for frame in page["frames"]] == [0, 1]
    assert page["next"] == 2
    page = client.get(f"/api/videos/{video.pk}/frames/?from=2").json()
    assert [(frame["number"], frame["time"], frame["masks"], frame["state"]) for frame in page["frames"]] == [
        (2, 0.4, 1, "open"),
        (3, 0.6, 0, "open"),
        (4, 0.8, 0, "open"),
    ]
    assert (page["next"], page["complete"]) == (None, True)
    type(video).objects.update(complete=False)
    page = client.get(f"/api/videos/{video.pk}/frames/?from=9").json()
    assert page == {"frames": [], "next": None, "complete": False}, "some are still to come"


@pytest.mark.parametrize("query", ["from=-1", "from=x", "limit=1e3", "from=99999999999999999999", "from=²"])
def test_a_page_that_is_no_number_is_refused(query):
    cast = make_cast()
    video = add_video(cast.dataset)
    answer = client_of(cast.ben).get(f"/api/videos/{video.pk}/frames/?{query}")
    assert answer.status_code == 400


def test_an_image_tells_which_frame_it_is():
    cast = make_cast()
    video = add_video(cast.dataset)
    frame = video.frames.get(frame_number=1)
    client = client_of(cast.vic)
    row = client.get(f"/api/images/{frame.pk}/").json()
    assert (row["video"], row["frame_number"], row["frame_time"]) == (video.pk, 1, 0.2)
    row = client.get(f"/api/images/{add_image(cast.dataset).pk}/").json()
    assert (row["video"], row["frame_number"], row["frame_time"]) == (None, None, None)


def test_nothing_stays_of_a_deleted_video(django_capture_on_commit_callbacks):
    cast = make_cast()
    other = add_image(cast.dataset)
    video = add_video(cast.dataset)
    frames = list(video.frames.all())
    add_mask(frames[0], track=Track.objects.create(video=video))
    with django_capture_on_commit_callbacks(execute=True):
        assert client_of(cast.ana).delete(f"/api/videos/{video.pk}/").status_code == 204
    assert list(Image.objects.all()) == [other]
    assert not Mask.objects.exists()
    assert not Track.objects.exists()
    assert Task.objects.count() == 1
    for frame in frames:
        assert not storage.full(frame.display_path).exists()
    assert storage.full(other.display_path).exists()
