"""Routes of consensus: the images that two people masked, both masks of each object, what is taken, and undoing it."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import NOTHING, Role, dataset_for, task_for
from annotation.api.http import CursorPages
from annotation.api.serializers.consensus import ConsensusOut, DecisionsIn, OverlapOut
from annotation.errors import Missing
from annotation.models import Consensus, Task
from annotation.services import consensus


class OverlapPages(CursorPages):
    """Newest first."""

    ordering = "-id"
    page_size = 20


class OverlapsView(generics.ListAPIView[Any]):
    """The images of a dataset that two people have masked."""

    serializer_class = OverlapOut
    pagination_class = OverlapPages
    queryset = Task.objects.none()

    def get_queryset(self) -> Any:
        """Those where the second person is done."""
        dataset = dataset_for(self.request.user, self.kwargs["dataset_id"], Role.REVIEWER)
        rows = Task.objects.filter(image__dataset=dataset, kind=Task.Kind.OVERLAP, comparison__isnull=False)
        decided = Count("consensuses__items", filter=Q(consensuses__undone_at=None))
        return rows.select_related("image", "assignee", "comparison").annotate(decided=decided)

    @extend_schema(operation_id="overlaps", responses={200: OverlapOut(many=True)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first. Reviewers and leads."""
        return super().get(request, *args, **kwargs)


class ConsensusView(APIView):
    """Two people's masks of one image."""

    @extend_schema(operation_id="consensus", responses=ConsensusOut)
    def get(self, request: Request, task_id: int) -> Response:
        """Every object with both masks and how far they agree, and what was decided. Reviewers and leads."""
        return Response(_consensus_out(_overlap(request, task_id)))

    @extend_schema(operation_id="consensus_decide", request=DecisionsIn, responses={201: ConsensusOut})
    def post(self, request: Request, task_id: int) -> Response:
        """Take either's masks, their union or intersection, or none. All of them or nothing; 409 if masks changed."""
        task = _overlap(request, task_id)
        data = DecisionsIn(data=request.data)
        data.is_valid(raise_exception=True)
        consensus.consensus_make(task=task, by=request.user, decisions=data.validated_data["objects"])
        return Response(_consensus_out(task), status=status.HTTP_201_CREATED)


class ConsensusUndoView(APIView):
    """Back to what was."""

    @extend_schema(operation_id="consensus_undo", request=None, responses=ConsensusOut)
    def post(self, request: Request, task_id: int, consensus_id: int) -> Response:
        """Undo one decision; 409 `consensus_changed` if a mask that came of it was changed since."""
        task = _overlap(request, task_id)
        row = Consensus.objects.filter(pk=consensus_id, task=task).first()
        if row is None:
            raise Missing("not_found", NOTHING)
        consensus.consensus_undo(consensus=row, by=request.user)
        return Response(_consensus_out(task))


def _overlap(request: Request, task_id: int) -> Task:
    task = task_for(request.user, task_id, Role.REVIEWER)
    if task.kind != Task.Kind.OVERLAP or task.state != Task.State.SUBMITTED:
        raise Missing("no_overlap", "Two people have not masked this image.")
    return task


def _consensus_out(task: Task) -> dict[str, Any]:
    body = {
        "image": task.image_id,
        "file_name": task.image.file_name,
        "second": task.assignee.get_username() if task.assignee else None,
        "objects": consensus.objects_of(task),
        "decisions": task.consensuses.select_related("by").prefetch_related("items"),
    }
    return dict(ConsensusOut(body).data)
