"""How people come in, how their scripts are known, and what everybody did."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar

from django.conf import settings
from django.db import models

from annotation.models.dataset import Dataset
from annotation.models.member import Member


class Invitation(models.Model):
    """A link that gives a role. `digest` is the SHA-256 of its secret, which only the link holds.

    `uses_left` is counted down by each person who joins.
    """

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="invitations")
    role = models.CharField(max_length=16, choices=Member.Role.choices)
    digest = models.CharField(max_length=64, unique=True)
    note = models.CharField(max_length=200, blank=True, default="")
    uses_left = models.PositiveIntegerField(default=1)
    used = models.PositiveIntegerField(default=0)
    expires_at = models.DateTimeField()
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"invitation {self.pk} to {self.dataset_id} as {self.role}"

    def is_open(self, now: datetime) -> bool:
        """Whether somebody may still join by it."""
        return self.revoked_at is None and self.uses_left > 0 and self.expires_at > now


class ApiToken(models.Model):
    """A person's key for scripts. `digest` is the SHA-256 of the key, which is shown once; `hint` is how it begins."""

    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="api_tokens")
    name = models.CharField(max_length=100)
    digest = models.CharField(max_length=64, unique=True)
    hint = models.CharField(max_length=12)
    last_used_at = models.DateTimeField(null=True, blank=True)
    revoked_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]

    def __str__(self) -> str:
        return f"{self.name} of {self.user}"


class Event(models.Model):
    """Somebody changed something: who, what (`action`), to which thing (`subject`, `subject_id`), when.

    Rows are only ever added. `actor` is null for the machine; `details` holds the few words that the action needs.
    """

    dataset = models.ForeignKey(Dataset, null=True, blank=True, on_delete=models.CASCADE, related_name="events")
    actor = models.ForeignKey(
        settings.AUTH_USER_MODEL, null=True, blank=True, on_delete=models.SET_NULL, related_name="+"
    )
    action = models.CharField(max_length=64)
    subject = models.CharField(max_length=16)
    subject_id = models.CharField(max_length=64, blank=True, default="")
    details: Any = models.JSONField(default=dict)
    at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["-id"]
        indexes: ClassVar = [
            models.Index(fields=["dataset", "-id"], name="annotation_event_of_dataset"),
            models.Index(fields=["dataset", "subject", "-id"], name="annotation_event_subject"),
            models.Index(fields=["dataset", "actor", "-id"], name="annotation_event_actor"),
        ]

    def __str__(self) -> str:
        return f"{self.action} {self.subject_id}"
