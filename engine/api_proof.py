"""Route of the proof page: what work took, what came of it, and what it cost."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for, memberships
from annotation.models import Stage
from engine import proof
from engine.api_audit import AuditNumbersOut
from engine.models import Audit, ModelVersion, StageMove

SHOWN = 100


class MeasuredOut(serializers.Serializer[Any]):
    """A figure with its 95 % interval; null where it rests on too few cases."""

    value = serializers.FloatField(allow_null=True)
    low = serializers.FloatField(allow_null=True)
    high = serializers.FloatField(allow_null=True)
    of = serializers.IntegerField(help_text="Cases it rests on.")


class WorkFiguresOut(serializers.Serializer[Any]):
    """What people's masks took."""

    masks = serializers.IntegerField(help_text="Made from nothing, or by changing what was prefilled.")
    corrections = serializers.IntegerField(help_text="Of masks that people had made.")
    seconds = MeasuredOut(help_text="Active seconds per mask.")
    prompts = MeasuredOut(help_text="Clicks and other prompts per mask made with the model.")
    one_click = MeasuredOut(help_text="Share of them right after one click, without the brush.")
    kept = MeasuredOut(help_text="Share of prefilled masks that stayed as they were.")


class WorkStepOut(WorkFiguresOut):
    """The same of one step of time, or one stage."""

    key = serializers.CharField(help_text="First day of the step, or the stage.")


class WorkGroupOut(WorkFiguresOut):
    """The same of one person or model version."""

    key = serializers.CharField()
    name = serializers.CharField()


class ImageStepOut(serializers.Serializer[Any]):
    """Images finished in one step of time."""

    key = serializers.CharField()
    images = serializers.IntegerField()
    masks = serializers.IntegerField(help_text="Made or kept in the same time.")


class ImagesDoneOut(serializers.Serializer[Any]):
    """Images that people finished."""

    done = serializers.IntegerField()
    masks_per_image = serializers.FloatField(allow_null=True)
    over_time = ImageStepOut(many=True)


class FrameTimesOut(serializers.Serializer[Any]):
    """Median of the active seconds that a frame of video took, for its masks of tracks."""

    by_hand = MeasuredOut(help_text="Frames on which people made the masks.")
    followed = MeasuredOut(help_text="Frames on which the model proposed them.")


class QualityOut(serializers.Serializer[Any]):
    """One version on held-out images, as it was last judged; intervals by bootstrap over images."""

    digest = serializers.CharField()
    name = serializers.CharField()
    state = serializers.ChoiceField(choices=ModelVersion.State.choices)
    made_at = serializers.DateTimeField()
    judged_at = serializers.DateTimeField()
    masks = serializers.IntegerField()
    images = serializers.IntegerField()
    miou_1 = MeasuredOut()
    miou_3 = MeasuredOut()
    miou_box = MeasuredOut()


class ProofMoveOut(serializers.Serializer[Any]):
    """One change of stage."""

    from_stage = serializers.ChoiceField(choices=Stage.choices)
    to_stage = serializers.ChoiceField(choices=Stage.choices)
    at = serializers.DateTimeField()


class ProofAuditOut(serializers.Serializer[Any]):
    """One audit that was closed."""

    source = serializers.ChoiceField(choices=Audit.Source.choices)  # type: ignore[assignment]  # the field: not what DRF keeps under the name
    closed_at = serializers.DateTimeField()
    numbers = AuditNumbersOut()


class CostOut(serializers.Serializer[Any]):
    """Of people's work; leads only."""

    rate = serializers.FloatField(allow_null=True, help_text="Of an hour.")
    currency = serializers.CharField()
    per_1000 = serializers.FloatField(allow_null=True, help_text="Masks that people made or kept.")


class ProofOut(serializers.Serializer[Any]):
    """The proof page of a dataset."""

    pending = serializers.IntegerField(help_text="Newer masks of the installation that a job has still to count.")
    fewest = serializers.IntegerField(help_text="Cases below which a figure is null.")
    step = serializers.ChoiceField(choices=["day", "week", "month"])
    total = WorkFiguresOut()
    over_time = WorkStepOut(many=True)
    by_author = WorkGroupOut(many=True)
    by_stage = WorkStepOut(many=True)
    by_model = WorkGroupOut(many=True)
    images = ImagesDoneOut()
    frames = FrameTimesOut(allow_null=True, help_text="Null without videos.")
    quality = QualityOut(many=True)
    hours = serializers.DictField(child=serializers.FloatField(), help_text="Active hours by kind of work.")
    moves = ProofMoveOut(many=True)
    audits = ProofAuditOut(many=True)
    cost = CostOut(allow_null=True)


class ProofView(APIView):
    """What work took and what came of it."""

    @extend_schema(operation_id="proof", responses=ProofOut)
    def get(self, request: Request, dataset_id: int) -> Response:
        """Reviewers and leads; figures by person and cost are for leads."""
        dataset = dataset_for(request.user, dataset_id, Role.REVIEWER)
        body = proof.proof_of(dataset)
        lead = memberships(request.user).filter(dataset=dataset, role=Role.LEAD).exists()
        body["moves"] = StageMove.objects.filter(dataset=dataset).order_by("at")[:SHOWN]
        audits = Audit.objects.filter(dataset=dataset, state=Audit.State.CLOSED).exclude(numbers={})
        body["audits"] = audits.order_by("closed_at")[:SHOWN]
        body["cost"] = None
        if lead:
            rate = {"rate": dataset.hourly_rate, "currency": dataset.currency}
            body["cost"] = rate | {"per_1000": proof.cost_of(dataset, body)}
        else:
            body["by_author"] = []
        return Response(ProofOut(body).data)
