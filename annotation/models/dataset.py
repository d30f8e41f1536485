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


class QueueOrder(models.TextChoices):
    """Which of the open images is offered first."""

    OLDEST = "oldest", "oldest first"
    NEWEST = "newest", "newest first"
    RANDOM = "random", "random"
    UNCERTAINTY = "uncertainty", "where the model is least sure"


class LengthUnit(models.TextChoices):
    """What lengths are shown in; areas in its square."""

    PIXEL = "px", "pixels"
    MICROMETRE = "um", "micrometres"
    MILLIMETRE = "mm", "millimetres"
    METRE = "m", "metres"


class Dataset(models.Model):
    """`retrain_after` counts new accepted masks; without `auto_retrain` nothing is retrained unless a person asks.

    `queue_seed` shuffles the random order. `overlap_share` (0..1) of the images is masked by a second person too.
    `training_images` gold images come before an annotator's first real one (0: none), and are passed at a mean IoU of
    `training_iou` (0..1). `review_share` (0..1) of annotators' images goes to a reviewer (0: none), and with
    `review_adapts` more or less of them by each one's record (annotation.services.reviews). `hourly_rate` in `currency`
    (null: unknown) is what an hour of work costs, for the proof page.
    `pixel_size` is the side of a pixel in metres of images that say nothing themselves (null: unknown).
    With `blur_faces` pictures are blurred before anybody sees them, and originals are not kept.
    """

    SEEDS = 48  # places of 16 digits in a sha256 of 64: annotation.services.queue

    name = models.CharField(max_length=200, unique=True)
    description = models.TextField(blank=True, default="", max_length=10_000)
    stage = models.CharField(max_length=16, choices=Stage.choices, default=Stage.ASSISTED)
    licence = models.CharField(max_length=200, blank=True, default="")
    source = models.CharField(max_length=500, blank=True, default="")
    auto_retrain = models.BooleanField(default=True)
    retrain_after = models.PositiveIntegerField(default=20)
    queue_order = models.CharField(max_length=16, choices=QueueOrder.choices, default=QueueOrder.OLDEST)
    queue_seed = models.PositiveSmallIntegerField(default=0)
    overlap_share = models.FloatField(default=0)
    training_images = models.PositiveSmallIntegerField(default=0)
    training_iou = models.FloatField(default=0.75)
    review_share = models.FloatField(default=0)
    review_adapts = models.BooleanField(default=True)
    hourly_rate = models.FloatField(null=True, blank=True)
    currency = models.CharField(max_length=3, default="EUR")
    pixel_size = models.FloatField(null=True, blank=True)
    length_unit = models.CharField(max_length=2, choices=LengthUnit.choices, default=LengthUnit.PIXEL)
    blur_faces = models.BooleanField(default=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return self.name
