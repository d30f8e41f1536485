"""Videos in: every frame is a picture that arrived once, in its place in time; what is damaged costs only itself."""

from __future__ import annotations

import io
import shutil
import zipfile

import numpy as np
import pytest
from PIL import Image as Picture

from annotation import jobkit, storage
from annotation.errors import UserError
from annotation.ingest import faces
from annotation.ingest.video_child import media_type
from annotation.models import Image, Job, Task, Tombstone, Upload, Video, split_for
from annotation.services import videos
from tests.annotation.test_uploads import Browser
from tests.cast import add_image, client_of, picture
from tests.clips import HEIGHT, WIDTH, clip


@pytest.fixture
def browser(cast, as_):
    return Browser(as_(cast.ana), cast.dataset)


@pytest.fixture(scope="module")
def plain(tmp_path_factory):
    """Two seconds."""
    return clip(tmp_path_factory.mktemp("clips") / "plain.mp4")


def taken(browser, path, name: str = "", **fields: str):
    """The upload's row after the job."""
    browser.send(name or path.name, path.read_bytes(), **fields)
    jobkit.run_pending()
    return browser.listed()["uploads"][-1]


def pixels(image: Image) -> np.ndarray:
    with Picture.open(storage.full(image.display_path)) as opened:
        return np.asarray(opened.convert("RGB")).astype(int)


def square(image: Image) -> int:
    """Left edge of the white square."""
    return int(np.flatnonzero((pixels(image)[60] > 200).all(axis=1))[0])


def test_a_video_becomes_frames_at_five_a_second(browser, cast, plain):
    row = taken(browser, plain, "clip.mp4", licence="CC0", credit="Ana")
    assert (row["state"], row["added"], row["refused"]) == ("done", 10, 0)
    video = Video.objects.get()
    assert (video.file_name, video.width, video.height, video.media_type) == ("clip.mp4", WIDTH, HEIGHT, "video/mp4")
    assert (video.duration, video.frame_rate, video.sampling_rate) == (2.0, 25.0, 5.0)
    assert (video.frame_count, video.complete, video.created_by) == (10, True, cast.ana)
    assert storage.full(video.original_path).read_bytes() == plain.read_bytes()
    frames = list(video.frames.order_by("frame_number"))
    assert [frame.frame_number for frame in frames] == list(range(10))
    assert [round(frame.frame_time, 3) for frame in frames] == [round(number / 5, 3) for number in range(10)]
    assert [square(frame) for frame in frames] == pytest.approx([10 * number for number in range(10)], abs=1)
    assert (frames[3].file_name, frames[3].licence, frames[3].credit) == ("clip.mp4 #000003", "CC0", "Ana")
    assert {frame.split for frame in frames} == {split_for(video.sha256)}
    assert Task.objects.filter(image__video=video, state="open").count() == 10
    assert all(storage.full(frame.thumbnail_path).is_file() for frame in frames)


@pytest.mark.parametrize(("asked", "frames"), [("1", 2), ("10", 20), ("25", 50), ("240", 50)])
def test_the_rate_is_chosen_with_the_upload(browser, plain, asked, frames):
    assert taken(browser, plain, frames_per_second=asked)["added"] == frames
    assert Video.objects.get().sampling_rate == min(float(asked), 25.0)


@pytest.mark.parametrize("asked", ["0", "-1", "nan", "inf", "241", "many"])
def test_a_rate_that_is_none_is_refused_before_a_byte_is_sent(browser, asked):
    answer = browser.create(9, filename="x.mp4", frames_per_second=asked)
    assert answer.status_code == 400
    assert answer.json()["code"] == "frame_rate"


@pytest.mark.parametrize("suffix", [".mkv", ".mov", ".avi", ".webm"])
def test_kinds_of_videos_are_known_by_their_content(browser, tmp_path, suffix):
    row = taken(browser, clip(tmp_path / f"clip{suffix}"), "holiday.jpg")
    assert (row["state"], row["added"]) == ("done", 10)


def test_what_lost_nothing_in_the_file_loses_nothing_here(browser, tmp_path):
    taken(browser, clip(tmp_path / "clip.mov", codec="qtrle", pixels="rgb24"))
    frame = Image.objects.get(frame_number=2)
    assert (frame.media_type, frame.display_media_type) == ("image/png", "image/png")
    assert set(map(tuple, pixels(frame).reshape(-1, 3).tolist())) == {(200, 0, 0), (0, 0, 0), (255, 255, 255)}


def test_a_turned_video_is_shown_upright(browser, tmp_path):
    taken(browser, clip(tmp_path / "clip.mp4", rotation=90))
    video, frame = Video.objects.get(), Image.objects.get(frame_number=0)
    assert (video.width, video.height, frame.width, frame.height) == (HEIGHT, WIDTH, HEIGHT, WIDTH)
    assert frame.conversion == "turned upright"
    shown = pixels(frame)
    assert shown[80, 20, 0] > 150  # turned to the left: what was above is on the left
    assert shown[80, 100, 0] < 60


def test_frames_of_a_file_without_a_constant_rate_come_at_their_times(browser, tmp_path):
    """A picture each 40 ms for 0.8 s, then one each 500 ms: none is taken twice and none invented."""
    times = [40 * n for n in range(20)] + [800 + 500 * n for n in range(6)]
    taken(browser, clip(tmp_path / "clip.mkv", 26, times=times))
    frames = Image.objects.order_by("frame_number")
    assert [round(frame.frame_time, 3) for frame in frames] == [0, 0.2, 0.4, 0.6, 0.8, 1.3, 1.8, 2.3, 2.8, 3.3]
    assert [square(frame) for frame in frames] == pytest.approx([0, 10, 20, 30, 40, 42, 44, 46, 48, 50], abs=1)


def test_a_video_that_is_here_is_known(browser, plain):
    taken(browser, plain)
    row = taken(browser, plain, "again.mp4")
    assert (row["state"], row["added"], row["known"]) == ("done", 0, 1)
    assert row["duplicates"] == [{"name": "again.mp4", "image": Image.objects.get(frame_number=0).pk}]
    row = taken(browser, plain, "again.mp4", frames_per_second="2")
    assert [refusal["code"] for refusal in row["refusals"]] == ["video_known"]
    assert (Video.objects.count(), Image.objects.count()) == (1, 10)


def test_what_was_cut_off_goes_on_behind_the_last_frame(browser, plain, monkeypatch):
    """A worker that is killed: the job is taken back and run again, as the sweeper does it."""
    add, kept = videos._frame_add, []

    def killed(*args):
        if len(kept) == 4:
            raise SystemExit
        kept.append(add(*args))
        return kept[-1]

    monkeypatch.setattr(videos, "_frame_add", killed)
    browser.send("clip.mp4", plain.read_bytes())
    with pytest.raises(SystemExit):
        jobkit.run_pending()
    video = Video.objects.get()
    assert (video.complete, video.frames.count()) == (False, 4)
    monkeypatch.setattr(videos, "_frame_add", add)
    Job.objects.update(state=Job.State.QUEUED, lease_expires_at=None)
    assert jobkit.run_pending() >= 1
    row = browser.listed()["uploads"][0]
    assert (row["state"], row["added"]) == ("done", 6)
    video.refresh_from_db()
    assert (Video.objects.count(), video.complete, video.frames.count()) == (1, True, 10)
    times = [round(frame.frame_time, 3) for frame in video.frames.order_by("frame_number")]
    assert times == [round(number / 5, 3) for number in range(10)]
    assert set(video.frames.values_list("pk", flat=True)) > {image.pk for image in kept}


def test_a_video_whose_last_word_was_lost_is_known_and_whole(browser, plain):
    """A worker that is killed behind the last frame: nothing is left to take, and that is no failure."""
    taken(browser, plain)
    Video.objects.update(complete=False, original_path="")
    row = taken(browser, plain)
    assert (row["state"], row["added"], row["known"], row["refusals"]) == ("done", 0, 1, [])
    assert Video.objects.get().complete


def test_a_full_disk_keeps_what_is_there_and_the_same_file_goes_on(browser, plain, monkeypatch):
    free = iter([10**12] * 4)
    monkeypatch.setattr(videos.storage, "free_bytes", lambda _=0: next(free, 0))
    row = taken(browser, plain)
    [refusal] = row["refusals"]
    assert refusal["code"] == "disk_full"
    assert refusal["message"].endswith("Add the file again to go on behind them.")
    assert not Video.objects.get().complete
    assert 0 < Image.objects.count() < 10
    monkeypatch.undo()
    taken(browser, plain)
    assert (Video.objects.get().complete, Image.objects.count()) == (True, 10)


def test_a_file_that_ends_too_early_keeps_its_good_frames_and_says_so(browser, tmp_path):
    whole = clip(tmp_path / "clip.mkv", 80).read_bytes()
    half = tmp_path / "half.mkv"
    half.write_bytes(whole[: len(whole) // 3])
    row = taken(browser, half)
    assert row["state"] == "done"
    assert 0 < row["added"] < 16
    assert row["refusals"][0]["code"] == "video_partly"
    assert "of 3.2 seconds" in row["refusals"][0]["message"]
    assert f"{row['added']} frames were taken" in row["refusals"][0]["message"]
    assert Video.objects.get().frame_count == row["added"]


def test_damage_in_the_middle_costs_only_what_it_hit(browser, tmp_path):
    path = clip(tmp_path / "clip.mp4", 50, every=5, fragments=True)
    data = bytearray(path.read_bytes())
    start = data.index(b"mdat", len(data) // 2) + 30
    data[start : start + 200] = bytes(200)
    path.write_bytes(data)
    row = taken(browser, path, frames_per_second="240")
    assert row["state"] == "done"
    assert 30 < row["added"] < 50
    assert row["refusals"][0]["code"] == "video_partly"
    assert Image.objects.order_by("-frame_number")[0].frame_time > 1.5


HOSTILE = {
    "only a head": b"\x00\x00\x00\x20ftypisom",
    "words after a head": b"\x00\x00\x00\x20ftypisom" + b"only words " * 100,
    "matroska of noise": b"\x1aE\xdf\xa3" + bytes(range(256)) * 40,
    "avi of noise": b"RIFF\x00\x00\x00\x10AVI LIST" + bytes(range(256)) * 40,
    "a playlist called a video": b"#EXTM3U\nfile:///etc/passwd\n",
    "a size beyond all": b"\xff\xff\xff\xffmoov" + b"\xff" * 400,
}


@pytest.mark.parametrize("kind", HOSTILE)
def test_what_is_no_video_is_refused_with_a_reason(browser, tmp_path, kind):
    path = tmp_path / "x.mp4"
    path.write_bytes(HOSTILE[kind])
    row = taken(browser, path)
    assert row["state"] == "failed"
    assert row["refusals"][0]["code"] in {"video_damaged", "not_an_image", "image_damaged", "no_video"}
    assert not Video.objects.exists()
    assert not Image.objects.exists()


def test_a_video_cut_anywhere_is_an_answer(browser, plain, tmp_path):
    data = plain.read_bytes()
    path = tmp_path / "cut.mp4"
    for share in (0.05, 0.3, 0.7):
        path.write_bytes(data[: int(len(data) * share)])
        row = taken(browser, path)
        assert (row["state"], row["refusals"][0]["code"]) == ("failed", "video_damaged")


def test_pictures_are_not_taken_for_videos():
    assert media_type(b"\x00\x00\x00\x18ftypheic" + bytes(52)) == ""
    assert media_type(b"\x00\x00\x00\x18ftypavif" + bytes(52)) == ""
    assert media_type(picture()[:64]) == ""
    assert media_type(b"RIFF\x00\x00\x00\x10WEBPVP8 ") == ""


def test_more_frames_than_the_limit_are_refused_with_a_way_out(browser, plain, settings):
    settings.ANYMASK_MAX_VIDEO_FRAMES = 8
    row = taken(browser, plain)
    assert row["refusals"][0]["code"] == "video_too_long"
    assert "10 frames; the limit is 8. Take at most 4 frames a second" in row["refusals"][0]["message"]
    assert browser.listed()["max_video_frames"] == 8
    assert taken(browser, plain, frames_per_second="4")["added"] == 8


def test_a_file_that_lies_about_its_length_stops_at_the_limit(browser, plain, settings, monkeypatch):
    settings.ANYMASK_MAX_VIDEO_FRAMES = 8
    opened = videos.VideoCage.open

    def lying(self, source):
        about = opened(self, source)
        return type(about)(**{**about.__dict__, "duration": 0.0})

    monkeypatch.setattr(videos.VideoCage, "open", lying)
    row = taken(browser, plain)
    assert (row["added"], row["refusals"][0]["code"]) == (8, "video_too_long")


def test_frames_larger_than_the_limit_are_refused(browser, plain, monkeypatch):
    monkeypatch.setattr("annotation.ingest.videos.MAX_PIXELS", 100)
    assert taken(browser, plain)["refusals"][0]["code"] == "video_too_large"


def test_faces_are_blurred_in_frames_and_the_video_is_not_kept(browser, cast, plain, monkeypatch, settings):
    settings.ANYMASK_BLUR_DETECTORS = ["tests.annotation.test_video_import.everything"]
    cast.dataset.blur_faces = True
    cast.dataset.save()
    taken(browser, plain)
    video = Video.objects.get()
    assert (video.complete, video.original_path) == (True, "")
    frame = Image.objects.get(frame_number=2)
    assert (frame.revision, frame.conversion) == (1, "1 face blurred")
    assert pixels(frame)[60].max() < 250  # the white square is gone
    kept = [
        path for path in storage.root().rglob("*") if path.is_file() and path.stat().st_size == plain.stat().st_size
    ]
    assert kept == []


def everything(array: np.ndarray) -> list[faces.Box]:
    """A detector that takes the whole picture for a face."""
    return [(0.0, 0.0, float(array.shape[1]), float(array.shape[0]))]


def test_videos_come_in_archives_too(browser, plain):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        archive.writestr("one/clip.mp4", plain.read_bytes())
        archive.writestr("two/photo.jpg", picture(seed=5))
    browser.send("all.zip", buffer.getvalue(), frames_per_second="1")
    jobkit.run_pending()
    assert browser.listed()["uploads"][0]["added"] == 3
    assert Image.objects.filter(video=None).count() == 1


def test_no_request_waits_for_a_video(cast, plain):
    with plain.open("rb") as file:
        answer = client_of(cast.ana).post(
            f"/api/datasets/{cast.dataset.pk}/images/", {"files": [file]}, format="multipart"
        )
    assert answer.status_code == 400
    assert answer.json()["details"]["rejected"][0]["code"] == "video_elsewhere"


@pytest.mark.django_db(transaction=True)
def test_a_deleted_video_stops_coming_and_leaves_no_file(browser, plain, monkeypatch, data_folder):
    add, kept = videos._frame_add, []

    def gone(*args):
        if len(kept) == 3:
            videos.video_delete(video=Video.objects.get())
        kept.append(add(*args))
        return kept[-1]

    monkeypatch.setattr(videos, "_frame_add", gone)
    row = taken(browser, plain)
    assert row["refusals"][0]["code"] == "video_gone"
    assert not Image.objects.exists()
    assert [path for path in (data_folder / "images").rglob("*") if path.is_file()] == []


def test_a_job_that_fails_at_once_leaves_what_another_took_of_the_same_video(browser, cast, plain, monkeypatch):
    """Two jobs begin with the same new file; the disk is full for the second, and the first has taken two frames."""

    def full_for_the_second() -> None:
        for number in range(2):
            frame = add_image(cast.dataset, seed=number)
            Image.objects.filter(pk=frame.pk).update(video=Video.objects.get(), frame_number=number)
        raise UserError("disk_full", "The disk is full.")

    monkeypatch.setattr(videos, "need_room", full_for_the_second)
    row = taken(browser, plain)
    assert [refusal["code"] for refusal in row["refusals"]] == ["disk_full"]
    assert (Video.objects.count(), Image.objects.count(), Task.objects.count()) == (1, 2, 2)


def test_a_video_of_which_nothing_could_be_taken_leaves_no_row(browser, plain, monkeypatch):
    def full() -> None:
        raise UserError("disk_full", "The disk is full.")

    monkeypatch.setattr(videos, "need_room", full)
    assert taken(browser, plain)["added"] == 0
    assert not Video.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_with_a_removed_frame_goes_the_file_that_shows_it(browser, cast, plain):
    taken(browser, plain)
    video = Video.objects.get()
    original = storage.full(video.original_path)
    chosen = Image.objects.get(frame_number=3)
    body = {"images": [chosen.pk], "reason": "asked for"}
    client = client_of(cast.ana)
    assert client.post(f"/api/datasets/{cast.dataset.pk}/removals/", body, format="json").json() == {"images": 1}
    video.refresh_from_db()
    assert (video.original_path, original.exists(), video.frames.count()) == ("", False, 9)
    assert Tombstone.objects.filter(sha256=video.sha256).exists()
    assert taken(browser, plain)["refusals"][0]["code"] == "image_removed"
    body["images"] = list(video.frames.values_list("pk", flat=True))
    client.post(f"/api/datasets/{cast.dataset.pk}/removals/", body, format="json")
    assert not Video.objects.exists()


def test_an_upload_shows_how_far_a_video_is(browser, plain, monkeypatch):
    monkeypatch.setattr("annotation.services.uploads.TELL_SECONDS", 0)
    seen = []
    add = videos._frame_add

    def looking(*args):
        seen.append((round(Upload.objects.get().progress, 2), Upload.objects.get().report.get("added", 0)))
        return add(*args)

    monkeypatch.setattr(videos, "_frame_add", looking)
    taken(browser, plain)
    assert seen[0] == (0, 0)
    assert seen[5] == (0.4, 5)


def test_a_copy_of_the_folder_is_not_needed(browser, plain, data_folder):
    """Frames need no original: what is shown is all there is."""
    taken(browser, plain)
    shutil.rmtree(storage.full(Video.objects.get().original_path).parent)
    frame = Image.objects.get(frame_number=1)
    assert storage.full(frame.original_path).is_file()
