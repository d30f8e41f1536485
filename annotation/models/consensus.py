"""Consensus: what a reviewer took of two people's masks of one image, so that it can be told and undone."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from annotation.models.mask import Mask
from annotation.models.task import Task


class Consensus(models.Model):
    """Decisions that were made at once and are undone at once. `task` is the second person's."""

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="consensuses")
    by = models.ForeignKey(settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    at = models.DateTimeField(auto_now_add=True)
    undone_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    undone_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"consensus {self.pk} on task {self.task_id}"


class ConsensusItem(models.Model):
    """One object: the masks of both people (null where one has none), what was taken, and the mask that stands for it.

    `result` is `first` where that stayed as it was, and null where the object has no mask any more.
    """

    class Choice(models.TextChoices):
        FIRST = "first", "the first person's"
        SECOND = "second", "the second person's"
        UNION = "union", "what either has"
        INTERSECTION = "intersection", "what both have"
        NEITHER = "neither", "no mask"

    consensus = models.ForeignKey(Consensus, on_delete=models.CASCADE, related_name="items")
    first = models.ForeignKey(Mask, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    second = models.ForeignKey(Mask, null=True, blank=True, on_delete=models.CASCADE, related_name="+")
    choice = models.CharField(max_length=16, choices=Choice.choices)
    result = models.ForeignKey(Mask, null=True, blank=True, on_delete=models.CASCADE, related_name="consensus_items")

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"{self.choice} of {self.first_id} and {self.second_id}"
