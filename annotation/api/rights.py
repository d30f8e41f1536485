"""Rights in bulk, removal for good, how deep values are shown, statistics and the datasheet."""

from __future__ import annotations

from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for, image_for
from annotation.api.serializers import (
    ChangedOut,
    JobOut,
    MappingIn,
    RemovalIn,
    RightsBulkIn,
    StatisticsOut,
    TombstoneOut,
)
from annotation.models import Job, Statistics
from annotation.services import datasheet, mapping, rights, statistics


class RightsView(APIView):
    """Rights of many images at once."""

    @extend_schema(operation_id="rights_set", request=RightsBulkIn, responses={200: ChangedOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Set licence, source, photographer or consent of these images, or of all. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = RightsBulkIn(data=request.data)
        data.is_valid(raise_exception=True)
        given = data.validated_data
        chosen = None if given["all"] else given["images"]
        fields = {name: given[name] for name in rights.FIELDS if name in given}
        changed = rights.images_set_rights(dataset=dataset, image_ids=chosen, fields=fields)
        return Response(ChangedOut({"images": changed}).data)


class RemovalsView(APIView):
    """Pictures that were removed for good."""

    @extend_schema(operation_id="removals_list", responses={200: TombstoneOut(many=True)})
    def get(self, request: Request, dataset_id: int) -> Response:
        """Tombstones, newest first, at most 1000. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        return Response(TombstoneOut(dataset.tombstones.select_related("created_by")[:1000], many=True).data)

    @extend_schema(operation_id="removals_make", request=RemovalIn, responses={200: ChangedOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Remove images with all that was made of them; the same pictures are refused later. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = RemovalIn(data=request.data)
        data.is_valid(raise_exception=True)
        given = data.validated_data
        gone = rights.images_remove(
            dataset=dataset, image_ids=given["images"], user=request.user, reason=given["reason"]
        )
        return Response(ChangedOut({"images": gone}).data)


class MappingView(APIView):
    """How the values of a deep picture are shown."""

    @extend_schema(operation_id="images_remap", request=MappingIn, responses={202: JobOut})
    def post(self, request: Request, image_id: int) -> Response:
        """Show other values or channels; masks stay where they are. Leads only."""
        image = image_for(request.user, image_id, Role.LEAD)
        data = MappingIn(data=request.data)
        data.is_valid(raise_exception=True)
        job = mapping.image_remap_request(image=image, mapping=dict(data.validated_data), user=request.user)
        return Response(JobOut(job).data, status=status.HTTP_202_ACCEPTED)


class StatisticsView(APIView):
    """A dataset in numbers."""

    @extend_schema(operation_id="statistics_get", responses={200: StatisticsOut})
    def get(self, request: Request, dataset_id: int) -> Response:
        """The last count."""
        dataset = dataset_for(request.user, dataset_id)
        kept = Statistics.objects.filter(dataset=dataset).first()
        counting = Job.objects.filter(kind=statistics.COUNT.name, dataset=dataset, state__in=Job.OPEN).exists()
        body = {
            "figures": kept.figures if kept else None,
            "counted_at": kept.counted_at if kept else None,
            "current": kept is not None and statistics.is_current(kept),
            "counting": counting,
        }
        return Response(StatisticsOut(body).data)

    @extend_schema(operation_id="statistics_count", request=None, responses={202: StatisticsOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Count anew if something changed. Everybody who may see the dataset."""
        dataset = dataset_for(request.user, dataset_id)
        statistics.statistics_request(dataset=dataset, user=request.user)
        answer = self.get(request, dataset_id)
        answer.status_code = status.HTTP_202_ACCEPTED
        return answer


class DatasheetView(APIView):
    """The datasheet."""

    @extend_schema(operation_id="datasheet", responses={(200, "text/markdown"): OpenApiTypes.STR})
    def get(self, request: Request, dataset_id: int) -> HttpResponseBase:
        """Markdown with the headings of "Datasheets for Datasets"."""
        dataset = dataset_for(request.user, dataset_id)
        text = datasheet.datasheet(dataset=dataset)
        response = HttpResponse(text, content_type="text/markdown; charset=utf-8")
        response.headers["Content-Disposition"] = f'attachment; filename="datasheet-{dataset.pk}.md"'
        response.headers["Cache-Control"] = "private, no-cache"
        return response
