"""Files of the installation: the only module that builds a path under settings.ANYMASK_DATA.

Database rows hold paths relative to it, with forward slashes, made here and nowhere else. What a user sends (file
names, members of archives, fields of documents) is data and never becomes a path. Everything appears by rename from
a temporary place on the same disk: whole or not at all.

Where there is an object store (annotation.object_store), that is the record: what is kept goes there before it appears
here, and `found` brings what is not on this disk. The disk is a cache then, which `tidy` keeps small (decision 18).
"""

from __future__ import annotations

import hashlib
import math
import os
import re
import shutil
import stat
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from django.conf import settings

from annotation import object_store

_PART = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9._-]*\Z")
_CHUNK = 1 << 20
_looked_for_room = -math.inf
AREAS = frozenset(
    {"images", "embeddings", "models", "detectors", "snapshots", "runs", "exports", "imports", "uploads", "versions"}
)
UNDER_WAY = frozenset({"runs", "imports", "uploads"})  # belong to work on this machine: never dropped from its disk
REMOVALS = "removals"  # notes of what the object store did not hear of
TIDY_SECONDS = 600
ROOM_SECONDS = 30  # between two looks for copies to drop on a disk that something else fills
WORK_SECONDS = 48 * 3600


def root() -> Path:
    """The folder in which all state lives."""
    return Path(settings.ANYMASK_DATA)


def path_for(area: str, *parts: str | int) -> str:
    """The relative path of a file or folder in an area, e.g. path_for("exports", job.id, "dataset.zip").

    Every part is made of letters, digits, dot, dash and underscore and does not start with a dot or a dash;
    ValueError otherwise, which is a programming error: user text never comes here.
    """
    texts = [str(part) for part in parts]
    if area not in AREAS or not texts or any(not _PART.match(part) for part in texts):
        raise ValueError(f"not a storage path: {area!r} {texts!r}")
    return str(PurePosixPath(area, *texts))


def image_folder(dataset_id: int, sha256: str) -> str:
    """Relative folder of one image: original, display file and thumbnail lie together and go together."""
    return path_for("images", dataset_id, sha256[:2], sha256)


def full(relative: str) -> Path:
    """The place of a stored relative path on this disk, where it may not be; `found` is for reading.

    ValueError if it points anywhere but into an area.
    """
    path = PurePosixPath(relative)
    if path.is_absolute() or len(path.parts) < 2:
        raise ValueError(f"not a storage path: {relative!r}")
    return root() / path_for(*path.parts)


def found(relative: str) -> Path:
    """The place on this disk of a stored file, brought from the object store if it is only there.

    Nothing is at that place if there is no such file. OSError (StoreAway) if the store does not answer.
    """
    return _found(relative, object_store.fetch)


def folder_found(relative: str) -> Path:
    """`found` for a folder that is always read as a whole (a training set, a run): no file of it is asked for alone."""
    return _found(relative, object_store.fetch_folder)


def exists(relative: str) -> bool:
    """Whether a file or a folder is stored. OSError (StoreAway) if the object store does not answer."""
    return full(relative).exists() or (object_store.is_used() and object_store.exists(relative))


def share(relative: str) -> None:
    """Put what was written in its place here, without `adopt`, into the object store too, for other machines."""
    if object_store.is_used():
        object_store.put(full(relative), relative)


def _found(relative: str, fetch: Callable[[str, Path], None]) -> Path:
    place = full(relative)
    if not object_store.is_used():
        return place
    if place.exists():
        _in_use(place)
        return place
    free_bytes()  # drops other copies where the disk is nearly full
    with work_folder() as work:
        try:
            fetch(relative, work / "found")
        except FileNotFoundError:
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        _moved(work / "found", place)
    return place


def write_atomic(relative: str, data: bytes) -> Path:
    """Write a small file whole: temporary file, fsync, rename. Returns its place on disk."""
    with open_atomic(relative) as file:
        file.write(data)
    return full(relative)


@contextmanager
def open_atomic(relative: str) -> Iterator[IO[bytes]]:
    """A binary file that appears under `relative` when the block ends well, and not at all if it raises."""
    target = full(relative)
    target.parent.mkdir(parents=True, exist_ok=True)
    partial = target.with_name(f".{target.name}.{uuid.uuid4().hex}.partial")
    try:
        with partial.open("wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        if object_store.is_used():
            object_store.put(partial, relative)
        partial.replace(target)
    except BaseException:
        partial.unlink(missing_ok=True)
        raise


@contextmanager
def work_folder() -> Iterator[Path]:
    """A fresh private folder on the same disk, removed at the end; what is to stay is moved out by `adopt`."""
    base = root() / "work"
    base.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(dir=base))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def adopt(source: Path, relative: str) -> Path:
    """Move a finished file or folder from a work folder to its place by one rename; replaces a file, keeps a folder.

    A folder that is there already stays: folders are addressed by content, so that one is the same.
    """
    target = full(relative)
    target.parent.mkdir(parents=True, exist_ok=True)
    if object_store.is_used():
        object_store.put(source, relative)
    _moved(source, target)
    return target


def _moved(source: Path, target: Path) -> None:
    """One rename; a folder that is there already stays."""
    if source.is_dir():
        try:
            source.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            shutil.rmtree(source)
    else:
        source.replace(target)


def remove(relative: str) -> None:
    """Remove a file or a folder with all it holds; nothing to do if it is gone.

    An object store that does not answer is asked again by `tidy`, until it has.
    """
    _dropped(full(relative))
    if object_store.is_used():
        try:
            object_store.delete(relative)
        except object_store.StoreAway:
            note = root() / REMOVALS / uuid.uuid4().hex
            note.parent.mkdir(exist_ok=True)
            note.write_text(relative, "utf-8")


def _dropped(target: Path) -> None:
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target, ignore_errors=True)
    else:
        target.unlink(missing_ok=True)


@dataclass(frozen=True)
class Stored:
    """A whole file of an area: its relative path, size in bytes, and modification time in nanoseconds."""

    path: str
    bytes: int
    changed: int


def stored(area: str) -> Iterator[Stored]:
    """Every file of an area that is whole, in the object store or, where there is none, on the disk."""
    if object_store.is_used():
        for entry in object_store.listed(area):
            yield Stored(entry.key, entry.bytes, int(entry.changed.timestamp() * 1e9))
        return
    for parent, folders, names in os.walk(root() / area):
        folders.sort()
        for name in sorted(names):
            place = Path(parent, name)
            if not name.startswith(".") and not place.is_symlink():
                with suppress(FileNotFoundError):
                    about = place.stat()
                    yield Stored(place.relative_to(root()).as_posix(), about.st_size, about.st_mtime_ns)


@contextmanager
def reading(relative: str) -> Iterator[IO[bytes]]:
    """A stored file from its beginning, without a copy that stays on this disk. FileNotFoundError, StoreAway."""
    if not object_store.is_used():
        with full(relative).open("rb") as file:
            yield file
        return
    with work_folder() as work:
        object_store.fetch(relative, work / "reading")
        with (work / "reading").open("rb") as file:
            yield file


def link_or_copy(source: Path, target: Path) -> None:
    """A second name for a file where the disk allows it, else a copy. Stored files are never changed in place."""
    try:
        os.link(source, target)
    except OSError:
        shutil.copyfile(source, target)


def sha256_of(path: Path) -> str:
    """Hex SHA-256 of a file, read in pieces."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while chunk := file.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest()


def free_bytes() -> int:
    """Bytes that may still be written on the disk of the installation; copies of stored files give way first."""
    global _looked_for_room
    free = shutil.disk_usage(root()).free
    wanted = 2 * settings.ANYMASK_MIN_FREE_BYTES
    if free < wanted and object_store.is_used() and time.monotonic() - _looked_for_room > ROOM_SECONDS:
        _looked_for_room = time.monotonic()
        _copies_drop(wanted - free)
        free = shutil.disk_usage(root()).free
    return free


def tidy() -> None:
    """Called now and then on every machine with an object store: copies that nobody has read for ANYMASK_CACHE_HOURS
    go, pictures removed elsewhere among them, and removals that the store did not hear of are repeated."""
    if not object_store.is_used():
        return
    mark = root() / "tidied"
    now = time.time()
    with suppress(FileNotFoundError):
        if now - mark.stat().st_mtime < TIDY_SECONDS:
            return
    mark.touch()
    for changed, _, path in _copies():
        if changed < now - settings.ANYMASK_CACHE_SECONDS:
            _dropped(path)
    for path in (root() / "work").glob("*"):
        if path.stat().st_mtime < now - WORK_SECONDS:  # of a process that was killed
            _dropped(path)
    for note in (root() / REMOVALS).glob("*"):
        with suppress(object_store.StoreAway, FileNotFoundError):
            # What was stored under the same name since then stays.
            object_store.delete(note.read_text("utf-8"), until=note.stat().st_mtime)
            note.unlink()


def _in_use(place: Path) -> None:
    """A copy that is read now is kept for as long again."""
    with suppress(FileNotFoundError):
        if time.time() - place.stat().st_mtime > settings.ANYMASK_CACHE_SECONDS / 2:
            os.utime(place)


def _copies() -> Iterator[tuple[float, int, Path]]:
    """(last use or bringing, bytes, place) of what the object store has as well; training sets as whole folders."""
    for area in AREAS - UNDER_WAY:
        found = (root() / area).glob("*/*") if area == "snapshots" else (root() / area).rglob("*")
        for path in found:
            with suppress(FileNotFoundError):
                about = path.stat()
                if area == "snapshots" or stat.S_ISREG(about.st_mode):
                    yield about.st_mtime, about.st_size, path


def _copies_drop(wanted: int) -> None:
    """Drop copies, those longest unused first, until so many bytes are free. Training sets stay: one may be in use."""
    for _, size, path in sorted(one for one in _copies() if "snapshots" not in one[2].parts):
        if wanted <= 0:
            return
        _dropped(path)
        wanted -= size


def is_writable() -> bool:
    """Whether a file can be made and removed here now (health check)."""
    try:
        with work_folder() as folder:
            (folder / "probe").write_bytes(b"1")
    except OSError:
        return False
    return True
