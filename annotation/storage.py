"""Files of the installation: the only module that builds a path under settings.ANYMASK_DATA.

Database rows hold paths relative to it, with forward slashes, made here and nowhere else. What a user sends (file
names, members of archives, fields of documents) is data and never becomes a path. Everything appears by rename from
a temporary place on the same disk: whole or not at all.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import IO

from django.conf import settings

_PART = re.compile(r"\A[A-Za-z0-9_][A-Za-z0-9._-]*\Z")
_CHUNK = 1 << 20
AREAS = frozenset(
    {"images", "embeddings", "models", "detectors", "snapshots", "runs", "exports", "imports", "uploads", "versions"}
)


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
    """The place on disk of a stored relative path. ValueError if it points anywhere but into an area."""
    path = PurePosixPath(relative)
    if path.is_absolute() or len(path.parts) < 2:
        raise ValueError(f"not a storage path: {relative!r}")
    return root() / path_for(*path.parts)


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
    if source.is_dir():
        try:
            source.rename(target)
        except OSError:
            if not target.is_dir():
                raise
            shutil.rmtree(source)
    else:
        source.replace(target)
    return target


def remove(relative: str) -> None:
    """Remove a file or a folder with all it holds; nothing to do if it is gone."""
    target = full(relative)
    if target.is_dir() and not target.is_symlink():
        shutil.rmtree(target, ignore_errors=True)
    else:
        target.unlink(missing_ok=True)


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
    """Bytes that may still be written on the disk of the installation."""
    return shutil.disk_usage(root()).free


def is_writable() -> bool:
    """Whether a file can be made and removed here now (health check)."""
    try:
        with work_folder() as folder:
            (folder / "probe").write_bytes(b"1")
    except OSError:
        return False
    return True
