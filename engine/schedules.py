"""When a dataset is retrained by the clock: a row of django-celery-beat, read and written in the words of the page.

The row is the only place where it stands, so what is changed in the admin shows on the page as well. Beat notices a
changed row within seconds, and after an outage it sends what it missed once.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime, time
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask

from engine.models import RetrainingPlan

TASK = "engine.jobs.retrain_on_time"  # bound in jobs.py
QUEUE = "interactive"  # it only looks and queues
EXPIRES = 3600  # seconds; a message that waited longer for a worker is dropped

Row = TypeVar("Row", IntervalSchedule, CrontabSchedule)

OFF, HOURS, DAILY, WEEKLY, OTHER = "off", "hours", "daily", "weekly", "other"


@dataclass(frozen=True)
class Schedule:
    """One of ``off``, every so many ``hours``, ``daily`` or ``weekly``; ``other`` is what only the admin can make.

    ``at`` is a time of day in ``zone`` (an IANA name), ``weekday`` 0 (Monday) to 6, ``text`` says what an ``other`` is.
    """

    kind: str = OFF
    every: int | None = None
    at: time | None = None
    weekday: int | None = None
    zone: str = "UTC"
    text: str = ""


def schedule_of(plan: RetrainingPlan) -> Schedule:
    """What the plan's row says."""
    task = plan.task
    if task is None or not task.enabled:
        return Schedule()
    if task.interval is not None and task.interval.period == IntervalSchedule.HOURS:
        return Schedule(HOURS, every=task.interval.every)
    cron = task.crontab
    plain = cron is not None and (cron.day_of_month, cron.month_of_year) == ("*", "*")
    if cron is None or not plain or not (cron.hour.isdigit() and cron.minute.isdigit()):
        return Schedule(OTHER, text=str(task.scheduler))
    at, zone = time(int(cron.hour), int(cron.minute)), str(cron.timezone)
    if cron.day_of_week == "*":
        return Schedule(DAILY, at=at, zone=zone)
    if cron.day_of_week.isdigit():  # cron begins the week with Sunday
        return Schedule(WEEKLY, at=at, weekday=(int(cron.day_of_week) + 6) % 7, zone=zone)
    return Schedule(OTHER, text=str(cron))


def next_time(plan: RetrainingPlan) -> datetime | None:
    """When the schedule asks next (UTC); None without one. A moment that has passed is due now."""
    task = plan.task
    if task is None or not task.enabled:
        return None
    # Beat writes its own note a few minutes late.
    asked = max(moment for moment in (task.last_run_at or task.date_changed, plan.asked_at) if moment is not None)
    now = timezone.now()
    if task.crontab is not None:
        start, step, _ = task.schedule.remaining_delta(asked.astimezone(ZoneInfo(str(task.crontab.timezone))))
        due: datetime = start + step
    else:
        due = now + task.schedule.remaining_estimate(asked)
    return max(due, now)


def schedule_set(*, plan: RetrainingPlan, schedule: Schedule) -> None:
    """Write the plan's row; it counts from now. Call inside a transaction. ``other`` leaves the row as it is."""
    if schedule.kind == OTHER:
        return
    if schedule.kind == OFF:
        if plan.task is not None:
            plan.task.delete()
            plan.task = None
        return
    fields = {
        "task": TASK,
        "kwargs": json.dumps({"dataset": plan.dataset_id}),
        "queue": QUEUE,
        "expire_seconds": EXPIRES,
        "enabled": True,
        "last_run_at": timezone.now(),
        "interval": None,
        "crontab": None,
        "solar": None,
        "clocked": None,
    }
    if schedule.kind == HOURS:
        fields["interval"] = _kept(IntervalSchedule, every=schedule.every, period=IntervalSchedule.HOURS)
    else:
        fields["crontab"] = _crontab(schedule)
    plan.task, _ = PeriodicTask.objects.update_or_create(name=f"retrain dataset {plan.dataset_id}", defaults=fields)


def _crontab(schedule: Schedule) -> CrontabSchedule:
    at = schedule.at or time()
    return _kept(
        CrontabSchedule,
        minute=str(at.minute),
        hour=str(at.hour),
        day_of_week="*" if schedule.weekday is None else str((schedule.weekday + 1) % 7),
        day_of_month="*",
        month_of_year="*",
        timezone=schedule.zone,
    )


def _kept(model: type[Row], **fields: Any) -> Row:
    """The row with these fields: no constraint keeps the admin, or two leads at once, from making it twice."""
    return model.objects.filter(**fields).order_by("pk").first() or model.objects.create(**fields)
