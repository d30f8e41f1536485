"""Dataset: pictures, the people who label them, and how the loop treats them."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models


class Stage(models.TextChoices):
    """How much the model does by itself."""

    ASSISTED = "assisted", "assisted"
    SEMI_AUTOMATIC = "semi_automatic", "semi-automatic"
    FULLY_AUTOMATIC = "fully_automatic", "fully automatic"


class Dataset(models.Model):
    """`retrain_after` counts new accepted masks; without `auto_retrain` nothing is retrained unless a person asks."""

    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(blank=True, default="", max_length=10_000)
    stage = models.CharField(max_length=16, choices=Stage.choices, default=Stage.ASSISTED)
    licence = models.CharField(max_length=200, blank=True, default="")
    source = models.CharField(max_length=500, blank=True, default="")
    auto_retrain = models.BooleanField(default=True)
    retrain_after = models.PositiveIntegerField(default=20)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.name
