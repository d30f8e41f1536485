"""Exports and imports of a dataset."""

from __future__ import annotations

import uuid
from typing import Any

from django.conf import settings
from django.http import FileResponse, HttpResponseRedirect
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, OpenApiResponse, extend_schema
from rest_framework import status
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for, job_for
from annotation.api.http import refuse_large_upload
from annotation.api.serializers import (
    ExportChoicesOut,
    ExportFilterIn,
    ExportIn,
    ExportSizeOut,
    FormatsOut,
    ImportIn,
    JobOut,
)
from annotation.exported import ExportFilter
from annotation.formats.registry import EXPORTS, IMPORTS
from annotation.services import exports, figures, imports


class FormatsView(APIView):
    """Formats."""

    @extend_schema(operation_id="formats", responses={200: FormatsOut})
    def get(self, request: Request) -> Response:
        """What can be written and read, with the options of each format."""
        told = {
            "exports": [one.as_json() for one in EXPORTS.values()],
            "imports": [one.as_json() for one in IMPORTS.values()],
        }
        return Response(FormatsOut(told).data)


class ExportsView(APIView):
    """Exports of a dataset."""

    @extend_schema(operation_id="exports_start", request=ExportIn, responses={202: JobOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Write what is chosen of a dataset; the job's result says when it is verified. Reviewers and leads."""
        dataset = dataset_for(request.user, dataset_id, Role.REVIEWER)
        data = ExportIn(data=request.data)
        data.is_valid(raise_exception=True)
        job = exports.export_request(
            dataset=dataset,
            export_format=data.validated_data["format"],
            options=data.validated_data.get("options"),
            chosen=ExportFilter.of(data.validated_data.get("filters", {})),
            version=data.validated_data.get("version"),
            user=request.user,
        )
        return Response(JobOut(job).data, status=status.HTTP_202_ACCEPTED)


class ExportChoicesView(APIView):
    """What an export can be made of."""

    @extend_schema(operation_id="export_choices", responses={200: ExportChoicesOut})
    def get(self, request: Request, dataset_id: int) -> Response:
        """Stages, sources, categories, models, splits, licences and consents that occur, with how often."""
        return Response(ExportChoicesOut(figures.choices(dataset_for(request.user, dataset_id).pk)).data)

    @extend_schema(operation_id="export_size", request=ExportFilterIn, responses={200: ExportSizeOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """How many images and masks these filters choose. Changes nothing."""
        dataset = dataset_for(request.user, dataset_id)
        data = ExportFilterIn(data=request.data)
        data.is_valid(raise_exception=True)
        return Response(ExportSizeOut(figures.size_of(dataset, ExportFilter.of(data.validated_data))).data)


class ExportDownloadView(APIView):
    """The archive of a finished export."""

    @extend_schema(
        operation_id="exports_download",
        responses={
            (200, "application/zip"): OpenApiTypes.BINARY,
            302: OpenApiResponse(description="A signed address of the object store, good for some minutes."),
        },
    )
    def get(self, request: Request, job_id: uuid.UUID) -> HttpResponseBase:
        """One zip archive, or a tar of more than 50 000 files. Everybody who may see the dataset."""
        job = job_for(request.user, job_id)
        response: HttpResponseBase
        if link := exports.export_link(job=job):
            response = HttpResponseRedirect(link)
        else:
            path, name = exports.export_file(job=job)
            kind = exports.MEDIA_TYPES[path.suffix]
            response = FileResponse(path.open("rb"), as_attachment=True, filename=name, content_type=kind)
        response.headers["Cache-Control"] = "private, no-cache"
        return response


class ImportsView(APIView):
    """Imports into a dataset."""

    parser_classes = [MultiPartParser]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what is too large before a byte of it is read."""
        refuse_large_upload(request, settings.ANYMASK_MAX_ARCHIVE_BYTES)
        super().initial(request, *args, **kwargs)

    @extend_schema(
        operation_id="imports_start",
        request={"multipart/form-data": ImportIn},
        responses={202: JobOut},
        parameters=[OpenApiParameter("dataset_id", int, OpenApiParameter.PATH)],
    )
    def post(self, request: Request, dataset_id: int) -> Response:
        """Take a zip or tar archive of pictures with annotations; the job's result itemises it. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = ImportIn(data=request.data)
        data.is_valid(raise_exception=True)
        job = imports.import_request(
            dataset=dataset,
            upload=data.validated_data["file"],
            import_format=data.validated_data["format"],
            user=request.user,
        )
        return Response(JobOut(job).data, status=status.HTTP_202_ACCEPTED)
