"""Routes of two versions side by side on chosen images."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import NOTHING, Role, dataset_for
from annotation.errors import Missing
from engine.models import VersionComparison
from engine.side_by_side import MOST_IMAGES, comparison_start, comparisons_of

SHOWN = 10  # of the newest; older ones stay in the table


def pair() -> serializers.ListField:
    """A field of its own each time: one that stands in a shape twice would be known by its last name alone."""
    return serializers.ListField(
        child=serializers.FloatField(),
        min_length=2,
        max_length=2,
        allow_null=True,
        help_text="Mean IoU: first, second.",
    )


class CompareIn(serializers.Serializer[Any]):
    """Two versions and the images to look at."""

    first = serializers.CharField(max_length=64, help_text="Digest.")
    second = serializers.CharField(max_length=64)
    images = serializers.ListField(child=serializers.IntegerField(min_value=1, max_value=2**62), max_length=MOST_IMAGES)


class ComparedMaskOut(serializers.Serializer[Any]):
    """IoU of both versions' answers with one accepted mask."""

    mask = serializers.UUIDField()
    click = serializers.ListField(child=serializers.FloatField(), help_text="One click on its innermost pixel.")
    box = serializers.ListField(child=serializers.FloatField(), help_text="Its box.")


class ComparedImageOut(serializers.Serializer[Any]):
    """One image; its largest masks were asked about."""

    image = serializers.IntegerField()
    of = serializers.IntegerField(help_text="Accepted masks it has.")
    masks = ComparedMaskOut(many=True)
    count = serializers.IntegerField()
    click = pair()
    box = pair()


class ComparedMeansOut(serializers.Serializer[Any]):
    """Over all masks that were asked about."""

    count = serializers.IntegerField()
    click = pair()
    box = pair()


class ComparedOut(serializers.Serializer[Any]):
    """What came of it."""

    images = ComparedImageOut(many=True)
    means = ComparedMeansOut()


class VersionComparisonOut(serializers.Serializer[Any]):
    """Two versions on chosen images."""

    id = serializers.IntegerField()
    first = serializers.CharField(source="first.digest")
    second = serializers.CharField(source="second.digest")
    first_name = serializers.CharField(source="first.name")
    second_name = serializers.CharField(source="second.name")
    images = serializers.ListField(child=serializers.IntegerField())
    progress = serializers.SerializerMethodField(help_text="0..1")
    message = serializers.SerializerMethodField(help_text="While it runs, or why it came to nothing.")
    error_code = serializers.CharField(source="job.error_code", default="", help_text="Empty unless it failed.")
    result = serializers.SerializerMethodField()
    created_at = serializers.DateTimeField()
    finished_at = serializers.DateTimeField(allow_null=True)

    def get_progress(self, row: VersionComparison) -> float:
        """As its job says."""
        return 1.0 if row.finished_at is not None or row.job is None else row.job.progress

    def get_message(self, row: VersionComparison) -> str:
        """As its job says."""
        if row.finished_at is not None or row.job is None:
            return ""
        return row.job.error_message or row.job.message or "Waiting for a worker."

    @extend_schema_field(ComparedOut(allow_null=True))
    def get_result(self, row: VersionComparison) -> dict[str, Any] | None:
        """Null until it is done."""
        return dict(ComparedOut(row.result).data) if row.result else None


class ComparisonsView(APIView):
    """Comparisons of a dataset's versions."""

    @extend_schema(operation_id="comparisons", responses=VersionComparisonOut(many=True))
    def get(self, request: Request, dataset_id: int) -> Response:
        """Newest first, at most ten."""
        dataset = dataset_for(request.user, dataset_id)
        return Response(VersionComparisonOut(comparisons_of(dataset.pk)[:SHOWN], many=True).data)

    @extend_schema(operation_id="comparison_start", request=CompareIn, responses={201: VersionComparisonOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Annotators and above. 400 same_version or bad_images, 404, 409 comparison_open."""
        dataset = dataset_for(request.user, dataset_id, Role.ANNOTATOR)
        data = CompareIn(data=request.data)
        data.is_valid(raise_exception=True)
        row = comparison_start(dataset=dataset, by=request.user, **data.validated_data)
        return Response(VersionComparisonOut(row).data, status=201)


class ComparisonView(APIView):
    """One of them."""

    @extend_schema(operation_id="comparison", responses=VersionComparisonOut)
    def get(self, request: Request, dataset_id: int, comparison_id: int) -> Response:
        """With every mask's figures once it is done."""
        row = comparisons_of(dataset_for(request.user, dataset_id).pk).filter(pk=comparison_id).first()
        if row is None:
            raise Missing("not_found", NOTHING)
        return Response(VersionComparisonOut(row).data)
