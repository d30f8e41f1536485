"""Routes of retraining: when it happens by itself and how it is done; everybody reads, leads change."""

from __future__ import annotations

from typing import Any
from zoneinfo import available_timezones

from django.conf import settings
from django.db import transaction
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for
from annotation.api.fields import Number
from annotation.models import Dataset
from annotation.services.datasets import dataset_update
from engine.plans import plan_of, plan_update, view_mix
from engine.schedules import DAILY, HOURS, OFF, OTHER, WEEKLY, Schedule, next_time, schedule_of
from engine.snapshots import training_masks

OF_DATASET = ("auto_retrain", "retrain_after")  # the rest belongs to the plan
NEEDED = {OFF: (), HOURS: ("every",), DAILY: ("at", "zone"), WEEKLY: ("at", "weekday", "zone")}


@extend_schema_field({"type": "string", "pattern": r"^([01]\d|2[0-3]):[0-5]\d$"})
class TimeOfDay(serializers.TimeField):
    """HH:MM by the clock on the wall: neither seconds nor an offset."""

    def __init__(self, **about: Any) -> None:
        super().__init__(format="%H:%M", input_formats=["%H:%M"], **about)


class ScheduleOut(serializers.Serializer[Any]):
    """When the clock asks for a retraining."""

    kind = serializers.ChoiceField(choices=[OFF, HOURS, DAILY, WEEKLY, OTHER])
    every = serializers.IntegerField(allow_null=True, help_text="Hours from one to the next.")
    at = TimeOfDay(allow_null=True, help_text="Time of day in `zone`.")
    weekday = serializers.IntegerField(allow_null=True, help_text="0 (Monday) to 6.")
    zone = serializers.CharField(help_text="IANA name.")
    text = serializers.CharField(help_text="Of an `other`, which was made in the admin.")
    next_at = serializers.DateTimeField(allow_null=True)
    asked_at = serializers.DateTimeField(allow_null=True, help_text="When it asked last.")
    answer = serializers.CharField(help_text="What came of it.")


class MixOut(serializers.Serializer[Any]):
    """Where the views of a training come from; shares that sum to 1."""

    people = serializers.FloatField(help_text="Masks that a person made, corrected or accepted.")
    automatic = serializers.FloatField(help_text="Masks that no person has seen.")
    synthetic = serializers.FloatField(help_text="Scenes made from nothing.")


class RetrainingOut(serializers.Serializer[Any]):
    """How a dataset is retrained."""

    auto_retrain = serializers.BooleanField()
    retrain_after = serializers.IntegerField(help_text="New accepted masks.")
    schedule = ScheduleOut()
    minutes = serializers.IntegerField(allow_null=True, help_text="Of training; null: the installation's.")
    steps = serializers.IntegerField(allow_null=True, help_text="Most steps; null: the installation's.")
    default_minutes = serializers.IntegerField()
    default_steps = serializers.IntegerField(help_text="0: as many as the minutes allow.")
    automatic_weight = serializers.FloatField(
        help_text="0..1: what a mask that no person has seen counts against one that somebody has."
    )
    synthetic_share = serializers.FloatField(help_text="0..1 of the views.")
    mix = MixOut(help_text="What a run would train on now.")


class ScheduleIn(serializers.Serializer[Any]):
    """`every` for hours; `at` and `zone` for daily and weekly; `weekday` for weekly."""

    kind = serializers.ChoiceField(choices=[OFF, HOURS, DAILY, WEEKLY])
    every = serializers.IntegerField(min_value=1, max_value=24 * 366, required=False)
    at = TimeOfDay(required=False)
    weekday = serializers.IntegerField(min_value=0, max_value=6, required=False)
    zone = serializers.CharField(max_length=64, required=False)

    def validate_zone(self, value: str) -> str:
        """A name that this machine knows."""
        if value not in available_timezones():
            raise serializers.ValidationError("There is no time zone of this name.")
        return value

    def validate(self, attrs: dict[str, Any]) -> Schedule:
        """Only what the kind asks for, and all of it."""
        needed = NEEDED[attrs["kind"]]
        missing = {name: ["This is needed."] for name in needed if name not in attrs}
        if missing:
            raise serializers.ValidationError(missing)
        return Schedule(kind=attrs["kind"], **{name: attrs[name] for name in needed})


class RetrainingIn(serializers.Serializer[Any]):
    """What a lead changes; what is left out stays."""

    auto_retrain = serializers.BooleanField(required=False)
    retrain_after = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False)
    schedule = ScheduleIn(required=False)
    minutes = serializers.IntegerField(min_value=1, max_value=7 * 24 * 60, required=False, allow_null=True)
    steps = serializers.IntegerField(min_value=1, max_value=1_000_000, required=False, allow_null=True)
    automatic_weight = Number(min_value=0, max_value=1, required=False)
    synthetic_share = Number(min_value=0, max_value=0.9, required=False)


class RetrainingView(APIView):
    """When and how a dataset is retrained."""

    @extend_schema(operation_id="retraining", responses=RetrainingOut)
    def get(self, request: Request, dataset_id: int) -> Response:
        """For every member."""
        return Response(retraining_out(dataset_for(request.user, dataset_id)))

    @extend_schema(operation_id="retraining_change", request=RetrainingIn, responses=RetrainingOut)
    def patch(self, request: Request, dataset_id: int) -> Response:
        """Leads only. A run that is under way goes on as it began."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = RetrainingIn(data=request.data)
        data.is_valid(raise_exception=True)
        changes = dict(data.validated_data)
        with transaction.atomic():
            of_dataset = {name: changes.pop(name) for name in OF_DATASET if name in changes}
            if of_dataset:
                dataset_update(dataset=dataset, **of_dataset)
            plan_update(dataset=dataset, **changes)
        return Response(retraining_out(dataset))


def retraining_out(dataset: Dataset) -> dict[str, Any]:
    """The plan with what it comes to today."""
    plan = plan_of(dataset.pk)
    schedule = schedule_of(plan)
    people, automatic = training_masks(dataset.pk)
    values = {
        "auto_retrain": dataset.auto_retrain,
        "retrain_after": dataset.retrain_after,
        "schedule": {
            **vars(schedule),
            "next_at": next_time(plan),
            "asked_at": plan.asked_at,
            "answer": plan.answer,
        },
        "minutes": plan.minutes,
        "steps": plan.steps,
        "default_minutes": settings.ANYMASK_TRAIN_MINUTES,
        "default_steps": settings.ANYMASK_TRAIN_STEPS,
        "automatic_weight": plan.automatic_weight,
        "synthetic_share": plan.synthetic_share,
        "mix": view_mix(plan, people=people, automatic=automatic),
    }
    answer: dict[str, Any] = RetrainingOut(values).data
    return answer
