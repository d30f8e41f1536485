"""When and how a dataset is retrained: a lead edits it, beat reads it, the clock starts at most one run."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from django.utils import timezone
from django_celery_beat.models import CrontabSchedule, IntervalSchedule, PeriodicTask
from django_celery_beat.schedulers import ModelEntry

from engine.models import RetrainingPlan, TrainingRun
from engine.plans import plan_of
from engine.retraining import dataset_retrain_on_time, run_close, run_start
from engine.schedules import TASK, next_time
from tests.cast import add_image, add_mask, ellipse


@pytest.fixture
def url(cast):
    return f"/api/datasets/{cast.dataset.pk}/retraining/"


@pytest.fixture
def change(as_, cast, url):
    """Ana changes something; returns the answer's JSON."""

    def patch(**body):
        answer = as_(cast.ana).patch(url, body)
        assert answer.status_code == 200, answer.json()
        return answer.json()

    return patch


@pytest.fixture
def enough(cast, base):
    for seed, split in enumerate(("train", "held_out")):
        image = add_image(cast.dataset, seed=seed, split=split)
        for place in range(8):
            add_mask(image, ellipse(image, x=0.1 + place / 10, size=0.08))
    return cast.dataset


@pytest.fixture
def hourly(change):
    change(schedule={"kind": "hours", "every": 1})


def test_before_anybody_has_changed_anything(as_, cast, url, settings):
    settings.ANYMASK_TRAIN_MINUTES = 4
    shown = as_(cast.vic).get(url).json()
    assert shown["schedule"]["kind"] == "off"
    assert shown["schedule"]["next_at"] is None
    assert (shown["minutes"], shown["default_minutes"]) == (None, 4)
    assert (shown["automatic_weight"], shown["synthetic_share"]) == (0.1, 0.2)
    assert (shown["auto_retrain"], shown["retrain_after"]) == (True, 20)


def test_what_a_lead_changes_stays_and_the_rest_is_left_alone(change):
    change(retrain_after=50, auto_retrain=False, minutes=9, steps=300)
    shown = change(automatic_weight=0.5, synthetic_share=0)
    assert (shown["retrain_after"], shown["auto_retrain"]) == (50, False)
    assert (shown["minutes"], shown["steps"]) == (9, 300)
    assert (shown["automatic_weight"], shown["synthetic_share"]) == (0.5, 0)
    assert change(minutes=None)["minutes"] is None


def test_the_mix_is_told_for_todays_masks(change, enough):
    image = enough.images.get(split="train")
    for place in range(8):
        add_mask(image, ellipse(image, x=0.1 + place / 10), stage="fully_automatic", source="model", created_by=None)
    mix = change(automatic_weight=0.25, synthetic_share=0.5)["mix"]
    assert mix == {"people": pytest.approx(0.4), "automatic": pytest.approx(0.1), "synthetic": 0.5}


@pytest.mark.parametrize(
    "schedule",
    [
        {"kind": "hours", "every": 6},
        {"kind": "daily", "at": "02:30", "zone": "Europe/Berlin"},
        {"kind": "weekly", "at": "23:05", "weekday": 6, "zone": "America/New_York"},
        {"kind": "weekly", "at": "00:00", "weekday": 0, "zone": "UTC"},
    ],
)
def test_every_kind_of_schedule_comes_back_as_it_was_set(change, schedule):
    shown = change(schedule=schedule)["schedule"]
    assert {name: shown[name] for name in schedule} == schedule
    assert datetime.fromisoformat(shown["next_at"]) > timezone.now()
    row = PeriodicTask.objects.get(task=TASK)
    assert (row.queue, row.enabled) == ("interactive", True)


def test_a_time_of_day_is_that_of_its_zone(change, cast):
    change(schedule={"kind": "weekly", "at": "02:30", "weekday": 2, "zone": "Asia/Tokyo"})
    there = next_time(plan_of(cast.dataset.pk)).astimezone(ZoneInfo("Asia/Tokyo"))
    assert (there.weekday(), there.hour, there.minute) == (2, 2, 30)


def test_beat_finds_it_due_when_its_time_has_come_and_only_then(change, cast):
    change(schedule={"kind": "daily", "at": "02:30", "zone": "Europe/Berlin"})
    row = PeriodicTask.objects.get(task=TASK)
    assert not ModelEntry(row).is_due().is_due
    row.last_run_at = timezone.now() - timedelta(days=1, minutes=1)
    assert ModelEntry(row).is_due().is_due
    assert ModelEntry(row).kwargs == {"dataset": cast.dataset.pk}


def test_changing_it_changes_one_row_and_off_removes_it(change):
    change(schedule={"kind": "daily", "at": "02:30", "zone": "UTC"})
    change(schedule={"kind": "hours", "every": 2})
    assert PeriodicTask.objects.get(task=TASK).crontab is None
    assert change(schedule={"kind": "off"})["schedule"]["kind"] == "off"
    assert not PeriodicTask.objects.filter(task=TASK).exists()


def test_a_schedule_made_in_the_admin_is_shown_and_left_alone(change, as_, cast, url):
    change(schedule={"kind": "daily", "at": "02:30", "zone": "UTC"})
    crontab = CrontabSchedule.objects.create(minute="*/20", hour="8-17")
    PeriodicTask.objects.filter(task=TASK).update(crontab=crontab)
    shown = as_(cast.vic).get(url).json()["schedule"]
    assert (shown["kind"], "*/20" in shown["text"]) == ("other", True)
    assert change(minutes=3)["schedule"]["kind"] == "other"
    PeriodicTask.objects.filter(task=TASK).update(enabled=False)
    assert as_(cast.vic).get(url).json()["schedule"]["kind"] == "off"


def test_a_deleted_dataset_takes_its_schedule_along(change, cast):
    change(schedule={"kind": "hours", "every": 2})
    cast.dataset.delete()
    assert not PeriodicTask.objects.filter(task=TASK).exists()


@pytest.mark.parametrize(
    "body",
    [
        {"schedule": {"kind": "daily", "at": "02:30"}},
        {"schedule": {"kind": "daily", "at": "25:00", "zone": "UTC"}},
        {"schedule": {"kind": "daily", "at": "23:41:35-18:33", "zone": "UTC"}},
        {"schedule": {"kind": "daily", "at": "02:30", "zone": "../../etc/passwd"}},
        {"schedule": {"kind": "hours", "every": 0}},
        {"schedule": {"kind": "other"}},
        {"schedule": "daily"},
        {"schedule": None},
        {"minutes": 0},
        {"minutes": 10**12},
        {"steps": "many"},
        {"automatic_weight": 1.5},
        {"synthetic_share": "nan"},
        {"retrain_after": 0},
    ],
    ids=str,
)
def test_nonsense_is_refused_in_a_sentence_and_changes_nothing(as_, cast, url, body):
    answer = as_(cast.ana).patch(url, {"minutes": 7, **body} if "minutes" not in body else body)
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert not RetrainingPlan.objects.exists()


def test_the_clock_starts_one_run_however_often_it_asks(enough, hourly, cast):
    run = dataset_retrain_on_time(dataset_id=cast.dataset.pk)
    assert run.trigger == "schedule"
    run_close(run, state="finished")
    assert dataset_retrain_on_time(dataset_id=cast.dataset.pk) is None
    assert TrainingRun.objects.count() == 1
    assert RetrainingPlan.objects.get().answer == f"Training run {run.pk} was started."


@pytest.mark.parametrize("state", ["open", "nothing new", "too few"])
def test_why_no_run_came_of_it_is_kept_for_the_page(request, hourly, cast, as_, url, base, state):
    if state == "too few":
        add_mask(add_image(cast.dataset, split="train"))
    else:
        run = run_start(dataset=request.getfixturevalue("enough"), trigger="person")
    if state == "nothing new":
        run_close(run, state="finished")
    if state == "open":
        add_mask(add_image(cast.dataset, seed=9, split="train"))
    assert dataset_retrain_on_time(dataset_id=cast.dataset.pk) is None
    shown = as_(cast.vic).get(url).json()["schedule"]
    words = {"open": "already under way", "nothing new": "no new masks", "too few": "1 of at least"}
    assert words[state] in shown["answer"]
    assert datetime.fromisoformat(shown["asked_at"]) <= datetime.now(UTC)


@pytest.mark.parametrize("state", ["failed", "cancelled"])
def test_what_a_run_that_came_to_nothing_did_not_learn_is_tried_again(enough, hourly, cast, state):
    run_close(run_start(dataset=cast.dataset, trigger="person"), state=state, code="worker_lost", message="Gone.")
    run = dataset_retrain_on_time(dataset_id=cast.dataset.pk)
    assert run is not None
    run_close(run, state="finished", code="", message="Judged.")
    RetrainingPlan.objects.update(asked_at=timezone.now() - timedelta(hours=1))
    assert dataset_retrain_on_time(dataset_id=cast.dataset.pk) is None
    assert RetrainingPlan.objects.get().answer.startswith("Nothing to do")


@pytest.mark.parametrize(
    ("schedule", "model"),
    [
        ({"kind": "hours", "every": 6}, IntervalSchedule),
        ({"kind": "daily", "at": "03:30", "zone": "Europe/Vienna"}, CrontabSchedule),
    ],
)
def test_a_schedule_that_the_admin_has_twice_can_still_be_chosen(change, schedule, model):
    change(schedule=schedule)
    twin = model.objects.get()
    twin.pk = None
    twin.save()
    change(schedule={"kind": "off"})
    assert change(schedule=schedule)["schedule"]["kind"] == schedule["kind"]


def test_a_message_of_a_dataset_that_is_gone_does_nothing(cast):
    assert dataset_retrain_on_time(dataset_id=cast.dataset.pk + 1) is None
