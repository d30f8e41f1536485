"""Backups of the whole installation, made while people work: the database and every stored file.

    FOLDER/points/20261121T163005Z.jsonl    one point in time: a line about the whole, then one for each file
    FOLDER/blobs/ab/ab12...                 contents by SHA-256, shared by all points

A point names what it holds by digest, so a later one copies only what is new, an interrupted one leaves the earlier
ones whole, and damage is found. The database comes first: files are stored before the rows that name them, so every
row of the copy has its file, unless it was removed for good meanwhile.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

from django.core.management import call_command
from django.db import DatabaseError

from annotation import database_dump, storage
from annotation.errors import Conflict, Missing, UserError
from annotation.models import Dataset, Image, Mask

FORMAT = 1
NEVER = frozenset({"uploads", "imports"})  # on their way in: nothing refers to them but an upload that begins again
_DIGEST = re.compile(r"\A[0-9a-f]{64}\Z")
_CHUNK = 1 << 20

Told = Callable[[str], None]


@dataclass(frozen=True)
class Stored:
    """One file of a point: its relative storage path, digest, size in bytes, and modification time in nanoseconds."""

    path: str
    sha256: str
    bytes: int
    changed: int


def backup_make(*, folder: Path, keep: int = 0, told: Told = lambda _: None) -> dict[str, Any]:
    """Make a point in time in a folder that may hold earlier ones; `keep` > 0 removes all but so many.

    Returns {"point", "files", "bytes", "copied", "datasets", "images", "masks"}; `copied` bytes are new. Conflict
    `backup_running` while another one writes into the folder; UserError `backup_failed` when the disk is full or not
    writable.
    """
    try:
        (folder / "points").mkdir(parents=True, exist_ok=True, mode=0o700)
        (folder / "blobs").mkdir(exist_ok=True, mode=0o700)
        with _alone(folder):
            return _make(folder, keep, told)
    except OSError as error:
        raise UserError("backup_failed", f"The backup could not be written: {error.strerror or error}.") from error


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """The one that writes into the folder: another one would remove blobs that this one's point has yet to name."""
    with (folder / ".lock").open("wb") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            told = "Another backup is being written into this folder. Wait until it has ended."
            raise Conflict("backup_running", told) from None
        yield


def _make(folder: Path, keep: int, told: Told) -> dict[str, Any]:
    for stale in folder.glob(".*.partial"):  # of one that was killed
        stale.unlink()
    earlier = points(folder)
    known = {one.path: one for one in _read(folder, earlier[-1])[1]} if earlier else {}
    with _temporary(folder) as dumped:
        kind = database_dump.dump(dumped)
        with dumped.open("rb") as reading:
            database, copied = _take(folder, reading)
    told("database copied")
    rows = {"datasets": Dataset.objects.count(), "images": Image.objects.count(), "masks": Mask.objects.count()}
    point = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    head = {"format": FORMAT, "database": {"kind": kind, "sha256": database}, **rows}
    files = size = 0
    with _temporary(folder) as partial, partial.open("w", encoding="utf-8") as lines:
        lines.write(json.dumps(head) + "\n")
        for one, new in _files_kept(folder, known):
            lines.write(json.dumps(asdict(one)) + "\n")
            files, size, copied = files + 1, size + one.bytes, copied + new
            if files % 1000 == 0:
                told(f"{files} files")
        lines.flush()
        os.fsync(lines.fileno())
        partial.replace(folder / "points" / f"{point}.jsonl")
    if keep:
        _forget(folder, points(folder)[:-keep])
    return {"point": point, "files": files, "bytes": size, "copied": copied, **rows}


def points(folder: Path) -> list[str]:
    """The points in time that a folder holds, oldest first."""
    return sorted(path.stem for path in (folder / "points").glob("*.jsonl"))


def backup_check(*, folder: Path, point: str = "") -> dict[str, Any]:
    """Read every byte of a point (default: the last): {"point", "files", "bytes"}. UserError for what is damaged."""
    return _checked(folder, *_chosen(folder, point))


def _checked(folder: Path, point: str, head: dict[str, Any], files: list[Stored]) -> dict[str, Any]:
    for one in files:
        _verify(folder, one.sha256, one.path)
    _verify(folder, head["database"]["sha256"], "the database")
    return {"point": point, "files": len(files), "bytes": sum(one.bytes for one in files)}


def backup_restore(*, folder: Path, point: str = "", told: Told = lambda _: None) -> dict[str, Any]:
    """Put a point (default: the last) into this installation, which must be empty; bring the database up to date.

    Nothing is changed before every byte was read and found whole. Conflict `not_empty`; Missing `backup_missing`;
    UserError `backup_damaged`, `other_database`, and `restore_failed` when the disk is full or a store does not answer.
    """
    if not _is_empty():
        raise Conflict("not_empty", "This installation holds datasets already. Restore into an empty one.")
    try:
        return _restore(folder, point, told)
    except OSError as error:
        why = error.strerror or error
        raise UserError("restore_failed", f"The backup could not be put back: {why}. Try it again.") from error


def _restore(folder: Path, point: str, told: Told) -> dict[str, Any]:
    told("reading the backup")
    point, head, files = _chosen(folder, point)
    counts = _checked(folder, point, head, files)
    told("putting the files back")
    for one in files:
        with storage.open_atomic(one.path) as target, _blob(folder, one.sha256).open("rb") as source:
            shutil.copyfileobj(source, target)
        storage.let_go(one.path)  # where there is an object store, this disk need not hold all of it
    told("putting the database back")
    database_dump.load(_blob(folder, head["database"]["sha256"]), head["database"]["kind"])
    call_command("migrate", verbosity=0)
    return counts


def _is_empty() -> bool:
    try:
        return not Dataset.objects.exists()
    except DatabaseError:  # never migrated
        return True


def _files_kept(folder: Path, known: dict[str, Stored]) -> Iterator[tuple[Stored, int]]:
    """Every stored file, area by area, and how many bytes had to be copied; without what was removed meanwhile."""
    for area in sorted(storage.AREAS - NEVER):
        for seen in storage.stored(area):
            one = known.get(seen.path)
            same = one is not None and (one.bytes, one.changed) == (seen.bytes, seen.changed)
            if one is not None and same and _blob(folder, one.sha256).exists():
                yield one, 0
                continue
            try:
                with storage.reading(seen.path) as reading:
                    sha256, copied = _take(folder, reading)
            except FileNotFoundError:
                if storage.exists(seen.path):
                    raise
                continue
            yield Stored(seen.path, sha256, _blob(folder, sha256).stat().st_size, seen.changed), copied


def _take(folder: Path, reading: IO[bytes]) -> tuple[str, int]:
    """Copy a file among the blobs: (its digest, bytes written; 0 for contents that were there)."""
    digest, size = hashlib.sha256(), 0
    with _temporary(folder) as partial:
        with partial.open("wb") as writing:
            while chunk := reading.read(_CHUNK):
                digest.update(chunk)
                size += len(chunk)
                writing.write(chunk)
            writing.flush()
            os.fsync(writing.fileno())
        blob = _blob(folder, digest.hexdigest())
        if blob.exists():
            return digest.hexdigest(), 0
        blob.parent.mkdir(exist_ok=True)
        partial.replace(blob)
    return digest.hexdigest(), size


@contextmanager
def _temporary(folder: Path) -> Iterator[Path]:
    """A place for a file under way; what was not moved from there is gone at the end."""
    partial = folder / f".{uuid.uuid4().hex}.partial"
    try:
        yield partial
    finally:
        partial.unlink(missing_ok=True)


def _blob(folder: Path, sha256: str) -> Path:
    return folder / "blobs" / sha256[:2] / sha256


def _chosen(folder: Path, point: str) -> tuple[str, dict[str, Any], list[Stored]]:
    known = points(folder)
    if not known or (point and point not in known):
        told = f"It has: {', '.join(known)}." if known else "There is none in this folder."
        raise Missing("backup_missing", f"There is no such backup. {told}")
    return (point or known[-1], *_read(folder, point or known[-1]))


def _read(folder: Path, point: str) -> tuple[dict[str, Any], list[Stored]]:
    """The line about the whole and those about files. A folder from outside is data: every field is checked."""
    try:
        with (folder / "points" / f"{point}.jsonl").open(encoding="utf-8") as lines:
            head = json.loads(next(lines))
            files = [Stored(**json.loads(line)) for line in lines]
        digests = [head["database"]["sha256"], *(one.sha256 for one in files)]
        whole = head["format"] == FORMAT and isinstance(head["database"]["kind"], str)
        if not whole or not all(_DIGEST.match(digest) for digest in digests):
            raise ValueError(point)
        for one in files:
            storage.full(one.path)
            if not (isinstance(one.bytes, int) and isinstance(one.changed, int)):
                raise ValueError(one.path)
    except (ValueError, TypeError, KeyError, StopIteration) as error:
        raise UserError("backup_damaged", f"The list of backup {point} cannot be read.") from error
    return head, files


def _verify(folder: Path, sha256: str, name: str) -> None:
    blob = _blob(folder, sha256)
    if not blob.is_file() or storage.sha256_of(blob) != sha256:
        raise UserError("backup_damaged", f"{name} is missing from the backup or damaged.", {"path": name})


def _forget(folder: Path, old: list[str]) -> None:
    """Remove points, then the blobs that no other point names."""
    if not old:
        return
    for point in old:
        (folder / "points" / f"{point}.jsonl").unlink(missing_ok=True)
    named: set[str] = set()
    for point in points(folder):
        head, files = _read(folder, point)
        named |= {head["database"]["sha256"], *(one.sha256 for one in files)}
    for blob in (folder / "blobs").glob("*/*"):
        if blob.name not in named:
            blob.unlink()
