"""BoxPrompt: a box that came from outside, from a detector for instance. It is a question to the model, not a mask."""

from __future__ import annotations

from typing import Any, ClassVar

from django.db import models

from annotation.models.image import Image


class BoxPrompt(models.Model):
    """`bbox` is [x, y, w, h] in image pixels, `score` what its detector gave it (0..1) or null.

    `answered` once a model has looked at it; the mask that came of it, a proposal, has the box among its prompts.
    `digest` is that of box and category, so that the same box is there once.
    """

    image = models.ForeignKey(Image, on_delete=models.CASCADE, related_name="box_prompts")
    bbox: Any = models.JSONField()
    category = models.CharField(max_length=200, blank=True, default="")
    score = models.FloatField(null=True, blank=True)
    digest = models.CharField(max_length=64)
    answered = models.BooleanField(default=False)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["image", "digest"], name="annotation_one_box_per_image_and_digest")
        ]

    def __str__(self) -> str:
        return f"{self.category or 'box'} {self.bbox}"
