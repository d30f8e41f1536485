"""Mask: one object on one image. Content is never changed: a correction is a new row that supersedes its parent."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models.dataset import Stage
from annotation.models.image import Image
from annotation.models.task import Task
from annotation.models.video import Track


class Mask(models.Model):
    """`uuid` is the id in the API, made by the client; `serial` is ours and orders masks by arrival.

    `segmentation` is compressed COCO RLE {size: [h, w], counts}; `bbox` is [x, y, w, h] and `area` counts pixels, both
    computed here. `prompts` are [{type: point|box|mask|text, ...}] in image pixels; `candidates` what was shown and
    `chosen` its index. `seconds` is active time, `edits` counts brush and eraser strokes. `body_digest` tells a
    repeated request from another mask under the same id. `predicted_iou`, `stability_score`, `crop_box`
    ([x, y, w, h]) and `point_coords` ([[x, y]]) are null where no model gave them; docs/mask-format.md says what an
    export writes then. `audit_iou` is what the last audit that looked at this object found: the IoU of what it was then
    with this mask, as people left it; null where none did, and after a later correction. `track` is the
    thing of a video that it shows; whoever names a track names its current masks, in place.
    """

    class Source(models.TextChoices):
        MODEL = "model", "model"
        MODEL_EDITED = "model_edited", "model, edited"
        HAND = "hand", "by hand"
        IMPORTED = "imported", "imported"

    class Status(models.TextChoices):
        PROPOSED = "proposed", "proposed"
        ACCEPTED = "accepted", "accepted"
        SUPERSEDED = "superseded", "superseded"
        DELETED = "deleted", "deleted"
        COMPARED = "compared", "for comparison only"

    CURRENT: ClassVar = [Status.PROPOSED, Status.ACCEPTED]
    # Those that can be corrected or deleted: also what is only compared and never part of the dataset.
    LIVE: ClassVar = [*CURRENT, Status.COMPARED]

    serial = models.BigAutoField(primary_key=True)
    uuid = models.UUIDField(unique=True, default=uuid.uuid4)
    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="masks")
    parent = models.ForeignKey("self", null=True, blank=True, on_delete=models.CASCADE, related_name="revisions")
    segmentation: Any = models.JSONField()
    bbox: Any = models.JSONField()
    area = models.PositiveBigIntegerField()
    category = models.CharField(max_length=200, blank=True, default="")
    crowd = models.BooleanField(default=False)
    stage = models.CharField(max_length=16, choices=Stage.choices, default=Stage.ASSISTED)
    source = models.CharField(max_length=16, choices=Source.choices)
    status = models.CharField(max_length=16, choices=Status.choices, default=Status.ACCEPTED)
    status_before = models.CharField(max_length=16, blank=True, default="")
    status_changed_at = models.DateTimeField(auto_now_add=True)
    status_changed_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    prompts: Any = models.JSONField(default=list, blank=True)
    candidates: Any = models.JSONField(default=list, blank=True)
    chosen = models.PositiveSmallIntegerField(null=True, blank=True)
    predicted_iou = models.FloatField(null=True, blank=True)
    stability_score = models.FloatField(null=True, blank=True)
    crop_box: Any = models.JSONField(null=True, blank=True)
    point_coords: Any = models.JSONField(null=True, blank=True)
    model = models.CharField(max_length=64, blank=True, default="")
    task = models.ForeignKey(Task, null=True, blank=True, on_delete=models.SET_NULL, related_name="masks")
    seconds = models.FloatField(default=0)
    edits = models.PositiveIntegerField(default=0)
    audit_iou = models.FloatField(null=True, blank=True)
    track = models.ForeignKey(Track, null=True, blank=True, on_delete=models.SET_NULL, related_name="masks")
    body_digest = models.CharField(max_length=64, blank=True, default="")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["serial"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["track", "image"],
                condition=Q(track__isnull=False, status__in=["proposed", "accepted"]),
                name="annotation_one_mask_per_track_and_image",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["image", "status"], name="annotation_mask_image_status"),
            # What the machine proposed and a person decided, newest first: few rows of many.
            models.Index(
                fields=["-status_changed_at"],
                condition=Q(
                    source="model",
                    created_by__isnull=True,
                    status__in=["superseded", "deleted"],
                    status_changed_by__isnull=False,
                ),
                name="annotation_mask_decided",
            ),
        ]

    def __str__(self) -> str:
        return str(self.uuid)

    @property
    def is_current(self) -> bool:
        """Whether this is the mask as it stands: neither superseded nor deleted."""
        return self.status in self.LIVE
