"""Tar archives from outside, plain or packed with gzip, read from front to end in bounded memory.

Headers are parsed by the standard library one block at a time; walking the archive is done here, because `tarfile`
reads long names, extended headers and lists of holes at whatever length they claim.
"""

from __future__ import annotations

import gzip
import tarfile
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from django.conf import settings

from annotation.errors import TooLarge, UserError
from annotation.ingest.members import CHUNK, MAX_RATIO, MIN_BYTES_FOR_RATIO, Member, is_noise, name_problem

BLOCK = tarfile.BLOCKSIZE
MAX_EXTRA_BYTES = 1 << 16  # of a long name or an extended header
EXTENDED = (tarfile.XHDTYPE, tarfile.SOLARIS_XHDTYPE)
WITHOUT_DATA = (
    tarfile.LNKTYPE,
    tarfile.SYMTYPE,
    tarfile.CHRTYPE,
    tarfile.BLKTYPE,
    tarfile.DIRTYPE,
    tarfile.FIFOTYPE,
)


def is_tar(path: Path) -> bool:
    """Whether the file, or what it unpacks to, begins with the header of a tar archive and its checksum."""
    with path.open("rb") as file:
        head = file.read(BLOCK)
    if _is_gzip(head):
        try:
            with gzip.open(path) as unpacked:
                head = unpacked.read(BLOCK)
        except (OSError, EOFError, zlib.error):
            return False
    return _header(head) is not None


def members(path: Path, folder: Path, max_member_bytes: int) -> Iterator[Member]:
    """Write the files of a tar archive one after another into `folder`; the caller may remove each when done with it.

    Raises UserError or TooLarge where the archive cannot be read on; a bad member is yielded with its error and the
    rest goes on.
    """
    size = max(path.stat().st_size, 1)
    with path.open("rb") as raw:
        packed = _is_gzip(raw.read(2))
        raw.seek(0)
        stream = _Stream(raw, gzip.GzipFile(fileobj=raw) if packed else raw)
        for number, (name, header, plain) in enumerate(_entries(stream)):
            if number >= settings.ANYMASK_MAX_ARCHIVE_MEMBERS:
                limit = settings.ANYMASK_MAX_ARCHIVE_MEMBERS
                raise TooLarge("archive_too_large", f"The archive holds more than {limit} files.")
            wanted = header.type != tarfile.DIRTYPE and not is_noise(name)
            problem = name_problem(name) or _kind_problem(header, plain)
            if problem is None and header.size > max_member_bytes:
                problem = UserError("member_too_large", "This file is larger than this server accepts.")
            if not wanted or problem is not None:
                stream.skip(_data_bytes(header))
                if wanted:
                    yield Member(name, None, problem, raw.tell() / size)
                continue
            target = folder / f"member-{number}"
            with target.open("wb") as file:
                stream.copy(header.size, file)
            stream.skip(-header.size % BLOCK)
            yield Member(name, target, None, raw.tell() / size)


def _is_gzip(head: bytes) -> bool:
    return head[:2] == b"\x1f\x8b"


def _header(block: bytes) -> tarfile.TarInfo | None:
    try:
        return tarfile.TarInfo.frombuf(block, "utf-8", "replace")
    except tarfile.HeaderError:
        return None


def _entries(stream: _Stream) -> Iterator[tuple[str, tarfile.TarInfo, bool]]:
    """(name, header, whether it is stored without holes) of each member; the caller passes over its data."""
    name, size, plain = "", -1, True
    while (block := stream.read(BLOCK)).strip(b"\0"):
        header = _header(block)
        if header is None or header.size < 0:
            raise _damaged()
        if header.type == tarfile.GNUTYPE_LONGNAME:
            name = _extra(stream, header).rstrip(b"\0").decode("utf-8", "replace")
        elif header.type in EXTENDED:
            words = _words(_extra(stream, header))
            name = words.get("path", name)
            size = int(words["size"]) if words.get("size", "").isdigit() else size
            plain = plain and not any(word.startswith("GNU.sparse") for word in words)
        elif header.type in (tarfile.GNUTYPE_LONGLINK, tarfile.XGLTYPE):
            _extra(stream, header)
        else:
            header.size = size if size >= 0 else header.size
            yield name or header.name, header, plain and header.type != tarfile.GNUTYPE_SPARSE
            name, size, plain = "", -1, True


def _extra(stream: _Stream, header: tarfile.TarInfo) -> bytes:
    """The data of a header about the next one."""
    if header.size > MAX_EXTRA_BYTES:
        raise _damaged()
    return stream.read(header.size + -header.size % BLOCK)[: header.size]


def _words(data: bytes) -> dict[str, str]:
    """Records "length keyword=value\\n" of an extended header (POSIX.1-2001 pax)."""
    found: dict[str, str] = {}
    while data.strip(b"\0"):
        length, _, _ = data.partition(b" ")
        if not length.isdigit() or len(length) > 6 or not len(length) < int(length) <= len(data):
            raise _damaged()
        record, data = data[len(length) + 1 : int(length)], data[int(length) :]
        keyword, _, value = record.rstrip(b"\n").partition(b"=")
        found[keyword.decode("utf-8", "replace")] = value.decode("utf-8", "replace")
    return found


def _kind_problem(header: tarfile.TarInfo, plain: bool) -> UserError | None:
    if header.type in (tarfile.LNKTYPE, tarfile.SYMTYPE):
        return UserError("member_link", "This is a link, not a file.")
    if header.type not in tarfile.REGULAR_TYPES or not plain:
        return UserError("member_kind", "This is not an ordinary file.")
    return None


def _data_bytes(header: tarfile.TarInfo) -> int:
    return 0 if header.type in WITHOUT_DATA else header.size + -header.size % BLOCK


def _damaged() -> UserError:
    return UserError("archive_damaged", "The archive is damaged or ends too early. What came before was taken.")


class _Stream:
    """The bytes of an archive, counted; raises where they are too many or end too early."""

    def __init__(self, raw: IO[bytes], source: Any) -> None:
        self.raw = raw
        self.source = source
        self.count = 0

    def read(self, size: int) -> bytes:
        """Exactly `size` bytes, all of them in memory."""
        parts = list(self._pieces(size))
        return b"".join(parts)

    def copy(self, size: int, target: IO[bytes]) -> None:
        """`size` bytes into a file."""
        for piece in self._pieces(size):
            target.write(piece)

    def skip(self, size: int) -> None:
        """Pass over `size` bytes."""
        for _ in self._pieces(size):
            pass

    def _pieces(self, size: int) -> Iterator[bytes]:
        while size > 0:
            try:
                piece = self.source.read(min(size, CHUNK))
            except (OSError, EOFError, zlib.error):
                raise _damaged() from None
            if not piece:
                raise _damaged()
            size -= len(piece)
            self.count += len(piece)
            if self.count > settings.ANYMASK_MAX_ARCHIVE_BYTES:
                raise TooLarge("archive_too_large", "The archive holds more than this server accepts.")
            if self.count > max(MIN_BYTES_FOR_RATIO, self.raw.tell() * MAX_RATIO):
                raise UserError("archive_ratio", "The archive unpacks to far more than pictures could.")
            yield piece
