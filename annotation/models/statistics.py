"""Statistics: what a dataset looks like in numbers, counted by a job."""

from __future__ import annotations

from typing import Any

from django.db import models

from annotation.models.dataset import Dataset


class Statistics(models.Model):
    """Written by annotation.services.statistics alone. `figures` is what the page draws; `version` names the state of
    the dataset that was counted."""

    dataset = models.OneToOneField(Dataset, on_delete=models.CASCADE, related_name="statistics")
    figures: Any = models.JSONField(default=dict)
    version = models.CharField(max_length=64)
    counted_at = models.DateTimeField(auto_now=True)

    def __str__(self) -> str:
        return f"{self.dataset}: {self.version}"
