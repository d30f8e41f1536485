"""Routes of review: the queue and its figures, what is said of each mask, and what comes back to whom."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import generics, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for, task_for
from annotation.api.http import CursorPages
from annotation.api.serializers.reviews import (
    FeedbackItemOut,
    ReviewItemOut,
    ReviewRoundOut,
    ReviewsOut,
    SaidIn,
    VerdictIn,
)
from annotation.models import ReviewItem, Task
from annotation.services import reviews
from annotation.services.tasks import tasks_left_for

LIVE = [Task.State.OPEN, Task.State.CLAIMED]
EARLIER_SHOWN = 100


class ReviewsView(APIView):
    """The review of a dataset."""

    @extend_schema(operation_id="reviews", responses=ReviewsOut)
    def get(self, request: Request, dataset_id: int) -> Response:
        """What waits, what was found, and each annotator's record. Reviewers and leads."""
        dataset = dataset_for(request.user, dataset_id, Role.REVIEWER)
        live = Task.objects.filter(image__dataset=dataset, state__in=LIVE)
        body = {
            "share": dataset.review_share,
            "adapts": dataset.review_adapts,
            "waiting": live.filter(kind=Task.Kind.REVIEW).count(),
            "left_for_you": tasks_left_for(dataset=dataset, user=request.user, kind=Task.Kind.REVIEW),
            "returned": live.filter(kind=Task.Kind.RETURNED).count(),
            **reviews.review_figures(dataset.pk),
        }
        return Response(ReviewsOut(body).data)


class TaskReviewView(APIView):
    """What is said on one image."""

    @extend_schema(operation_id="task_review", responses=ReviewRoundOut)
    def get(self, request: Request, task_id: int) -> Response:
        """Of a review every mask; of returned work what came back and why."""
        task = task_for(request.user, task_id)
        body = {"items": reviews.items_of(task), "earlier": reviews.earlier_items(task)[:EARLIER_SHOWN]}
        return Response(ReviewRoundOut(body).data)

    @extend_schema(operation_id="task_review_remark", request=SaidIn, responses={201: ReviewItemOut})
    def post(self, request: Request, task_id: int) -> Response:
        """Return the image for a place where a mask is missing. Whoever holds the review."""
        task = task_for(request.user, task_id, Role.REVIEWER)
        data = SaidIn(data=request.data)
        data.is_valid(raise_exception=True)
        item = reviews.remark_add(task=task, by=request.user, **data.validated_data)
        return Response(ReviewItemOut(item).data, status=status.HTTP_201_CREATED)


class ReviewItemView(APIView):
    """One mask of a review."""

    @extend_schema(operation_id="review_item_decide", request=VerdictIn, responses=ReviewItemOut)
    def put(self, request: Request, task_id: int, item_id: int) -> Response:
        """Accept, correct (the correction is saved as a mask) or return. 409 `lease_lost`. Whoever holds the review."""
        task = task_for(request.user, task_id, Role.REVIEWER)
        data = VerdictIn(data=request.data)
        data.is_valid(raise_exception=True)
        item = reviews.item_decide(task=task, item_id=item_id, by=request.user, **data.validated_data)
        return Response(ReviewItemOut(item).data)


class FeedbackPages(CursorPages):
    """Newest first."""

    ordering = "-id"
    page_size = 20


class FeedbackView(generics.ListAPIView[Any]):
    """What reviewers found wrong in the caller's own masks."""

    serializer_class = FeedbackItemOut
    pagination_class = FeedbackPages
    queryset = ReviewItem.objects.none()

    def get_queryset(self) -> Any:
        """Theirs alone."""
        return reviews.feedback_items(dataset_for(self.request.user, self.kwargs["dataset_id"]), self.request.user)

    @extend_schema(operation_id="feedback_list", responses={200: FeedbackItemOut(many=True)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Corrected, deleted and returned masks, newest first, with both versions' pixels."""
        return super().get(request, *args, **kwargs)
