"""What jobs of the trials did."""

from __future__ import annotations

from django.db import models


class Start(models.Model):
    """An attempt began."""

    key = models.CharField(max_length=64, db_index=True)
    attempt = models.PositiveIntegerField()
    at = models.DateTimeField(auto_now_add=True)


class Effect(models.Model):
    """An attempt did its work. There must be one for each key; the database does not see to it."""

    key = models.CharField(max_length=64, db_index=True)
    attempt = models.PositiveIntegerField()
    at = models.DateTimeField(auto_now_add=True)
