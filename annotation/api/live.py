"""What an open editor asks for again and again: what others changed on its image, and the names in use."""

from __future__ import annotations

from datetime import timedelta

from django.utils import timezone
from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import selectors
from annotation.access import dataset_for, image_for
from annotation.api.http import moment
from annotation.api.serializers import CategoryOut, ChangesOut
from annotation.services import figures

# The cursor lies this far back, for a write that took its time before its moment was committed. What comes twice is
# the same twice.
OVERLAP = timedelta(seconds=5)


class ImageChangesView(APIView):
    """Masks of an image as they change."""

    @extend_schema(
        operation_id="images_changes",
        responses={200: ChangesOut},
        parameters=[OpenApiParameter("since", str, description="`at` of the last answer; without it, everything.")],
    )
    def get(self, request: Request, image_id: int) -> Response:
        """Masks made, corrected, deleted or restored since; at first all but the superseded ones."""
        image = image_for(request.user, image_id)
        since = moment(request.query_params.get("since", ""))
        at = timezone.now() - OVERLAP
        task = selectors.task_shown(image, request.user)
        body = {"at": at, "masks": selectors.masks_changed(image, since, task), "task": task}
        return Response(ChangesOut(body).data)


class CategoriesView(APIView):
    """Names that masks carry."""

    @extend_schema(operation_id="categories_list", responses={200: CategoryOut(many=True)})
    def get(self, request: Request, dataset_id: int) -> Response:
        """The categories in use, the most used first; at most 1000."""
        dataset = dataset_for(request.user, dataset_id)
        return Response(CategoryOut(figures.categories(dataset.pk), many=True).data)
