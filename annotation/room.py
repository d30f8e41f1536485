"""Room on the disk: whatever brings or makes files asks here before it writes."""

from __future__ import annotations

import errno

from django.conf import settings

from annotation import storage
from annotation.errors import TooLarge

FULL = "disk_full"


def has_room(coming: int = 0) -> bool:
    """Whether `coming` bytes leave what is to stay free (ANYMASK_MIN_FREE_MIB)."""
    return storage.free_bytes(coming) - coming >= settings.ANYMASK_MIN_FREE_BYTES


def need_room(coming: int = 0) -> None:
    """TooLarge `disk_full` where `coming` bytes would take what is to stay free (ANYMASK_MIN_FREE_MIB)."""
    if not has_room(coming):
        raise TooLarge(FULL, "The disk of the server is too full for this. Tell whoever runs the server.")


def is_full(problem: BaseException) -> bool:
    """Whether an error says that the disk, or one's share of it, is full to the last byte."""
    return isinstance(problem, OSError) and problem.errno in (errno.ENOSPC, errno.EDQUOT)
