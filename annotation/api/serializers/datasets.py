"""Datasets and members."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.api.fields import Number
from annotation.models import Dataset, LengthUnit, Member, QueueOrder, Stage


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
    queue_order = serializers.ChoiceField(choices=QueueOrder.choices, required=False)
    queue_seed = serializers.IntegerField(min_value=0, max_value=Dataset.SEEDS - 1, required=False)
    overlap_share = Number(min_value=0, max_value=1, required=False, help_text="Share of images for a second person.")
    training_images = serializers.IntegerField(
        min_value=0, max_value=1000, required=False, help_text="Gold images before an annotator's first real one."
    )
    training_iou = Number(min_value=0, max_value=1, required=False, help_text="Mean IoU at which they are passed.")
    review_share = Number(min_value=0, max_value=1, required=False, help_text="Share of annotators' images to review.")
    hourly_rate = Number(min_value=0, max_value=1e6, required=False, allow_null=True, help_text="Of an hour of work.")
    pixel_size = Number(
        min_value=1e-12, max_value=1e6, required=False, allow_null=True, help_text="Metres, where images tell nothing."
    )
    length_unit = serializers.ChoiceField(choices=LengthUnit.choices, required=False)
    currency = serializers.RegexField(r"\A[A-Z]{3}\Z", required=False, help_text="ISO 4217.")

    class Meta:
        model = Dataset
        fields = [
            "name",
            "description",
            "stage",
            "licence",
            "source",
            "auto_retrain",
            "retrain_after",
            "queue_order",
            "queue_seed",
            "overlap_share",
            "training_images",
            "training_iou",
            "review_share",
            "review_adapts",
            "pixel_size",
            "length_unit",
            "hourly_rate",
            "currency",
            "blur_faces",
        ]
        extra_kwargs = {
            "name": {"validators": []},  # uniqueness is the database's, answered as 409
            "auto_retrain": {"required": False},
            "blur_faces": {"required": False},
            "review_adapts": {"required": False},
        }


class DatasetChangeIn(DatasetIn):
    """Without the stage, which has a route of its own: a move is recorded and has the machine do its part."""

    stage = None  # type: ignore[assignment]  # how DRF leaves out a field that is inherited

    class Meta(DatasetIn.Meta):
        fields = [name for name in DatasetIn.Meta.fields if name != "stage"]

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Whoever sends a stage is told where it goes, instead of being ignored."""
        if "stage" in self.initial_data:
            raise serializers.ValidationError({"stage": "A dataset is moved by POST .../stages/move/."})
        return attrs


class DatasetOut(serializers.ModelSerializer[Any]):
    """A dataset as its member sees it; rows come from selectors.datasets_of, `counts` from annotation.counts."""

    role = serializers.ChoiceField(choices=Member.Role.choices)
    queue_order = serializers.ChoiceField(choices=QueueOrder.choices)
    length_unit = serializers.ChoiceField(choices=LengthUnit.choices)
    image_count = serializers.SerializerMethodField()
    mask_count = serializers.SerializerMethodField(
        help_text="Accepted masks. Of a large dataset as of some minutes ago."
    )
    gold_count = serializers.SerializerMethodField(help_text="Gold images with masks.")
    progress = serializers.SerializerMethodField()
    counted_at = serializers.SerializerMethodField(
        help_text="When images and masks were counted; null: just now. Of a large dataset a job counts them."
    )
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
            "queue_order",
            "queue_seed",
            "overlap_share",
            "training_images",
            "training_iou",
            "review_share",
            "review_adapts",
            "pixel_size",
            "length_unit",
            "blur_faces",
            "image_count",
            "mask_count",
            "gold_count",
            "progress",
            "counted_at",
            "cover",
            "created_at",
        ]

    def get_image_count(self, row: Any) -> int:
        """From annotation.counts, as the view brought them along."""
        return int(self.context["counts"][row.pk]["images"])

    def get_mask_count(self, row: Any) -> int:
        """The same."""
        return int(self.context["counts"][row.pk]["masks"])

    def get_gold_count(self, row: Any) -> int:
        """The same."""
        return int(self.context["counts"][row.pk]["gold"])

    @extend_schema_field(ProgressOut)
    def get_progress(self, row: Any) -> dict[str, int]:
        """Images by the state of their labelling."""
        return dict(self.context["counts"][row.pk]["tasks"])

    @extend_schema_field(serializers.DateTimeField(allow_null=True))
    def get_counted_at(self, row: Any) -> Any:
        """The same."""
        return self.context["counts"][row.pk]["counted_at"]

    def get_cover(self, row: Any) -> str | None:
        """Address of a thumbnail, or null for an empty dataset."""
        return reverse("image-thumbnail", args=[row.cover_id]) if row.cover_id else None


class StandingOut(serializers.Serializer[Any]):
    """Where a member stands with the training queue."""

    done = serializers.IntegerField(help_text="Gold images done.")
    asked = serializers.IntegerField(help_text="Gold images that are asked for; 0: none.")
    mean_iou = serializers.FloatField(allow_null=True, help_text="Over the latest of them.")
    graduated = serializers.BooleanField()
    passed = serializers.BooleanField(help_text="May label: graduated, or nothing is asked.")


class MemberOut(serializers.ModelSerializer[Any]):
    """One person's role."""

    username = serializers.CharField(source="user.username")
    name = serializers.CharField(source="user.get_full_name")

    active = serializers.SerializerMethodField(help_text="False: a lead closed the dataset to them.")
    own_role = serializers.SerializerMethodField(help_text="Null: groups have no say. Empty: by groups alone.")
    training = serializers.SerializerMethodField()

    class Meta:
        model = Member
        fields = ["id", "username", "name", "role", "own_role", "active", "training", "created_at"]

    def get_active(self, row: Member) -> bool:
        """Whether the dataset is open to them."""
        return row.deactivated_at is None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_own_role(self, row: Member) -> str | None:
        """The role without what groups give; `role` is the strongest."""
        return row.own_role

    @extend_schema_field(StandingOut)
    def get_training(self, row: Member) -> dict[str, Any]:
        """Brought along by the view."""
        return dict(StandingOut(self.context["standings"][row.pk]).data)


class MemberIn(serializers.Serializer[Any]):
    """Give a role."""

    username = serializers.CharField(max_length=150)
    role = serializers.ChoiceField(choices=Member.Role.choices)


class MemberChangeIn(serializers.Serializer[Any]):
    """Change a role, or say that somebody needs no more training (or does)."""

    role = serializers.ChoiceField(choices=Member.Role.choices, required=False)
    graduated = serializers.BooleanField(required=False)
    active = serializers.BooleanField(required=False)


class AgreementOut(serializers.Serializer[Any]):
    """How well two people who masked the same images agree."""

    images = serializers.IntegerField(help_text="Images that two people have masked.")
    pairs = serializers.IntegerField(help_text="Objects that both masked.")
    only_first = serializers.IntegerField()
    only_second = serializers.IntegerField()
    mean_iou = serializers.FloatField(allow_null=True, help_text="Over the pairs.")
    found_by_both = serializers.FloatField(allow_null=True, help_text="Share of all objects that both masked.")
    waiting = serializers.IntegerField(help_text="Images that wait for their second person.")
