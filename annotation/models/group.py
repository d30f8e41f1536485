"""Groups: people with a name of their own, who get a role in a dataset together."""

from __future__ import annotations

from typing import ClassVar

from django.conf import settings
from django.db import models

from annotation.models.dataset import Dataset
from annotation.models.member import Member


class Group(models.Model):
    """Written by annotation.services.groups alone. Its owner says who is in it; the owner need not be."""

    name = models.CharField(max_length=100, unique=True)
    owner = models.ForeignKey(settings.AUTH_USER_MODEL, on_delete=models.CASCADE, related_name="owned_groups")
    people: models.ManyToManyField[models.Model, models.Model] = models.ManyToManyField(
        settings.AUTH_USER_MODEL, related_name="annotation_groups", blank=True
    )
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["name"]

    def __str__(self) -> str:
        return self.name


class GroupRole(models.Model):
    """A group's role in a dataset. Each of its people has a Member row, whose role is the strongest they have."""

    dataset = models.ForeignKey(Dataset, on_delete=models.CASCADE, related_name="group_roles")
    group = models.ForeignKey(Group, on_delete=models.CASCADE, related_name="roles")
    role = models.CharField(max_length=16, choices=Member.Role.choices)
    created_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        ordering: ClassVar = ["id"]
        constraints: ClassVar = [
            models.UniqueConstraint(fields=["dataset", "group"], name="annotation_one_role_per_group_and_dataset")
        ]

    def __str__(self) -> str:
        return f"{self.group} is {self.role} of dataset {self.dataset_id}"
