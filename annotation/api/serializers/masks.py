"""Masks, prompts and predictions."""

from __future__ import annotations

from typing import Any

from django.utils import timezone
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.api.fields import Box, Number, Points, Segmentation
from annotation.models import Mask, Stage, Task

MAX_ID = 2**63 - 1


def _coordinate() -> Number:
    return Number(min_value=-1e7, max_value=1e7, required=False)


class PromptIO(serializers.Serializer[Any]):
    """What a person gave the model, in image pixels: a point, a box, the mask so far, or text."""

    type = serializers.ChoiceField(choices=["point", "box", "mask", "text"])
    x = _coordinate()
    y = _coordinate()
    label = serializers.IntegerField(min_value=0, max_value=1, required=False, help_text="1 inside, 0 outside.")  # type: ignore[assignment]  # the field: not what DRF keeps under the name
    fed = serializers.IntegerField(
        min_value=0, max_value=15, required=False, allow_null=True, help_text="Output whose logits were fed back."
    )
    x0 = _coordinate()
    y0 = _coordinate()
    x1 = _coordinate()
    y1 = _coordinate()
    text = serializers.CharField(max_length=500, required=False)

    NEEDS = {"point": ("x", "y", "label"), "box": ("x0", "y0", "x1", "y1"), "mask": (), "text": ("text",)}

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """Each type has its own fields; the others are dropped."""
        needed = self.NEEDS[attrs["type"]]
        if missing := [name for name in needed if name not in attrs]:
            raise serializers.ValidationError(f"A {attrs['type']} prompt needs {', '.join(missing)}.")
        return {name: attrs[name] for name in ("type", *needed, "fed") if name in attrs}

    def to_representation(self, instance: dict[str, Any]) -> dict[str, Any]:
        """As stored."""
        return instance


class CandidateIO(serializers.Serializer[Any]):
    """One mask that was offered, without its pixels. `token` is the decoder's output it came from."""

    token = serializers.IntegerField(min_value=0, max_value=15, required=False)
    predicted_iou = Number(min_value=-10, max_value=10)
    stability_score = Number(min_value=-10, max_value=10, required=False, allow_null=True)
    area = serializers.IntegerField(min_value=0, max_value=2**31, required=False)
    bbox = Box(required=False, help_text="[x, y, w, h]")

    def to_representation(self, instance: dict[str, Any]) -> dict[str, Any]:
        """As stored."""
        return instance


class MaskIn(serializers.Serializer[Any]):
    """A mask as the client made it; area and box are computed by the server."""

    image = serializers.IntegerField(min_value=1, max_value=MAX_ID)
    segmentation = Segmentation()
    parent = serializers.UUIDField(required=False, allow_null=True, help_text="The mask that this one corrects.")  # type: ignore[assignment]  # the field: not what DRF keeps under the name
    category = serializers.CharField(max_length=200, required=False, allow_blank=True)
    stage = serializers.ChoiceField(choices=Stage.choices, required=False)
    source = serializers.ChoiceField(choices=[c for c in Mask.Source.choices if c[0] != Mask.Source.IMPORTED])  # type: ignore[assignment]  # the field: not what DRF keeps under the name
    prompts = PromptIO(many=True, required=False, max_length=1000)  # type: ignore[call-arg]  # many=True makes a list of them, with a length
    candidates = CandidateIO(many=True, required=False, max_length=16)  # type: ignore[call-arg]  # many=True makes a list of them, with a length
    chosen = serializers.IntegerField(min_value=0, max_value=15, required=False, allow_null=True)
    predicted_iou = Number(min_value=-10, max_value=10, required=False, allow_null=True)
    stability_score = Number(min_value=-10, max_value=10, required=False, allow_null=True)
    crop_box = Box(required=False, allow_null=True, help_text="[x, y, w, h]")
    point_coords = Points(required=False, allow_null=True)
    model = serializers.RegexField(r"\A[0-9a-f]{0,64}\Z", required=False, allow_blank=True)
    seconds = Number(min_value=0, max_value=86_400, required=False)
    edits = serializers.IntegerField(min_value=0, max_value=1_000_000, required=False)
    task = serializers.IntegerField(min_value=1, max_value=MAX_ID, required=False, allow_null=True)
    track = serializers.UUIDField(
        required=False, allow_null=True, help_text="Of a new mask on a frame; a correction has its parent's."
    )
    proposed = serializers.BooleanField(
        required=False, help_text="Undo of taking a proposal over: what the parent was made of is proposed again."
    )


class MaskOut(serializers.ModelSerializer[Any]):
    """A mask."""

    id = serializers.UUIDField(source="uuid")
    segmentation = Segmentation()
    bbox = Box(help_text="[x, y, w, h]")
    prompts = PromptIO(many=True)
    candidates = CandidateIO(many=True)
    crop_box = Box(allow_null=True, help_text="[x, y, w, h]")
    point_coords = Points(allow_null=True)
    parent = serializers.SerializerMethodField()  # type: ignore[assignment]  # the field: not what DRF keeps under the name
    track = serializers.UUIDField(source="track.uuid", default=None, allow_null=True, help_text="What it follows.")
    created_by = serializers.SerializerMethodField()

    class Meta:
        model = Mask
        fields = [
            "id",
            "image",
            "segmentation",
            "bbox",
            "area",
            "category",
            "crowd",
            "stage",
            "source",
            "status",
            "parent",
            "prompts",
            "candidates",
            "chosen",
            "predicted_iou",
            "stability_score",
            "crop_box",
            "point_coords",
            "model",
            "task",
            "track",
            "created_by",
            "seconds",
            "edits",
            "created_at",
        ]

    @extend_schema_field(serializers.UUIDField(allow_null=True))
    def get_parent(self, row: Mask) -> str | None:
        """Public id of the corrected mask."""
        return str(row.parent.uuid) if row.parent else None

    def get_created_by(self, row: Mask) -> str | None:
        """User name, or null for a machine."""
        return row.created_by.get_username() if row.created_by else None


class HolderOut(serializers.ModelSerializer[Any]):
    """Who has an image: nobody, once the lease has ended."""

    assignee = serializers.SerializerMethodField()

    class Meta:
        model = Task
        fields = ["id", "kind", "state", "assignee", "lease_expires_at", "submitted_at"]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_assignee(self, row: Task) -> str | None:
        """User name of the holder."""
        held = row.assignee is not None and row.is_held_by(row.assignee.pk, timezone.now())
        return row.assignee.get_username() if held and row.assignee else None


class ChangesOut(serializers.Serializer[Any]):
    """What happened to the masks of an image."""

    at = serializers.DateTimeField(help_text="Ask with this as `since` next time.")
    masks = MaskOut(many=True)
    task = HolderOut(allow_null=True)


class CategoryOut(serializers.Serializer[Any]):
    """A name in use."""

    name = serializers.CharField()
    masks = serializers.IntegerField(help_text="Current masks that carry it.")


class PredictIn(serializers.Serializer[Any]):
    """One prompt, in image pixels."""

    points = Points(required=False, max_length=500)
    labels = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=1), required=False, max_length=500
    )
    box = Box(required=False, allow_null=True, help_text="[x0, y0, x1, y1]")
    mask_input = Segmentation(required=False, allow_null=True)
    multimask = serializers.BooleanField(default=True)
    model = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=64, help_text="Digest of a version; empty: serving."
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """As many labels as points, and something to go by."""
        points, labels = attrs.get("points", []), attrs.get("labels", [])
        if len(points) != len(labels):
            raise serializers.ValidationError("There must be as many labels as points.")
        if not points and attrs.get("box") is None and attrs.get("mask_input") is None:
            raise serializers.ValidationError("Give at least one point, a box or a mask.")
        return attrs


class PredictedOut(serializers.Serializer[Any]):
    """One candidate."""

    segmentation = Segmentation()
    predicted_iou = serializers.FloatField()
    stability_score = serializers.FloatField()
    area = serializers.IntegerField()
    bbox = Box(help_text="[x, y, w, h]")


class PredictOut(serializers.Serializer[Any]):
    """Candidates, best first as the model orders them."""

    model = serializers.CharField()
    candidates = PredictedOut(many=True)
