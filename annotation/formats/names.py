"""Which file is meant by a name that a document tells: names are only compared, never opened."""

from __future__ import annotations

import posixpath
from bisect import bisect_left
from collections.abc import Iterable
from pathlib import Path

MAX_NAMESAKES = 1000
MAX_PARTS = 32  # of a told path, from its end: deeper ones are not compared


def normal(name: str) -> str:
    """A name with plain slashes, without a beginning slash, `.` and `..`."""
    return posixpath.normpath("/" + name.replace("\\", "/")).lstrip("/")


def folder_of(name: str) -> str:
    """All but the last part; empty for a name at the top."""
    return name.rpartition("/")[0]


def last_folder(name: str) -> str:
    """The folder that a file lies in, without those above; empty for a name at the top."""
    return folder_of(name).rpartition("/")[2]


class Names:
    """Files by normal name. Two files that fit equally well are none: a mask on the wrong picture is worse."""

    def __init__(self, files: Iterable[tuple[str, Path]]) -> None:
        self._exact: dict[str, list[Path]] = {}
        self._short: dict[str, list[Path]] = {}
        self._ends: list[tuple[str, str, Path]] = []  # sorted by the parts from last to first
        for name, path in files:
            self._exact.setdefault(name, []).append(path)
            for key in {_without_images(name), f"/{name}".rpartition("/images/")[2].lstrip("/")}:
                self._short.setdefault(key, []).append(path)
            self._ends.append((_backwards(name), name, path))
        self._ends.sort()

    def exactly(self, name: str) -> Path | None:
        """The file of this whole name."""
        return _only(self._exact.get(name, []))

    def ending(self, end: str, most: int = 2) -> list[tuple[str, Path]]:
        """(name, path) of the first `most` files whose last parts these are."""
        key = _backwards(end)
        start = bisect_left(self._ends, (key,))
        return [(name, path) for found, name, path in self._ends[start : start + most] if found.startswith(key)]

    def below(self, folder: str, last: str) -> Path | None:
        """The file with this last part anywhere below a folder; none if too many elsewhere have it to look through."""
        same = self.ending(last, MAX_NAMESAKES)
        if len(same) == MAX_NAMESAKES:
            return None
        return _only([path for name, path in same if name.startswith(f"{folder}/")])

    def alike(self, told: str) -> Path | None:
        """The file whose path ends in the told one, else the one that the told one ends in.

        So a top folder that packing added does no harm, nor where the files lay on another machine.
        """
        if longer := self.ending(told):
            return _only([path for _, path in longer])
        return self.shorter(told)

    def shorter(self, told: str) -> Path | None:
        """The file whose whole path the told one ends in, the longest first.

        If there is none, folders called `images` count for nothing: programs leave them out of what they tell.
        """
        for files, whole in ((self._exact, told), (self._short, _without_images(told))):
            parts = whole.split("/")[-MAX_PARTS:]
            for first in range(len(parts)):
                if found := files.get("/".join(parts[first:])):
                    return _only(found)
        return None


def _only(found: list[Path]) -> Path | None:
    return found[0] if len(found) == 1 else None


def _without_images(name: str) -> str:
    folder, _, last = name.rpartition("/")
    return "/".join([*(part for part in folder.split("/") if part not in ("", "images")), last])


def _backwards(name: str) -> str:
    return "/".join(reversed(name.split("/"))) + "/"
