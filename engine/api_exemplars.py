"""Routes of "everything like these" (examples, a name, a text): a search on one image, proposals on all that wait."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for, image_for
from annotation.api.fields import Number
from annotation.api.serializers import JobOut
from engine.exemplars import MOST_EXAMPLES, alike_propose_request, alike_request, sought


class AlikeIn(serializers.Serializer[Any]):
    """What to look for: example masks, a category of the dataset, or what a text speaks of. One of the three."""

    examples = serializers.ListField(
        child=serializers.UUIDField(),
        required=False,
        max_length=MOST_EXAMPLES,
        help_text="Masks of the dataset, of this image or others.",
    )
    category = serializers.CharField(
        required=False, max_length=200, help_text="Experimental: by its accepted masks, told from other categories'."
    )
    text = serializers.CharField(
        required=False, max_length=200, help_text="Experimental: needs a text encoder (docs/exemplars.md)."
    )


class AlikeProposeIn(AlikeIn):
    """And from which score on it is proposed."""

    threshold = Number(min_value=0, max_value=1)


class ImageAlikeView(APIView):
    """Everything like these on one image."""

    @extend_schema(operation_id="image_alike", request=AlikeIn, responses={202: JobOut})
    def post(self, request: Request, image_id: int) -> Response:
        """A search, as a job of a few seconds. Annotators, reviewers and leads; nothing is saved.

        The job's result has `masks`, best first: segmentation, area, bbox, score (0 to 1, it orders), predicted_iou,
        stability_score, prompts; `model`, `seconds` and the `category` that they may be given.
        """
        image = image_for(request.user, image_id, Role.ANNOTATOR)
        data = AlikeIn(data=request.data)
        data.is_valid(raise_exception=True)
        job = alike_request(image=image, what=sought(dataset=image.dataset, **data.validated_data), by=request.user)
        return Response(JobOut(job).data, status=202)


class DatasetAlikeView(APIView):
    """Everything like these in the dataset."""

    @extend_schema(operation_id="dataset_alike", request=AlikeProposeIn, responses={202: JobOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Propose it on every image that waits for an annotator, beside the masks that are there. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = AlikeProposeIn(data=request.data)
        data.is_valid(raise_exception=True)
        asked = dict(data.validated_data)
        threshold = asked.pop("threshold")
        what = sought(dataset=dataset, **asked)
        job = alike_propose_request(dataset=dataset, what=what, threshold=threshold, by=request.user)
        return Response(JobOut(job).data, status=202)
