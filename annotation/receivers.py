"""Facts that annotation announces and answers itself: each by queueing a job at the most."""

from __future__ import annotations

from typing import Any

from django.dispatch import receiver

from annotation.services import webhooks
from annotation.signals import mask_deleted, mask_saved


@receiver(mask_saved)
def _tell_saved(mask_id: int, **_: Any) -> None:
    webhooks.mask_tell(mask_id=mask_id, event=webhooks.MASK_SAVED)


@receiver(mask_deleted)
def _tell_deleted(mask_id: int, **_: Any) -> None:
    webhooks.mask_tell(mask_id=mask_id, event=webhooks.MASK_DELETED)
