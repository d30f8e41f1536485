"""manifest.json: what a written dataset holds, with the size and SHA-256 of every file. Streamed, no dates: the same
masks give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import asdict, dataclass, field
from pathlib import Path, PurePosixPath
from types import TracebackType
from typing import IO, Any

from annotation import storage

NAME = "manifest.json"
DESCRIPTION = "croissant.json"  # of annotation.formats.croissant: no document of masks either


class VerifyError(Exception):
    """A written dataset that does not read back as it should: our fault, never the user's."""


@dataclass
class Counts:
    """Images, masks and bytes of a dataset on disk. `left_out` masks were chosen but the format cannot hold them.

    `categories` are those of the whole dataset; formats of tracks name those of the tracks, SA-1B none.
    """

    images: int = 0
    masks: int = 0
    left_out: int = 0
    files: int = 0
    bytes: int = 0
    categories: list[str] = field(default_factory=list)


class ManifestWriter:
    """Writes manifest.json into a folder while its files are made; use as a context manager."""

    def __init__(self, folder: Path, *, file_format: str, about: dict[str, Any]) -> None:
        """`about` (dataset name, licence, ...) is written first and as it is. Files that are there already count."""
        self.folder = folder
        self.counts = Counts()
        self._head = {"format": file_format, **about}
        self._file: IO[str] | None = None

    def __enter__(self) -> ManifestWriter:
        self._file = (self.folder / NAME).open("w", encoding="utf-8")
        head = json.dumps(self._head, ensure_ascii=False, indent=1, sort_keys=True)
        self._file.write(head.rstrip().removesuffix("}").rstrip() + ',\n "files": [')
        for path in sorted(self.folder.iterdir()):
            if path.is_file() and path.name != NAME:
                self.add(path.name)
        return self

    def add(self, relative: str) -> None:
        """Count and hash one finished file of the folder."""
        assert self._file is not None
        path = self.folder / relative
        size = path.stat().st_size
        row = {"path": relative, "bytes": size, "sha256": storage.sha256_of(path)}
        self._file.write(("," if self.counts.files else "") + "\n" + json.dumps(row, ensure_ascii=False))
        self.counts.files += 1
        self.counts.bytes += size

    def __exit__(
        self, kind: type[BaseException] | None, problem: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._file is not None
        if problem is None:
            self._file.write('\n],\n "counts": ' + json.dumps(asdict(self.counts), ensure_ascii=False) + "}\n")
        self._file.close()


def files(folder: Path) -> Iterator[dict[str, Any]]:
    """Rows {path, bytes, sha256} of a manifest written here, one by one."""
    with (folder / NAME).open(encoding="utf-8") as file:
        for line in file:
            if line.startswith('{"path"'):
                yield json.loads(line.rstrip().rstrip(","))


def verify_files(folder: Path) -> int:
    """Read every file of the manifest again; their number. Raises VerifyError at the first that differs."""
    count = 0
    for row in files(folder):
        relative = PurePosixPath(row["path"])
        path = folder / relative
        if relative.is_absolute() or ".." in relative.parts or not path.is_file():
            raise VerifyError(f"{row['path']} is missing")
        if path.stat().st_size != row["bytes"] or storage.sha256_of(path) != row["sha256"]:
            raise VerifyError(f"{row['path']} differs from what was written")
        count += 1
    return count
