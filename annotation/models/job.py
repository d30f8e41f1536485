"""Job: the ledger row behind every piece of machine work; WorkerPulse: which workers are alive."""

from __future__ import annotations

import uuid
from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models.dataset import Dataset


class Job(models.Model):
    """Written by annotation.jobkit alone, by conditional UPDATE on `state` and `attempts`.

    `attempts` counts starts and is the fence: what an older attempt writes changes nothing. `lease_expires_at` is,
    while running, when the worker counts as lost, and while queued, the earliest start (null: at once). `sent_at` is
    when the last wake-up message went out, `queued_at` when it was put into the queue again (null: it is in it since
    it was made). `holder` names the process of the latest attempt (annotation.holders).
    """

    class Queue(models.TextChoices):
        INTERACTIVE = "interactive", "interactive"
        IO = "io", "files"
        EXPORTS = "exports", "exports"
        WEBHOOKS = "webhooks", "webhooks"
        BATCH = "batch", "batch"
        TRAINING = "training", "training"

    class State(models.TextChoices):
        QUEUED = "queued", "queued"
        RUNNING = "running", "running"
        SUCCEEDED = "succeeded", "succeeded"
        FAILED = "failed", "failed"
        CANCELLED = "cancelled", "cancelled"

    OPEN: ClassVar = [State.QUEUED, State.RUNNING]
    ENDED: ClassVar = [State.SUCCEEDED, State.FAILED, State.CANCELLED]

    id = models.UUIDField(primary_key=True, default=uuid.uuid4, editable=False)
    kind = models.CharField(max_length=64)
    title = models.CharField(max_length=200)
    queue = models.CharField(max_length=16, choices=Queue.choices)
    state = models.CharField(max_length=16, choices=State.choices, default=State.QUEUED)
    dataset = models.ForeignKey(Dataset, null=True, blank=True, on_delete=models.CASCADE, related_name="jobs")
    payload: Any = models.JSONField(default=dict)
    dedupe_key = models.CharField(max_length=200, blank=True, default="")
    progress = models.FloatField(default=0)
    message = models.CharField(max_length=500, blank=True, default="")
    attempts = models.PositiveIntegerField(default=0)
    max_attempts = models.PositiveIntegerField(default=3)
    lease_expires_at = models.DateTimeField(null=True, blank=True)
    holder = models.CharField(max_length=120, blank=True, default="")
    queued_at = models.DateTimeField(null=True, blank=True)
    sent_at = models.DateTimeField(null=True, blank=True)
    error_code = models.CharField(max_length=64, blank=True, default="")
    error_message = models.TextField(blank=True, default="")
    result: Any = models.JSONField(null=True, blank=True)
    log = models.TextField(blank=True, default="")
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)
    started_at = models.DateTimeField(null=True, blank=True)
    finished_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-created_at"]
        constraints: ClassVar = [
            models.UniqueConstraint(
                fields=["kind", "dedupe_key"],
                condition=Q(state__in=["queued", "running"]) & ~Q(dedupe_key=""),
                name="annotation_one_open_job_per_dedupe_key",
            )
        ]
        indexes: ClassVar = [
            models.Index(fields=["state", "lease_expires_at"], name="annotation_job_leases"),
            models.Index(fields=["dataset", "-created_at"], name="annotation_job_of_dataset"),
            models.Index(fields=["dataset", "finished_at"], name="annotation_job_ended"),
            # Exports and imports among the preparations of a hundred thousand pictures.
            models.Index(fields=["dataset", "kind", "-created_at"], name="annotation_job_of_kind"),
        ]

    def __str__(self) -> str:
        return f"{self.kind} {self.id} ({self.state})"

    @property
    def is_open(self) -> bool:
        """Whether work is still to come."""
        return self.state in self.OPEN


class WorkerPulse(models.Model):
    """One row per worker process (and one for the scheduler), touched every few seconds while it lives."""

    name = models.CharField(max_length=200, unique=True)
    queues: Any = models.JSONField(default=list)
    seen_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name


class Hold(models.Model):
    """What one process at a time does, and which one: nobody else may until `ends_at`."""

    name = models.CharField(max_length=50, unique=True)
    holder = models.UUIDField()
    ends_at = models.DateTimeField()

    def __str__(self) -> str:
        return self.name
