"""Member: who may do what in one dataset."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from annotation.models.dataset import Dataset


class Member(models.Model):
    """One person's role in one dataset. A role includes everything that the ones after it may do.

    `graduated_at` is when an annotator was done with the training queue (annotation.services.training). While
    `deactivated_at` is set the dataset is closed to the person; what they made stays theirs. `own_role` is null unless
    groups have a say (annotation.services.groups): then it is the person's own role, "" for none, and `role` the
    strongest of all.
    """

    class Role(models.TextChoices):
        LEAD = "lead", "lead"
        REVIEWER = "reviewer", "reviewer"
        ANNOTATOR = "annotator", "annotator"
        VIEWER = "viewer", "viewer"

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="members")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="memberships")
    role = models.CharField(max_length=16, choices=Role.choices)
    own_role = models.CharField(max_length=16, null=True, blank=True)  # noqa: DJ001  null and "" differ
    graduated_at = models.DateTimeField(null=True, blank=True)
    deactivated_at = models.DateTimeField(null=True, blank=True)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "user"], name="annotation_one_role_per_person_and_dataset")
        ]

    def __str__(self) -> str:
        return f"{self.user} is {self.role} of {self.dataset}"

    def reaches(self, role: str) -> bool:
        """Whether this member may do what `role` may do."""
        order = [str(value) for value in self.Role.values]
        return order.index(self.role) <= order.index(role)
