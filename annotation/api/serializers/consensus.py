"""Two people's masks of one image beside each other, and what was taken of them."""

from __future__ import annotations

import uuid
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.api.fields import Segmentation
from annotation.models import Consensus, ConsensusItem, Mask, Task

MOST = 2000  # objects in one decision


class OverlapOut(serializers.ModelSerializer[Any]):
    """One image that two people have masked."""

    file_name = serializers.CharField(source="image.file_name")
    thumbnail = serializers.SerializerMethodField()
    second = serializers.SerializerMethodField(help_text="User name of the second person.")
    mean_iou = serializers.FloatField(source="comparison.mean_iou", allow_null=True, help_text="When they submitted.")
    pairs = serializers.SerializerMethodField(help_text="Objects that both masked, when they submitted.")
    missed = serializers.IntegerField(source="comparison.missed", help_text="Objects of the first person alone.")
    extra = serializers.IntegerField(source="comparison.extra", help_text="Objects of the second person alone.")
    decided = serializers.IntegerField(help_text="Objects on which a decision stands.")

    class Meta:
        model = Task
        fields = ["id", "image", "file_name", "thumbnail", "second", "mean_iou", "pairs", "missed", "extra", "decided"]

    def get_thumbnail(self, row: Task) -> str:
        """Address."""
        return reverse("image-thumbnail", args=[row.image_id])

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_second(self, row: Task) -> str | None:
        """Null when the account is gone."""
        return row.assignee.get_username() if row.assignee else None

    def get_pairs(self, row: Task) -> int:
        """Their number."""
        return len(row.comparison.pairs)


class SideOut(serializers.ModelSerializer[Any]):
    """One person's mask of an object."""

    id = serializers.UUIDField(source="uuid")
    segmentation = Segmentation()
    by = serializers.SerializerMethodField()

    class Meta:
        model = Mask
        fields = ["id", "segmentation", "category", "by"]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_by(self, row: Mask) -> str | None:
        """User name; null: the machine."""
        return row.created_by.get_username() if row.created_by else None


class SettledOut(serializers.Serializer[Any]):
    """What was decided of an object."""

    consensus = serializers.IntegerField(source="consensus_id")
    choice = serializers.ChoiceField(choices=ConsensusItem.Choice.choices)
    by = serializers.SerializerMethodField()
    at = serializers.DateTimeField(source="consensus.at")

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_by(self, row: ConsensusItem) -> str | None:
        """User name."""
        return row.consensus.by.get_username() if row.consensus.by else None


class ObjectPairOut(serializers.Serializer[Any]):
    """One object."""

    first = SideOut(allow_null=True)
    second = SideOut(allow_null=True)
    iou = serializers.FloatField(allow_null=True, help_text="Null where only one of them has it.")
    boundary_iou = serializers.FloatField(allow_null=True, help_text="Of the bands along both outlines (Cheng 2021).")
    settled = SettledOut(allow_null=True)


class DecidedOut(serializers.ModelSerializer[Any]):
    """One decision, about any number of objects."""

    by = serializers.SerializerMethodField()
    objects = serializers.IntegerField(source="items.count")

    class Meta:
        model = Consensus
        fields = ["id", "by", "at", "objects", "undone_at"]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_by(self, row: Consensus) -> str | None:
        """User name."""
        return row.by.get_username() if row.by else None


class ConsensusOut(serializers.Serializer[Any]):
    """A doubly masked image."""

    image = serializers.IntegerField()
    file_name = serializers.CharField()
    second = serializers.CharField(allow_null=True, help_text="User name of the second person.")
    objects = ObjectPairOut(many=True, help_text="Those that both masked first, the least agreement first.")
    decisions = DecidedOut(many=True, help_text="Newest first; those that were undone too.")


class DecisionIn(serializers.Serializer[Any]):
    """Of one object: its two masks as they were shown, and what is taken."""

    first = serializers.UUIDField(allow_null=True)
    second = serializers.UUIDField(allow_null=True)
    choice = serializers.ChoiceField(choices=ConsensusItem.Choice.choices)


class DecisionsIn(serializers.Serializer[Any]):
    """Made at once, undone at once."""

    objects = DecisionIn(many=True, allow_empty=False)

    def validate_objects(self, value: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """At most so many, and each object once."""
        keys: set[tuple[uuid.UUID | None, uuid.UUID | None]] = {(one["first"], one["second"]) for one in value}
        if len(keys) < len(value):
            raise serializers.ValidationError("An object is named twice.")
        if len(value) > MOST:
            raise serializers.ValidationError(f"At most {MOST} objects at once.")
        return value
