"""Room on the disk: whatever brings or makes files asks here before it writes."""

from __future__ import annotations

from django.conf import settings

from annotation import storage
from annotation.errors import TooLarge


def need_room(coming: int = 0) -> None:
    """TooLarge `disk_full` where `coming` bytes would take what is to stay free (ANYMASK_MIN_FREE_MIB)."""
    if storage.free_bytes(coming) - coming < settings.ANYMASK_MIN_FREE_BYTES:
        raise TooLarge("disk_full", "The disk of the server is too full for this. Tell whoever runs the server.")
