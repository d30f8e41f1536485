"""The values of deep pictures as they came: what there is, and tiles of it."""

from __future__ import annotations

from typing import Any

from django.http.response import HttpResponseBase
from django.urls import reverse
from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import image_for
from annotation.api.files import stored_file
from annotation.api.serializers import OwnValuesOut
from annotation.models import Image
from annotation.services import values


class ImageValuesView(APIView):
    """Whether a deep picture's values can be looked at."""

    @extend_schema(operation_id="images_values", responses=OwnValuesOut)
    def get(self, request: Request, image_id: int) -> Response:
        """Kinds, ends and addresses. Asking for what is not kept yet has it kept: ask again until it is ready."""
        image = image_for(request.user, image_id)
        return Response(values_out(image, values.values_request(image=image)))

    @extend_schema(operation_id="images_values_again", request=None, responses=OwnValuesOut)
    def post(self, request: Request, image_id: int) -> Response:
        """Try again after a failure."""
        image = image_for(request.user, image_id)
        return Response(values_out(image, values.values_request(image=image, again=True)))


def values_out(image: Image, standing: values.Standing) -> dict[str, Any]:
    """One answer: channels that are shown have the ends that the display file has."""
    index, mapping = standing.index or {}, image.mapping
    channels = [dict(one) for one in index.get("channels", [])]
    for place, channel in enumerate(mapping["channels"]):
        if channel < len(channels):
            channels[channel] |= {"low": mapping["low"][place], "high": mapping["high"][place]}
    address = f"{reverse('image-values', args=[image.pk])}{{channel}}/{{z}}/{{x}}/{{y}}/?v={image.sha256[:12]}"
    return {
        "state": standing.state,
        "message": standing.message,
        "url": address if standing.index else None,
        "kind": index.get("kind"),
        "levels": index.get("levels", 0),
        "channels": channels,
        "shown": mapping["channels"],
        "inverted": mapping["inverted"],
    }


class ImageValueTileView(APIView):
    """A part of one channel."""

    @extend_schema(operation_id="images_value_tile", responses={(200, "application/octet-stream"): OpenApiTypes.BINARY})
    def get(self, request: Request, image_id: int, channel: int, level: int, column: int, row: int) -> HttpResponseBase:
        """1024 x 1024 values, fewer at the right and lower edge, of the channel halved `level` times by means of 2 x 2.

        Row after row, little-endian, of the stated kind; always gzip (Content-Encoding).
        """
        image = image_for(request.user, image_id)
        name = f"{channel}-{level}-{column}-{row}"
        path = values.tile_path(image, f"{name}.gz")
        tag, kind = f"{image.sha256}-values-{name}", "application/octet-stream"
        answer = stored_file(request, path, media_type=kind, tag=tag, since=image.created_at)
        if answer.status_code == 200:
            answer.headers["Content-Encoding"] = "gzip"
        return answer
