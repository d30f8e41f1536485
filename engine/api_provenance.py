"""Routes of provenance: from a mask to what made it and what it made; from a model to what it learnt from."""

from __future__ import annotations

import uuid
from typing import Any

from django.db.models import QuerySet
from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.generics import ListAPIView
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import dataset_for, image_for, mask_for
from annotation.api.http import CursorPages
from annotation.errors import Missing
from annotation.models import Image, Mask, Stage
from engine.models import ModelVersion, Promotion, Snapshot, SnapshotImage, TrainingRun
from engine.promotion import versions_of
from engine.provenance import Step, Use, image_uses, mask_origin, masks_of_rows, version_origin
from engine.snapshots import FOLDERS


class VersionBriefOut(serializers.ModelSerializer[Any]):
    """One version."""

    state = serializers.ChoiceField(choices=ModelVersion.State.choices)
    origin = serializers.DictField(child=serializers.CharField())

    class Meta:
        model = ModelVersion
        fields = ["digest", "name", "state", "origin", "created_at"]


class SnapshotBriefOut(serializers.ModelSerializer[Any]):
    """One training set."""

    counts = serializers.DictField(
        child=serializers.DictField(child=serializers.IntegerField()), help_text="Images and masks per part."
    )

    class Meta:
        model = Snapshot
        fields = ["digest", "counts", "created_at"]


class RunBriefOut(serializers.ModelSerializer[Any]):
    """One training run, without its curve."""

    trigger = serializers.ChoiceField(choices=TrainingRun.Trigger.choices)
    state = serializers.ChoiceField(choices=TrainingRun.State.choices)
    snapshot = SnapshotBriefOut(allow_null=True)
    base = VersionBriefOut()
    candidate = VersionBriefOut(allow_null=True)
    mix = serializers.DictField(child=serializers.FloatField())
    decision = serializers.SerializerMethodField()
    reason = serializers.SerializerMethodField(help_text="Of the decision.")

    class Meta:
        model = TrainingRun
        fields = [
            "id",
            "trigger",
            "state",
            "snapshot",
            "base",
            "candidate",
            "mix",
            "decision",
            "reason",
            "created_at",
            "finished_at",
        ]

    @extend_schema_field(serializers.ChoiceField(choices=Promotion.Kind.choices, allow_null=True))
    def get_decision(self, row: TrainingRun) -> str | None:
        """Null until it is judged."""
        return next((decision.kind for decision in row.decisions.all()), None)

    def get_reason(self, row: TrainingRun) -> str:
        """The gate's sentence."""
        return next((decision.reason for decision in row.decisions.all()), "")


class StepOut(serializers.Serializer[Any]):
    """One version of a line of descent; its run is null where it came from outside."""

    version = VersionBriefOut()
    run = RunBriefOut(allow_null=True)


class UseOut(serializers.Serializer[Any]):
    """One snapshot that held it. Part train and train_automatic were learnt from, the others judged by."""

    snapshot = SnapshotBriefOut()
    parts = serializers.DictField(child=serializers.IntegerField(), help_text="Masks per part.")
    runs = RunBriefOut(many=True)


class MaskBriefOut(serializers.ModelSerializer[Any]):
    """One mask, without its pixels."""

    id = serializers.UUIDField(source="uuid")
    image = serializers.IntegerField(source="image_id")
    stage = serializers.ChoiceField(choices=Stage.choices)
    source = serializers.ChoiceField(choices=Mask.Source.choices)  # type: ignore[assignment]  # the field: not what DRF keeps under the name
    status = serializers.ChoiceField(choices=Mask.Status.choices)

    class Meta:
        model = Mask
        fields = ["id", "image", "category", "stage", "source", "status"]


class MaskVersionOut(MaskBriefOut):
    """One version of a mask's object."""

    created_by = serializers.SerializerMethodField()

    class Meta(MaskBriefOut.Meta):
        fields = [*MaskBriefOut.Meta.fields, "model", "seconds", "edits", "created_by", "created_at"]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_created_by(self, row: Mask) -> str | None:
        """User name, or null for a machine."""
        return row.created_by.get_username() if row.created_by else None


class MaskProvenanceOut(serializers.Serializer[Any]):
    """Both ways from one mask."""

    mask = MaskVersionOut()
    dataset = serializers.IntegerField()
    file_name = serializers.CharField()
    thumbnail_url = serializers.CharField()
    history = MaskVersionOut(many=True, help_text="All versions of this object, oldest first.")
    offered_by = MaskVersionOut(allow_null=True, help_text="The version that a model offered, if one did.")
    descent = StepOut(many=True, help_text="The model that offered it and its parents; empty if none did.")
    uses = UseOut(many=True, help_text="Snapshots that held this mask, newest first, at most 100.")


class ImageProvenanceOut(serializers.Serializer[Any]):
    """What an image's masks were used for."""

    uses = UseOut(many=True, help_text="Snapshots that held masks of it, newest first, at most 100.")


class ModelProvenanceOut(serializers.Serializer[Any]):
    """What led to a version, and on from it."""

    descent = StepOut(many=True, help_text="The version itself and its parents.")
    children = StepOut(many=True, help_text="Trained from it, newest first, at most 100.")
    masks = serializers.IntegerField(help_text="Masks of the dataset that it offered.")


class SnapshotImageOut(serializers.Serializer[Any]):
    """One image of a snapshot with what it held."""

    sha256 = serializers.CharField()
    image = serializers.IntegerField(allow_null=True, help_text="Null: deleted since.")
    file_name = serializers.CharField()
    thumbnail_url = serializers.CharField(allow_null=True)
    parts = serializers.DictField(child=serializers.IntegerField(), help_text="Masks per part.")
    masks = MaskBriefOut(many=True, help_text="Those that are still there; what was corrected since is superseded.")


def steps_out(steps: list[Step]) -> list[dict[str, Any]]:
    """As StepOut."""
    return [{"version": step.version, "run": step.run} for step in steps]


def uses_out(uses: list[Use]) -> list[dict[str, Any]]:
    """As UseOut."""
    return [{"snapshot": use.row.snapshot, "parts": use.parts, "runs": use.runs} for use in uses]


class MaskProvenanceView(APIView):
    """Where a mask came from and what came of it."""

    @extend_schema(operation_id="mask_provenance", responses=MaskProvenanceOut)
    def get(self, request: Request, mask_id: uuid.UUID) -> Response:
        """For every member of its dataset."""
        mask = mask_for(request.user, mask_id)
        origin = mask_origin(mask=mask)
        values = {
            "mask": mask,
            "dataset": mask.image.dataset_id,
            "file_name": mask.image.file_name,
            "thumbnail_url": reverse("image-thumbnail", args=[mask.image_id]),
            "history": origin.history,
            "offered_by": origin.offered_by,
            "descent": steps_out(origin.steps),
            "uses": uses_out(origin.uses),
        }
        return Response(MaskProvenanceOut(values).data)


class ImageProvenanceView(APIView):
    """Which trainings an image went into."""

    @extend_schema(operation_id="image_provenance", responses=ImageProvenanceOut)
    def get(self, request: Request, image_id: int) -> Response:
        """For every member of its dataset."""
        image = image_for(request.user, image_id)
        return Response(ImageProvenanceOut({"uses": uses_out(image_uses(image=image))}).data)


class ModelProvenanceView(APIView):
    """What a version learnt from."""

    @extend_schema(operation_id="model_provenance", responses=ModelProvenanceOut)
    def get(self, request: Request, dataset_id: int, digest: str) -> Response:
        """As one dataset sees it: its own runs, and versions that it may serve."""
        dataset = dataset_for(request.user, dataset_id)
        version = versions_of(dataset.pk).filter(digest=digest).first()
        if version is None:
            raise Missing("unknown_model", "This dataset has no model with that digest.")
        origin = version_origin(dataset_id=dataset.pk, version=version)
        values = {"descent": steps_out(origin.steps), "children": steps_out(origin.children), "masks": origin.masks}
        return Response(ModelProvenanceOut(values).data)


class SnapshotPages(CursorPages):
    """In the order of the manifest."""

    page_size = 24
    max_page_size = 100


class SnapshotImagesView(ListAPIView[Any]):
    """The images of a snapshot with their masks."""

    serializer_class = SnapshotImageOut
    pagination_class = SnapshotPages
    queryset = SnapshotImage.objects.none()

    def get_queryset(self) -> QuerySet[SnapshotImage]:
        """For members only; perhaps those of one part."""
        dataset = dataset_for(self.request.user, self.kwargs["dataset_id"])
        snapshot = Snapshot.objects.filter(dataset=dataset, digest=self.kwargs["digest"]).first()
        if snapshot is None:
            raise Missing("not_found", "This dataset has no snapshot with that digest.")
        part = self.request.query_params.get("part", "")
        rows = SnapshotImage.objects.filter(snapshot=snapshot)
        return rows.filter(parts__has_key=part) if part in FOLDERS else rows

    @extend_schema(
        operation_id="snapshot_images",
        parameters=[OpenApiParameter("part", str, enum=FOLDERS, description="Only images with masks in this part.")],
    )
    def get(self, request: Request, dataset_id: int, digest: str) -> Response:
        """Page by page, two queries each."""
        rows: list[SnapshotImage] = self.paginate_queryset(self.get_queryset()) or []
        images = Image.objects.filter(dataset=dataset_id, sha256__in=[row.sha256 for row in rows])
        known, masks = {image.sha256: image for image in images}, masks_of_rows(rows)
        values = [_snapshot_image(row, known.get(row.sha256), masks) for row in rows]
        return self.get_paginated_response(SnapshotImageOut(values, many=True).data)


def _snapshot_image(row: SnapshotImage, image: Image | None, masks: dict[int, Mask]) -> dict[str, Any]:
    serials = [serial for part in row.parts.values() for serial in part]
    return {
        "sha256": row.sha256,
        "image": image.pk if image else None,
        "file_name": image.file_name if image else "",
        "thumbnail_url": reverse("image-thumbnail", args=[image.pk]) if image else None,
        "parts": {part: len(held) for part, held in row.parts.items()},
        "masks": [masks[serial] for serial in serials if serial in masks],
    }
