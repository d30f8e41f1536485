"""Cut-outs of video: each track on a transparent ground, as one video with alpha or as a sequence of PNG files.

All have the size of the video and every frame of it that is in the export, transparent where the track is not seen, so
that they lie over the video as they are. One track is drawn after another: memory does not grow with their number.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from annotation.errors import UserError
from annotation.formats import croissant
from annotation.formats.base import UNNAMED, Brief, ExportFormat, Option, Records
from annotation.formats.croissant import Column, Resource, Table
from annotation.formats.cutouts import FEATHER, feathered
from annotation.formats.manifest import Counts, ManifestWriter, VerifyError, verify_files
from annotation.formats.pictures import load_png, pixels_of, save_png
from annotation.formats.sav import name_of
from annotation.formats.staging import Staging, staging
from annotation.models import Image, Mask, Video
from modelzoo import rle

FORMAT = "video_cutouts"
WEBM, MOV, PNG = "webm", "mov", "png"
INDEX = "tracks.jsonl"
# What PyAV's wheel encodes with alpha: VP9, which browsers show, and QuickTime Animation, which loses nothing. (Its
# ProRes 4444 gives other bytes, and a few other pixels of alpha, every time.)
CODECS = {
    WEBM: ("libvpx-vp9", "yuva420p", {"crf": "15", "b": "0", "cpu-used": "4", "auto-alt-ref": "0"}),
    MOV: ("qtrle", "argb", {}),
}
DECODERS = {WEBM: "libvpx-vp9"}  # FFmpeg's own reads VP9 without its alpha
CLOCK = Fraction(1, 1000)  # seconds
SLACK = 0.02  # of an object's pixels, that VP9 may put on the other side of its border
TABLE = Table(
    "tracks",
    INDEX,
    (
        Column("file", "string", "The cut-out, or the folder of its pictures."),
        Column("video", "string", "What the video is called."),
        Column("track", "int64", "Number of the track."),
        Column("category", "string", "What is followed."),
        Column("times", "float64", "Seconds of each frame.", repeated=True),
        Column("areas", "int64", "Opaque pixels of each frame.", repeated=True),
    ),
    key="file",
)

Draw = Callable[[NDArray[np.uint8], int], None]


def write(folder: Path, records: Records, brief: Brief) -> Counts:
    """Write every track of a dataset's videos into an empty folder. UserError if there is none, or no encoder."""
    kind, feather = str(brief.options.get("file", WEBM)), int(brief.options.get("feather", 0))
    if kind != PNG and find_spec("av") is None:
        raise UserError("video_unreadable", "Videos cannot be written here: PyAV is not installed. Choose PNG files.")
    tracks: dict[int, tuple[int, str]] = {}
    with ManifestWriter(folder, file_format=f"{FORMAT}_{kind}", about=brief.about) as manifest, staging() as waiting:
        counts = manifest.counts
        for image, masks in records:
            brief.on_image()
            counts.images += image.video_id is not None
            followed = [mask for mask in masks if mask.track_id is not None and image.video_id is not None]
            counts.masks += len(followed)
            counts.left_out += len(masks) - len(followed)
            _stage(waiting, image, followed, tracks)
        if not tracks:
            raise UserError("no_tracks", "There is nothing to export: no mask belongs to a track of a video.")
        waiting.finish()
        with (folder / INDEX).open("w", encoding="utf-8") as index:
            for video in Video.objects.filter(pk__in={video for video, _ in tracks.values()}).order_by("pk"):
                frames = [json.loads(told) for _, told in waiting.take(f"video {video.pk}")]
                for track in sorted(pk for pk, (owner, _) in tracks.items() if owner == video.pk):
                    drawn = dict(waiting.take(f"track {track}"))
                    name = f"{name_of(video.pk)}_track_{track:06d}"
                    row = {"video": video.file_name, "track": track, "category": tracks[track][1] or UNNAMED}
                    row |= _track_write(folder / name, video, frames, drawn, kind, feather)
                    index.write(json.dumps(row, ensure_ascii=False, separators=(",", ":")) + "\n")
        for path in sorted(folder.rglob(f"*.{kind}")):
            manifest.add(path.relative_to(folder).as_posix())
        manifest.add(INDEX)
        types = {WEBM: "video/webm", MOV: "video/quicktime", PNG: "image/png"}[kind]
        files = Resource("cutouts", (types,), includes=("*/*.png" if kind == PNG else f"*.{kind}",))
        croissant.described(folder, manifest, brief, (Resource(INDEX, (croissant.JSON_LINES,), INDEX), files), (TABLE,))
        counts.categories = sorted({category or UNNAMED for _, category in tracks.values()})
    return counts


def _stage(waiting: Staging, image: Image, masks: Sequence[Mask], tracks: dict[int, tuple[int, str]]) -> None:
    """Keep where the frame's picture is, and each mask under its track."""
    if image.video_id is None or image.frame_number is None:
        return
    told = json.dumps([image.pk, image.frame_number, image.frame_time, image.display_path])
    waiting.add(f"video {image.video_id}", image.frame_number, told)
    for mask in masks:
        assert mask.track_id is not None
        before = tracks.get(mask.track_id, (0, ""))[1]
        tracks[mask.track_id] = (image.video_id, before or mask.category)
        waiting.add(f"track {mask.track_id}", image.frame_number, mask.segmentation["counts"])


def _track_write(
    place: Path, video: Video, frames: list[Any], masks: dict[int, str], kind: str, feather: int
) -> dict[str, Any]:
    """Draw one track, frame by frame; what the index tells of it."""
    size = (video.height, video.width)
    times, areas = [], []
    with ExitStack() as stack:
        if kind == PNG:
            place.mkdir()
            draw: Draw = _pictures(place)
        else:
            draw = stack.enter_context(closing(_Encoder(place.with_suffix(f".{kind}"), kind, size))).draw
        for order, (pk, number, time, path) in enumerate(frames):
            array = np.zeros((*size, 4), np.uint8)
            if (counts := masks.get(number)) is not None:
                inside = rle.decode({"size": list(size), "counts": counts})
                array[..., 3] = feathered(inside, feather)
                array[..., :3] = pixels_of(Image(pk=pk, display_path=path))
                array[array[..., 3] == 0] = 0  # nothing of the ground goes out with it
            draw(array, max(round(time / CLOCK), order))
            times.append(time)
            areas.append(int((array[..., 3] > 127).sum()))
    return {"file": place.name if kind == PNG else f"{place.name}.{kind}", "times": times, "areas": areas}


def _pictures(folder: Path) -> Draw:
    """PNG files by the number of the frame in this export."""
    number = 0

    def draw(array: NDArray[np.uint8], _time: int) -> None:
        nonlocal number
        save_png(array, folder / f"{number:05d}.png")
        number += 1

    return draw


class _Encoder:
    """One video with alpha under way; the same frames give the same bytes."""

    def __init__(self, path: Path, kind: str, size: tuple[int, int]) -> None:
        import av  # FFmpeg: in workers only

        codec, self._pixels, options = CODECS[kind]
        self._container = av.open(str(path), "w", options={"fflags": "+bitexact"})
        stream: Any = self._container.add_stream(codec, options=options)
        self._stream = stream
        self._stream.height, self._stream.width = size
        self._stream.pix_fmt = self._pixels
        self._stream.codec_context.time_base = CLOCK
        self._stream.codec_context.thread_count = 1
        if kind == WEBM:
            self._stream.metadata["alpha_mode"] = "1"

    def draw(self, array: NDArray[np.uint8], time: int) -> None:
        """One more frame: HxWx4 uint8 RGBA, in milliseconds."""
        import av

        frame = av.VideoFrame.from_ndarray(array, format="rgba").reformat(format=self._pixels)
        frame.pts, frame.time_base = time, CLOCK
        self._container.mux(self._stream.encode(frame))

    def close(self) -> None:
        """The file is whole."""
        self._container.mux(self._stream.encode())
        self._container.close()


def verify(folder: Path, counts: Counts) -> None:
    """Decode everything again: each frame is there, with as many opaque pixels as were drawn. Raises VerifyError."""
    verify_files(folder)
    seen = 0
    with (folder / INDEX).open(encoding="utf-8") as index:
        for line in index:
            row = json.loads(line)
            found = [int((alpha > 127).sum()) for alpha in _alphas(folder / row["file"])]
            exact = not row["file"].endswith(WEBM)
            if len(found) != len(row["areas"]) or any(
                abs(read - drawn) > (0 if exact else 16 + SLACK * drawn)
                for read, drawn in zip(found, row["areas"], strict=False)
            ):
                raise VerifyError(f"{row['file']} differs from what was drawn")
            seen += sum(area > 0 for area in row["areas"])
    if seen > counts.masks:
        raise VerifyError(f"{seen} masks read, {counts.masks} written")


def _alphas(path: Path) -> Iterator[NDArray[np.uint8]]:
    """Alpha (h, w) of every frame of a cut-out, in order."""
    if path.is_dir():
        for picture in sorted(path.glob("*.png")):
            yield load_png(picture)[..., 3]
        return
    import av

    with av.open(str(path)) as container:
        stream = container.streams.video[0]
        name = DECODERS.get(path.suffix[1:])
        decoder: Any = av.CodecContext.create(name, "r") if name else stream.codec_context
        for packet in container.demux(stream):
            for frame in decoder.decode(packet):
                yield frame.reformat(format="rgba").to_ndarray()[..., 3]


EXPORT = ExportFormat(
    name=FORMAT,
    title="Cut-outs of video",
    about="Each track on a transparent ground: a video with alpha, or a sequence of PNG files.",
    loses="The frames themselves, and masks that belong to no track, are not in it.",
    options=(
        Option(
            "file",
            "Files",
            WEBM,
            (
                (WEBM, "WebM (VP9 with alpha), for browsers"),
                (MOV, "MOV (QuickTime Animation), lossless, for editing"),
                (PNG, "a sequence of PNG files"),
            ),
        ),
        FEATHER,
    ),
    write=write,
    verify=verify,
)
