"""Two versions on the same images."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from engine.models.versions import ModelVersion


class VersionComparison(models.Model):
    """The same prompts to two versions on chosen images. ``images`` are their ids; ``result`` is empty until done."""

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="version_comparisons")
    first = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(ModelVersion, on_delete=models.CASCADE, related_name="+")
    images: Any = models.JSONField()
    job = models.ForeignKey("annotation.Job", null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    result: Any = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"dataset {self.dataset_id}: {self.first} and {self.second}"
