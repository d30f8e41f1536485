"""Versions of a dataset: frozen, listed, compared."""

from __future__ import annotations

from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for
from annotation.api.serializers import ExportFilterIn, JobOut
from annotation.errors import UserError
from annotation.exported import ExportFilter
from annotation.models import Version
from annotation.services import versions


class DatasetVersionOut(serializers.ModelSerializer[Any]):
    """A version; its digest names its content."""

    created_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)

    class Meta:
        model = Version
        fields = ["number", "note", "digest", "filters", "images", "masks", "created_by", "created_at"]


class DatasetVersionIn(serializers.Serializer[Any]):
    """What to freeze."""

    note = serializers.CharField(required=False, allow_blank=True, max_length=500, default="")
    filters = ExportFilterIn(required=False)


class VersionTallyOut(serializers.Serializer[Any]):
    """Counts."""

    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    changed = serializers.IntegerField()
    kept = serializers.IntegerField()


class VersionImageOut(serializers.Serializer[Any]):
    """One image that differs, with how many of its masks."""

    image = serializers.IntegerField()
    file_name = serializers.CharField(help_text="Empty if the image was removed from the dataset since.")
    what = serializers.CharField(help_text="added, removed or changed.")
    added = serializers.IntegerField()
    removed = serializers.IntegerField()
    changed = serializers.IntegerField()


class VersionDifferenceOut(serializers.Serializer[Any]):
    """From the earlier to the later version; `listed` are the first hundred images that differ."""

    images = VersionTallyOut()
    masks = VersionTallyOut()
    listed = VersionImageOut(many=True)


class VersionsView(APIView):
    """Versions of a dataset."""

    @extend_schema(operation_id="versions_list", responses={200: DatasetVersionOut(many=True)})
    def get(self, request: Request, dataset_id: int) -> Response:
        """All of them, newest first."""
        rows = dataset_for(request.user, dataset_id).versions.select_related("created_by")
        return Response(DatasetVersionOut(rows, many=True).data)

    @extend_schema(operation_id="versions_freeze", request=DatasetVersionIn, responses={202: JobOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Freeze what is chosen now; a state that was frozen before stays that version. Reviewers and leads.

        409 `version_open` while another choice is being frozen.
        """
        dataset = dataset_for(request.user, dataset_id, Role.REVIEWER)
        data = DatasetVersionIn(data=request.data)
        data.is_valid(raise_exception=True)
        job = versions.version_request(
            dataset=dataset,
            note=data.validated_data["note"],
            chosen=ExportFilter.of(data.validated_data.get("filters", {})),
            user=request.user,
        )
        return Response(JobOut(job).data, status=status.HTTP_202_ACCEPTED)


class VersionChangesView(APIView):
    """Two versions beside each other."""

    @extend_schema(
        operation_id="versions_compare",
        responses={200: VersionDifferenceOut},
        parameters=[OpenApiParameter("since", OpenApiTypes.INT, required=True, description="The other version.")],
    )
    def get(self, request: Request, dataset_id: int, number: int) -> Response:
        """Images and masks that were added, removed and changed since another version."""
        dataset = dataset_for(request.user, dataset_id)
        new = versions.version_of(dataset=dataset, number=number)
        since = request.query_params.get("since", "")
        if not since.isdecimal() or len(since) > 9:
            raise UserError("since_invalid", "Say since which version: since=NUMBER.")
        old = versions.version_of(dataset=dataset, number=int(since))
        return Response(VersionDifferenceOut(versions.versions_compare(old=old, new=new).as_json()).data)
