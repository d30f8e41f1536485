"""Files that have arrived, pictures, videos and archives of them, into a dataset; a bad one costs only itself."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files.uploadedfile import UploadedFile

from annotation import storage
from annotation.errors import UserError
from annotation.ingest import archives
from annotation.ingest.cage import Cage
from annotation.ingest.videos import is_video
from annotation.models import Dataset, Image
from annotation.room import need_room
from annotation.services.images import Incoming, Report, Rights, clean_name, image_add
from annotation.services.videos import video_take


@dataclass
class UploadReport:
    """What became of every file. `duplicates` are (name, the image that is there already)."""

    accepted: list[Image] = field(default_factory=list)
    duplicates: list[tuple[str, Image]] = field(default_factory=list)
    rejected: list[tuple[str, UserError]] = field(default_factory=list)

    def added(self, image: Image) -> None:
        """A new image."""
        self.accepted.append(image)

    def known(self, name: str, image: Image) -> None:
        """One that is there already."""
        self.duplicates.append((name, image))

    def refused(self, name: str, problem: UserError) -> None:
        """One that cannot be used."""
        self.rejected.append((name, problem))


def images_upload(
    *, dataset: Dataset, files: Iterable[UploadedFile], user: Any, rights: Rights | None = None
) -> UploadReport:
    """Take the files of one request, here and now. A bad file is reported, the others are kept."""
    need_room()
    report = UploadReport()
    with storage.work_folder() as folder, Cage() as cage:
        for number, uploaded in enumerate(files):
            incoming = Incoming(clean_name(uploaded.name or ""), _on_disk(uploaded, folder / f"file-{number}"))
            file_take(dataset=dataset, incoming=incoming, user=user, rights=rights, cage=cage, report=report)
    return report


def file_take(
    *,
    dataset: Dataset,
    incoming: Incoming,
    user: Any,
    rights: Rights | None,
    cage: Cage,
    report: Report,
    progress: Callable[[float], None] = lambda _share: None,
    frame_rate: float | None = None,
) -> None:
    """Take one picture, one video, or one archive of them of which one at a time is unpacked. The file stays.

    `progress` is called with the share (0..1) after every picture. What is refused goes to `report`. `frame_rate` is
    how many frames of a second are taken of a video; without it videos are refused: who waits for an answer would wait
    too long.
    """

    def take(one: Incoming, tell: Callable[[float], None]) -> None:
        if not is_video(one.path):
            _picture_take(dataset, one, user, rights, cage, report)
        elif frame_rate is None:
            report.refused(one.name, UserError("video_elsewhere", "Videos are taken by resumable uploads only."))
        else:
            try:
                video_take(
                    dataset=dataset,
                    incoming=one,
                    user=user,
                    rights=rights,
                    rate=frame_rate,
                    report=report,
                    progress=tell,
                )
            except UserError as problem:
                report.refused(one.name, problem)

    try:
        if not archives.is_archive(incoming.path):
            take(incoming, progress)
            return
        before = 0.0
        with storage.work_folder() as folder:
            for member, share in _archive_files(incoming.path, folder, report):
                if archives.is_archive(member.path):
                    report.refused(
                        member.name, UserError("member_archive", "Archives inside an archive are not opened.")
                    )
                else:
                    take(member, partial(_between, progress, before, share))
                member.path.unlink()
                before = share
                progress(share)
    except UserError as problem:
        report.refused(incoming.name, problem)


def _between(progress: Callable[[float], None], before: float, after: float, share: float) -> None:
    """Tell how far a whole is while one of its parts is under way."""
    progress(before + (after - before) * share)


def _archive_files(path: Path, folder: Path, report: Report) -> Iterator[tuple[Incoming, float]]:
    """Members of an archive and how far each is in it; what is refused goes to `report`."""
    for member in archives.members(path, folder, settings.ANYMASK_MAX_IMAGE_BYTES):
        if member.path is None:
            assert member.error is not None
            report.refused(clean_name(member.name), member.error)
        else:
            yield Incoming(clean_name(member.name), member.path), member.share


def _picture_take(
    dataset: Dataset, incoming: Incoming, user: Any, rights: Rights | None, cage: Cage, report: Report
) -> None:
    try:
        image, created = image_add(dataset=dataset, incoming=incoming, user=user, cage=cage, rights=rights)
    except UserError as problem:
        report.refused(incoming.name, problem)
    else:
        if created:
            report.added(image)
        else:
            report.known(incoming.name, image)


def _on_disk(uploaded: UploadedFile, target: Path) -> Path:
    """The upload as a file: where Django has put it already, or written now if it was small enough for memory."""
    temporary = getattr(uploaded, "temporary_file_path", None)
    if temporary is not None:
        return Path(temporary())
    with target.open("wb") as file:
        for chunk in uploaded.chunks():
            file.write(chunk)
    return target
