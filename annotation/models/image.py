"""Image: one picture of a dataset. Its pixel frame is the display file: upright, 8-bit RGB, without metadata."""

from __future__ import annotations

import hashlib
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from annotation.models.dataset import Dataset, Stage
from annotation.models.video import Video


def split_for(sha256: str) -> str:
    """The side an image is on for ever, from its digest: 2 in 10 held out, 1 in 10 validation, the rest training."""
    bucket = int(sha256[:8], 16) % 10
    if bucket in (0, 1):
        return str(Image.Split.HELD_OUT)
    return str(Image.Split.VALIDATION if bucket == 2 else Image.Split.TRAIN)


class Image(models.Model):
    """`sha256` is that of the bytes as uploaded; `width` and `height` are those of the display file.

    `display_path`, `original_path` and `thumbnail_path` are relative paths of annotation.storage. `conversion` says in
    words what was done to the pixels on the way (orientation, bit depth, transparency), empty if nothing. `stage` is
    the last one whose machine part was done on the image. `gold`: its masks are what new annotators are measured
    against. `uncertainty` (0..1) is how unsure the model is that served when it last looked; null before.
    `credit` names the photographer. `mapping` says which values of a deep picture became black and white, null for
    8-bit ones (annotation.ingest.depth); `revision` counts how often pixels were changed here: another mapping, blurred
    faces. `original_path` is empty where the original lies at `original_url`, in an object store. `georeference` is
    what a GeoTIFF says of its place, as it lies in the file; null for others. `tile_levels` is how many resolutions the
    picture was cut into tiles at (annotation.ingest.tile_child), 0 for those that are shown whole. `pixel_size` is the
    side of a pixel in metres, null where nothing is known; `pixel_size_from` says who told: a kind of file, or BY_HAND.
    A frame of a `video` has its `frame_number` from 0 and its `frame_time` in seconds; its `sha256` is
    Video.frame_sha256.
    """

    BY_HAND = "by hand"

    class Consent(models.TextChoices):
        UNKNOWN = "", "not known"
        GIVEN = "given", "given by the people shown"
        NOT_NEEDED = "not_needed", "not needed: nobody can be recognised"
        REFUSED = "refused", "refused or withdrawn"

    class Split(models.TextChoices):
        TRAIN = "train", "training"
        VALIDATION = "validation", "validation"
        HELD_OUT = "held_out", "held out"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="images")
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    media_type = models.CharField(max_length=32)
    byte_size = models.PositiveBigIntegerField()
    conversion = models.CharField(max_length=255, blank=True, default="")
    licence = models.CharField(max_length=200, blank=True, default="")
    source = models.CharField(max_length=500, blank=True, default="")
    credit = models.CharField(max_length=500, blank=True, default="")
    consent = models.CharField(max_length=16, choices=Consent.choices, blank=True, default=Consent.UNKNOWN)
    split = models.CharField(max_length=16, choices=Split.choices)
    stage = models.CharField(max_length=16, choices=Stage.choices, default=Stage.ASSISTED)
    gold = models.BooleanField(default=False)
    uncertainty = models.FloatField(null=True, blank=True)
    mapping: Any = models.JSONField(null=True, blank=True)
    revision = models.PositiveIntegerField(default=0)
    georeference: Any = models.JSONField(null=True, blank=True)
    pixel_size = models.FloatField(null=True, blank=True)
    pixel_size_from = models.CharField(max_length=32, blank=True, default="")
    original_path = models.CharField(max_length=255, blank=True)
    original_url = models.CharField(max_length=1200, blank=True, default="")
    display_path = models.CharField(max_length=255)
    thumbnail_path = models.CharField(max_length=255)
    tile_levels = models.PositiveSmallIntegerField(default=0)
    video = models.ForeignKey(Video, null=True, blank=True, on_delete=models.CASCADE, related_name="frames")
    frame_number = models.PositiveIntegerField(null=True, blank=True)
    frame_time = models.FloatField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "sha256"], name="annotation_one_image_per_digest_and_dataset"),
            models.UniqueConstraint(fields=["video", "frame_number"], name="annotation_one_image_per_frame"),
        ]
        indexes: ClassVar = [
            models.Index(fields=["dataset", "split"], name="annotation_image_split"),
            models.Index(fields=["sha256"], name="annotation_image_sha256"),
        ]

    def __str__(self) -> str:
        return self.file_name

    @property
    def display_media_type(self) -> str:
        """Media type of the display file: JPEG for sources that were lossy, PNG for the others."""
        return "image/png" if self.display_path.endswith(".png") else "image/jpeg"

    def tile_path(self, level: int, column: int, row: int) -> str:
        """Where a tile lies; it need not be there."""
        folder, _, display = self.display_path.rpartition("/")
        return f"{folder}/tiles-{self.revision}/{level}-{column}-{row}.{display.rpartition('.')[2]}"

    @property
    def pixels(self) -> int:
        """Width times height of the display file."""
        return self.width * self.height

    @property
    def pixels_sha256(self) -> str:
        """Names what is shown and encoded: `sha256` unless pixels were changed here (`revision`)."""
        own = f"{self.sha256} {self.dataset_id} {self.revision}"
        return hashlib.sha256(own.encode()).hexdigest() if self.revision else self.sha256


class Tombstone(models.Model):
    """A picture that was removed for good on request: who, when and why, and the digest by which it is refused."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="tombstones")
    sha256 = models.CharField(max_length=64)
    reason = models.CharField(max_length=500)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "sha256"], name="annotation_one_tombstone_per_digest")
        ]

    def __str__(self) -> str:
        return f"{self.sha256[:12]}: {self.reason}"
