"""Route of the first page: what waits for the caller, in every dataset of theirs at once."""

from __future__ import annotations

from typing import Any

from django.db.models import Count, Q
from django.utils import timezone
from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import memberships
from annotation.models import Member, Task
from annotation.services.queue import open_to
from annotation.services.training import is_trainee

REVIEWERS = [Member.Role.LEAD, Member.Role.REVIEWER]


class WaitingOut(serializers.Serializer[Any]):
    """What waits for the caller in one dataset; only datasets where something does."""

    dataset = serializers.IntegerField()
    name = serializers.CharField()
    returned = serializers.IntegerField(help_text="Images that came back from review.")
    reviews = serializers.IntegerField(help_text="Images that the caller may review.")
    audits = serializers.IntegerField(help_text="Images of an audit that the caller may correct.")


class WaitingView(APIView):
    """What waits."""

    @extend_schema(operation_id="waiting", responses=WaitingOut(many=True))
    def get(self, request: Request) -> Response:
        """Two queries, however many datasets there are, and one for each that this person is still in training for.

        Labelling itself is told by the list of datasets.
        """
        user: Any = request.user
        members = memberships(user).exclude(role=Member.Role.VIEWER)
        roles = {row.dataset_id: row for row in members.select_related("dataset").order_by("dataset")}
        judging = [pk for pk, row in roles.items() if row.role in REVIEWERS]
        learning = [pk for pk, row in roles.items() if row.graduated_at is None and is_trainee(row.dataset, user)]
        free = Q(state=Task.State.OPEN) | Q(state=Task.State.CLAIMED, lease_expires_at__lte=timezone.now())
        tasks = Task.objects.filter(free | Q(state=Task.State.CLAIMED, assignee=user), open_to(user))
        mine = (
            Q(kind=Task.Kind.RETURNED) | Q(kind=Task.Kind.AUDIT) | Q(kind=Task.Kind.REVIEW, image__dataset__in=judging)
        )
        counted = tasks.filter(mine, image__dataset__in=set(roles) - set(learning)).order_by()
        found: dict[int, dict[str, int]] = {}
        for row in counted.values("image__dataset", "kind").annotate(n=Count("pk")):
            found.setdefault(row["image__dataset"], {})[row["kind"]] = row["n"]
        answer = [
            {
                "dataset": pk,
                "name": roles[pk].dataset.name,
                "returned": kinds.get(Task.Kind.RETURNED, 0),
                "reviews": kinds.get(Task.Kind.REVIEW, 0),
                "audits": kinds.get(Task.Kind.AUDIT, 0),
            }
            for pk, kinds in sorted(found.items())
        ]
        return Response(WaitingOut(answer, many=True).data)
