"""Images: upload, look, files, overlays, predictions."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.conf import settings
from django.http import HttpResponse
from django.http.response import HttpResponseBase
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ParseError
from rest_framework.parsers import MultiPartParser
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import overlay, ports, selectors
from annotation.access import Role, dataset_for, image_for
from annotation.api.files import ASK_AGAIN, FOR_EVER, is_known, stored_file, tagged
from annotation.api.http import StrictJSONParser, refuse_large_upload
from annotation.api.serializers import (
    ImageIn,
    ImageOut,
    MaskOut,
    PredictIn,
    PredictOut,
    UploadIn,
    UploadOut,
    image_out,
    images_out,
    overlay_version,
)
from annotation.errors import UserError
from annotation.models import Image, Mask, Stage, Task
from annotation.services import images, intake
from modelzoo import rle


class ImagesView(generics.ListAPIView[Any]):
    """Pictures of a dataset."""

    serializer_class = ImageOut
    queryset = Image.objects.none()
    parser_classes = [MultiPartParser, StrictJSONParser]

    def initial(self, request: Request, *args: Any, **kwargs: Any) -> None:
        """Refuse what is too large before a byte of it is read."""
        refuse_large_upload(request, settings.ANYMASK_MAX_UPLOAD_BYTES)
        super().initial(request, *args, **kwargs)

    @extend_schema(
        operation_id="images_list",
        responses={200: ImageOut(many=True)},
        parameters=[
            OpenApiParameter("state", str, enum=Task.State.values, description="State of the image's task."),
            OpenApiParameter("split", str, enum=Image.Split.values),
            OpenApiParameter("stage", str, enum=Stage.values, description="Last stage whose machine part was done."),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Images of a dataset in order of arrival."""
        rows = selectors.with_summary(dataset_for(request.user, self.kwargs["dataset_id"]).images.all())
        if state := self._asked("state", Task.State.values):
            rows = selectors.images_in_state(rows, state)
        rows = self._filtered(rows, "split", Image.Split.values)
        rows = self._filtered(rows, "stage", Stage.values)
        page = self.paginate_queryset(rows)
        return self.get_paginated_response(images_out(page))  # type: ignore[arg-type]  # never None: the class names its paginator

    def _filtered(self, rows: Any, field: str, allowed: list[str]) -> Any:
        value = self._asked(field, allowed)
        return rows.filter(**{field: value}) if value else rows

    def _asked(self, parameter: str, allowed: list[str]) -> str:
        value = self.request.query_params.get(parameter, "")
        if value and value not in allowed:
            raise ParseError(f"{parameter} must be one of {', '.join(allowed)}.")
        return value

    @extend_schema(
        operation_id="images_upload",
        request={"multipart/form-data": UploadIn},
        responses={201: UploadOut},
        filters=False,
    )
    def post(self, request: Request, dataset_id: int) -> Response:
        """Take pictures and zip or tar archives of pictures: the field `files`, repeated. Leads only.

        201 if anything was taken or was there already; else 400 `upload_rejected`, with the same body as details.
        """
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        files = request.FILES.getlist("files")
        if not files:
            raise UserError("upload_empty", "Send at least one file in the field 'files'.")
        report = intake.images_upload(dataset=dataset, files=files, user=request.user)
        known = [image for _name, image in report.duplicates]
        rows = selectors.with_summary(Image.objects.filter(pk__in=[row.pk for row in [*report.accepted, *known]]))
        shown = {row["id"]: row for row in images_out(rows)}  # without those that somebody deleted meanwhile
        body = {
            "accepted": [shown[image.pk] for image in report.accepted if image.pk in shown],
            "duplicates": [
                {"name": name, "image": shown[row.pk]} for name, row in report.duplicates if row.pk in shown
            ],
            "rejected": [
                {"name": name, "code": problem.code, "message": problem.message} for name, problem in report.rejected
            ],
        }
        if not report.accepted and not report.duplicates:
            first = report.rejected[0][1] if report.rejected else UserError("", "The archive holds no files.")
            raise UserError("upload_rejected", f"Nothing could be taken. {first.message}", body)
        return Response(body, status=status.HTTP_201_CREATED)


class ImageView(APIView):
    """One image."""

    @extend_schema(operation_id="images_get", responses={200: ImageOut})
    def get(self, request: Request, image_id: int) -> Response:
        """The image as the page shows it."""
        return Response(image_out(image_for(request.user, image_id).pk))

    @extend_schema(operation_id="images_change", request=ImageIn(partial=True), responses={200: ImageOut})
    def patch(self, request: Request, image_id: int) -> Response:
        """Change licence, source or credit, or mark the masks as gold. Leads only."""
        image = image_for(request.user, image_id, Role.LEAD)
        data = ImageIn(image, data=request.data, partial=True)
        data.is_valid(raise_exception=True)
        images.image_update(image=image, **data.validated_data)
        return Response(image_out(image.pk))

    @extend_schema(operation_id="images_delete", responses={204: None})
    def delete(self, request: Request, image_id: int) -> Response:
        """Remove the image with its masks and files. Leads only."""
        images.image_delete(image=image_for(request.user, image_id, Role.LEAD))
        return Response(status=status.HTTP_204_NO_CONTENT)


class ImageFileView(APIView):
    """The display file: the pixel frame of every coordinate."""

    @extend_schema(
        operation_id="images_file",
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY, (200, "image/png"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, image_id: int) -> HttpResponseBase:
        """Upright 8-bit RGB without metadata; JPEG or PNG."""
        image = image_for(request.user, image_id)
        tag = f"{image.pixels_sha256}-display"
        return stored_file(
            request, image.display_path, media_type=image.display_media_type, tag=tag, since=image.created_at
        )


class ImageThumbnailView(APIView):
    """The small picture."""

    @extend_schema(operation_id="images_thumbnail", responses={(200, "image/jpeg"): OpenApiTypes.BINARY})
    def get(self, request: Request, image_id: int) -> HttpResponseBase:
        """JPEG, at most 320 pixels on its long side."""
        image = image_for(request.user, image_id)
        tag = f"{image.pixels_sha256}-thumbnail"
        return stored_file(request, image.thumbnail_path, media_type="image/jpeg", tag=tag, since=image.created_at)


class ImageTileView(APIView):
    """A part of a large picture."""

    @extend_schema(
        operation_id="images_tile",
        responses={(200, "image/jpeg"): OpenApiTypes.BINARY, (200, "image/png"): OpenApiTypes.BINARY},
    )
    def get(self, request: Request, image_id: int, level: int, column: int, row: int) -> HttpResponseBase:
        """1024 x 1024 pixels, fewer at the right and lower edge, of the picture halved `level` times; JPEG or PNG."""
        image = image_for(request.user, image_id)
        path = image.tile_path(level, column, row)
        tag = f"{image.pixels_sha256}-{level}-{column}-{row}"
        return stored_file(request, path, media_type=image.display_media_type, tag=tag, since=image.created_at)


class ImageOverlayView(APIView):
    """The masks, small."""

    @extend_schema(operation_id="images_overlay", responses={(200, "image/png"): OpenApiTypes.BINARY})
    def get(self, request: Request, image_id: int) -> HttpResponseBase:
        """Transparent PNG of the thumbnail's size; empty if there are no masks."""
        image = image_for(request.user, image_id)
        if selectors.task_begun(image, request.user) is not None:
            # Empty for this person and this while only: nothing of it may be kept under the version's name.
            content = overlay.render(image, Mask.objects.none())
            return HttpResponse(content, content_type="image/png", headers={"Cache-Control": "no-store"})
        version = overlay_version(selectors.with_summary(Image.objects.filter(pk=image.pk)).get())
        # Kept for ever only under the address that names this version.
        cache = FOR_EVER if version and request.query_params.get("v") == version else ASK_AGAIN
        tag = f'"{image.sha256[:16]}-{version or "none"}"'
        if is_known(request, tag):
            return tagged(HttpResponse(status=304), tag, cache)
        content = overlay.render(image, selectors.masks_of_image(image, request.user))
        return tagged(HttpResponse(content, content_type="image/png"), tag, cache)


class ImageMasksView(APIView):
    """Masks of an image."""

    @extend_schema(
        operation_id="masks_list",
        responses={200: MaskOut(many=True)},
        parameters=[OpenApiParameter("history", bool, description="1: superseded and deleted ones too.")],
    )
    def get(self, request: Request, image_id: int) -> Response:
        """Accepted and proposed masks, oldest first."""
        history = request.query_params.get("history", "") in ("1", "true")
        image = image_for(request.user, image_id)
        rows = selectors.masks_of_image(image, request.user, history=history)
        return Response(MaskOut(rows, many=True).data)


class PredictView(APIView):
    """The server's decoder, for browsers that cannot run their own."""

    @extend_schema(operation_id="images_predict", request=PredictIn, responses={200: PredictOut})
    def post(self, request: Request, image_id: int) -> Response:
        """Up to three masks for points, a box or a previous mask. Annotators, reviewers and leads."""
        image = image_for(request.user, image_id, Role.ANNOTATOR)
        data = PredictIn(data=request.data)
        data.is_valid(raise_exception=True)
        prompt = data.validated_data
        points = np.asarray(prompt["points"], np.float32).reshape(-1, 2) if prompt.get("points") else None
        labels = np.asarray(prompt["labels"], np.float32) if prompt.get("labels") else None
        box = np.asarray(prompt["box"], np.float32) if prompt.get("box") is not None else None
        fed = _mask_input(image, prompt.get("mask_input"))
        answer = ports.segmenter().predict(
            image.pk, points, labels, box, fed, prompt["multimask"], model=prompt["model"]
        )
        candidates = []
        for mask, predicted, stability in zip(
            answer.masks, answer.iou_predictions, answer.stability_scores, strict=True
        ):
            segmentation = rle.encode(mask)
            candidates.append(
                {
                    "segmentation": segmentation,
                    "predicted_iou": float(predicted),
                    "stability_score": float(stability),
                    "area": rle.area(segmentation),
                    "bbox": rle.bbox(segmentation),
                }
            )
        return Response({"model": answer.model, "candidates": candidates})


def _mask_input(image: Image, segmentation: dict[str, Any] | None) -> Any:
    if segmentation is None:
        return None
    try:
        return rle.decode(rle.validate(segmentation, image.height, image.width))
    except rle.RLEError as problem:
        raise UserError(problem.code, str(problem)) from None
