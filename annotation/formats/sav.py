"""SA-V: one JSON per video with its masklets, as in Meta's Segment Anything Video, beside the frames as pictures.

    JPEGImages/<video>/00000.jpg      frames by their number (.png where the video lost nothing)
    <video>_manual.json               tracks that a person worked on; <video>_auto.json those that the machine made

Field names are those of https://github.com/facebookresearch/sam2/blob/main/sav_dataset/README.md. `masklet` is a list
over frames of lists over objects; an object that is not seen on a frame has an empty mask there. `anymask` is our own:
the times of the frames, and what is followed.
"""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from annotation.errors import UserError
from annotation.formats import croissant
from annotation.formats.base import Brief, ExportFormat, Records
from annotation.formats.croissant import Column, Resource, Table
from annotation.formats.manifest import Counts, ManifestWriter, VerifyError, verify_files
from annotation.formats.pictures import put_picture
from annotation.formats.source import measured_masks
from annotation.formats.staging import Staging, staging
from annotation.models import Image, Mask, Video
from modelzoo import rle

FORMAT = "sav"
PICTURES = "JPEGImages"
MANUAL, AUTO = "manual", "auto"
SMALL, MEDIUM = 32**2, 96**2  # pixels
LIST = '"masklet": ['  # a line of its own, and so is every frame after it
TABLES = (
    Table(
        "videos",
        "documents",
        (
            Column("video_id", "string", "Name of the video.", path="$.video_id"),
            Column("video_frame_count", "int32", "Frames.", path="$.video_frame_count"),
            Column("video_height", "int32", "Rows of pixels.", path="$.video_height"),
            Column("video_width", "int32", "Columns of pixels.", path="$.video_width"),
            Column("masklet_num", "int32", "Tracks in this document.", path="$.masklet_num"),
        ),
    ),
)


@dataclass
class Masklet:
    """What is told of one track beside its masks; grows with their number only by a bit for each frame."""

    frames: list[int] = field(default_factory=list)
    area: int = 0
    edited: int = 0
    category: str = ""
    scores: dict[int, float] = field(default_factory=dict)

    def add(self, number: int, mask: Mask, *, by_people: bool) -> None:
        """Its mask on the next frame."""
        self.frames.append(number)
        self.area += mask.area
        self.category = self.category or mask.category
        self.edited += by_people
        self.scores[number] = 1.0 if by_people or mask.stability_score is None else mask.stability_score

    def told_scores(self) -> list[float]:
        """Its stability scores, frame by frame."""
        return [self.scores[number] for number in sorted(self.scores)]

    @property
    def kind(self) -> str:
        """Manual as soon as a person made or changed one of its masks."""
        return MANUAL if self.edited else AUTO

    def changes(self, last: int) -> int:
        """How often it comes and goes between its first frame and the last one of the video."""
        gaps = sum(after != before + 1 for before, after in zip(self.frames, self.frames[1:], strict=False))
        return 2 * gaps + (self.frames[-1] != last)


@dataclass
class _Seen:
    """A video under way: the numbers, times and split of its frames, and its tracks by number."""

    video: Video
    frames: list[tuple[int, float]] = field(default_factory=list)
    split: str = ""
    masklets: dict[int, Masklet] = field(default_factory=lambda: defaultdict(Masklet))


def write(folder: Path, records: Records, brief: Brief) -> Counts:
    """Write the frames and masklets of a dataset's videos into an empty folder.

    Masks wait on disk until all frames of their video are told. Pictures that are no frames, and masks without a
    track, are left out. Raises UserError if there is no frame.
    """
    seen: dict[int, _Seen] = {}
    with ManifestWriter(folder, file_format=FORMAT, about=brief.about) as manifest, staging() as waiting:
        counts = manifest.counts
        for image, masks in records:
            brief.on_image()
            if image.video_id is None or image.frame_number is None:
                counts.left_out += len(masks)
                continue
            if image.video_id not in seen:
                seen[image.video_id] = _Seen(Video.objects.get(pk=image.video_id))
            name = _put(folder, image)
            manifest.add(name)
            counts.images += 1
            followed = [mask for mask in masks if mask.track_id is not None]
            counts.masks += len(followed)
            counts.left_out += len(masks) - len(followed)
            _stage(waiting, seen[image.video_id], image, followed)
        if not counts.images:
            raise UserError("no_frames", "There is nothing to export: none of these images is a frame of a video.")
        waiting.finish()
        for one in seen.values():
            for name in _documents_write(folder, one, waiting):
                manifest.add(name)
        documents = Resource("documents", (croissant.JSON,), includes=("video_*.json",))
        pictures = Resource(croissant.PICTURE_FILES, croissant.PICTURE_TYPES, includes=(f"{PICTURES}/*/*",))
        croissant.described(folder, manifest, brief, (documents, pictures), (croissant.PICTURE_TABLE, *TABLES))
        counts.categories = sorted({m.category for one in seen.values() for m in one.masklets.values() if m.category})
    return counts


def name_of(video_id: int) -> str:
    """The `video_id` of SA-V."""
    return f"video_{video_id:06d}"


def _put(folder: Path, image: Image) -> str:
    assert image.video_id is not None
    place = folder / PICTURES / name_of(image.video_id)
    place.mkdir(parents=True, exist_ok=True)
    name = f"{image.frame_number:05d}{Path(image.display_path).suffix}"
    put_picture(image, place / name)
    return f"{PICTURES}/{place.name}/{name}"


def _stage(waiting: Staging, one: _Seen, image: Image, masks: Sequence[Mask]) -> None:
    number = image.frame_number
    assert number is not None
    one.frames.append((number, image.frame_time or 0.0))
    one.split = image.split
    proposed = _as_proposed(masks)
    for mask in masks:
        assert mask.track_id is not None
        one.masklets[mask.track_id].add(number, mask, by_people=mask.serial not in proposed)
    told = json.dumps({mask.track_id: mask.segmentation["counts"] for mask in masks}, separators=(",", ":"))
    waiting.add(name_of(one.video.pk), number, told)


def _as_proposed(masks: Sequence[Mask]) -> set[int]:
    """Serials of those that are the machine's, or that people kept with the very pixels that it had proposed."""
    parents = [mask.parent_id for mask in masks if mask.parent_id is not None]
    machine = Mask.objects.filter(pk__in=parents, created_by=None, source=Mask.Source.MODEL)
    offered = dict(machine.values_list("pk", "segmentation")) if parents else {}
    return {
        mask.serial
        for mask in masks
        if (mask.created_by_id is None and mask.source == Mask.Source.MODEL)
        or (mask.parent_id is not None and offered.get(mask.parent_id) == mask.segmentation)
    }


def _documents_write(folder: Path, one: _Seen, waiting: Staging) -> list[str]:
    """Both documents of a video, frame by frame; their names. One without tracks is written too: all were looked at."""
    name = name_of(one.video.pk)
    size = [one.video.height, one.video.width]
    nothing = rle.encode(np.zeros(size, np.bool_))["counts"]
    tracks = {kind: [pk for pk, m in sorted(one.masklets.items()) if m.kind == kind] for kind in (MANUAL, AUTO)}
    written = [kind for kind in (MANUAL, AUTO) if tracks[kind] or kind == MANUAL]
    with ExitStack() as stack:
        files = {
            kind: stack.enter_context((folder / f"{name}_{kind}.json").open("w", encoding="utf-8")) for kind in written
        }
        for kind, file in files.items():
            head = json.dumps(_head(one, tracks[kind], kind), ensure_ascii=False)
            file.write(f"{head.removesuffix('}')},\n{LIST}")
        for place, (_, told) in enumerate(waiting.take(name)):
            counts = json.loads(told)
            for kind, file in files.items():
                row = [{"size": size, "counts": counts.get(str(pk), nothing)} for pk in tracks[kind]]
                file.write((",\n" if place else "\n") + json.dumps(row, separators=(",", ":")))
        for file in files.values():
            file.write("\n]\n}\n")
    return [f"{name}_{kind}.json" for kind in written]


def _head(one: _Seen, tracks: list[int], kind: str) -> dict[str, Any]:
    """All but the masks. Frames are counted as they stand in `masklet`: those that are in this export."""
    video, frames = one.video, sorted(one.frames)
    place = {number: index for index, (number, _) in enumerate(frames)}
    masklets = [one.masklets[pk] for pk in tracks]
    for masklet in masklets:
        masklet.frames = sorted(place[number] for number in masklet.frames)
    means = [masklet.area / len(masklet.frames) for masklet in masklets]
    pixels = video.height * video.width
    head: dict[str, Any] = {
        "video_id": name_of(video.pk),
        "video_duration": video.duration,
        "video_frame_count": len(frames),
        "video_height": video.height,
        "video_width": video.width,
        "video_resolution": pixels,
        "video_environment": [],
        "video_split": one.split,
        "masklet_id": tracks,
        "masklet_size_rel": [mean / pixels for mean in means],
        "masklet_size_abs": means,
        "masklet_size_bucket": ["small" if mean < SMALL else "medium" if mean < MEDIUM else "large" for mean in means],
        "masklet_visibility_changes": [masklet.changes(len(frames) - 1) for masklet in masklets],
        "masklet_first_appeared_frame": [masklet.frames[0] for masklet in masklets],
        "masklet_frame_count": [len(masklet.frames) for masklet in masklets],
        "masklet_edited_frame_count": [masklet.edited for masklet in masklets],
        "masklet_type": [kind] * len(tracks),
        "masklet_stability_score": [masklet.told_scores() for masklet in masklets] if kind == AUTO else None,
        "masklet_num": len(tracks),
        "anymask": {
            "file_name": video.file_name,
            "frame_rate": video.frame_rate,
            "sampling_rate": video.sampling_rate,
            "frame_numbers": [number for number, _ in frames],
            "frame_times": [time for _, time in frames],
            "categories": [masklet.category for masklet in masklets],
        },
    }
    return head


def verify(folder: Path, counts: Counts) -> None:
    """Read everything again, frame by frame: every mask is legal, and each track has as many as is told of it.

    Raises VerifyError.
    """
    verify_files(folder)
    masks = images = 0
    for path in sorted(folder.glob("video_*_*.json")):
        with path.open(encoding="utf-8") as file:
            head = json.loads(file.readline().rstrip().removesuffix(",") + "}")
            if file.readline().rstrip() != LIST:
                raise VerifyError(f"{path.name}: its masks do not begin where they should")
            found = [0] * head["masklet_num"]
            frames = 0
            for row in _frames(file):
                frames += 1
                read = measured_masks(row, head["video_height"], head["video_width"])
                if len(read) != len(found):
                    raise VerifyError(f"{path.name}, frame {frames - 1}: {len(read)} masks for {len(found)} tracks")
                for place, one in enumerate(read):
                    if not isinstance(one, rle.RLEError):
                        found[place] += 1
                    elif one.code != "mask_empty":
                        raise VerifyError(f"{path.name}, frame {frames - 1}: {one}")
        if frames != head["video_frame_count"] or found != head["masklet_frame_count"]:
            raise VerifyError(f"{path.name}: {frames} frames with {found} masks, which is not what its head tells")
        masks += sum(found)
        images += frames if path.name.endswith(f"{MANUAL}.json") else 0
    if (images, masks) != (counts.images, counts.masks):
        raise VerifyError(f"{images} frames and {masks} masks read, {counts.images} and {counts.masks} written")


def _frames(file: Any) -> Iterator[list[Any]]:
    """The lists over objects, one line each, up to the end of the list."""
    for line in file:
        if line.startswith("]"):
            return
        yield json.loads(line.rstrip().removesuffix(","))


EXPORT = ExportFormat(
    name=FORMAT,
    title="SA-V (video)",
    about="Frames of videos and one JSON file of tracks for each, as in Meta's Segment Anything Video dataset.",
    loses="Pictures that are no frames, and masks that belong to no track, are left out.",
    write=write,
    verify=verify,
)
