"""Routes of similar masks: the like of one, those least like their own kind, and the index behind both."""

from __future__ import annotations

import time
import uuid
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for, mask_for
from annotation.api.fields import Segmentation
from annotation.models import Dataset, Job, Mask
from annotation.selectors import tasks_begun
from engine import similarity
from engine.serving import serving_version
from engine.similarity import Found

SHOWN, MOST = 48, 200


class MaskIndexOut(serializers.Serializer[Any]):
    """How many masks are described, by which version, and whether more are being described."""

    state = serializers.ChoiceField(choices=["absent", "partial", "complete"])
    described = serializers.IntegerField(help_text="Accepted, proposed, and what was superseded since.")
    masks = serializers.IntegerField(help_text="Accepted masks. Of a large dataset as of a while ago.")
    most = serializers.IntegerField(help_text="Masks of one dataset that are described at the most.")
    model = serializers.CharField(allow_null=True, help_text="Digest of the version that is searched.")
    serving = serializers.CharField(help_text="Digest of the version that serves.")
    job = serializers.UUIDField(allow_null=True, help_text="The job that describes masks now.")


class FoundMaskOut(serializers.Serializer[Any]):
    """A mask with all that is needed to show it."""

    id = serializers.UUIDField(source="mask.uuid")
    image = serializers.IntegerField(source="mask.image_id")
    file_name = serializers.CharField(source="mask.image.file_name")
    width = serializers.IntegerField(source="mask.image.width")
    height = serializers.IntegerField(source="mask.image.height")
    thumbnail_url = serializers.SerializerMethodField()
    category = serializers.CharField(source="mask.category")
    status = serializers.ChoiceField(source="mask.status", choices=Mask.Status.choices)
    bbox = serializers.ListField(source="mask.bbox", child=serializers.IntegerField(), help_text="[x, y, w, h]")
    area = serializers.IntegerField(source="mask.area")
    segmentation = Segmentation(source="mask.segmentation")
    similarity = serializers.FloatField(help_text="Cosine, -1..1.")

    def get_thumbnail_url(self, row: Found) -> str:
        """Of the whole picture; cached for ever."""
        image = row.mask.image
        return f"{reverse('image-thumbnail', args=[image.pk])}?v={image.pixels_sha256[:12]}"


class FoundOut(serializers.Serializer[Any]):
    """Masks in their order, and what was searched for them."""

    index = MaskIndexOut()
    seconds = serializers.FloatField(help_text="How long the search took.")
    results = FoundMaskOut(many=True)


def index_out(dataset: Dataset) -> dict[str, Any]:
    """As MaskIndexOut."""
    index = similarity.index_of(dataset.pk)
    job = Job.objects.filter(kind=similarity.INDEX.name, dataset=dataset, state__in=Job.OPEN).first()
    state = "absent" if index is None else "complete" if index.complete_at else "partial"
    return {
        "state": state,
        "described": index.masks if index else 0,
        "masks": similarity.describable(dataset.pk),
        "most": similarity.MOST_MASKS,
        "model": index.version.digest if index else None,
        "serving": serving_version(dataset.pk).digest,
        "job": job.pk if job else None,
    }


def _limit(request: Request) -> int:
    asked = request.query_params.get("limit", str(SHOWN))
    if not (asked.isascii() and asked.isdigit() and len(asked) < 9 and 1 <= int(asked) <= MOST):
        raise ParseError(f"limit must be a whole number from 1 to {MOST}.")
    return int(asked)


LIMIT = OpenApiParameter("limit", int, description=f"Masks to show, {SHOWN} if nothing is said, {MOST} at the most.")


class MaskIndexView(APIView):
    """What is described."""

    @extend_schema(operation_id="mask_index", responses=MaskIndexOut)
    def get(self, request: Request, dataset_id: int) -> Response:
        """How far it is."""
        return Response(MaskIndexOut(index_out(dataset_for(request.user, dataset_id))).data)

    @extend_schema(operation_id="mask_index_make", request=None, responses={202: MaskIndexOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Have all masks described; new ones follow from then on. Annotators and above."""
        dataset = dataset_for(request.user, dataset_id, Role.ANNOTATOR)
        similarity.index_request(dataset=dataset)
        return Response(MaskIndexOut(index_out(dataset)).data, status=202)


class SimilarView(APIView):
    """The like of a mask."""

    @extend_schema(operation_id="mask_similar", parameters=[LIMIT], responses=FoundOut)
    def get(self, request: Request, mask_id: uuid.UUID) -> Response:
        """Of the whole dataset, most alike first. 404 no_index before anything is described, 503 embedding_pending."""
        mask, limit = mask_for(request.user, mask_id), _limit(request)
        started = time.monotonic()
        found = similarity.masks_like(index=similarity.mask_with_index(mask), mask=mask, limit=limit)
        return _found(mask.image.dataset, found, started, request.user)


class UnusualView(APIView):
    """Masks least like their own kind."""

    @extend_schema(
        operation_id="unusual",
        parameters=[
            LIMIT,
            OpenApiParameter("category", str, description="Of this alone; empty: of those without."),
            OpenApiParameter("in_review", bool, description="Only of images that wait for a reviewer."),
        ],
        responses=FoundOut,
    )
    def get(self, request: Request, dataset_id: int) -> Response:
        """Accepted masks, the least alike first; empty before anything is described."""
        dataset, limit = dataset_for(request.user, dataset_id), _limit(request)
        started = time.monotonic()
        index = similarity.index_of(dataset.pk)
        category = request.query_params.get("category")
        waiting = request.query_params.get("in_review") == "true"
        found = (
            similarity.masks_unusual(index=index, limit=limit, category=category, in_review=waiting) if index else []
        )
        return _found(dataset, found, started, request.user)


def _found(dataset: Dataset, found: list[Found], started: float, user: Any) -> Response:
    """Without masks of pictures that the person is just masking for a comparison."""
    begun = set(tasks_begun({one.mask.image_id for one in found}, user).values_list("image", flat=True))
    found = [one for one in found if one.mask.image_id not in begun]
    seconds = round(time.monotonic() - started, 3)
    return Response(FoundOut({"index": index_out(dataset), "seconds": seconds, "results": found}).data)
