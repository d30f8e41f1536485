"""Routes of the stages: today's values beside the lead's rules, moves by hand, and every move that was made."""

from __future__ import annotations

from typing import Any

from django.db.models import Count
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for
from annotation.api.fields import Number
from annotation.errors import NotReady
from annotation.models import Dataset, Stage
from engine.models import StageMove, StageRule
from engine.serving import serving_version
from engine.stages.moves import DEFAULTS, Step, rule_update, stage_move, step_of
from engine.stages.running import images_waiting

MOVES_SHOWN = 20


class StageCheckOut(serializers.Serializer[Any]):
    """One line of the checklist."""

    key = serializers.ChoiceField(choices=["masks", "iou", "kept"])
    value = serializers.FloatField(allow_null=True, help_text="Today's; null where nothing was measured yet.")
    target = serializers.FloatField(allow_null=True, help_text="Null: not asked for.")
    of = serializers.IntegerField(allow_null=True, help_text="Masks it was measured on.")
    met = serializers.BooleanField()


class StageRuleOut(serializers.ModelSerializer[Any]):
    """What a lead asks for."""

    clicks = serializers.ChoiceField(choices=StageRule.Clicks.choices)

    class Meta:
        model = StageRule
        fields = ["masks", "clicks", "iou", "kept", "by_rule"]


class StageStepOut(serializers.Serializer[Any]):
    """The way out of one stage."""

    stage = serializers.ChoiceField(choices=Stage.choices, source="rule.stage")
    next = serializers.ChoiceField(choices=Stage.choices)
    rule = StageRuleOut()
    checks = StageCheckOut(many=True)
    met = serializers.BooleanField(help_text="Everything that is asked for is met.")


class StageMoveOut(serializers.ModelSerializer[Any]):
    """One change of stage."""

    kind = serializers.ChoiceField(choices=StageMove.Kind.choices)
    from_stage = serializers.ChoiceField(choices=Stage.choices)
    to_stage = serializers.ChoiceField(choices=Stage.choices)
    values = StageCheckOut(many=True, help_text="The checklist at that moment.")
    by = serializers.SerializerMethodField()

    class Meta:
        model = StageMove
        fields = ["id", "kind", "from_stage", "to_stage", "values", "note", "by", "at"]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_by(self, row: StageMove) -> str | None:
        """User name; null when the rule moved it."""
        return row.by.get_username() if row.by else None


class StagesOut(serializers.Serializer[Any]):
    """Where a dataset stands."""

    stage = serializers.ChoiceField(choices=Stage.choices)
    images = serializers.DictField(child=serializers.IntegerField(), help_text="Images by stage.")
    waiting = serializers.IntegerField(help_text="Images that wait for the machine's part of this stage.")
    steps = StageStepOut(many=True)
    moves = StageMoveOut(many=True, help_text="Newest first, at most 20.")


class StageRuleIn(serializers.Serializer[Any]):
    """New targets; null: not asked for."""

    masks = serializers.IntegerField(min_value=0, max_value=100_000_000, required=False, allow_null=True)
    clicks = serializers.ChoiceField(choices=StageRule.Clicks.choices, required=False)
    iou = Number(min_value=0, max_value=1, required=False, allow_null=True)
    kept = Number(min_value=0, max_value=1, required=False, allow_null=True)
    by_rule = serializers.BooleanField(required=False, help_text="Move as soon as everything is met.")


class StageMoveIn(serializers.Serializer[Any]):
    """Where to, and why."""

    to = serializers.ChoiceField(choices=Stage.choices)
    note = serializers.CharField(max_length=500, required=False, allow_blank=True)


class StagesView(APIView):
    """The stages of a dataset."""

    @extend_schema(operation_id="stages", responses=StagesOut)
    def get(self, request: Request, dataset_id: int) -> Response:
        """The stage it is in, the checklist of each step with today's values, and the moves so far."""
        return Response(_stages_out(dataset_for(request.user, dataset_id)))


class StageRuleView(APIView):
    """What a lead asks for before a dataset leaves a stage."""

    @extend_schema(operation_id="stage_rule_change", request=StageRuleIn(partial=True), responses=StageStepOut)
    def patch(self, request: Request, dataset_id: int, stage: str) -> Response:
        """Change the targets, or whether the rule moves the dataset by itself. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = StageRuleIn(data=request.data, partial=True)
        data.is_valid(raise_exception=True)
        rule_update(dataset=dataset, stage=stage, **data.validated_data)
        return Response(StageStepOut(step_of(dataset, stage)).data)


class StageMoveView(APIView):
    """A lead overrules the rule."""

    @extend_schema(operation_id="stage_move", request=StageMoveIn, responses={201: StageMoveOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Move the dataset now, forward or back. Leads only; 409 `already_there` or `stage_changed`."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = StageMoveIn(data=request.data)
        data.is_valid(raise_exception=True)
        move = stage_move(dataset=dataset, by=request.user, **data.validated_data)
        return Response(StageMoveOut(move).data, status=status.HTTP_201_CREATED)


def _stages_out(dataset: Dataset) -> dict[str, Any]:
    counted = dict(dataset.images.order_by().values_list("stage").annotate(n=Count("pk")))
    steps: list[Step] = [step_of(dataset, stage) for stage in DEFAULTS]
    try:
        waiting = images_waiting(dataset, serving_version(dataset.pk)).count()
    except NotReady:
        waiting = 0
    body = {
        "stage": dataset.stage,
        "images": {stage: counted.get(stage, 0) for stage in Stage.values},
        "waiting": waiting,
        "steps": steps,
        "moves": dataset.stage_moves.select_related("by")[:MOVES_SHOWN],
    }
    return dict(StagesOut(body).data)
