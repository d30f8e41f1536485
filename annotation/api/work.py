"""Tasks: human work. Jobs: machine work."""

from __future__ import annotations

import contextlib
import uuid
from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation import jobkit
from annotation.access import Role, dataset_for, image_for, job_for, task_for
from annotation.api.serializers import (
    FinishedTaskOut,
    JobDetailOut,
    LeaseIn,
    ReleaseIn,
    SkipIn,
    SubmitIn,
    TaskKindIn,
    TaskOut,
)
from annotation.errors import UserError
from annotation.models import Task
from annotation.services import tasks
from annotation.services.training import feedback_for


def _task_out(request: Request, task: Task) -> Response:
    return Response(TaskOut(task, context=_context(request, task)).data)


def _finished_out(request: Request, task: Task, next_kind: str | None) -> Response:
    """A finished task, with the next one of a kind where one was asked for, so that going on takes one request.

    A refusal leaves it out, since the work is finished all the same: `tasks_next` says why.
    """
    following = None
    if next_kind:
        with contextlib.suppress(UserError):
            dataset = dataset_for(request.user, task.image.dataset_id, role_for(next_kind))
            following = tasks.task_claim_next(dataset=dataset, user=request.user, kind=next_kind)
    context = _context(request, following or task) | {"feedback": feedback_for(task=task, user=request.user)}
    return Response(FinishedTaskOut(task, context=context | {"next": following}).data)


def _context(request: Request, task: Task) -> dict[str, Any]:
    upcoming = tasks.tasks_upcoming(dataset=task.image.dataset, after=task)
    upcoming = [image_id for image_id in upcoming if image_id != task.image_id]
    return {"user": request.user, "upcoming": upcoming, "feedback": feedback_for(task=task, user=request.user)}


def role_for(kind: str) -> str:
    """The role that this kind of work takes."""
    return Role.REVIEWER if kind == Task.Kind.REVIEW else Role.ANNOTATOR


class NextTaskView(APIView):
    """The queue of a dataset."""

    @extend_schema(operation_id="tasks_next", request=TaskKindIn, responses={200: TaskOut, 204: None})
    def post(self, request: Request, dataset_id: int) -> Response:
        """The image the caller holds, else the next free one: 200; 204 if none is left. Annotators and above.

        Reviews are for reviewers and leads.
        """
        asked = _read(TaskKindIn, request)
        dataset = dataset_for(request.user, dataset_id, role_for(asked["kind"]))
        task = tasks.task_claim_next(dataset=dataset, user=request.user, **asked)
        return _task_out(request, task) if task else Response(status=status.HTTP_204_NO_CONTENT)


class ImageTaskView(APIView):
    """The work on one image."""

    @extend_schema(operation_id="tasks_claim", request=TaskKindIn, responses={200: TaskOut})
    def post(self, request: Request, image_id: int) -> Response:
        """Take up this image; 409 `task_taken` says who has it. Annotators and above."""
        asked = _read(TaskKindIn, request)
        image = image_for(request.user, image_id, role_for(asked["kind"]))
        return _task_out(request, tasks.task_claim_image(image=image, user=request.user, **asked))


class TaskView(APIView):
    """One task."""

    @extend_schema(operation_id="tasks_get", responses={200: TaskOut})
    def get(self, request: Request, task_id: int) -> Response:
        """Who holds it, until when, and what was answered."""
        return _task_out(request, task_for(request.user, task_id))


class TaskRenewView(APIView):
    """Hold on."""

    @extend_schema(operation_id="tasks_renew", request=LeaseIn, responses={200: TaskOut})
    def post(self, request: Request, task_id: int) -> Response:
        """Another lease time; 409 `lease_lost`."""
        task = task_for(request.user, task_id, Role.ANNOTATOR)
        return _task_out(request, tasks.task_renew(task=task, **_read(LeaseIn, request)))


class TaskSubmitView(APIView):
    """Done."""

    @extend_schema(operation_id="tasks_submit", request=SubmitIn, responses={200: FinishedTaskOut})
    def post(self, request: Request, task_id: int) -> Response:
        """Finish the image; the same request again changes nothing. 409 `lease_lost`."""
        asked = _read(SubmitIn, request)
        task, next_kind = task_for(request.user, task_id, Role.ANNOTATOR), asked.pop("next_kind")
        return _finished_out(request, tasks.task_submit(task=task, **asked), next_kind)


class TaskSkipView(APIView):
    """Not done."""

    @extend_schema(operation_id="tasks_skip", request=SkipIn, responses={200: FinishedTaskOut})
    def post(self, request: Request, task_id: int) -> Response:
        """Leave the image, with a reason; the same request again changes nothing. 409 `lease_lost`."""
        asked = _read(SkipIn, request)
        task, next_kind = task_for(request.user, task_id, Role.ANNOTATOR), asked.pop("next_kind")
        return _finished_out(request, tasks.task_skip(task=task, **asked), next_kind)


class TaskReleaseView(APIView):
    """Back to the queue."""

    @extend_schema(operation_id="tasks_release", request=ReleaseIn, responses={200: TaskOut})
    def post(self, request: Request, task_id: int) -> Response:
        """Give the image back for others. 409 `lease_lost`."""
        task = task_for(request.user, task_id, Role.ANNOTATOR)
        return _task_out(request, tasks.task_release(task=task, **_read(ReleaseIn, request)))


class JobView(APIView):
    """One job."""

    @extend_schema(operation_id="jobs_get", responses={200: JobDetailOut})
    def get(self, request: Request, job_id: uuid.UUID) -> Response:
        """State, progress, result and log."""
        return Response(JobDetailOut(job_for(request.user, job_id)).data)


class JobCancelView(APIView):
    """Stop."""

    @extend_schema(operation_id="jobs_cancel", request=None, responses={200: JobDetailOut})
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        """Cancel a waiting or running job. Whoever started it, and leads."""
        return Response(JobDetailOut(jobkit.cancel(job_for(request.user, job_id, change=True))).data)


class JobRetryView(APIView):
    """Again."""

    @extend_schema(operation_id="jobs_retry", request=None, responses={200: JobDetailOut})
    def post(self, request: Request, job_id: uuid.UUID) -> Response:
        """Queue a failed or cancelled job again. Leads, and whoever started it while they have the role for that."""
        job = job_for(request.user, job_id, change=True)
        if job.dataset_id is not None:
            dataset_for(request.user, job.dataset_id, jobkit.role_for(job.kind))
        return Response(JobDetailOut(jobkit.retry(job)).data)


def _read(shape: Any, request: Request) -> dict[str, Any]:
    data = shape(data=request.data)
    data.is_valid(raise_exception=True)
    return dict(data.validated_data)
