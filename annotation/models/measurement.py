"""Measurements: what was measured of masks, and what a dataset's come to."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from annotation.models.dataset import Dataset
from annotation.models.mask import Mask


class Measurement(models.Model):
    """One mask, measured once: a mask never changes. All in pixels (annotation.measures); the area is the mask's."""

    mask = models.OneToOneField(Mask, primary_key=True, on_delete=models.CASCADE, related_name="measurement")
    perimeter = models.FloatField()
    length = models.FloatField()
    x = models.FloatField()
    y = models.FloatField()

    def __str__(self) -> str:
        return f"measures of mask {self.mask_id}"


class MeasurementSummary(models.Model):
    """Written by annotation.services.measurements alone. `figures` is what the page draws; `version` names the masks,
    the unit and the pixel sizes that they rest on."""

    dataset = models.OneToOneField(Dataset, on_delete=models.CASCADE, related_name="measurement_summary")
    figures: Any = models.JSONField(default=dict)
    version = models.CharField(max_length=64)
    measured_at = models.DateTimeField(auto_now=True)

    class Meta:
        verbose_name_plural: ClassVar = "measurement summaries"

    def __str__(self) -> str:
        return f"{self.dataset}: {self.version}"
