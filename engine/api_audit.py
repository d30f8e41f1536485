"""Routes of the audit: draw a sample, see what people's corrections said of the masks, close it."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for
from annotation.errors import Missing
from annotation.models import Dataset, Task
from annotation.services.tasks import tasks_left_for
from engine.audit import audit_close, audit_start, auditable
from engine.models import Audit

SHOWN = 20
MOST_IMAGES = 10_000


class FigureOut(serializers.Serializer[Any]):
    """A figure 0..1 with its 95 % bootstrap interval over images."""

    value = serializers.FloatField()
    low = serializers.FloatField()
    high = serializers.FloatField()


class AuditNumbersOut(serializers.Serializer[Any]):
    """What was measured so far; figures are null before the first image."""

    images = serializers.IntegerField(default=0)
    pairs = serializers.IntegerField(default=0, help_text="Masks that were compared with what people left.")
    kept = serializers.IntegerField(default=0)
    corrected = serializers.IntegerField(default=0)
    deleted = serializers.IntegerField(default=0, help_text="Count as IoU 0.")
    added = serializers.IntegerField(default=0, help_text="Masks that people found missing; not among the pairs.")
    mean_iou = FigureOut(allow_null=True, default=None)
    above_90 = FigureOut(allow_null=True, default=None, help_text="Share of pairs above 0.90 IoU.")
    above_75 = FigureOut(allow_null=True, default=None, help_text="Share of pairs above 0.75 IoU.")


class AuditTasksOut(serializers.Serializer[Any]):
    """Images of the sample by the state of their task."""

    open = serializers.IntegerField()
    claimed = serializers.IntegerField()
    submitted = serializers.IntegerField()
    skipped = serializers.IntegerField()


class AuditOut(serializers.ModelSerializer[Any]):
    """One audit; rows come from `_with_tasks`."""

    source = serializers.ChoiceField(choices=Audit.Source.choices)  # type: ignore[assignment]  # the field: not what DRF keeps under the name
    state = serializers.ChoiceField(choices=Audit.State.choices)
    numbers = AuditNumbersOut()
    tasks = serializers.SerializerMethodField()
    created_by = serializers.SerializerMethodField()

    class Meta:
        model = Audit
        fields = ["id", "source", "size", "seed", "state", "numbers", "tasks", "created_by", "created_at", "closed_at"]

    @extend_schema_field(AuditTasksOut)
    def get_tasks(self, row: Any) -> dict[str, int]:
        """Counts that came with the row."""
        return {state: getattr(row, f"tasks_{state}") for state in Task.State.values}

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_created_by(self, row: Audit) -> str | None:
        """User name."""
        return row.created_by.get_username() if row.created_by else None


class AuditsOut(serializers.Serializer[Any]):
    """Audits of a dataset, and what a new one could draw from."""

    eligible = serializers.DictField(
        child=serializers.IntegerField(), help_text="Images that can be drawn now, by source."
    )
    left_for_you = serializers.IntegerField(help_text="Audit tasks that the caller may take up.")
    audits = AuditOut(many=True, help_text="Newest first, at most 20.")


class AuditIn(serializers.Serializer[Any]):
    """How large a sample, of which masks."""

    size = serializers.IntegerField(min_value=1, max_value=MOST_IMAGES)
    seed = serializers.IntegerField(min_value=0, max_value=2**31 - 1, default=0)
    source = serializers.ChoiceField(choices=Audit.Source.choices)  # type: ignore[assignment]  # the field: not what DRF keeps under the name


class AuditsView(APIView):
    """Audits of a dataset."""

    @extend_schema(operation_id="audits", responses=AuditsOut)
    def get(self, request: Request, dataset_id: int) -> Response:
        """Newest first, with what was measured."""
        dataset = dataset_for(request.user, dataset_id)
        body = {
            "eligible": auditable(dataset.pk),
            "left_for_you": tasks_left_for(dataset=dataset, user=request.user, kind=Task.Kind.AUDIT),
            "audits": _with_tasks(dataset)[:SHOWN],
        }
        return Response(AuditsOut(body).data)

    @extend_schema(operation_id="audits_start", request=AuditIn, responses={201: AuditOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Draw a sample and open its tasks. Leads only; 409 `audit_open`, 400 `nothing_to_audit`."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = AuditIn(data=request.data)
        data.is_valid(raise_exception=True)
        audit = audit_start(dataset=dataset, by=request.user, **data.validated_data)
        return Response(_audit_out(dataset, audit.pk), status=status.HTTP_201_CREATED)


class AuditCloseView(APIView):
    """The end of an audit."""

    @extend_schema(operation_id="audits_close", request=None, responses=AuditOut)
    def post(self, request: Request, dataset_id: int, audit_id: int) -> Response:
        """Publish what was measured so far and withdraw the tasks that are left. Leads only; 409 `audit_closed`."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        audit = dataset.audits.filter(pk=audit_id).first()
        if audit is None:
            raise Missing("not_found", "There is no such audit.")
        audit_close(audit=audit)
        return Response(_audit_out(dataset, audit_id))


def _with_tasks(dataset: Dataset) -> Any:
    counts = {
        f"tasks_{state}": Count("images", filter=Q(images__task__state=state), distinct=True)
        for state in Task.State.values
    }
    return dataset.audits.select_related("created_by").annotate(**counts).order_by("-pk")


def _audit_out(dataset: Dataset, audit_id: int) -> dict[str, Any]:
    return dict(AuditOut(_with_tasks(dataset).get(pk=audit_id)).data)
