"""What people found when they corrected a sample."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q


class Audit(models.Model):
    """People correct every mask on a random sample of images; the IoU before and after is the quality figure.

    ``numbers`` is what was measured so far (see ``engine.audit``), frozen once the audit is closed. ``size`` counts the
    images that were drawn with ``seed``.
    """

    class Source(models.TextChoices):
        AUTOMATIC = "automatic", "masks that the model accepted by itself"
        ACCEPTED = "accepted", "all accepted masks"

    class State(models.TextChoices):
        OPEN = "open", "being corrected"
        CLOSED = "closed", "closed"

    dataset = models.ForeignKey("annotation.Dataset", on_delete=models.CASCADE, related_name="audits")
    source = models.CharField(max_length=16, choices=Source.choices)
    size = models.PositiveIntegerField()
    seed = models.PositiveIntegerField()
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    numbers = models.JSONField(default=dict)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    closed_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["dataset"], condition=Q(state="open"), name="engine_one_open_audit_per_dataset"
            )
        ]

    def __str__(self) -> str:
        return f"audit {self.pk} of dataset {self.dataset_id}: {self.state}"


class AuditedImage(models.Model):
    """One image of an audit: the masks as they were (serials), and per mask what became of it.

    ``pairs`` are [{"mask": uuid, "outcome": kept | corrected | deleted, "iou": 0..1}], ``added`` counts masks that the
    corrector found missing; both are written once, when the task is submitted.
    """

    audit = models.ForeignKey(Audit, on_delete=models.CASCADE, related_name="images")
    image = models.ForeignKey("annotation.Image", on_delete=models.CASCADE, related_name="+")
    task = models.OneToOneField("annotation.Task", null=True, on_delete=models.SET_NULL, related_name="audited_image")
    masks = models.JSONField()
    pairs = models.JSONField(default=list)
    added = models.PositiveIntegerField(default=0)
    corrected_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    measured_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["audit", "image"], name="engine_one_place_per_image_in_an_audit")
        ]

    def __str__(self) -> str:
        return f"image {self.image_id} in audit {self.audit_id}"
