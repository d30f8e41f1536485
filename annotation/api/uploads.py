"""Uploads by the tus protocol 1.0.0 (core, creation, termination, expiration), and the list that the page shows.

https://tus.io/protocols/resumable-upload: POST makes an upload and names its address, PATCH adds bytes at an offset,
HEAD tells the offset, DELETE stops it. Sessions, tokens and roles are those of every other route.
"""

from __future__ import annotations

import base64
import binascii
import uuid
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.urls import reverse
from django.utils import timezone
from django.utils.http import http_date
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import status
from rest_framework.parsers import BaseParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import selectors
from annotation.access import Role, dataset_for, upload_for
from annotation.api.http import moment
from annotation.api.serializers import JobOut, RightsIn, UploadDetailOut, UploadsOut
from annotation.api.serializers.uploads import ServerFolderIn, ServerFoldersOut, UrlListIn
from annotation.errors import UserError
from annotation.models import Upload
from annotation.services import addresses, folders, uploads
from annotation.services.events import event_write
from annotation.services.videos import DEFAULT_RATE, MAX_RATE, MIN_RATE

VERSION = "1.0.0"
EXTENSIONS = "creation,termination,expiration"
MEDIA_TYPE = "application/offset+octet-stream"
MAX_METADATA = 8192
OVERLAP = timedelta(seconds=5)  # as in annotation.api.live: what comes twice is the same twice


class WrongVersion(UserError):
    """412"""

    status = 412


class WrongMediaType(UserError):
    """415"""

    status = 415


class OffsetParser(BaseParser):
    """Bytes that the view reads itself, piece by piece."""

    media_type = MEDIA_TYPE

    def parse(self, stream: Any, media_type: Any = None, parser_context: Any = None) -> Any:
        """Nothing is read here."""
        return {}


class TusView(APIView):
    """What every answer of the protocol carries."""

    parser_classes = [OffsetParser]

    def finalize_response(self, request: Any, response: Any, *args: Any, **kwargs: Any) -> Any:
        """Add the protocol's headers, to refusals too."""
        response = super().finalize_response(request, response, *args, **kwargs)
        response.headers["Tus-Resumable"] = response.headers["Tus-Version"] = VERSION
        response.headers["Cache-Control"] = "no-store"
        return response

    def led(self, request: Request, upload_id: uuid.UUID) -> Upload:
        """The upload, if the caller leads its dataset and speaks our version."""
        upload = upload_for(request.user, upload_id)
        _check_version(request)
        return upload

    def options(self, request: Request, *args: Any, **kwargs: Any) -> Response:  # type: ignore[override]  # the request is DRF's, not Django's
        """What this server speaks."""
        headers = {"Tus-Extension": EXTENSIONS, "Tus-Max-Size": str(settings.ANYMASK_MAX_ARCHIVE_BYTES)}
        return Response(status=status.HTTP_204_NO_CONTENT, headers=headers)


HEADERS = [
    OpenApiParameter("Tus-Resumable", str, OpenApiParameter.HEADER, required=True, description="1.0.0"),
]


class UploadsView(TusView):
    """Files on their way into a dataset."""

    @extend_schema(
        operation_id="uploads_list",
        responses={200: UploadsOut},
        parameters=[
            OpenApiParameter("since", str, description="`at` of the last answer: only what changed."),
            OpenApiParameter("for", str, enum=["import"], description="Archives with annotations; else pictures."),
        ],
    )
    def get(self, request: Request, dataset_id: int) -> Response:
        """The caller's own uploads, oldest first, with the first reasons of each. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        since = moment(request.query_params.get("since", ""))
        at = timezone.now() - OVERLAP
        for_import = request.query_params.get("for") == "import"
        rows = selectors.uploads_of(dataset, request.user, since, for_import)
        limit = settings.ANYMASK_MAX_VIDEO_FRAMES
        return Response(UploadsOut({"at": at, "max_video_frames": limit, "uploads": rows}).data)

    @extend_schema(
        operation_id="uploads_create",
        request=None,
        responses={201: None},
        parameters=[
            *HEADERS,
            OpenApiParameter("Upload-Length", int, OpenApiParameter.HEADER, required=True),
            OpenApiParameter(
                "Upload-Metadata",
                str,
                OpenApiParameter.HEADER,
                description="filename, fingerprint, licence, source, credit, consent; values in Base64. "
                "frames_per_second: how many frames of a video are taken, 5 without it. With "
                "import_format (`auto`, `coco`, ...) an archive with annotations, which is imported when it is whole.",
            ),
        ],
    )
    def post(self, request: Request, dataset_id: int) -> Response:
        """Make room for a picture or an archive; its address is in the header Location. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        _check_version(request)
        metadata = _metadata(request.headers.get("Upload-Metadata", ""))
        rights = RightsIn(data={name: metadata[name] for name in RightsIn.Meta.fields if name in metadata})
        rights.is_valid(raise_exception=True)
        upload = uploads.upload_create(
            dataset=dataset,
            user=request.user,
            file_name=metadata.get("filename", ""),
            byte_size=_number(request, "Upload-Length"),
            fingerprint=metadata.get("fingerprint", "")[:200],
            rights=dict(rights.validated_data),
            frame_rate=_rate(metadata.get("frames_per_second", "")),
            import_format=metadata.get("import_format", ""),
        )
        headers = {"Location": reverse("upload", args=[upload.pk]), **_expires(upload)}
        return Response(status=status.HTTP_201_CREATED, headers=headers)


class UploadView(TusView):
    """One file on its way."""

    @extend_schema(operation_id="uploads_get", responses={200: UploadDetailOut})
    def get(self, request: Request, upload_id: uuid.UUID) -> Response:
        """How far it is, and every file that was not added, with its reason. Leads only."""
        return Response(UploadDetailOut(upload_for(request.user, upload_id)).data)

    def head(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Where to go on."""
        upload = self.led(request, upload_id)
        offset = uploads.upload_offset(upload=upload)
        headers = {"Upload-Offset": str(offset), "Upload-Length": str(upload.byte_size), **_expires(upload)}
        return Response(status=status.HTTP_200_OK, headers=headers)

    @extend_schema(
        operation_id="uploads_append",
        request={MEDIA_TYPE: OpenApiTypes.BINARY},
        responses={204: None},
        parameters=[*HEADERS, OpenApiParameter("Upload-Offset", int, OpenApiParameter.HEADER, required=True)],
    )
    def patch(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Bytes from an offset on; 409 `upload_offset` if the file ends elsewhere. Leads only."""
        upload = self.led(request, upload_id)
        coming = upload.state == Upload.State.RECEIVING  # else the last piece comes once more
        if request.content_type != MEDIA_TYPE:
            raise WrongMediaType("tus_media_type", f"Send the bytes as {MEDIA_TYPE}.")
        offset = uploads.upload_append(
            upload=upload,
            offset=_number(request, "Upload-Offset"),
            length=_number(request, "Content-Length", "0"),
            stream=request._request,
        )
        if coming and offset == upload.byte_size:
            details = {"file_name": upload.file_name, "bytes": upload.byte_size}
            event_write(
                actor=request.user,
                action="upload:patch",
                subject="image",
                dataset=upload.dataset_id,
                details=details,
            )
        return Response(status=status.HTTP_204_NO_CONTENT, headers={"Upload-Offset": str(offset), **_expires(upload)})

    @extend_schema(operation_id="uploads_delete", responses={204: None}, parameters=HEADERS)
    def delete(self, request: Request, upload_id: uuid.UUID) -> Response:
        """Stop it, or take a finished one off the list; pictures that were added stay. Leads only."""
        uploads.upload_delete(upload=self.led(request, upload_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ServerFoldersView(APIView):
    """Folders of the server that may be read."""

    @extend_schema(operation_id="server_folders_list", responses={200: ServerFoldersOut})
    def get(self, request: Request, dataset_id: int) -> Response:
        """Their names; none unless the server's settings offer some. Leads only."""
        dataset_for(request.user, dataset_id, Role.LEAD)
        return Response({"folders": folders.folders_list()})

    @extend_schema(operation_id="server_folders_add", request=ServerFolderIn, responses={202: JobOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Add every picture in one of them, and in the folders inside; the job's result itemises it. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = ServerFolderIn(data=request.data)
        data.is_valid(raise_exception=True)
        given = dict(data.validated_data)
        folder = given.pop("folder")
        job = folders.folder_request(dataset=dataset, folder=folder, rights=given, user=request.user)
        return Response(JobOut(job).data, status=status.HTTP_202_ACCEPTED)


class UrlListsView(APIView):
    """Addresses on the web."""

    @extend_schema(operation_id="url_lists_add", request=UrlListIn, responses={202: JobOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Fetch pictures from http and https addresses on the public internet; the job's result itemises it.

        Leads only.
        """
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = UrlListIn(data=request.data)
        data.is_valid(raise_exception=True)
        given = dict(data.validated_data)
        urls = given.pop("addresses")
        job = addresses.addresses_request(dataset=dataset, addresses=urls, rights=given, user=request.user)
        return Response(JobOut(job).data, status=status.HTTP_202_ACCEPTED)


def _check_version(request: Request) -> None:
    if request.headers.get("Tus-Resumable") != VERSION:
        raise WrongVersion("tus_version", f"Send the header Tus-Resumable: {VERSION}.")


def _expires(upload: Upload) -> dict[str, str]:
    ends = upload.changed_at + timedelta(hours=settings.ANYMASK_UPLOAD_HOURS)
    return {"Upload-Expires": http_date(ends.timestamp())} if upload.state == Upload.State.RECEIVING else {}


def _number(request: Request, header: str, default: str = "") -> int:
    """A header that must be a whole number. Raises UserError."""
    text = request.headers.get(header) or default
    if not text.isascii() or not text.isdigit() or len(text) > 18:
        raise UserError("tus_header", f"The header {header} must be a whole number of bytes.")
    return int(text)


def _rate(text: str) -> float:
    """Frames of a second. Raises UserError."""
    try:
        rate = float(text) if text else DEFAULT_RATE
    except ValueError:
        rate = 0
    if not MIN_RATE <= rate <= MAX_RATE:
        raise UserError("frame_rate", f"Frames of a second must be a number from {MIN_RATE:g} to {MAX_RATE:g}.")
    return rate


def _metadata(header: str) -> dict[str, str]:
    """Upload-Metadata: "name base64,name base64". Raises UserError."""
    found: dict[str, str] = {}
    if len(header) > MAX_METADATA:
        raise UserError("tus_metadata", "The header Upload-Metadata is too long.")
    for part in filter(None, (part.strip() for part in header.split(","))):
        name, _, value = part.partition(" ")
        try:
            found[name] = base64.b64decode(value.strip(), validate=True).decode("utf-8").replace("\x00", "")
        except (binascii.Error, UnicodeDecodeError, ValueError):
            raise UserError("tus_metadata", "The header Upload-Metadata must hold text in Base64.") from None
    return found
