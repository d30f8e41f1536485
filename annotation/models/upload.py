"""Upload: one file on its way in, in pieces, over as many connections and days as it takes."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from annotation.models.dataset import Dataset


class Upload(models.Model):
    """Written by annotation.services.uploads alone. The bytes lie in the area "uploads" under the id.

    `received` is for showing: the offset at which a client goes on is the size of the file. `fingerprint` is what the
    client knows the file by, so that it goes on with the same one after a reload. `attempts` counts how often a worker
    began to take it in. `rights` are what its pictures get: any of licence, source, credit, consent; `frame_rate` is
    how many frames of a second are taken if it is a video. `report` is {"added", "known", "refused"} and lists of what
    was not added, with reasons. With an `import_format` the file is an archive with annotations for the import, whose
    job is then in the `report`.
    """

    class State(models.TextChoices):
        RECEIVING = "receiving", "receiving"
        ARRIVED = "arrived", "waiting to be checked"
        DONE = "done", "done"
        FAILED = "failed", "failed"

    OPEN: ClassVar = [State.RECEIVING, State.ARRIVED]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="uploads")
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="+")
    file_name = models.CharField(max_length=255)
    fingerprint = models.CharField(max_length=200, blank=True, default="")
    byte_size = models.PositiveBigIntegerField()
    received = models.PositiveBigIntegerField(default=0)
    state = models.CharField(max_length=16, choices=State.choices, default=State.RECEIVING)
    attempts = models.PositiveSmallIntegerField(default=0)
    progress = models.FloatField(default=0)
    rights: Any = models.JSONField(default=dict)
    frame_rate = models.FloatField(default=5)
    import_format = models.CharField(max_length=32, blank=True, default="")
    report: Any = models.JSONField(default=dict)
    created_at = models.DateTimeField(auto_now_add=True)
    changed_at = models.DateTimeField(auto_now=True)

    class Meta:
        ordering: ClassVar = ["created_at", "id"]
        indexes: ClassVar = [
            models.Index(fields=["dataset", "created_by", "changed_at"], name="annotation_upload_of_person"),
            models.Index(fields=["state", "changed_at"], name="annotation_upload_state"),
        ]

    def __str__(self) -> str:
        return f"{self.file_name} ({self.state})"
