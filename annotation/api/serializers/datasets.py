"""Datasets and members."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.models import Dataset, Member, Stage, Task


class ProgressOut(serializers.Serializer[Any]):
    """Tasks by state."""

    open = serializers.IntegerField()
    claimed = serializers.IntegerField()
    submitted = serializers.IntegerField()
    skipped = serializers.IntegerField()


class DatasetIn(serializers.ModelSerializer[Any]):
    """What a lead may set."""

    retrain_after = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False)
    stage = serializers.ChoiceField(choices=Stage.choices, required=False)

    class Meta:
        model = Dataset
        fields = ["name", "description", "stage", "licence", "source", "auto_retrain", "retrain_after"]
        extra_kwargs = {
            "name": {"validators": []},  # uniqueness is the database's, answered as 409
            "auto_retrain": {"required": False},
        }


class DatasetChangeIn(DatasetIn):
    """Without the stage, which has a route of its own: a move is recorded and has the machine do its part."""

    stage = None  # type: ignore[assignment]

    class Meta(DatasetIn.Meta):
        fields = [name for name in DatasetIn.Meta.fields if name != "stage"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Whoever sends a stage is told where it goes, instead of being ignored."""
        if "stage" in self.initial_data:
            raise serializers.ValidationError({"stage": "A dataset is moved by POST .../stages/move/."})
        return attrs


class DatasetOut(serializers.ModelSerializer[Any]):
    """A dataset as its member sees it; rows come from selectors.datasets_of."""

    role = serializers.ChoiceField(choices=Member.Role.choices)
    image_count = serializers.IntegerField()
    mask_count = serializers.IntegerField(help_text="Accepted masks.")
    progress = serializers.SerializerMethodField()
    cover = serializers.SerializerMethodField(help_text="Thumbnail of the first image.")

    class Meta:
        model = Dataset
        fields = [
            "id",
            "name",
            "description",
            "role",
            "stage",
            "licence",
            "source",
            "auto_retrain",
            "retrain_after",
            "image_count",
            "mask_count",
            "progress",
            "cover",
            "created_at",
        ]

    @extend_schema_field(ProgressOut)
    def get_progress(self, row: Any) -> dict[str, int]:
        """Counts that the selector brought along."""
        return {state: getattr(row, f"tasks_{state}") for state in Task.State.values}

    def get_cover(self, row: Any) -> str | None:
        """Address of a thumbnail, or null for an empty dataset."""
        return reverse("image-thumbnail", args=[row.cover_id]) if row.cover_id else None


class MemberOut(serializers.ModelSerializer[Any]):
    """One person's role."""

    username = serializers.CharField(source="user.username")
    name = serializers.CharField(source="user.get_full_name")

    class Meta:
        model = Member
        fields = ["id", "username", "name", "role"]


class MemberIn(serializers.Serializer[Any]):
    """Give a role."""

    username = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(choices=Member.Role.choices)


class RoleIn(serializers.Serializer[Any]):
    """Change a role."""

    role = serializers.ChoiceField(choices=Member.Role.choices)
