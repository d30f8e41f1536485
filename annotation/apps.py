"""The Django application `annotation`."""

from __future__ import annotations

from django.apps import AppConfig


class AnnotationConfig(AppConfig):
    """What people make."""

    name = "annotation"
    verbose_name = "Annotation"

    def ready(self) -> None:
        """Register the system checks and what answers to facts."""
        from annotation import checks, receivers  # noqa: F401  importing them registers them
