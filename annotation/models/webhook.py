"""Webhooks: where a dataset tells other programs what happened, and what became of each message."""

from __future__ import annotations

from typing import Any, ClassVar

from django.conf import settings
from django.db import models
from django.db.models import Q

from annotation.models.dataset import Dataset


class Webhook(models.Model):
    """`events` are what it is told of (annotation.services.webhooks.EVENTS); `secret` signs every message.

    `failures` counts attempts that failed one after another, `retry_at` is when the next one is due (null: at once) and
    `problem` says in words why. Without `active` nothing is told, and what waits goes on waiting. `jobs_since`: jobs
    that ended before are not told of.
    """

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="webhooks")
    url = models.CharField(max_length=2000)
    secret = models.CharField(max_length=100)
    events: Any = models.JSONField(default=list)
    active = models.BooleanField(default=True)
    failures = models.PositiveSmallIntegerField(default=0)
    retry_at = models.DateTimeField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True, default="")
    jobs_since = models.DateTimeField(auto_now_add=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]

    def __str__(self) -> str:
        return f"webhook {self.pk} of {self.dataset_id}"


class Delivery(models.Model):
    """One message of a webhook. `body` is the JSON as it is sent; `key` names the fact, so that it is told once.

    `status_code` is the last answer, null where there was none; `problem` says in words what went wrong.
    """

    webhook = models.ForeignKey(Webhook, on_delete=models.CASCADE, related_name="deliveries")
    event = models.CharField(max_length=32)
    key = models.CharField(max_length=120)
    body = models.TextField()
    attempts = models.PositiveSmallIntegerField(default=0)
    status_code = models.PositiveSmallIntegerField(null=True, blank=True)
    problem = models.CharField(max_length=300, blank=True, default="")
    created_at = models.DateTimeField(auto_now_add=True)
    tried_at = models.DateTimeField(null=True, blank=True)
    delivered_at = models.DateTimeField(null=True, blank=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["webhook", "key"], name="annotation_one_delivery_per_fact")
        ]
        indexes: ClassVar = [
            models.Index(fields=["webhook", "id"], condition=Q(delivered_at=None), name="annotation_delivery_waiting")
        ]

    def __str__(self) -> str:
        return f"{self.event} to {self.webhook_id}"
