"""A line in the audit log for what no changing request did."""

from __future__ import annotations

import logging
from typing import Any

from annotation.models import Event

logger = logging.getLogger(__name__)


def event_write(
    *,
    actor: Any,
    action: str,
    subject: str,
    subject_id: str = "",
    dataset: int | None = None,
    details: dict[str, Any] | None = None,
) -> None:
    """Never raises: a log that cannot be written undoes nothing. `dataset` is an id, None where there is none."""
    try:
        Event.objects.create(
            actor=actor,
            action=action,
            subject=subject,
            subject_id=subject_id,
            dataset_id=dataset,
            details=details or {},
        )
    except Exception:
        logger.exception("event not written", extra={"action": action})
