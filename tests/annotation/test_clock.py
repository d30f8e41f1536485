"""One clock ticks at a time: a second one waits, takes over when the first is gone, and goes on where that was."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from celery import current_app
from django.db import DatabaseError
from django.utils import timezone
from django_celery_beat.models import IntervalSchedule, PeriodicTask

from annotation import holds
from annotation.models import Hold
from config.clock import HOLD_SECONDS, SingleScheduler

pytestmark = pytest.mark.django_db(transaction=True)  # the scheduler commits and closes connections itself


@pytest.fixture
def clock(monkeypatch):
    """`clock()` is one more of them. What it calls is counted."""
    monkeypatch.setattr(SingleScheduler, "setup_schedule", lambda _self: None)
    made: list[SingleScheduler] = []

    def another():
        made.append(SingleScheduler(app=current_app._get_current_object()))
        return made[-1]

    yield another
    for one in made:
        one.close()


@pytest.fixture
def calls(monkeypatch):
    """Names of the tasks that were called."""
    told: list[str] = []
    monkeypatch.setattr(SingleScheduler, "apply_entry", lambda _self, entry, producer=None: told.append(entry.task))
    monkeypatch.setattr(SingleScheduler, "producer", None)
    return told


def overdue(name="tick"):
    """A row that is due, and in ten minutes again."""
    every, _ = IntervalSchedule.objects.get_or_create(every=10, period=IntervalSchedule.MINUTES)
    row = PeriodicTask.objects.create(name=name, task=name, interval=every)
    PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=timezone.now() - timedelta(hours=1))
    return row


def run(one, rounds=5):
    """Some rounds of Celery's service, without its sleep."""
    for _ in range(rounds):
        one.tick()


def test_two_clocks_call_what_is_due_once(clock, calls):
    overdue()
    first, second = clock(), clock()
    for _ in range(3):
        run(first)
        run(second)
    assert calls == ["tick"]
    assert (first.ticking, second.ticking) == (True, False)


def test_whoever_waits_takes_over_and_repeats_nothing(clock, calls):
    row = overdue()
    first, second = clock(), clock()
    run(first)
    run(second)
    Hold.objects.update(ends_at=timezone.now() - timedelta(seconds=1))  # killed, and silent since
    run(second)
    run(first)
    assert calls == ["tick"]
    assert (first.ticking, second.ticking) == (False, True)
    PeriodicTask.objects.filter(pk=row.pk).update(last_run_at=timezone.now() - timedelta(hours=1))
    second._read_anew()
    run(second)
    assert calls == ["tick", "tick"]


def test_a_message_that_is_long_on_its_way_is_not_sent_by_who_takes_over(clock, monkeypatch):
    """As when the broker is slow to answer: the hold ends while the first clock still sends."""
    overdue()
    first, second = clock(), clock()
    sent: list[str] = []

    def send(one, entry, producer=None):
        sent.append(entry.task)
        if one is first:
            Hold.objects.update(ends_at=timezone.now() - timedelta(seconds=1))
            run(second)

    monkeypatch.setattr(SingleScheduler, "producer", None)
    monkeypatch.setattr(SingleScheduler, "apply_entry", send)
    run(first)
    assert sent == ["tick"]
    assert (first.ticking, second.ticking) == (False, True)


def test_what_was_called_is_not_called_again_when_rows_change_meanwhile(clock, calls, monkeypatch):
    """The change is seen while the heap is being built, so that it is built once more after the first call."""
    overdue()
    one = clock()
    changed = iter([True])
    monkeypatch.setattr(one, "schedule_changed", lambda: next(changed, False))
    run(one)
    assert calls == ["tick"]


def test_one_that_stops_lets_the_next_begin_at_once(clock, calls):
    first, second = clock(), clock()
    run(first)
    first.close()
    overdue()
    run(second)
    assert calls == ["tick"]


def test_a_row_that_is_made_later_is_called_too(clock, calls):
    overdue("first")
    one = clock()
    run(one)
    overdue("later")
    run(one)
    assert calls == ["first", "later"]


def test_without_the_database_it_stands_still_and_goes_on(clock, calls, monkeypatch):
    one = clock()
    overdue()

    def away(**_kwargs):
        raise DatabaseError("gone")

    with monkeypatch.context() as patch:
        patch.setattr(holds, "hold_take", away)
        run(one)
    assert calls == []
    run(one)
    assert calls == ["tick"]


def test_a_hold_is_one_processs_until_it_ends():
    ana, ben = uuid.uuid4(), uuid.uuid4()
    assert holds.hold_take(name="clock", holder=ana, seconds=HOLD_SECONDS)
    assert holds.hold_take(name="clock", holder=ana, seconds=HOLD_SECONDS)
    assert not holds.hold_take(name="clock", holder=ben, seconds=HOLD_SECONDS)
    assert holds.hold_take(name="another", holder=ben, seconds=HOLD_SECONDS)
    holds.hold_leave(name="clock", holder=ben)  # it is not his
    assert not holds.hold_take(name="clock", holder=ben, seconds=HOLD_SECONDS)
    holds.hold_leave(name="clock", holder=ana)
    assert holds.hold_take(name="clock", holder=ben, seconds=HOLD_SECONDS)
