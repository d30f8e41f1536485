"""The Django application `engine`."""

from __future__ import annotations

from django.apps import AppConfig


class EngineConfig(AppConfig):
    """What the machine does with what people make."""

    name = "engine"
    verbose_name = "Engine"

    def ready(self) -> None:
        """Answer annotation's question, listen to its facts, and declare the kinds of jobs."""
        from annotation import ports

        # They declare their kinds of jobs.
        from engine import boxes, eviction, propagation, receivers, retraining, shadow, uncertainty  # noqa: F401  as said above
        from engine.audit import audit_published, audited_images
        from engine.segmenter import OnnxSegmenter
        from engine.side_by_side import COMPARE  # noqa: F401  the same
        from engine.similarity import INDEX  # noqa: F401  the same
        from engine.stages import running  # noqa: F401  the same

        ports.provide(OnnxSegmenter())
        ports.provide_health_part("model", receivers.model_health)
        ports.provide_quality(audit_published)
        ports.provide_audited(audited_images)
