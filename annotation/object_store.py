"""The S3-compatible store that holds the installation's files where ANYMASK_STORE names one (decision 18).

Keys are the relative paths of annotation.storage, below the store's prefix. django-storages does the talking.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import chain, islice
from pathlib import Path
from typing import Any

from django.conf import settings
from django.core.files import File
from django.core.files.base import ContentFile
from django.core.files.storage import storages

ALIAS = "files"  # in settings.STORAGES
MARK = "anymask"
AT_ONCE = 1000  # keys that one request may delete
SILENT_SECONDS = 5


class StoreAway(OSError):
    """The store does not answer, or refuses: not a bug, and the same may be tried again."""


@dataclass(frozen=True)
class Stored:
    """A whole file: its relative path, which is its key, size in bytes, and modification time in nanoseconds."""

    path: str
    bytes: int
    changed: int


def is_used() -> bool:
    """Whether this installation has an object store."""
    return ALIAS in settings.STORAGES


def answers() -> bool:
    """Whether the store takes questions now (health check)."""
    try:
        with _asking():
            _client().head_bucket(Bucket=_files().bucket_name)
    except OSError:
        return False
    return True


def put(source: Path, key: str) -> None:
    """Store a file, or every file below a folder, under `key`; what is there already is replaced. StoreAway."""
    for path in _files_below(source):
        name = key if path == source else f"{key}/{path.relative_to(source).as_posix()}"
        with _asking(), path.open("rb") as file:
            _files().save(name, File(file))


def fetch(key: str, target: Path) -> None:
    """Write a stored file to `target`. FileNotFoundError if there is none, StoreAway."""
    with _asking(), target.open("wb") as file:
        _client().download_fileobj(_files().bucket_name, _key(key), file)


def fetch_folder(key: str, target: Path) -> None:
    """Write every file below `key` into the folder `target`. FileNotFoundError if there is none, StoreAway."""
    files = list(listed(key))
    if not files:
        raise FileNotFoundError(key)
    for one in files:
        place = target / one.path.removeprefix(f"{key}/")
        place.parent.mkdir(parents=True, exist_ok=True)
        fetch(one.path, place)


def exists(key: str) -> bool:
    """Whether there is such a file, or any below such a folder. StoreAway."""
    with _asking():
        return _files().exists(key) or next(listed(key), None) is not None


def stored(key: str) -> Stored | None:
    """One file, if there is such a one. StoreAway."""
    first = next(_listed(_key(key)), None)  # in order of key, so it comes before all that begin like it
    return first if first is not None and first.path == key else None


def has(key: str, size: int) -> bool:
    """Whether there is a file of so many bytes, or any below such a folder (`size` 0). StoreAway."""
    with _asking():
        try:
            return int(_files().size(key)) == size
        except FileNotFoundError:
            return size == 0 and next(listed(key), None) is not None


def is_marked() -> bool:
    """Whether this is the store of an installation whose files are all in it. StoreAway."""
    files = _files()
    if not getattr(files, "marked", False):
        with _asking():
            files.marked = files.exists(MARK)
    return bool(files.marked)


def mark() -> None:
    """Say that all files of the installation are here. StoreAway."""
    with _asking():
        _files().save(MARK, ContentFile(b"Files of an Anymask installation.\n"))


def listed(key: str) -> Iterator[Stored]:
    """Every file below a folder, in order of key. StoreAway."""
    return _listed(f"{_key(key)}/")


def _listed(prefix: str) -> Iterator[Stored]:
    start = len(_key(""))
    with _asking():
        for page in _client().get_paginator("list_objects_v2").paginate(Bucket=_files().bucket_name, Prefix=prefix):
            for row in page.get("Contents", []):
                yield Stored(row["Key"][start:], int(row["Size"]), int(row["LastModified"].timestamp() * 1e9))


def delete(key: str, *, until: float = math.inf) -> None:
    """Remove a file, or a folder with all it holds, where it was stored before `until` (seconds since 1970).

    Nothing to do if it is gone. StoreAway.
    """
    file = stored(key)
    found = chain([file] if file else [], listed(key))
    old = (_key(one.path) for one in found if one.changed <= until * 1e9)
    while names := list(islice(old, AT_ONCE)):
        with _asking():
            _delete_some(names)


def _delete_some(names: list[str]) -> None:
    """One request for all, or one for each where a store wants a digest that is no longer sent with it."""
    from botocore.exceptions import ClientError

    bucket = _files().bucket_name
    try:
        answer = _client().delete_objects(
            Bucket=bucket, Delete={"Objects": [{"Key": name} for name in names], "Quiet": True}
        )
    except ClientError as problem:
        if problem.response.get("Error", {}).get("Code") not in ("MissingContentMD5", "InvalidRequest"):
            raise
        for name in names:
            _client().delete_object(Bucket=bucket, Key=name)
    else:
        if answer.get("Errors"):
            raise StoreAway(f"The object store kept {len(answer['Errors'])} files that were to go.")


def link(key: str, *, name: str, media_type: str, seconds: int) -> str:
    """An address at which whoever knows it may download the file under `name` for so many seconds."""
    shown = name.replace('"', "")
    told = {"ResponseContentDisposition": f'attachment; filename="{shown}"', "ResponseContentType": media_type}
    with _asking():
        return str(_files().url(key, parameters=told, expire=seconds))


def _files() -> Any:
    return storages[ALIAS]


def _client() -> Any:
    return _files().connection.meta.client


def _key(key: str) -> str:
    """The whole key of a relative path."""
    prefix = _files().location.strip("/")
    return f"{prefix}/{key}" if prefix else key


def _files_below(source: Path) -> Iterator[Path]:
    if source.is_dir():
        yield from sorted(path for path in source.rglob("*") if path.is_file())
    else:
        yield source


@contextmanager
def _asking() -> Iterator[None]:
    """What the client raises becomes an OSError of ours; boto3 is loaded where a store is used.

    After a silence nobody asks for some seconds: web threads that wait for a store cannot save masks.
    """
    from boto3.exceptions import Boto3Error
    from botocore.exceptions import BotoCoreError, ClientError
    from s3transfer.exceptions import RetriesExceededError, S3DownloadFailedError

    files = _files()
    if time.monotonic() < getattr(files, "silent_until", 0):
        raise StoreAway("The object store did not answer a moment ago.")
    try:
        yield
    except ClientError as problem:
        code = str(problem.response.get("Error", {}).get("Code", ""))
        if code in ("404", "NoSuchKey"):
            raise FileNotFoundError(code) from problem
        raise StoreAway(f"The object store refuses: {code or 'no reason given'}.") from problem
    except (Boto3Error, BotoCoreError, RetriesExceededError, S3DownloadFailedError) as problem:
        files.silent_until = time.monotonic() + SILENT_SECONDS
        raise StoreAway(f"The object store does not answer: {type(problem).__name__}.") from problem
