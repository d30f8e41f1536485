"""What goes out of videos: SA-V, COCO with tracks, cut-outs with alpha; read with what others would read it with."""

from __future__ import annotations

import json

import av
import numpy as np
import pytest
from PIL import Image as Picture
from pycocotools import mask as coco_mask  # noqa: TID251  what others decode with
from pycocotools.coco import COCO

from annotation import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from annotation.errors import UserError
from annotation.exported import ExportFilter
from annotation.models import Mask
from annotation.services.exports import export_folder
from annotation.services.tracks import track_delete, track_update
from annotation.services.versions import version_freeze
from modelzoo import rle
from tests.annotation.test_round_trip import silent
from tests.cast import add_image, add_mask, add_tracks


@pytest.fixture
def video(cast):
    """Five frames, a plum and a pear; and a picture that is none."""
    add_mask(add_image(cast.dataset))
    return add_tracks(cast.dataset)


def export(dataset, name, out, options=None, **filters):
    chosen = ExportFilter.of(filters)
    export_folder(dataset=dataset, export_format=name, out=out, progress=silent, options=options or {}, chosen=chosen)
    return out


def truth(track, number: int) -> np.ndarray | None:
    mask = track.masks.filter(image__frame_number=number).first()
    return None if mask is None else rle.decode(mask.segmentation)


def test_sa_v_has_its_fields_and_every_mask(video, tmp_path):
    out = export(video.dataset, "sav", tmp_path / "out")
    name = f"video_{video.pk:06d}"
    plum, pear = video.tracks.all()
    manual, auto = (json.loads((out / f"{name}_{kind}.json").read_text()) for kind in ("manual", "auto"))
    assert manual["masklet_id"] == [plum.pk]
    assert auto["masklet_id"] == [pear.pk]
    told = {key: value for key, value in manual.items() if key not in ("masklet", "anymask", "masklet_id")}
    mean = np.mean([mask.area for mask in plum.masks.filter(status="accepted")])
    assert told == {
        "video_id": name,
        "video_duration": 1.0,
        "video_frame_count": 5,
        "video_height": 40,
        "video_width": 60,
        "video_resolution": 2400,
        "video_environment": [],
        "video_split": video.frames.all()[0].split,
        "masklet_size_rel": [mean / 2400],
        "masklet_size_abs": [mean],
        "masklet_size_bucket": ["small"],
        "masklet_visibility_changes": [2],
        "masklet_first_appeared_frame": [0],
        "masklet_frame_count": [4],
        "masklet_edited_frame_count": [1],
        "masklet_type": ["manual"],
        "masklet_stability_score": None,
        "masklet_num": 1,
    }
    assert auto["masklet_stability_score"] == [[0.9, 0.9]]
    assert (auto["masklet_first_appeared_frame"], auto["masklet_visibility_changes"]) == ([2], [1])
    assert manual["anymask"]["categories"] == ["plum"]
    for document, track in ((manual, plum), (auto, pear)):
        assert len(document["masklet"]) == 5
        for number, [coded] in enumerate(document["masklet"]):
            decoded = coco_mask.decode(coded).astype(bool)
            wanted = truth(track, number)
            assert np.array_equal(decoded, np.zeros_like(decoded) if wanted is None else wanted)
    frames = sorted(path.name for path in (out / "JPEGImages" / name).iterdir())
    assert frames == [f"{number:05d}.jpg" for number in range(5)]


def test_what_belongs_to_no_track_is_counted_as_left_out(video, tmp_path):
    counts = json.loads((export(video.dataset, "sav", tmp_path / "out") / "manifest.json").read_text())["counts"]
    assert (counts["images"], counts["masks"], counts["left_out"]) == (5, 6, 2)


def test_frames_that_are_left_out_leave_no_hole(video, tmp_path):
    video.frames.filter(frame_number=2).update(consent="refused")
    out = export(video.dataset, "sav", tmp_path / "out")
    manual = json.loads((out / f"video_{video.pk:06d}_manual.json").read_text())
    assert manual["anymask"]["frame_numbers"] == [0, 1, 3, 4]
    assert manual["video_frame_count"] == len(manual["masklet"]) == 4
    assert manual["masklet_visibility_changes"] == [0]


@pytest.mark.parametrize(("name", "code"), [("sav", "no_frames"), ("video_cutouts", "no_tracks")])
def test_a_dataset_without_videos_is_told_so(cast, tmp_path, name, code):
    add_mask(add_image(cast.dataset))
    with pytest.raises(UserError) as refused:
        export(cast.dataset, name, tmp_path / "out")
    assert refused.value.code == code


def test_coco_tells_videos_frames_and_tracks(video, tmp_path, capsys):
    out = export(video.dataset, "coco", tmp_path / "out")
    read = COCO(str(out / "annotations.json"))
    assert read.dataset["videos"] == [
        {"name": "clip-0.mp4", "id": video.pk, "width": 60, "height": 40, "frame_rate": 5.0}
    ]
    frames = {row["frame_id"]: row["id"] for row in read.dataset["images"] if row.get("video_id") == video.pk}
    assert frames == dict(video.frames.values_list("frame_number", "pk"))
    for row in read.dataset["annotations"]:
        mask = Mask.objects.get(pk=row["id"])
        assert row.get("track_id") == mask.track_id
        assert row.get("video_id") == (video.pk if mask.track_id else None)


def test_coco_of_pictures_alone_is_what_it_was(cast, tmp_path):
    add_mask(add_image(cast.dataset))
    text = (export(cast.dataset, "coco", tmp_path / "out") / "annotations.json").read_text()
    assert "video" not in text
    assert "track" not in text
    assert "frame" not in text


def frames_of(path, decoder="") -> list[tuple[float, np.ndarray]]:
    """(seconds, HxWx4 RGBA) of each frame."""
    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        reader = av.CodecContext.create(decoder, "r") if decoder else stream.codec_context
        return [
            (float(frame.pts * packet.time_base), frame.reformat(format="rgba").to_ndarray())
            for packet in container.demux(stream)
            for frame in reader.decode(packet)
        ]


@pytest.mark.parametrize(("kind", "decoder"), [("webm", "libvpx-vp9"), ("mov", "")])
def test_a_cut_out_video_shows_the_track_alone(video, tmp_path, kind, decoder):
    out = export(video.dataset, "video_cutouts", tmp_path / "out", {"file": kind})
    for track in video.tracks.all():
        read = frames_of(out / f"video_{video.pk:06d}_track_{track.pk:06d}.{kind}", decoder)
        assert len(read) == 5
        for number, (_time, array) in enumerate(read):
            wanted = truth(track, number)
            wanted = np.zeros((40, 60), bool) if wanted is None else wanted
            assert ((array[..., 3] > 127) != wanted).sum() <= (4 if kind == "webm" else 0)
    if kind == "mov":
        assert [time for time, _ in read] == pytest.approx([0, 0.2, 0.4, 0.6, 0.8], abs=0.002)


def test_a_sequence_of_pictures_lies_over_the_video(video, tmp_path):
    out = export(video.dataset, "video_cutouts", tmp_path / "out", {"file": "png"})
    plum = video.tracks.all()[0]
    for number in range(5):
        array = np.asarray(Picture.open(out / f"video_{video.pk:06d}_track_{plum.pk:06d}" / f"{number:05d}.png"))
        wanted = truth(plum, number)
        assert np.array_equal(array[..., 3] == 255, np.zeros((40, 60), bool) if wanted is None else wanted)
        assert array[array[..., 3] == 0].max(initial=0) == 0
    rows = [json.loads(line) for line in (out / "tracks.jsonl").read_text().splitlines()]
    assert [(row["video"], row["category"], row["times"]) for row in rows] == [
        ("clip-0.mp4", name, [0.0, 0.2, 0.4, 0.6, 0.8]) for name in ("plum", "pear")
    ]


def test_a_version_keeps_its_tracks_and_names(video, cast, tmp_path):
    version, _ = version_freeze(dataset=video.dataset, note="", chosen=ExportFilter(), user=cast.ana, progress=silent)
    plum, pear = video.tracks.all()
    numbers = [plum.pk, pear.pk]
    track_update(track=plum, category="damson", user=cast.ana)
    track_delete(track=pear, user=cast.ana)
    out = tmp_path / "out"
    export_folder(
        dataset=video.dataset, export_format="coco", out=out, progress=silent, options={}, version=version.number
    )
    document = json.loads((out / "annotations.json").read_text())
    names = {row["id"]: row["name"] for row in document["categories"]}
    tracked = {(row["track_id"], names[row["category_id"]]) for row in document["annotations"] if "track_id" in row}
    assert tracked == set(zip(numbers, ("plum", "pear"), strict=True))
