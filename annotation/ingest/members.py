"""What an archive yields, whatever its kind, and the rules that hold for all of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from annotation.errors import UserError

MAX_RATIO = 200  # pictures do not shrink; JSON of masks does, about tenfold
MIN_BYTES_FOR_RATIO = 1 << 20
CHUNK = 1 << 18
_NOISE = (".DS_Store", "Thumbs.db", "desktop.ini")


@dataclass(frozen=True)
class Member:
    """One file of an archive: `name` as written there, `path` of the inflated bytes, or why it was refused.

    `share` (0..1) is how much of the archive is done with it.
    """

    name: str
    path: Path | None
    error: UserError | None = None
    share: float = 1.0


def is_noise(name: str) -> bool:
    """Whether file managers left it there."""
    last = PurePosixPath(name).name
    return name.startswith("__MACOSX/") or last in _NOISE or last.startswith("._")


def name_problem(name: str) -> UserError | None:
    """A name that points outside, which says that the archive is not what its sender thinks it is."""
    if name.startswith(("/", "\\")) or ".." in name.replace("\\", "/").split("/") or ":" in name[:3]:
        return UserError("member_path", "The name of this file points outside of the archive.")
    return None
