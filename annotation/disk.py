"""The disk of this machine below settings.ANYMASK_DATA: where files lie, and where there is an object store, copies of
what that has and notes of what it did not hear of.

Only annotation.storage and what looks after the disk come here.
"""

from __future__ import annotations

import logging
import math
import os
import shutil
import threading
import time
import uuid
from collections.abc import Iterator, Set
from contextlib import suppress
from pathlib import Path

from django.conf import settings

from annotation import object_store

_looked_for_room = -math.inf
_tidying = 0  # the process whose thread does it
logger = logging.getLogger(__name__)
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


def moved(source: Path, target: Path) -> None:
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


def dropped(target: Path) -> None:
    """Remove a file or a folder from this disk."""
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target, ignore_errors=True)
    else:
        target.unlink(missing_ok=True)


def free_bytes(wanted: int = 0) -> int:
    """Bytes that may still be written on the disk of the installation; copies of stored files give way, until `wanted`
    bytes are there beside what is to stay free."""
    global _looked_for_room
    free = shutil.disk_usage(root()).free
    wanted += 2 * settings.ANYMASK_MIN_FREE_BYTES
    if free < wanted and object_store.is_used() and time.monotonic() - _looked_for_room > ROOM_SECONDS:
        _looked_for_room = time.monotonic()
        _copies_drop(wanted - free)
        free = shutil.disk_usage(root()).free
    return free


def tidy() -> None:
    """Once in ten minutes on every machine with an object store. Copies that nobody has read for ANYMASK_CACHE_HOURS
    go, pictures removed elsewhere among them; so does what killed work left; removals that the store did not hear of
    are repeated. StoreAway."""
    mark, now = root() / "tidied", time.time()
    with suppress(FileNotFoundError):
        if now - mark.stat().st_mtime < TIDY_SECONDS:
            return
    mark.touch()
    for changed, size, path in _copies():
        if changed < now - settings.ANYMASK_CACHE_SECONDS:
            _copy_drop(path, size)
    long_ago = now - max(WORK_SECONDS, settings.ANYMASK_UPLOAD_HOURS * 3600, settings.ANYMASK_CACHE_SECONDS)
    for area in ("work", "incoming", *sorted(UNDER_WAY)):
        aged_out(area, long_ago)
    for note, relative in removals():
        removal_do(note, relative)


def keep_tidy() -> None:
    """From now on a thread of this process tidies: so it is on every machine, also where only web processes run."""
    global _tidying
    if _tidying == os.getpid():
        return
    _tidying = os.getpid()

    def go_on() -> None:
        while True:
            time.sleep(TIDY_SECONDS)
            try:
                tidy()
            except Exception as problem:
                logger.warning("not tidied: %s", problem)

    threading.Thread(target=go_on, name="tidy", daemon=True).start()


def in_use(place: Path) -> None:
    """A copy that is read now is kept for as long again."""
    with suppress(OSError):
        if time.time() - place.stat().st_mtime > settings.ANYMASK_CACHE_SECONDS / 2:
            os.utime(place)


def _copies() -> Iterator[tuple[float, int, Path]]:
    """(last use or bringing, bytes, place) of what the object store should have too; training sets as whole folders."""
    for area in sorted(AREAS - UNDER_WAY):
        if area == "snapshots":
            for place in (root() / area).glob("*/*"):
                with suppress(FileNotFoundError):
                    yield place.stat().st_mtime, 0, place
            continue
        for parent, _, names in os.walk(root() / area):
            for name in names:
                with suppress(FileNotFoundError):
                    about = Path(parent, name).stat()
                    yield about.st_mtime, about.st_size, Path(parent, name)


def _copy_drop(path: Path, size: int) -> int:
    """Drop a copy; how many bytes that frees. StoreAway.

    In a store that `prepare` has not marked as ours a file may be missing because nobody brought it there.
    """
    if not (object_store.is_marked() or object_store.has(path.relative_to(root()).as_posix(), size)):
        return 0
    dropped(path)
    for parent in path.parents[:2]:
        with suppress(OSError):  # not empty
            parent.rmdir()
    return size


def _copies_drop(wanted: int) -> None:
    """Drop copies, those longest unused first, until so many bytes are free. Training sets stay: one may be in use."""
    with suppress(object_store.StoreAway):
        for _, size, path in sorted(one for one in _copies() if "snapshots" not in one[2].parts):
            if wanted <= 0:
                return
            wanted -= _copy_drop(path, size)


def aged_out(folder: str, before: float, kept: Set[str] = frozenset()) -> None:
    """Remove what lies directly in a folder since `before` (seconds since 1970) and is not among the names `kept`."""
    for path in (root() / folder).glob("*"):
        with suppress(FileNotFoundError):  # its owner was quicker
            if path.name not in kept and path.stat().st_mtime < before:
                dropped(path)


def removal_note(relative: str) -> Path:
    """Write down that something is to leave the store; where that is written."""
    note = root() / REMOVALS / uuid.uuid4().hex
    note.parent.mkdir(exist_ok=True)
    note.write_text(relative, "utf-8")
    return note


def removals() -> Iterator[tuple[Path, str]]:
    """Notes of what the store did not hear of yet, and the path that each is about."""
    for note in sorted((root() / REMOVALS).glob("*")):
        with suppress(FileNotFoundError):  # somebody was quicker
            yield note, note.read_text("utf-8")


def removal_do(note: Path, relative: str) -> None:
    """Do in the store what a note says. What another machine stored under the same name since then stays. StoreAway."""
    with suppress(FileNotFoundError):
        object_store.delete(relative, until=note.stat().st_mtime)
    note.unlink(missing_ok=True)
