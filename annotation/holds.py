"""What only one process of an installation may do at a time, such as being its clock.

A row with an end, not a lock: it needs no connection that stays open, and whoever is killed holds it for seconds only.
"""

from __future__ import annotations

import uuid
from datetime import timedelta

from django.db import IntegrityError, transaction
from django.db.models import Q
from django.utils import timezone

from annotation.models import Hold


def hold_take(*, name: str, holder: uuid.UUID, seconds: float) -> bool:
    """Take it, or keep it for so long from now; False while another one has it."""
    now = timezone.now()
    ends_at = now + timedelta(seconds=seconds)
    if Hold.objects.filter(Q(holder=holder) | Q(ends_at__lte=now), name=name).update(holder=holder, ends_at=ends_at):
        return True
    try:
        with transaction.atomic():
            return Hold.objects.get_or_create(name=name, defaults={"holder": holder, "ends_at": ends_at})[1]
    except IntegrityError:
        return False


def hold_leave(*, name: str, holder: uuid.UUID) -> None:
    """Let others have it at once."""
    Hold.objects.filter(name=name, holder=holder).delete()
