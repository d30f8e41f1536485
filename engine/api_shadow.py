"""Routes of the shadow comparison: other versions on the prompts that people gave."""

from __future__ import annotations

from drf_spectacular.utils import extend_schema
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for
from engine.serializers import ShadowOut
from engine.shadow import shadow_start, shadows_of

MOST = 20  # of the newest; older ones stay in the table


class ShadowsView(APIView):
    """Comparisons of a dataset."""

    @extend_schema(operation_id="shadows", responses=ShadowOut(many=True))
    def get(self, request: Request, dataset_id: int) -> Response:
        """Newest first, at most twenty."""
        dataset = dataset_for(request.user, dataset_id)
        return Response(ShadowOut(shadows_of(dataset.pk)[:MOST], many=True).data)


class ShadowStartView(APIView):
    """Compare a version with the one that serves."""

    @extend_schema(operation_id="shadow_start", request=None, responses={201: ShadowOut})
    def post(self, request: Request, dataset_id: int, digest: str) -> Response:
        """A lead's wish. 400 too_few_prompts, 409 already_serving or shadow_open."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        row = shadow_start(dataset=dataset, digest=digest, by=request.user)
        return Response(ShadowOut(row).data, status=201)
