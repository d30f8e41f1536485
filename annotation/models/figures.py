"""Figures: what is told of a large dataset without counting millions of rows at every look."""

from __future__ import annotations

from typing import Any

from django.db import models

from annotation.models.dataset import Dataset


class Figures(models.Model):
    """Written by annotation.counts alone; only large datasets have a row.

    `values` is {name of a figure: what it said}, all counted together by a job that began at `counted_at` and took
    `seconds`.
    """

    dataset = models.OneToOneField(Dataset, on_delete=models.CASCADE, related_name="figures")
    values: Any = models.JSONField(default=dict)
    counted_at = models.DateTimeField()
    seconds = models.FloatField(default=0)

    def __str__(self) -> str:
        return f"figures of dataset {self.dataset_id} at {self.counted_at}"
