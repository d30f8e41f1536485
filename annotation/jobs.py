"""Jobs of annotation. Imported by workers and beat only; each fetches by id and calls a service."""

from __future__ import annotations

from annotation import jobkit


@jobkit.periodic(seconds=10)
def sweep_jobs() -> None:
    """Re-send, take back, set aside; and show that scheduler, broker and a worker work together."""
    jobkit.sweep()
    jobkit.pulse(jobkit.SCHEDULER, [])
