"""Datasets, members, their jobs, exports and imports."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema
from rest_framework import generics, status
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import selectors
from annotation.access import Role, dataset_for
from annotation.api.serializers import (
    AgreementOut,
    DatasetChangeIn,
    DatasetIn,
    DatasetOut,
    JobOut,
    MemberChangeIn,
    MemberIn,
    MemberOut,
)
from annotation.counts import counts_of
from annotation.errors import Missing
from annotation.models import Dataset, Job, Member, Task
from annotation.services import comparing, datasets, training


def _dataset_out(user: Any, dataset_id: int) -> dict[str, Any]:
    row = selectors.datasets_of(user).get(pk=dataset_id)
    return dict(DatasetOut(row, context={"counts": counts_of([row.pk])}).data)


def _members_out(dataset: Dataset, members: Iterable[Member]) -> list[Any]:
    members = list(members)
    return list(MemberOut(members, many=True, context={"standings": training.standings_of(dataset, members)}).data)


class DatasetsView(generics.ListAPIView[Any]):
    """The caller's datasets."""

    serializer_class = DatasetOut
    queryset = Dataset.objects.none()

    def get_queryset(self) -> Any:
        """Only those the caller is a member of."""
        return selectors.datasets_of(self.request.user)

    @extend_schema(operation_id="datasets_list", responses={200: DatasetOut(many=True)})
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Datasets of which the caller is a member, oldest first."""
        rows: list[Dataset] = self.paginate_queryset(self.get_queryset()) or []
        context = {"counts": counts_of([row.pk for row in rows])}
        return self.get_paginated_response(DatasetOut(rows, many=True, context=context).data)

    @extend_schema(operation_id="datasets_create", request=DatasetIn, responses={201: DatasetOut}, filters=False)
    def post(self, request: Request) -> Response:
        """Make a dataset; whoever makes it leads it."""
        data = DatasetIn(data=request.data)
        data.is_valid(raise_exception=True)
        dataset = datasets.dataset_create(user=request.user, **data.validated_data)
        return Response(_dataset_out(request.user, dataset.pk), status=status.HTTP_201_CREATED)


class DatasetView(APIView):
    """One dataset."""

    @extend_schema(operation_id="datasets_get", responses={200: DatasetOut})
    def get(self, request: Request, dataset_id: int) -> Response:
        """The dataset as the caller sees it."""
        dataset_for(request.user, dataset_id)
        return Response(_dataset_out(request.user, dataset_id))

    @extend_schema(operation_id="datasets_change", request=DatasetChangeIn(partial=True), responses={200: DatasetOut})
    def patch(self, request: Request, dataset_id: int) -> Response:
        """Change name, description, licence, source, the queue or retraining. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = DatasetChangeIn(dataset, data=request.data, partial=True)
        data.is_valid(raise_exception=True)
        datasets.dataset_update(dataset=dataset, **data.validated_data)
        return Response(_dataset_out(request.user, dataset_id))

    @extend_schema(operation_id="datasets_delete", responses={204: None})
    def delete(self, request: Request, dataset_id: int) -> Response:
        """Remove the dataset with its images, masks and exports. Leads only."""
        datasets.dataset_delete(dataset=dataset_for(request.user, dataset_id, Role.LEAD))
        return Response(status=status.HTTP_204_NO_CONTENT)


class MembersView(APIView):
    """People of a dataset."""

    @extend_schema(operation_id="members_list", responses={200: MemberOut(many=True)})
    def get(self, request: Request, dataset_id: int) -> Response:
        """Everybody with a role."""
        dataset = dataset_for(request.user, dataset_id)
        return Response(_members_out(dataset, dataset.members.select_related("user")))

    @extend_schema(operation_id="members_add", request=MemberIn, responses={201: MemberOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Give somebody a role. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = MemberIn(data=request.data)
        data.is_valid(raise_exception=True)
        member = datasets.member_add(dataset=dataset, **data.validated_data)
        return Response(_members_out(dataset, [member])[0], status=status.HTTP_201_CREATED)


class MemberView(APIView):
    """One person's role."""

    def _member(self, request: Request, dataset_id: int, member_id: int) -> Member:
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        member = dataset.members.select_related("user").filter(pk=member_id).first()
        if member is None:
            raise Missing("not_found", "There is no such member.")
        return member

    @extend_schema(operation_id="members_change", request=MemberChangeIn, responses={200: MemberOut})
    def patch(self, request: Request, dataset_id: int, member_id: int) -> Response:
        """Change a role, close the dataset to somebody, or graduate them. Leads only; the last lead stays one."""
        member = self._member(request, dataset_id, member_id)
        data = MemberChangeIn(data=request.data)
        data.is_valid(raise_exception=True)
        change = data.validated_data
        if "role" in change:
            datasets.member_update(member=member, role=change["role"])
        if "active" in change:
            datasets.member_activate(member=member, active=change["active"])
        if "graduated" in change:
            training.member_graduate(member=member, graduated=change["graduated"])
        return Response(_members_out(member.dataset, [member])[0])

    @extend_schema(operation_id="members_remove", responses={204: None})
    def delete(self, request: Request, dataset_id: int, member_id: int) -> Response:
        """Take the role away. Leads only; the last lead stays."""
        datasets.member_remove(member=self._member(request, dataset_id, member_id))
        return Response(status=status.HTTP_204_NO_CONTENT)


class AgreementView(APIView):
    """Two people on the same images."""

    @extend_schema(operation_id="agreement", responses={200: AgreementOut})
    def get(self, request: Request, dataset_id: int) -> Response:
        """How well they agree. Reviewers and leads."""
        dataset = dataset_for(request.user, dataset_id, Role.REVIEWER)
        live = Task.objects.filter(image__dataset=dataset, kind=Task.Kind.OVERLAP, state__in=["open", "claimed"])
        return Response(AgreementOut({**comparing.agreement_of(dataset.pk), "waiting": live.count()}).data)


class DatasetJobsView(generics.ListAPIView[Any]):
    """Machine work for a dataset."""

    serializer_class = JobOut
    queryset = Job.objects.none()

    def get_queryset(self) -> Any:
        """Newest first."""
        dataset = dataset_for(self.request.user, self.kwargs["dataset_id"])
        state = self.request.query_params.get("state", "")
        if state and state not in Job.State.values:
            raise ParseError(f"state must be one of {', '.join(Job.State.values)}.")
        jobs = dataset.jobs.filter(state=state) if state else dataset.jobs.all()
        if kinds := [kind for kind in self.request.query_params.get("kind", "").split(",") if kind][:10]:
            jobs = jobs.filter(kind__in=kinds)
        return jobs.select_related("created_by").defer("log", "payload")

    @extend_schema(
        operation_id="jobs_list",
        responses={200: JobOut(many=True)},
        parameters=[
            OpenApiParameter("state", str, enum=Job.State.values),
            OpenApiParameter("kind", str, description="Only jobs of these kinds, with commas between them."),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Jobs of a dataset, newest first."""
        return super().get(request, *args, **kwargs)

    def paginate_queryset(self, queryset: Any) -> Any:
        """Newest first needs its own key."""
        self.paginator.ordering = ("-created_at", "-id")  # type: ignore[union-attr]  # the class names its paginator
        return super().paginate_queryset(queryset)
