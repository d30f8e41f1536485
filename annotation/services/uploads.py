"""Uploads that go on where they stopped: received in pieces, taken in by a job, reported file by file.

The size of the file is the offset: every byte in it came from the client in order, whatever became of the connection,
the process or the row. A piece is written under a lock that lasts for one write and only where the file ends, so that
a half-dead connection holds nothing up and cannot mix with the one that goes on.
"""

from __future__ import annotations

import fcntl
import os
import time
import uuid
from collections.abc import Iterator
from datetime import timedelta
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.db import transaction
from django.db.models import F, Sum
from django.utils import timezone

from annotation import jobkit, storage
from annotation.errors import Conflict, Missing, TooLarge, UserError
from annotation.ingest.cage import Cage
from annotation.jobkit import JobContext
from annotation.models import Dataset, Image, Job, Upload
from annotation.object_store import StoreAway
from annotation.room import is_full, need_room
from annotation.services import imports
from annotation.services.images import Incoming, Rights, clean_name
from annotation.services.intake import file_take
from annotation.services.videos import DEFAULT_RATE

TAKE_IN = jobkit.declare("take_in", queue="io", title="Check uploaded pictures", time_limit=24 * 3600)
MAX_ATTEMPTS = 3  # of one file: what ends its worker every time is set aside
PIECE = 1 << 18
TELL_SECONDS = 1.0  # how often the progress of an archive is written down


class Stream(Protocol):
    """A request's body."""

    def read(self, size: int, /) -> bytes:
        """At most `size` bytes; none at the end."""


def upload_create(
    *,
    dataset: Dataset,
    user: Any,
    file_name: str,
    byte_size: int,
    fingerprint: str = "",
    rights: dict[str, str],
    frame_rate: float = DEFAULT_RATE,
    import_format: str = "",
) -> Upload:
    """Make room for a file of `byte_size` bytes; with an `import_format` for an archive with annotations.

    Raises TooLarge for one that this server or this person has no room for, UserError for a format that is not read.
    """
    if import_format and import_format not in imports.FORMATS:
        raise UserError("import_format", f"Formats that are read: {', '.join(imports.FORMATS)}.")
    limit = settings.ANYMASK_MAX_ARCHIVE_BYTES
    if byte_size > limit:
        raise TooLarge("upload_too_large", f"A file may have {limit >> 20} MiB at the most.")
    mine = Upload.objects.filter(created_by=user, state__in=Upload.OPEN)
    if (mine.aggregate(total=Sum("byte_size"))["total"] or 0) + byte_size > settings.ANYMASK_UPLOAD_QUOTA_BYTES:
        quota = settings.ANYMASK_UPLOAD_QUOTA_BYTES >> 20
        raise TooLarge("upload_quota", f"You have more than {quota} MiB on the way already. Wait, or stop some of it.")
    coming = Upload.objects.filter(state=Upload.State.RECEIVING).aggregate(left=Sum(F("byte_size") - F("received")))
    need_room((coming["left"] or 0) + byte_size)
    upload = Upload.objects.create(
        dataset=dataset,
        created_by=user,
        file_name=clean_name(file_name),
        fingerprint=fingerprint,
        byte_size=byte_size,
        rights=rights,
        frame_rate=frame_rate,
        import_format=import_format,
    )
    path = file_of(upload)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()
    if byte_size == 0:
        upload_finish(upload=upload)
    return upload


def file_of(upload: Upload) -> Path:
    """Where the bytes of an upload arrive, on the machine that receives them."""
    return storage.full(_place(upload))


def _place(upload: Upload) -> str:
    return storage.path_for("uploads", str(upload.pk))


def upload_offset(*, upload: Upload) -> int:
    """How many bytes are here; a complete file whose end nobody noticed is noticed now. Raises Missing."""
    if upload.state != Upload.State.RECEIVING:
        return upload.byte_size
    try:
        offset = file_of(upload).stat().st_size
    except FileNotFoundError:
        raise Missing("upload_gone", "What was uploaded of this file is no longer kept. Start it again.") from None
    if offset >= upload.byte_size:
        upload_finish(upload=upload)
    return offset


def upload_append(*, upload: Upload, offset: int, length: int, stream: Stream) -> int:
    """Add what `stream` brings, `length` bytes at the most, at `offset`; the new offset.

    A stream that breaks leaves what it brought. Raises Conflict if the file does not end at `offset`, TooLarge for
    bytes beyond the announced size or a full disk, Missing if the upload is gone.
    """
    here = upload_offset(upload=upload)
    if offset != here:
        raise Conflict("upload_offset", f"The file goes on at byte {here}.", {"offset": here})
    if offset + length > upload.byte_size:
        raise TooLarge("upload_too_long", "The file is longer than was announced.")
    if upload.state != Upload.State.RECEIVING:
        return here
    try:
        with file_of(upload).open("r+b", buffering=0) as file:
            for piece in _pieces(stream, length):
                offset = _write_at(file, offset, piece)
            os.fsync(file.fileno())
    except FileNotFoundError:
        raise Missing("upload_gone", "This upload was stopped.") from None
    except OSError as problem:
        raise TooLarge("disk_full", "The file cannot be written: the disk of the server is full.") from problem
    Upload.objects.filter(pk=upload.pk, state=Upload.State.RECEIVING).update(received=offset, changed_at=timezone.now())
    if offset == upload.byte_size:
        upload_finish(upload=upload)
    return offset


def _pieces(stream: Stream, length: int) -> Iterator[bytes]:
    """The body in pieces; it ends where the connection breaks."""
    left = length
    while left > 0:
        try:
            piece = stream.read(min(PIECE, left))
        except OSError:  # UnreadablePostError is one
            return
        if not piece:
            return
        left -= len(piece)
        yield piece


def _write_at(file: Any, offset: int, piece: bytes) -> int:
    """Write if the file still ends at `offset`; where it ends then. Raises Conflict."""
    fcntl.flock(file, fcntl.LOCK_EX)
    try:
        if os.fstat(file.fileno()).st_size != offset:
            raise Conflict("upload_offset", "Another connection goes on with this file.")
        view = memoryview(piece)
        while view:
            written = os.pwrite(file.fileno(), view, offset)
            view = view[written:]
            offset += written
        return offset
    finally:
        fcntl.flock(file, fcntl.LOCK_UN)


def upload_finish(*, upload: Upload) -> None:
    """All is here: have it taken in, or imported. Twice is once."""
    now = timezone.now()
    archive: uuid.UUID | UserError | None = None
    # The worker may be another machine's; before the transaction, which shall not wait for an object store.
    if upload.import_format:
        archive = _archive_kept(upload)
    elif upload.byte_size:
        storage.share(_place(upload))
    with transaction.atomic():
        changed = Upload.objects.filter(pk=upload.pk, state=Upload.State.RECEIVING).update(
            state=Upload.State.ARRIVED, received=F("byte_size"), changed_at=now
        )
        if changed and archive is not None:
            _import(upload, archive)
        elif changed:
            take_in_request(dataset=upload.dataset)
            transaction.on_commit(partial(storage.let_go, _place(upload)))
    if not changed and isinstance(archive, uuid.UUID):
        imports.archive_drop(archive)
    upload.refresh_from_db()


def _archive_kept(upload: Upload) -> uuid.UUID | UserError:
    """The archive where its import will look for it, or why it is none. The file of the upload stays."""
    with storage.work_folder() as work:
        kept = work / imports.FILE
        try:
            storage.link_or_copy(file_of(upload), kept)
            return imports.archive_keep(kept)
        except FileNotFoundError:  # another request was quicker
            return UserError("upload_missing", "The uploaded archive is no longer there. Upload it again.")
        except UserError as problem:
            return problem


def _import(upload: Upload, archive: uuid.UUID | UserError) -> None:
    """Hand an archive with annotations over to the import, whose job tells the rest."""
    if isinstance(archive, UserError):
        _close(upload, Tally(refused_first=[(upload.file_name, archive)]))
    else:
        job = imports.import_queue(
            dataset=upload.dataset,
            archive=archive,
            file_name=upload.file_name,
            import_format=upload.import_format,
            user=upload.created_by,
        )
        done = {"state": Upload.State.DONE, "report": {"job": str(job.pk)}, "progress": 1}
        Upload.objects.filter(pk=upload.pk).update(**done)
    transaction.on_commit(lambda: storage.remove(_place(upload)))


def upload_delete(*, upload: Upload) -> None:
    """Stop an upload, or take a finished one off the list."""
    place = _place(upload)
    upload.delete()
    storage.remove(place)


def take_in_request(*, dataset: Dataset) -> Job:
    """Queue the job that takes in all that has arrived; the one that is under way if there is one."""
    return jobkit.enqueue(TAKE_IN.name, {"dataset_id": dataset.pk}, dataset=dataset, dedupe_key=str(dataset.pk))


def uploads_tend() -> None:
    """Every few seconds: queue what arrived while the last job was ending, stop what a person has stopped."""
    waiting = Upload.objects.filter(state=Upload.State.ARRIVED)
    for dataset in Dataset.objects.filter(pk__in=waiting.values("dataset")):
        jobs = Job.objects.filter(kind=TAKE_IN.name, dataset=dataset)
        last = jobs.order_by("-created_at").first()
        if last is not None and last.state == Job.State.CANCELLED and last.finished_at is not None:
            stopped = UserError("upload_stopped", "The check of this file was stopped by a person.")
            for upload in waiting.filter(dataset=dataset, changed_at__lt=last.finished_at):
                _close(upload, Tally(refused_first=[(upload.file_name, stopped)]))
                storage.remove(_place(upload))
        if not jobs.filter(state__in=Job.OPEN).exists() and waiting.filter(dataset=dataset).exists():
            take_in_request(dataset=dataset)


def uploads_expire() -> int:
    """Remove uploads on which nothing has happened for ANYMASK_UPLOAD_HOURS; how many."""
    since = timezone.now() - timedelta(hours=settings.ANYMASK_UPLOAD_HOURS)
    old = list(Upload.objects.filter(changed_at__lt=since).exclude(state=Upload.State.ARRIVED))
    for upload in old:
        upload_delete(upload=upload)
    known = {str(pk) for pk in Upload.objects.values_list("pk", flat=True)}
    storage.leftovers_remove("uploads", before=since.timestamp(), kept=known)
    return len(old)


class Tally:
    """A report of counts, with names for what was not added."""

    def __init__(self, refused_first: list[tuple[str, UserError]] | None = None) -> None:
        self.new = 0
        self.duplicates: list[dict[str, Any]] = []
        self.refusals: list[dict[str, str]] = []
        for name, problem in refused_first or []:
            self.refused(name, problem)

    def added(self, image: Image) -> None:
        """A new image."""
        self.new += 1

    def known(self, name: str, image: Image) -> None:
        """One that is there already."""
        self.duplicates.append({"name": name, "image": image.pk})

    def refused(self, name: str, problem: UserError) -> None:
        """One that cannot be used."""
        self.refusals.append({"name": name, "code": problem.code, "message": problem.message})

    def as_json(self) -> dict[str, Any]:
        """What is kept with the upload."""
        return {
            "added": self.new,
            "known": len(self.duplicates),
            "refused": len(self.refusals),
            "duplicates": self.duplicates,
            "refusals": self.refusals,
        }


def take_in_run(*, ctx: JobContext, dataset: Dataset) -> dict[str, Any]:
    """Take in what has arrived, until nothing is left; the job's result. A file that was begun is begun again."""
    total = {"files": 0, "added": 0, "known": 0, "refused": 0}
    with Cage() as cage:
        while (upload := _next(dataset)) is not None:
            waiting = Upload.objects.filter(dataset=dataset, state=Upload.State.ARRIVED).count()
            ctx.progress(total["files"] / (total["files"] + waiting), f"{upload.file_name}, {waiting} waiting")
            try:
                tally = _take_in(ctx, dataset, upload, cage)
            except OSError as problem:
                if isinstance(problem, StoreAway) or is_full(problem):
                    _attempt_back(upload)
                raise
            with ctx.fenced():
                _close(upload, tally)
            storage.remove(_place(upload))
            total["files"] += 1
            for name in ("added", "known", "refused"):
                total[name] += tally.as_json()[name]
    return total


def take_in_stopping(*, dataset: Dataset) -> None:
    """The worker that takes in what has arrived is ended on purpose."""
    upload = _next(dataset)
    if upload is not None:
        _attempt_back(upload)


def _attempt_back(upload: Upload) -> None:
    """What ended was no attempt of the file's. A stop and an outage may meet in one attempt, or before the first."""
    Upload.objects.filter(pk=upload.pk, attempts__gt=0).update(attempts=F("attempts") - 1)


def _next(dataset: Dataset) -> Upload | None:
    return Upload.objects.filter(dataset=dataset, state=Upload.State.ARRIVED).order_by("created_at").first()


def _take_in(ctx: JobContext, dataset: Dataset, upload: Upload, cage: Cage) -> Tally:
    tally = Tally()
    Upload.objects.filter(pk=upload.pk).update(attempts=F("attempts") + 1)
    if upload.attempts >= MAX_ATTEMPTS:
        problem = UserError("upload_poison", "Checking this file stopped the server's worker every time.")
        return Tally(refused_first=[(upload.file_name, problem)])
    path = storage.found(_place(upload))
    if not path.is_file():
        return Tally(refused_first=[(upload.file_name, UserError("upload_gone", "The file is no longer there."))])
    told = time.monotonic()

    def progress(share: float) -> None:
        nonlocal told
        if time.monotonic() - told > TELL_SECONDS:
            told = time.monotonic()
            ctx.check_cancelled()
            Upload.objects.filter(pk=upload.pk).update(
                progress=share, report=tally.as_json(), changed_at=timezone.now()
            )

    file_take(
        dataset=dataset,
        incoming=Incoming(upload.file_name, path),
        user=upload.created_by,
        rights=Rights(**upload.rights),
        cage=cage,
        report=tally,
        progress=progress,
        frame_rate=upload.frame_rate,
    )
    return tally


def _close(upload: Upload, tally: Tally) -> None:
    """Write the report down; the caller lets the bytes go: pictures have a name of their own for them by now."""
    report = tally.as_json()
    nothing = tally.new == 0 and not tally.duplicates
    Upload.objects.filter(pk=upload.pk).update(
        state=Upload.State.FAILED if nothing else Upload.State.DONE,
        report=report,
        progress=1,
        changed_at=timezone.now(),
    )
