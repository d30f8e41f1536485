"""How a dataset is retrained: its own settings over the installation's, and how the views of a run are mixed."""

from __future__ import annotations

from typing import Any

from django.conf import settings
from django.db import transaction

from annotation.models import Dataset
from engine.child import memory_here
from engine.models import RetrainingPlan
from engine.schedules import Schedule, schedule_set

MOST_STEPS = 1_000_000  # what a trainer is told when the minutes are the limit
MEMORY_SHARE = 0.8  # of the machine's memory, where no limit is set


def plan_of(dataset_id: int) -> RetrainingPlan:
    """The dataset's plan with its schedule; the defaults where nobody has changed anything."""
    plan = (
        RetrainingPlan.objects.select_related("task__crontab", "task__interval").filter(dataset_id=dataset_id).first()
    )
    return plan or RetrainingPlan(dataset_id=dataset_id)


def plan_update(*, dataset: Dataset, schedule: Schedule | None = None, **fields: Any) -> RetrainingPlan:
    """Change some of minutes, steps, automatic_weight, synthetic_share, and the schedule."""
    with transaction.atomic():
        plan, _ = RetrainingPlan.objects.select_for_update().get_or_create(dataset=dataset)
        for name, value in fields.items():
            setattr(plan, name, value)
        if schedule is not None:
            schedule_set(plan=plan, schedule=schedule)
        plan.save()
    return plan_of(dataset.pk)


def minutes_of(plan: RetrainingPlan) -> int:
    """Minutes of training; judging comes on top."""
    return plan.minutes or settings.ANYMASK_TRAIN_MINUTES


def steps_of(plan: RetrainingPlan) -> int:
    """Most steps of training; 0: as many as the minutes allow."""
    return plan.steps or settings.ANYMASK_TRAIN_STEPS


def memory_limit() -> int:
    """Bytes that a trainer and its helpers may hold; 0 where the machine does not tell its size."""
    return settings.ANYMASK_TRAIN_MEMORY_BYTES or int(memory_here() * MEMORY_SHARE)


def view_mix(plan: RetrainingPlan, *, people: int, automatic: int) -> dict[str, float]:
    """Shares of the views, which sum to 1, for so many masks that people have seen and that nobody has.

    People's masks are oversampled: one that nobody has seen counts ``automatic_weight`` of one of theirs, and all of
    them together never more than theirs. What is synthetic is replayed against forgetting what the base model knew.
    """
    weight = min(1.0, plan.automatic_weight * automatic / people) if people else 0.0
    real = 1.0 - plan.synthetic_share
    return {"people": real / (1 + weight), "automatic": real * weight / (1 + weight), "synthetic": plan.synthetic_share}
