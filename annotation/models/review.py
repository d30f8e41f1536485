"""ReviewItem: what a reviewer said of one mask, or of a place on the image, in one round."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from annotation.models.mask import Mask
from annotation.models.task import Task


class ReviewItem(models.Model):
    """One mask in one review task. Rows stay: an image that comes back has a new task and new rows.

    `mask` is the mask as it was when the round began; null for a remark on a place where something is missing.
    `disagreement` (0..1) is 1 - IoU of the mask with what the serving model makes of its box; null before it was asked.
    `x`, `y` pin the comment in image pixels; `suggestion` is the mask as the reviewer would have it (compressed COCO
    RLE). `after` is what became of the mask: the reviewer's correction, or the answer to what was returned.
    """

    class Verdict(models.TextChoices):
        ACCEPTED = "accepted", "accepted"
        CORRECTED = "corrected", "corrected by the reviewer"
        DELETED = "deleted", "deleted by the reviewer"
        RETURNED = "returned", "returned"

    class Reason(models.TextChoices):
        """The error taxonomy of the SAM paper's rating guidelines (appendix G), and the object that has no mask."""

        OTHER_OBJECT = "other_object", "holds a piece of another object"
        MISSING_PART = "missing_part", "a part is missing"
        COMBINED = "combined", "unrelated things in one mask"
        ARBITRARY = "arbitrary", "an arbitrary part of a collection"
        HOLES = "holes", "holes are wrong"
        STRAY = "stray", "stray pixels"
        EDGE = "edge", "poor edge"
        OCCLUSION = "occlusion", "what lies in front is treated unevenly"
        NO_OBJECT = "no_object", "shows no object"
        MISSING_OBJECT = "missing_object", "an object has no mask"

    # What counts against the maker.
    WRONG: ClassVar = [Verdict.CORRECTED, Verdict.DELETED, Verdict.RETURNED]

    task = models.ForeignKey(Task, on_delete=models.CASCADE, related_name="review_items")
    mask = models.ForeignKey(Mask, null=True, blank=True, on_delete=models.CASCADE, related_name="review_items")
    author = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    disagreement = models.FloatField(null=True, blank=True)
    verdict = models.CharField(max_length=16, choices=Verdict.choices, blank=True, default="")
    reason = models.CharField(max_length=24, choices=Reason.choices, blank=True, default="")
    comment = models.CharField(max_length=2000, blank=True, default="")
    x = models.FloatField(null=True, blank=True)
    y = models.FloatField(null=True, blank=True)
    suggestion: Any = models.JSONField(null=True, blank=True)
    after = models.ForeignKey(Mask, null=True, blank=True, on_delete=models.SET_NULL, related_name="+")
    decided_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    decided_at = models.DateTimeField(null=True, blank=True)
    answered_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["task", "mask"], name="annotation_one_review_item_per_task_and_mask")
        ]
        indexes: ClassVar = [models.Index(fields=["author", "-decided_at"], name="annotation_review_record")]

    def __str__(self) -> str:
        return f"mask {self.mask_id} in review {self.task_id}: {self.verdict or 'open'}"
