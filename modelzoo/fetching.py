"""Download a weight file: nothing opens it, and nothing finds it, before its SHA-256 is the expected one.

What has come lies under a hidden name until then, so an interrupted download goes on where it stopped. HTTPS only,
redirects included.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import http.client
import os
import re
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO
from urllib.parse import unquote, urlsplit

from modelzoo.catalogue import CATALOGUE, MOST_BYTES, SUFFIXES

CHUNK = 1 << 20
SILENCE_SECONDS = 60  # without a byte, after which a connection is given up
LOOPBACK = ("127.0.0.1", "::1", "localhost")

Progress = Callable[[int, int | None], None]


class FetchError(ValueError):
    """A download that cannot be had, said in one sentence."""


@dataclass(frozen=True)
class Wanted:
    """What to download: `most_bytes` is the exact length where it is known, else a limit."""

    url: str
    sha256: str
    file_name: str
    most_bytes: int = MOST_BYTES
    local_http: bool = False


def wanted(name_or_url: str, sha256: str | None = None, local_http: bool = False) -> Wanted:
    """What a name of the catalogue, or an address with the SHA-256 of what lies there, stands for.

    `local_http` allows plain http to this machine. FetchError for anything that leaves open which file is meant.
    """
    digest = None if sha256 is None else sha256.strip().lower()
    if digest is not None and not re.fullmatch(r"[0-9a-f]{64}", digest):
        raise FetchError("A SHA-256 has 64 digits of 0-9 and a-f.")
    if name_or_url in CATALOGUE:
        entry = CATALOGUE[name_or_url]
        if digest not in (None, entry.sha256):
            raise FetchError(
                f"The published {entry.file_name} has SHA-256 {entry.sha256}; give an address for another."
            )
        return Wanted(entry.url, entry.sha256, entry.file_name, entry.file_bytes)
    if "://" not in name_or_url:
        raise FetchError(f"{name_or_url!r} is neither an address nor one of: {', '.join(CATALOGUE)}.")
    check_address(name_or_url, local_http)
    if digest is None:
        raise FetchError("Say which file you expect: --sha256 HEX, as its publisher states it.")
    file_name = unquote(urlsplit(name_or_url).path).rpartition("/")[2]
    if not re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,150}", file_name) or Path(file_name).suffix not in SUFFIXES:
        raise FetchError(f"The address does not end in the name of a weight file ({', '.join(SUFFIXES)}).")
    return Wanted(name_or_url, digest, file_name, local_http=local_http)


def check_address(url: str, local_http: bool) -> None:
    """FetchError unless the address is https (or, where allowed, http to this machine)."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise FetchError("This is no valid address.") from error
    if not host or parts.username is not None or re.search(r"[\s\x00-\x1f]", url):
        raise FetchError("This is no valid address, or it has a password in it.")
    if parts.scheme != "https" and not (local_http and parts.scheme == "http" and host in LOOPBACK):
        raise FetchError("Weights are fetched by https only.")


def fetch(what: Wanted, folder: Path, progress: Progress = lambda done, total: None) -> Path:
    """Download into `folder` and return the file, which appears whole and verified or not at all.

    A file that is there already is verified and kept. `progress` is told bytes so far and in all (None: not known).
    FetchError for everything that goes wrong; what came before a broken connection is kept for the next call.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        target = folder / what.file_name
        if target.is_symlink() or target.exists():
            _verify(target, what.sha256)
            return target
        partial = folder / f".{what.file_name}.{what.sha256[:12]}.part"
        with _alone(partial) as file:
            digest = _download(what, file, progress)
            if digest != what.sha256:
                partial.unlink()
                raise FetchError(
                    f"What came from {urlsplit(what.url).hostname} has SHA-256 {digest}, not {what.sha256}: removed."
                )
            file.flush()
            os.fsync(file.fileno())
            partial.replace(target)
    except OSError as error:
        raise FetchError(f"{what.file_name} could not be written: {error.strerror or error}.") from error
    return target


def _verify(target: Path, sha256: str) -> None:
    if target.is_symlink() or not target.is_file():
        raise FetchError(f"{target} is there already and is no plain file.")
    with target.open("rb") as file:
        found = hashlib.file_digest(file, "sha256").hexdigest()
    if found != sha256:
        raise FetchError(f"{target} is there already and is another file (SHA-256 {found}): move it away first.")


@contextmanager
def _alone(partial: Path) -> Iterator[BinaryIO]:
    """The partial file, opened and locked: of two fetches of the same file one is told to wait for the other."""
    flags = os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC
    with os.fdopen(os.open(partial, flags, 0o644), "r+b") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            # Between opening and locking, the other one may have finished and renamed it.
            mine = os.path.samestat(os.fstat(file.fileno()), partial.lstat())
        except OSError as error:
            if error.errno not in (errno.EWOULDBLOCK, errno.EACCES, errno.ENOENT):
                raise
            mine = False
        if not mine:
            raise FetchError("Another process is fetching this file.")
        yield file


def _download(what: Wanted, file: BinaryIO, progress: Progress) -> str:
    """Bring the partial file to its end; the SHA-256 of all of it."""
    digest, have = hashlib.sha256(), 0
    while chunk := file.read(CHUNK):
        digest.update(chunk)
        have += len(chunk)
    if have and digest.hexdigest() == what.sha256:
        return what.sha256  # only the rename was missing
    with _ask(what, have) as answer:
        if have and not _goes_on(answer, have):
            file.seek(0)
            file.truncate()
            digest, have = hashlib.sha256(), 0
        length = answer.headers.get("Content-Length", "")
        total = have + int(length) if length.isdigit() else None
        _check_room(what, file, have, total)
        try:
            for chunk in _chunks(answer):
                have += len(chunk)
                if have > what.most_bytes:
                    file.truncate(0)
                    raise FetchError(f"{what.file_name} is longer than {what.most_bytes:,} bytes: given up.")
                file.write(chunk)
                digest.update(chunk)
                progress(have, total)
        except _Broken as error:
            raise _kept(what, have) from error
    if total is not None and have < total:
        raise _kept(what, have)
    return digest.hexdigest()


class _Broken(Exception):
    """The connection ended in the middle."""


def _chunks(answer: Any) -> Iterator[bytes]:
    """What the server sends. _Broken for trouble with the connection, which writing the file must not be taken for."""
    try:
        while chunk := answer.read(CHUNK):
            yield chunk
    except (http.client.HTTPException, OSError) as error:
        raise _Broken from error


def _kept(what: Wanted, have: int) -> FetchError:
    return FetchError(f"The connection broke. {have:,} bytes of {what.file_name} are kept: fetch it again to go on.")


def _check_room(what: Wanted, file: BinaryIO, have: int, total: int | None) -> None:
    """FetchError before the first byte where too much is announced, for what is expected or for the disk."""
    if total is None:
        return
    if total > what.most_bytes:
        raise FetchError(f"{what.file_name} is said to have {total:,} bytes; {what.most_bytes:,} are the limit.")
    room = os.fstatvfs(file.fileno())
    if total - have > room.f_bavail * room.f_frsize:
        raise FetchError(f"{what.file_name} has {total:,} bytes, more than the disk has room for.")


def _goes_on(answer: Any, have: int) -> bool:
    """Whether the server sends the rest, rather than the whole from the start."""
    return answer.status == 206 and str(answer.headers.get("Content-Range", "")).startswith(f"bytes {have}-")


def _ask(what: Wanted, start: int) -> Any:
    """The server's open answer, from byte `start` on if it can do that. FetchError if there is none."""

    class Redirects(urllib.request.HTTPRedirectHandler):
        def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
            check_address(newurl, what.local_http)
            return super().redirect_request(req, fp, code, msg, headers, newurl)

    asked = {"User-Agent": "anymask", "Accept-Encoding": "identity"} | ({"Range": f"bytes={start}-"} if start else {})
    request = urllib.request.Request(what.url, headers=asked)  # noqa: S310  the address was checked
    host = urlsplit(what.url).hostname
    try:
        return urllib.request.build_opener(Redirects()).open(request, timeout=SILENCE_SECONDS)
    except urllib.error.HTTPError as error:
        error.close()
        if start and error.code == 416:  # there is less than is here: from the beginning
            return _ask(what, 0)
        raise FetchError(f"{host} answers {error.code} {error.reason} for {what.file_name}.") from error
    except urllib.error.URLError as error:
        raise FetchError(f"{host} cannot be reached: {error.reason}.") from error
    except (http.client.HTTPException, OSError) as error:
        raise FetchError(f"{host} does not answer: {str(error) or type(error).__name__}.") from error
