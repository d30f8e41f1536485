"""Routes of measurements: the table, its figures, and both to take along."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from django.db.models import QuerySet
from django.http import StreamingHttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import dataset_for
from annotation.api.http import CursorPages
from annotation.models import Dataset, Job, LengthUnit, Mask, MeasurementSummary
from annotation.services import measurements


class ValuesOut(serializers.Serializer[Any]):
    """Lengths and an area in one unit."""

    area = serializers.FloatField()
    perimeter = serializers.FloatField()
    length = serializers.FloatField(help_text="Maximum Feret diameter.")
    diameter = serializers.FloatField(help_text="Of the circle with the same area.")


class MeasurementOut(serializers.Serializer[Any]):
    """One measured mask."""

    mask = serializers.UUIDField(source="uuid")
    image = serializers.IntegerField(source="image_id")
    file_name = serializers.CharField(source="image.file_name")
    category = serializers.CharField()
    x = serializers.FloatField(source="measurement.x", help_text="Centroid in pixels, from the left edge.")
    y = serializers.FloatField(source="measurement.y", help_text="From the upper edge.")
    pixels = serializers.SerializerMethodField(help_text="In pixels.")
    values = serializers.SerializerMethodField(help_text="In the dataset's unit; null where the scale is not known.")

    @extend_schema_field(ValuesOut)
    def get_pixels(self, row: Mask) -> dict[str, float]:
        """As measured."""
        return measurements.values_of(row, 1.0)

    @extend_schema_field(ValuesOut(allow_null=True))
    def get_values(self, row: Any) -> dict[str, float] | None:
        """By the scale of the image, else of the dataset."""
        per_pixel = measurements.factor(self.context["dataset"], row.scale)
        return None if per_pixel is None else measurements.values_of(row, per_pixel)


class QuantityOut(serializers.Serializer[Any]):
    """What one quantity comes to over many masks."""

    name = serializers.ChoiceField(choices=measurements.QUANTITIES)
    count = serializers.IntegerField()
    mean = serializers.FloatField()
    deviation = serializers.FloatField(allow_null=True, help_text="Of the sample (n - 1); null for a single mask.")
    least = serializers.FloatField()
    p5 = serializers.FloatField()
    median = serializers.FloatField()
    p95 = serializers.FloatField()
    most = serializers.FloatField()


class DistributionOut(QuantityOut):
    """With its histogram."""

    bars = serializers.ListField(child=serializers.IntegerField(), help_text="Masks in equal steps from 0 to `edge`.")
    edge = serializers.FloatField(help_text="The 99 % quantile; what is larger is in the last bar.")


class CategoryMeasuresOut(serializers.Serializer[Any]):
    """The same of one category."""

    name = serializers.CharField(allow_blank=True)
    quantities = QuantityOut(many=True)


class MeasureFiguresOut(serializers.Serializer[Any]):
    """A dataset's measurements in one unit."""

    unit = serializers.ChoiceField(choices=LengthUnit.choices)
    masks = serializers.IntegerField(help_text="Measured masks.")
    sampled = serializers.IntegerField(allow_null=True, help_text="Masks of a regular sample; null: all of them.")
    without_scale = serializers.IntegerField(help_text="Masks on images of unknown scale: not in the figures.")
    images = serializers.IntegerField()
    quantities = DistributionOut(many=True)
    categories = CategoryMeasuresOut(many=True)


class ScaleOut(serializers.Serializer[Any]):
    """Who tells the scale of images."""

    said = serializers.CharField()
    images = serializers.IntegerField()


class MeasurementsStateOut(serializers.Serializer[Any]):
    """The figures as of their last making."""

    figures = MeasureFiguresOut(allow_null=True)
    measured_at = serializers.DateTimeField(allow_null=True)
    current = serializers.BooleanField()
    measuring = serializers.BooleanField()
    unknown_images = serializers.IntegerField(help_text="Images of unknown scale.")
    scales = ScaleOut(many=True, help_text="Images that have a scale of their own, by who told it.")


class MeasurementPages(CursorPages):
    """In the order in which masks came."""

    ordering = "serial"
    page_size = 50


FILTERS = [
    OpenApiParameter("image", int, description="Of this image alone."),
    OpenApiParameter("category", str, description="Of this category alone; empty: of those without."),
]


def _chosen(request: Request, dataset: Dataset) -> QuerySet[Mask]:
    rows = measurements.measured(dataset)
    image, category = request.query_params.get("image", ""), request.query_params.get("category")
    if image and not (image.isascii() and image.isdigit() and len(image) < 19):
        raise ParseError("image must be a whole number.")
    if category is not None and "\x00" in category:
        raise ParseError("category holds a NUL character.")
    rows = rows.filter(image=int(image)) if image else rows
    return rows if category is None else rows.filter(category=category)


class MeasurementsView(generics.ListAPIView[Any]):
    """Measured masks."""

    serializer_class = MeasurementOut
    pagination_class = MeasurementPages
    queryset = Mask.objects.none()

    @extend_schema(operation_id="measurements", parameters=FILTERS)
    def get(self, request: Request, dataset_id: int) -> Response:
        """Of accepted masks, in the order in which they came."""
        dataset = dataset_for(request.user, dataset_id)
        rows: list[Mask] = self.paginate_queryset(_chosen(request, dataset)) or []
        return self.get_paginated_response(MeasurementOut(rows, many=True, context={"dataset": dataset}).data)


class MeasurementFiguresView(APIView):
    """What the measurements of a dataset come to."""

    @extend_schema(operation_id="measurement_figures", responses=MeasurementsStateOut)
    def get(self, request: Request, dataset_id: int) -> Response:
        """The last ones."""
        dataset = dataset_for(request.user, dataset_id)
        row = MeasurementSummary.objects.filter(dataset=dataset).first()
        jobs = Job.objects.filter(kind=measurements.MEASURE.name, dataset=dataset, state__in=Job.OPEN)
        body = {
            "figures": row.figures if row else None,
            "measured_at": row.measured_at if row else None,
            "current": measurements.is_current(dataset),
            "measuring": jobs.exists(),
            "unknown_images": measurements.images_without_scale(dataset),
            "scales": measurements.scales_of(dataset),
        }
        return Response(MeasurementsStateOut(body).data)

    @extend_schema(operation_id="measurements_make", request=None, responses={202: MeasurementsStateOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Measure what is new. Everybody who may see the dataset."""
        measurements.measurements_request(dataset=dataset_for(request.user, dataset_id), user=request.user)
        answer = self.get(request, dataset_id)
        answer.status_code = 202
        return answer


class MeasurementsFileView(APIView):
    """Measurements to take along."""

    @extend_schema(
        operation_id="measurements_file", parameters=FILTERS, responses={(200, "text/csv"): OpenApiTypes.STR}
    )
    def get(self, request: Request, dataset_id: int) -> HttpResponseBase:
        """CSV, one line for each measured mask, in pixels and in the dataset's unit."""
        dataset = dataset_for(request.user, dataset_id)
        lines: Iterator[str] = measurements.csv_lines(dataset, _chosen(request, dataset))
        answer = StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8")
        answer.headers["Content-Disposition"] = f'attachment; filename="measurements-{dataset.pk}.csv"'
        answer.headers["Cache-Control"] = "private, no-cache"
        return answer
