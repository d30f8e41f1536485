"""Archives from outside: bounded in members, bytes and ratio; names are data, never paths.

Nothing is extracted by name. Every member is inflated to a numbered file while its bytes are counted, so links,
absolute paths and `..` have nothing to act on; they are refused all the same, with the reason, because an archive that
has them is not what its sender thinks it is.
"""

from __future__ import annotations

import stat
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from django.conf import settings

from annotation.errors import TooLarge, UserError
from annotation.ingest import tars
from annotation.ingest.members import CHUNK, MAX_RATIO, MIN_BYTES_FOR_RATIO, Member, is_noise, name_problem

MAX_DIRECTORY_BYTES = 64 << 20


def is_archive(path: Path) -> bool:
    """Whether the file begins like an archive that is opened here: zip, tar, or tar packed with gzip."""
    return is_zip(path) or tars.is_tar(path)


def members(path: Path, folder: Path, max_member_bytes: int) -> Iterator[Member]:
    """Inflate an archive member by member into `folder`; the caller may remove each file when done with it.

    Raises UserError or TooLarge if the archive as a whole cannot be accepted; a bad member is yielded with its error
    and the rest goes on.
    """
    kind = _zip_members if is_zip(path) or not tars.is_tar(path) else tars.members
    return kind(path, folder, max_member_bytes)


def is_zip(path: Path) -> bool:
    """Whether the file starts like a zip archive (the end alone proves nothing: pictures can carry one)."""
    with path.open("rb") as file:
        return file.read(4) in (b"PK\x03\x04", b"PK\x05\x06")


def _zip_members(path: Path, folder: Path, max_member_bytes: int) -> Iterator[Member]:
    try:
        if path.stat().st_size > MAX_DIRECTORY_BYTES and _directory_bytes(path) > MAX_DIRECTORY_BYTES:
            raise TooLarge("archive_too_large", "The archive lists too many files.")
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, OSError, UnicodeDecodeError):
        raise UserError("archive_damaged", "The archive is damaged and cannot be opened.") from None
    with archive:
        infos = [info for info in archive.infolist() if not info.is_dir() and not is_noise(info.filename)]
        _check_whole(infos)
        left = settings.ANYMASK_MAX_ARCHIVE_BYTES
        for number, info in enumerate(infos):
            share = (number + 1) / len(infos)
            if (problem := _member_problem(info)) is not None:
                yield Member(info.filename, None, problem, share)
                continue
            target = folder / f"member-{number}"
            try:
                left -= _inflate(archive, info, target, min(left, max_member_bytes))
            except UserError as refused:
                target.unlink(missing_ok=True)
                if left <= max_member_bytes and refused.code == "member_too_large":
                    raise TooLarge("archive_too_large", "The archive holds more than this server accepts.") from None
                yield Member(info.filename, None, refused, share)
            else:
                yield Member(info.filename, target, None, share)


def _directory_bytes(path: Path) -> int:
    with path.open("rb") as file:
        record = zipfile._EndRecData(file)  # type: ignore[attr-defined]  # private: the size before it is read
    return int(record[zipfile._ECD_SIZE]) if record else 0  # type: ignore[attr-defined]  # the same


def _check_whole(infos: list[zipfile.ZipInfo]) -> None:
    if len(infos) > settings.ANYMASK_MAX_ARCHIVE_MEMBERS:
        limit = settings.ANYMASK_MAX_ARCHIVE_MEMBERS
        raise TooLarge("archive_too_large", f"The archive holds {len(infos)} files; the limit is {limit}.")
    if sum(info.file_size for info in infos) > settings.ANYMASK_MAX_ARCHIVE_BYTES:
        raise TooLarge("archive_too_large", "The archive holds more than this server accepts.")
    # A bomb that lets many members share the same compressed bytes: no member may begin before the last one ended.
    end = 0
    for info in sorted(infos, key=lambda item: item.header_offset):
        if info.header_offset < end:
            raise UserError("archive_damaged", "Files of the archive overlap one another.")
        end = info.header_offset + 30 + info.compress_size


def _member_problem(info: zipfile.ZipInfo) -> UserError | None:
    if (problem := name_problem(info.filename)) is not None:
        return problem
    if stat.S_ISLNK(info.external_attr >> 16):
        return UserError("member_link", "This is a link, not a file.")
    if info.flag_bits & 0x1:
        return UserError("member_encrypted", "This file is encrypted.")
    if info.file_size > max(MIN_BYTES_FOR_RATIO, info.compress_size * MAX_RATIO):
        return UserError("member_ratio", "This file unpacks to far more than a picture could.")
    return None


def _inflate(archive: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path, limit: int) -> int:
    """Write the member to `target`; bytes written. Raises UserError."""
    written = 0
    try:
        with archive.open(info) as source, target.open("wb") as file:
            while chunk := source.read(CHUNK):
                written += len(chunk)
                if written > limit:
                    raise UserError("member_too_large", "This file is larger than this server accepts.")
                file.write(chunk)
    except (zipfile.BadZipFile, zlib.error, NotImplementedError, EOFError, OSError, RuntimeError, ValueError):
        raise UserError("member_damaged", "This file of the archive is damaged.") from None
    return written
