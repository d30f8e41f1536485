"""The page of the audit log: who did what in a dataset."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import OpenApiParameter, extend_schema, extend_schema_field
from rest_framework import generics, serializers
from rest_framework.exceptions import ParseError
from rest_framework.request import Request
from rest_framework.response import Response

from annotation.access import Role, dataset_for
from annotation.api.event_log import BY_NAME, SUBJECTS
from annotation.api.http import CursorPages
from annotation.models import Event

KNOWN = sorted({subject for _, subject in SUBJECTS} | set(BY_NAME.values()) | {"dataset"})


class EventOut(serializers.ModelSerializer[Any]):
    """One line of the log."""

    actor = serializers.SerializerMethodField()
    details = serializers.DictField()

    class Meta:
        model = Event
        fields = ["id", "actor", "action", "subject", "subject_id", "details", "at"]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_actor(self, row: Event) -> str | None:
        """User name; null for the machine or an account that is gone."""
        return row.actor.get_username() if row.actor else None


class EventPages(CursorPages):
    """Newest first."""

    ordering = "-id"
    page_size = 50


class EventsView(generics.ListAPIView[Any]):
    """Who did what in a dataset."""

    serializer_class = EventOut
    pagination_class = EventPages
    queryset = Event.objects.none()

    def get_queryset(self) -> Any:
        """For leads; perhaps of one person, one kind of thing, or one thing."""
        dataset = dataset_for(self.request.user, self.kwargs["dataset_id"], Role.LEAD)
        asked = self.request.query_params
        rows = Event.objects.filter(dataset=dataset).select_related("actor")
        if (actor := asked.get("actor", "")) and "\x00" not in actor:
            rows = rows.filter(actor__username=actor)
        if subject := asked.get("subject", ""):
            if subject not in KNOWN:
                raise ParseError(f"subject must be one of {', '.join(KNOWN)}.")
            rows = rows.filter(subject=subject)
        if (one := asked.get("id", "")) and "\x00" not in one:
            rows = rows.filter(subject_id=one)
        return rows

    @extend_schema(
        operation_id="events_list",
        responses={200: EventOut(many=True)},
        parameters=[
            OpenApiParameter("actor", str, description="User name."),
            OpenApiParameter("subject", str, enum=KNOWN),
            OpenApiParameter("id", str, description="Of one thing."),
        ],
    )
    def get(self, request: Request, *args: Any, **kwargs: Any) -> Response:
        """Newest first. Leads only."""
        return super().get(request, *args, **kwargs)
