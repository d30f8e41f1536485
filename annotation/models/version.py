"""Version: which images and masks a dataset held at one moment; frozen for good and known by its digest."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from annotation.models.dataset import Dataset


class Version(models.Model):
    """`digest` is the SHA-256 of the list of its images and masks, a file at `path` (annotation.services.versions).

    `number` counts the versions of a dataset from 1; `filters` is what was chosen.
    """

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    note = models.CharField(max_length=500, blank=True, default="")
    digest = models.CharField(max_length=64)
    path = models.CharField(max_length=255)
    filters: Any = models.JSONField(default=dict, blank=True)
    images = models.PositiveIntegerField()
    masks = models.PositiveIntegerField()
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-number"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "number"], name="annotation_one_version_per_number"),
            models.UniqueConstraint(fields=["dataset", "digest"], name="annotation_one_version_per_digest"),
        ]

    def __str__(self) -> str:
        return f"version {self.number} of dataset {self.dataset_id}"
