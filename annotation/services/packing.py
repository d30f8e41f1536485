"""A written dataset as one archive, file by file in the order of its manifest, and read again.

A zip keeps a list of its files in memory while it is written and read; beyond MAX_ZIP_FILES it is a tar, which keeps
none.
"""

from __future__ import annotations

import hashlib
import shutil
import tarfile
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from annotation.formats.manifest import NAME, VerifyError, files
from annotation.formats.sa1b import append

MAX_ZIP_FILES = 50_000
TEXTS = frozenset((".json", ".jsonl", ".geojson", ".txt", ".yaml", ".csv", ".md"))
_EPOCH = (1980, 1, 1, 0, 0, 0)  # no dates in archives: the same masks give the same bytes
_CHUNK = 1 << 20
_REPORT = 500  # files between two reports of progress

Share = Callable[[float], None]


def pack(folder: Path, work: Path, on_share: Share) -> Path:
    """dataset.zip or dataset.tar in `work`, of all files of the manifest: pictures as they are, texts deflated."""
    total = 1 + sum(1 for _ in files(folder))
    if total > MAX_ZIP_FILES:
        target = work / "dataset.tar"
        with tarfile.open(target, "w") as tar:
            for name in _names(folder, total, on_share):
                append(tar, folder / name, name)
        return target
    target = work / "dataset.zip"
    with zipfile.ZipFile(target, "w", allowZip64=True) as archive:
        for name in _names(folder, total, on_share):
            path = folder / name
            info = zipfile.ZipInfo(name, _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED if path.suffix in TEXTS else zipfile.ZIP_STORED
            info.external_attr = 0o644 << 16
            info.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(info, "w") as entry:
                shutil.copyfileobj(source, entry, _CHUNK)
    return target


def verify(packed: Path, folder: Path, on_share: Share) -> None:
    """Read the archive again and compare every file with the manifest. Raises VerifyError."""
    rows = files(folder)
    total = 1 + sum(1 for _ in files(folder))
    for number, (name, file) in enumerate(_entries(packed)):
        if number % _REPORT == 0:
            on_share(number / total)
        if number == 0:
            if name != NAME or file.read() != (folder / NAME).read_bytes():
                raise VerifyError("the manifest in the archive differs")
            continue
        row = next(rows, None)
        if row is None or (name, _sha256(file)) != (row["path"], row["sha256"]):
            raise VerifyError(f"{name} in the archive differs from what was written")
    if next(rows, None) is not None:
        raise VerifyError("the archive is incomplete")


def _names(folder: Path, total: int, on_share: Share) -> Iterator[str]:
    yield NAME
    for number, row in enumerate(files(folder), 1):
        if number % _REPORT == 0:
            on_share(number / total)
        yield row["path"]


def _entries(packed: Path) -> Iterator[tuple[str, IO[bytes]]]:
    if packed.suffix == ".zip":
        with zipfile.ZipFile(packed) as archive:
            for info in archive.infolist():
                with archive.open(info) as file:
                    yield info.filename, file
        return
    with tarfile.open(packed, "r|") as tar:
        for member in tar:
            content = tar.extractfile(member)
            assert content is not None
            yield member.name, content
            tar.members.clear()  # type: ignore[attr-defined]  # as in annotation.formats.sa1b: it grows


def _sha256(file: IO[bytes]) -> str:
    digest = hashlib.sha256()
    while chunk := file.read(_CHUNK):
        digest.update(chunk)
    return digest.hexdigest()
