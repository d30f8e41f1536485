"""Files of the installation: the only module that builds a path under settings.ANYMASK_DATA.

Database rows hold paths relative to it, with forward slashes, made here and nowhere else. What a user sends (file
names, members of archives, fields of documents) is data and never becomes a path. Everything appears by rename from
a temporary place on the same disk: whole or not at all.

Where there is an object store (annotation.object_store), that is the record: what is kept goes there before it appears
here, and `found` brings what is not on this disk. The disk is a cache then, which `tidy` keeps small (decision 18).
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import datetime
from pathlib import Path, PurePosixPath
from typing import IO

from annotation import disk, object_store
from annotation.disk import AREAS as AREAS
from annotation.disk import free_bytes as free_bytes
from annotation.disk import root as root
from annotation.object_store import Stored

_PART = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9._-]*\Z")
_CHUNK = 1 << 20


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


def found(relative: str, since: datetime | None = None) -> Path:
    """The place on this disk of a stored file, brought from the object store if it is only there.

    `since` is when the row was made that names it: a copy from before is of a file that was removed and made anew under
    the same name. Nothing is at that place if there is no such file. StoreAway if the store does not answer.
    """
    place = full(relative)
    if not object_store.is_used():
        return place
    disk.keep_tidy()
    with suppress(FileNotFoundError):
        if since is None or place.stat().st_mtime >= since.timestamp():
            place.stat()
            disk.in_use(place)
            return place
    return _brought(relative, place, object_store.fetch)


def folder_found(relative: str) -> Path:
    """`found` for a folder that is always read as a whole (a training set, a run): no file of it is asked for alone.

    The store is asked whether there is one, since another machine may have removed it.
    """
    place = full(relative)
    if not object_store.is_used() or (place.exists() and place.parts[-2] == "runs"):
        return place
    if not object_store.exists(relative):
        _gone(place)
    elif place.exists():
        disk.in_use(place)
    else:
        _brought(relative, place, object_store.fetch_folder)
    return place


def caught_up(relative: str) -> None:
    """Bring a stored file that is younger than the one on this disk: another machine wrote on. StoreAway."""
    place = full(relative)
    if not object_store.is_used() or not place.exists():
        return
    stored = object_store.stored(relative)
    if stored is not None and stored.changed > place.stat().st_mtime_ns:
        _brought(relative, place, object_store.fetch)


def exists(relative: str) -> bool:
    """Whether a file or a folder is stored. StoreAway."""
    return object_store.exists(relative) if object_store.is_used() else full(relative).exists()


def share(relative: str) -> None:
    """Put what was written in its place here, without `adopt`, into the object store too, for other machines."""
    if object_store.is_used():
        _put(full(relative), relative)


def let_go(relative: str) -> None:
    """This machine has no more use for a file; where there is an object store it is left to that alone."""
    if object_store.is_used():
        disk.dropped(full(relative))


def _brought(relative: str, place: Path, fetch: Callable[[str, Path], None]) -> Path:
    disk.free_bytes()  # drops other copies where the disk is nearly full
    with work_folder() as work:
        try:
            fetch(relative, work / "found")
        except FileNotFoundError:
            _gone(place)
            return place
        place.parent.mkdir(parents=True, exist_ok=True)
        disk.moved(work / "found", place)
    return place


def _gone(place: Path) -> None:
    """The store has no such file: the copy goes, unless this may be what nobody has brought there yet."""
    if place.exists() and object_store.is_marked():
        disk.dropped(place)


def _put(source: Path, relative: str) -> None:
    """Into the store, after removals that it did not hear of and before anything tells of the file. StoreAway."""
    disk.keep_tidy()
    for note, removed in disk.removals():
        if PurePosixPath(relative).is_relative_to(removed):
            disk.removal_do(note, removed)
    object_store.put(source, relative)


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
            _put(partial, relative)
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
        _put(source, relative)
    disk.moved(source, target)
    return target


def remove(relative: str) -> None:
    """Remove a file or a folder with all it holds; nothing to do if it is gone.

    An object store that does not answer is asked again by `tidy`, until it has; so it is if this process dies here.
    """
    disk.dropped(full(relative))
    if object_store.is_used():
        disk.keep_tidy()
        with suppress(object_store.StoreAway):
            disk.removal_do(disk.removal_note(relative), relative)


def leftovers_remove(area: str, *, before: float, kept: set[str]) -> None:
    """Remove what lies directly in an area, here and in an object store, since `before` and is not among the names
    that are `kept`. StoreAway."""
    disk.aged_out(area, before, kept)
    for one in object_store.listed(area) if object_store.is_used() else ():
        if one.path.split("/")[1] not in kept and one.changed < before * 1e9:
            object_store.delete(one.path)


def stored(area: str) -> Iterator[Stored]:
    """Every file of an area that is whole, in the object store or, where there is none, on the disk."""
    return object_store.listed(area) if object_store.is_used() else _on_disk(area)


def _on_disk(area: str) -> Iterator[Stored]:
    for parent, folders, names in os.walk(root() / area):
        folders.sort()
        for name in sorted(names):
            place = Path(parent, name)
            if not name.startswith(".") and not place.is_symlink():
                with suppress(FileNotFoundError):
                    about = place.stat()
                    yield Stored(place.relative_to(root()).as_posix(), about.st_size, about.st_mtime_ns)


def moved_into_store(told: Callable[[int], None]) -> int:
    """Bring what is on this disk into an object store that is new to this installation; how many files.

    The store is marked at the end, and one that is marked has everything already. StoreAway.
    """
    if not object_store.is_used() or object_store.is_marked():
        return 0
    count = 0
    for area in sorted(AREAS - disk.UNDER_WAY):
        for one in _on_disk(area):
            if not object_store.has(one.path, one.bytes):
                object_store.put(full(one.path), one.path)
                count += 1
                told(count)
    object_store.mark()
    return count


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


def is_writable() -> bool:
    """Whether a file can be made and removed here now (health check)."""
    try:
        with work_folder() as folder:
            (folder / "probe").write_bytes(b"1")
    except OSError:
        return False
    return True
