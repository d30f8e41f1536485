"""Videos in: a row, and its frames as images, decoded one after another in a cage; and out again, with all of them.

What was taken stays whatever happens: an attempt that is cut off goes on behind the last frame that is there.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction

from annotation import storage
from annotation.errors import Missing, UserError
from annotation.ingest.tiling import tiles_cut
from annotation.ingest.videos import About, Frame, VideoCage
from annotation.models import Dataset, Image, Task, Tombstone, Video, split_for
from annotation.room import need_room
from annotation.services.images import Incoming, Report, Rights, faces_blurred, refuse_removed
from annotation.signals import image_uploaded, send_on_commit

DEFAULT_RATE = 5.0  # frames of a second: what a person can look through
MIN_RATE, MAX_RATE = 0.01, 240.0
SAME_RATE = 0.999  # of the file's own: every frame is taken
EXTENSIONS = {"video/mp4": "mp4", "video/quicktime": "mov", "video/webm": "webm", "video/x-msvideo": "avi"}
PASSING = {"disk_full", "video_too_slow"}  # problems of the moment: the same file goes on where it stopped
ENDS_EARLY = 0.05  # share of the duration, and a second, by which sound is often longer than pictures


def video_take(
    *,
    dataset: Dataset,
    incoming: Incoming,
    user: Any,
    rights: Rights | None,
    rate: float,
    report: Report,
    progress: Callable[[float], None],
) -> None:
    """Take `rate` frames of a second of a video, all if it has no more; every frame is an image with its task.

    The same bytes in a dataset are one video: one that is whole is known, one that was cut off goes on, at the rate at
    which it began. `progress` gets the share (0..1) after every frame and may raise. What could not be decoded costs
    only itself and is told. Raises UserError for a video of which nothing can be used, Missing if it is deleted
    meanwhile.
    """
    sha256 = storage.sha256_of(incoming.path)
    refuse_removed(dataset, sha256)
    video = Video.objects.filter(dataset=dataset, sha256=sha256).first()
    if video is not None and video.complete and (first := video.frames.order_by("frame_number").first()):
        if abs(video.sampling_rate - rate) > 0.01 and video.sampling_rate < video.frame_rate * SAME_RATE:
            told = f"It is here already, with {video.sampling_rate:g} frames a second. Delete it to take it anew."
            raise UserError("video_known", told)
        report.known(incoming.name, first)
        return
    with VideoCage() as cage:
        about = cage.open(incoming.path)
        if video is None:
            video = _begin(dataset, incoming, user, sha256, about, rate)
        before = video.frames.count()
        problem = _frames_take(video, user, rights or Rights(), cage, about, report, progress)
    if problem is None or problem.code not in PASSING:
        _finish(video, incoming, cage, about)
    if problem is not None:
        report.refused(incoming.name, problem)
    elif (first := video.frames.order_by("frame_number").first()) and video.frames.count() == before:
        report.known(incoming.name, first)  # an earlier attempt was cut off behind the last frame


def video_delete(*, video: Video) -> None:
    """Remove a video with its frames, their masks, tracks, tasks and files."""
    with transaction.atomic():
        # Locked: a frame that comes in at this moment is either among these or refused.
        Video.objects.select_for_update().filter(pk=video.pk).first()
        digests = [video.sha256, *video.frames.values_list("sha256", flat=True)]
        video.delete()
        for sha256 in digests:
            folder = storage.image_folder(video.dataset_id, sha256)
            transaction.on_commit(partial(storage.remove, folder), robust=True)


def _begin(dataset: Dataset, incoming: Incoming, user: Any, sha256: str, about: About, rate: float) -> Video:
    """The row. Raises UserError for a video of more frames than are taken."""
    rate = about.frame_rate if rate >= about.frame_rate * SAME_RATE else rate
    expected, limit = int(about.duration * rate - 1e-6) + 1, settings.ANYMASK_MAX_VIDEO_FRAMES
    if expected > limit:
        fewer = int(limit / about.duration * 100) / 100
        raise UserError(
            "video_too_long",
            f"At {rate:.4g} frames a second this video has {expected} frames; the limit is {limit}. Take at most "
            f"{fewer:g} frames a second, or cut it into parts.",
        )
    try:
        video, _ = Video.objects.get_or_create(
            dataset=dataset,
            sha256=sha256,
            defaults={
                "file_name": incoming.name,
                "width": about.width,
                "height": about.height,
                "media_type": about.media_type,
                "byte_size": incoming.path.stat().st_size,
                "duration": about.duration,
                "frame_rate": about.frame_rate,
                "sampling_rate": rate,
                "frame_count": expected,
                "created_by": user,
            },
        )
    except IntegrityError:
        raise Missing("dataset_gone", "The dataset was deleted meanwhile.") from None
    return video


def _frames_take(
    video: Video,
    user: Any,
    rights: Rights,
    cage: VideoCage,
    about: About,
    report: Report,
    progress: Callable[[float], None],
) -> UserError | None:
    """Take what is not here yet; what kept some of it from being taken, if anything did."""
    last = video.frames.order_by("-frame_number").first()
    after, number = (last.frame_time, (last.frame_number or 0) + 1) if last else (None, 0)
    every = video.sampling_rate >= about.frame_rate * SAME_RATE
    try:
        cage.begin(rate=0 if every else video.sampling_rate, after=after)
        while True:
            need_room()
            with storage.work_folder() as work:
                folder = work / "image"
                folder.mkdir()
                frame = cage.next(folder)
                if frame is None:
                    return _left_out(cage, about, number)
                if number >= settings.ANYMASK_MAX_VIDEO_FRAMES:
                    told = f"The video goes on, but {number} frames are the limit: the first ones were taken."
                    return UserError("video_too_long", told)
                image = _frame_add(video, number, frame, folder, user, rights)
            number += 1
            if image is not None:
                report.added(image)
            progress(min(frame.time / about.duration, 1) if about.duration else 0)
    except Missing:
        raise
    except UserError as problem:
        if number == 0:
            _delete_unused(video)
            raise
        again = " Add the file again to go on behind them." if problem.code in PASSING else ""
        return UserError(problem.code, f"{problem.message} {number} frames were taken before.{again}")


def _delete_unused(video: Video) -> None:
    """Remove the row of a video of which nothing is there: another job that takes the same file may be further."""
    with transaction.atomic():
        locked = Video.objects.select_for_update().filter(pk=video.pk).first()
        if locked is not None and not locked.frames.exists():
            locked.delete()


def _left_out(cage: VideoCage, about: About, number: int) -> UserError | None:
    """What to say of pictures that could not be decoded, or of an end that comes too early."""
    told = []
    if cage.damaged:
        told.append(f"It is damaged in {cage.damaged} places, which were left out.")
    if cage.ended < about.duration * (1 - ENDS_EARLY) - 1:
        told.append(f"It ends after {cage.ended:.1f} of {about.duration:.1f} seconds.")
    return UserError("video_partly", " ".join([*told, f"{number} frames were taken."])) if told else None


def _frame_add(video: Video, number: int, frame: Frame, folder: Path, user: Any, rights: Rights) -> Image | None:
    """Put a frame that was decoded into `folder` in its place; None if it is there already."""
    dataset = video.dataset
    sha256 = video.frame_sha256(number)
    if Image.objects.filter(dataset=dataset, sha256=sha256).exists():  # the same video is taken twice at once
        return None
    conversion = frame.conversion
    if dataset.blur_faces:
        conversion = faces_blurred(folder, frame.display, conversion)
    revision = int(dataset.blur_faces)
    levels = tiles_cut(folder / frame.display, folder / f"tiles-{revision}", video.width * video.height)
    relative = storage.image_folder(dataset.pk, sha256)
    byte_size = (folder / frame.display).stat().st_size
    storage.remove(relative)  # what a killed attempt left there was perhaps not blurred
    storage.adopt(folder, relative)
    image = Image(
        dataset=dataset,
        file_name=f"{video.file_name[:240]} #{number:06d}",
        sha256=sha256,
        width=video.width,
        height=video.height,
        media_type="image/png" if frame.display.endswith(".png") else "image/jpeg",
        byte_size=byte_size,
        conversion=conversion,
        revision=revision,
        licence=rights.licence or dataset.licence,
        source=rights.source or dataset.source,
        credit=rights.credit,
        consent=rights.consent,
        split=split_for(video.sha256),
        original_path=f"{relative}/{frame.display}",
        display_path=f"{relative}/{frame.display}",
        thumbnail_path=f"{relative}/thumbnail.jpg",
        tile_levels=levels,
        video=video,
        frame_number=number,
        frame_time=frame.time,
        created_by=user,
    )
    try:
        with transaction.atomic():
            image.save()
            Task.objects.create(image=image)
            send_on_commit(image_uploaded, image_id=image.pk)
    except IntegrityError:  # somebody else was quicker, or the video went away
        if Image.objects.filter(dataset=dataset.pk, sha256=sha256).exists():
            return None
        storage.remove(relative)
        raise Missing("video_gone", "The video was deleted meanwhile.") from None
    return image


def _finish(video: Video, incoming: Incoming, cage: VideoCage, about: About) -> None:
    """All that there is has arrived. No original is kept where faces are blurred or something was removed for good."""
    dataset = video.dataset
    original = ""
    removed = Tombstone.objects.filter(dataset=dataset, sha256=video.sha256).exists()
    if not (dataset.blur_faces or removed or incoming.stays_at):
        relative = storage.image_folder(dataset.pk, video.sha256)
        original = f"{relative}/original.{EXTENSIONS[about.media_type]}"
        with storage.work_folder() as work:
            storage.link_or_copy(incoming.path, work / "original")
            storage.adopt(work / "original", original)
    Video.objects.filter(pk=video.pk).update(
        complete=True,
        frame_count=video.frames.count(),
        duration=about.duration or cage.ended + 1 / about.frame_rate,
        original_path=original,
    )
