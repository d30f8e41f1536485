"""Task: human work on one image, and the lease that says who holds it and until when."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models.image import Image


class Task(models.Model):
    """Written by annotation.services.tasks alone, by conditional UPDATE. `seconds` is active time.

    `lease` stays after a submit or a skip, so that the same request sent twice is known as one. `submitted_by` finished
    it last, whoever has taken it up to look at it since (`assignee`). `origin` is the
    task that this one follows: a review the work it looks at, returned work the review that returned it. `disagreement`
    (0..1) orders reviews: how far the serving model is from the masks (annotation.services.reviews); null before.
    """

    class Kind(models.TextChoices):
        ANNOTATE = "annotate", "annotate"
        REVIEW = "review", "review"
        AUDIT = "audit", "audit"
        TRAINING = "training", "training queue"
        OVERLAP = "overlap", "second person"
        RETURNED = "returned", "returned by review"

    # The work of everybody's queue.
    QUEUE: ClassVar = [Kind.ANNOTATE, Kind.OVERLAP, Kind.TRAINING, Kind.RETURNED]
    # Work that belongs to one person, also while they do not hold it.
    PERSONAL: ClassVar = [Kind.TRAINING, Kind.RETURNED]
    # Masks of these are compared with the dataset's and never become part of it.
    APART: ClassVar = [Kind.OVERLAP, Kind.TRAINING]

    class State(models.TextChoices):
        OPEN = "open", "open"
        CLAIMED = "claimed", "claimed"
        SUBMITTED = "submitted", "submitted"
        SKIPPED = "skipped", "skipped"

    class Answer(models.TextChoices):
        DONE = "done", "done"
        NOTHING_LEFT = "nothing_left", "nothing left to mask"

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="tasks", db_index=False)  # Meta has one
    kind = models.CharField(max_length=16, choices=Kind.choices, default=Kind.ANNOTATE)
    state = models.CharField(max_length=16, choices=State.choices, default=State.OPEN)
    assignee = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="tasks"
    )
    lease = models.UUIDField(null=True, blank=True)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    seconds = models.FloatField(default=0)
    answer = models.CharField(max_length=16, choices=Answer.choices, blank=True, default="")
    skip_reason = models.CharField(max_length=500, blank=True, default="")
    priority = models.IntegerField(default=0)
    origin = models.ForeignKey("self", null=True, blank=True, on_delete=models.SET_NULL, related_name="followers")
    disagreement = models.FloatField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)
    submitted_at = models.DateTimeField(null=True, blank=True)
    submitted_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )

    class Meta:
        ordering: ClassVar = ["-priority", "id"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["image"],
                condition=Q(kind="annotate", state__in=["open", "claimed"]),
                name="annotation_one_live_annotate_task_per_image",
            ),
            models.UniqueConstraint(
                fields=["image"],
                condition=Q(kind__in=["review", "returned"], state__in=["open", "claimed"]),
                name="annotation_one_live_review_or_return_per_image",
            ),
            models.UniqueConstraint(
                fields=["image"], condition=Q(kind="overlap"), name="annotation_one_overlap_task_per_image"
            ),
            models.UniqueConstraint(
                fields=["image", "assignee"],
                condition=Q(kind="training"),
                name="annotation_one_training_task_per_image_and_person",
            ),
        ]
        indexes: ClassVar = [
            # Without statistics SQLite would look for an image's tasks of a kind among all of that kind.
            models.Index(fields=["image", "kind", "state"], name="annotation_task_of_image"),
            models.Index(fields=["state", "lease_expires_at"], name="annotation_task_leases"),
            models.Index(fields=["kind", "state", "-priority", "id"], name="annotation_task_queue"),
            models.Index(fields=["kind", "state", "-priority", "-image", "id"], name="annotation_task_newest"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} image {self.image_id}: {self.state}"

    def is_held_by(self, user_id: int, now: datetime) -> bool:
        """Whether this person holds a lease that has not ended."""
        return (
            self.state == self.State.CLAIMED
            and self.assignee_id == user_id
            and self.lease_expires_at is not None
            and self.lease_expires_at > now
        )


class Comparison(models.Model):
    """Masks of one task beside the dataset's masks of the same image, as they were when the task was submitted.

    `pairs` are [{"reference": uuid, "mask": uuid, "iou": 0..1}] of the same objects; `missed` counts masks of the
    dataset without a partner, `extra` those of the task. `mean_iou` is over the pairs and, in training, over what was
    missed too (as 0); null if there is nothing to compare.
    """

    task = models.OneToOneField(Task, on_delete=models.CASCADE, related_name="comparison")
    mean_iou = models.FloatField(null=True)
    pairs: Any = models.JSONField(default=list)
    missed = models.PositiveIntegerField(default=0)
    extra = models.PositiveIntegerField(default=0)
    created_at = models.DateTimeField(auto_now_add=True)

    def __str__(self) -> str:
        return f"task {self.task_id}: {self.mean_iou}"
