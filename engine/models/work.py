"""What people's masks took, counted once: the figures of the proof page without reading the masks again."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from annotation.models import Stage


class WorkTally(models.Model):
    """Sums over the masks that one person saved on one day (UTC), in one stage, offered by one model version.

    ``masks`` people made, from nothing or by changing what was prefilled; of them ``timed`` took ``seconds`` of active
    time (``seconds_squared``: sum of squares) and ``prompted`` took ``prompts``; ``one_click`` were right after one
    click. Of ``decided`` prefilled masks ``kept`` stayed as they were. ``corrections`` change masks of people.
    """

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="work")
    day = models.DateField()
    author = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, on_delete=models.SET_NULL, related_name="+")
    stage = models.CharField(max_length=16, choices=Stage.choices)
    model = models.CharField(max_length=64, blank=True)
    masks = models.PositiveIntegerField(default=0)
    timed = models.PositiveIntegerField(default=0)
    seconds = models.FloatField(default=0)
    seconds_squared = models.FloatField(default=0)
    prompted = models.PositiveIntegerField(default=0)
    prompts = models.PositiveBigIntegerField(default=0)
    prompts_squared = models.PositiveBigIntegerField(default=0)
    one_click = models.PositiveIntegerField(default=0)
    decided = models.PositiveIntegerField(default=0)
    kept = models.PositiveIntegerField(default=0)
    corrections = models.PositiveIntegerField(default=0)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "day", "author", "stage", "model"], name="engine_one_work_tally")
        ]

    def __str__(self) -> str:
        return f"dataset {self.dataset_id} on {self.day}: {self.masks} masks"


class WorkCursor(models.Model):
    """The one row that says up to which ``Mask.serial`` everything was counted."""

    serial = models.BigIntegerField(default=0)

    def __str__(self) -> str:
        return f"counted to {self.serial}"
