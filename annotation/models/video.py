"""Video: a file whose frames are images in order, and the tracks of things that are followed through them."""

from __future__ import annotations

import hashlib
import uuid
from typing import ClassVar

from django.conf import settings
from django.db import models

from annotation.models.dataset import Dataset


class Video(models.Model):
    """A video of a dataset. Its frames are images (`Image.video`, `frame_number` from 0, `frame_time` in seconds).

    `sha256` is that of the file; it fixes the split of all frames, so that two frames of one video are never on two
    sides. `frame_rate` is the file's, `sampling_rate` how many frames of a second were taken; `duration` in seconds.
    `frame_count` is how many frames there are when all have arrived (`complete`). `original_path` is a relative path of
    annotation.storage.
    """

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="videos")
    file_name = models.CharField(max_length=255)
    sha256 = models.CharField(max_length=64)
    width = models.PositiveIntegerField()
    height = models.PositiveIntegerField()
    media_type = models.CharField(max_length=32)
    byte_size = models.PositiveBigIntegerField()
    duration = models.FloatField()
    frame_rate = models.FloatField()
    sampling_rate = models.FloatField()
    frame_count = models.PositiveIntegerField()
    complete = models.BooleanField(default=False)
    original_path = models.CharField(max_length=255, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "sha256"], name="annotation_one_video_per_digest_and_dataset")
        ]

    def __str__(self) -> str:
        return self.file_name

    def frame_sha256(self, number: int) -> str:
        """The digest by which a frame is known: two frames that look alike are two images of a video."""
        return hashlib.sha256(f"{self.sha256} {self.sampling_rate:g} {number}".encode()).hexdigest()


class Track(models.Model):
    """One thing followed through a video: at most one current mask on each frame (`Mask.track`)."""

    uuid = models.UUIDField(unique=True, default=uuid.uuid4)
    video = models.ForeignKey(Video, on_delete=models.CASCADE, related_name="tracks")
    category = models.CharField(max_length=200, blank=True, default="")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return str(self.uuid)
