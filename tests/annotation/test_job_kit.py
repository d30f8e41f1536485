"""The job kit: nothing lost, nothing done twice, what keeps failing is set aside."""

from __future__ import annotations

import threading
import time
from datetime import timedelta

import pytest
from django.db import connection
from django.utils import timezone

from annotation import jobcontext, jobkinds, jobkit
from annotation.errors import Conflict, UserError
from annotation.models import Job

pytestmark = pytest.mark.django_db


@pytest.fixture
def kind(monkeypatch):
    """Declare a kind that only this test knows: kind(function, **policy) -> its name."""
    monkeypatch.setattr(jobkit, "kinds", dict(jobkit.kinds))
    monkeypatch.setattr(jobkit, "functions", dict(jobkit.functions))
    monkeypatch.setattr(jobkinds, "kinds", jobkit.kinds)
    monkeypatch.setattr(jobkinds, "functions", jobkit.functions)

    def declare(function, name="probe", **policy):
        jobkit.job(name, **{"queue": "io", **policy})(function)
        return name

    return declare


def age(row: Job, **fields) -> None:
    Job.objects.filter(pk=row.pk).update(**fields)


def test_row_first_message_after_commit(kind, sent, django_capture_on_commit_callbacks):
    name = kind(lambda ctx: None)
    with django_capture_on_commit_callbacks(execute=True):
        row = jobkit.enqueue(name, {})
        assert Job.objects.get().state == "queued"
        assert sent == []
    assert sent == [{"name": jobkit.RUN_TASK, "args": [str(row.pk)], "queue": "io"}]


def test_result_progress_and_log_are_kept(kind):
    def work(ctx, *, number):
        ctx.progress(0.5, "half way")
        assert Job.objects.get().progress == 0.5
        ctx.log("first line")
        ctx.log("second line")
        ctx.check_cancelled()
        return {"double": 2 * number}

    row = jobkit.enqueue(kind(work), {"number": 21})
    assert jobkit.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.progress, row.result, row.attempts) == ("succeeded", 1.0, {"double": 42}, 1)
    assert row.log == "first line\nsecond line\n"
    assert row.finished_at


def test_a_message_that_comes_twice_runs_the_job_once(kind):
    runs = []
    row = jobkit.enqueue(kind(lambda ctx: runs.append(1)), {})
    assert jobkit.run(row.pk) is True
    assert jobkit.run(row.pk) is False
    assert runs == [1]


def test_open_job_with_the_same_key_is_returned_instead(kind):
    name = kind(lambda ctx: None)
    first = jobkit.enqueue(name, {}, dedupe_key="image 1")
    assert jobkit.enqueue(name, {}, dedupe_key="image 1") == first
    assert jobkit.enqueue(name, {}, dedupe_key="image 2") != first
    jobkit.run(first.pk)
    assert jobkit.enqueue(name, {}, dedupe_key="image 1") != first


def test_the_users_fault_fails_at_once_with_its_code(kind):
    def work(ctx):
        raise UserError("no_masks", "There are no masks yet.", {"masks": 0})

    row = jobkit.enqueue(kind(work), {})
    jobkit.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.error_code, row.error_message) == ("failed", "no_masks", "There are no masks yet.")
    assert row.attempts == 1


def test_unexpected_errors_are_tried_again_later_and_then_set_aside(kind):
    def work(ctx):
        raise ZeroDivisionError("secret detail")

    row = jobkit.enqueue(kind(work, max_attempts=3), {})
    for attempt in (1, 2, 3):
        assert jobkit.run(row.pk)
        row.refresh_from_db()
        assert row.attempts == attempt
        if attempt < 3:
            assert row.state == "queued"
            assert row.lease_expires_at > timezone.now(), "there is a pause before the next attempt"
            assert jobkit.run(row.pk) is False, "and the pause is kept"
            age(row, lease_expires_at=timezone.now())
    assert (row.state, row.error_code) == ("failed", "unexpected")
    assert "secret detail" not in row.error_message
    assert "ZeroDivisionError" in row.log


def test_a_dropped_message_is_sent_again(kind, sent):
    row = jobkit.enqueue(kind(lambda ctx: None), {})
    assert jobkit.sweep()["sent"] == 0, "a fresh one is given time"
    age(row, created_at=timezone.now() - timedelta(seconds=10))
    assert jobkit.sweep()["sent"] == 1
    assert jobkit.sweep()["sent"] == 0, "not with every sweep"
    age(row, sent_at=timezone.now() - timedelta(seconds=jobkit.RESEND_SECONDS + 1))
    assert jobkit.sweep()["sent"] == 1
    assert [message["args"] for message in sent] == [[str(row.pk)]] * 2


def test_a_backlog_is_woken_from_its_old_end_without_flooding_the_broker(kind, sent):
    name = kind(lambda ctx: None)
    rows = [jobkit.enqueue(name, {}) for _ in range(jobkit.SWEEP_LIMIT + 5)]
    other = jobkit.enqueue(kind(lambda ctx: None, name="other", queue="batch"), {})
    Job.objects.update(sent_at=timezone.now() - timedelta(seconds=jobkit.RESEND_SECONDS + 1))
    jobkit.sweep()
    woken = [message["args"][0] for message in sent]
    assert woken == [str(row.pk) for row in rows[: jobkit.SWEEP_LIMIT]] + [str(other.pk)]


def test_a_broker_that_is_away_loses_nothing(kind, monkeypatch, django_capture_on_commit_callbacks):
    def refuse(*args, **kwargs):
        raise ConnectionError("no broker")

    monkeypatch.setattr(jobkit.current_app._get_current_object(), "send_task", refuse)
    with django_capture_on_commit_callbacks(execute=True):
        row = jobkit.enqueue(kind(lambda ctx: None), {})
    assert Job.objects.get().sent_at is None
    age(row, created_at=timezone.now() - timedelta(seconds=10))
    monkeypatch.setattr(jobkit.current_app._get_current_object(), "send_task", lambda *a, **k: None)
    assert jobkit.sweep()["sent"] == 1


def test_a_broker_that_is_silent_costs_one_wait_and_not_one_for_each(
    kind, monkeypatch, django_capture_on_commit_callbacks
):
    tries = []

    def time_out(*args, **kwargs):
        tries.append(args)
        raise TimeoutError("no answer")

    monkeypatch.setattr(jobkit.current_app._get_current_object(), "send_task", time_out)
    name = kind(lambda ctx: None)
    with django_capture_on_commit_callbacks(execute=True):
        rows = [jobkit.enqueue(name, {}) for _ in range(5)]
    assert len(tries) == 1, "the others leave it to the sweeper at once"
    Job.objects.update(created_at=timezone.now() - timedelta(seconds=10))
    assert jobkit.sweep()["sent"] == 0
    assert len(tries) == 2, "it looks once in a round"
    monkeypatch.setattr(jobkit.current_app._get_current_object(), "send_task", lambda *a, **k: None)
    assert jobkit.sweep()["sent"] == len(rows)


def test_the_job_of_a_lost_worker_is_taken_back(kind, sent):
    row = jobkit.enqueue(kind(lambda ctx: {"ok": True}), {})
    age(row, state="running", attempts=1, lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert jobkit.sweep() == {"set_aside": 0, "taken_back": 1, "sent": 1}
    assert jobkit.run(row.pk)
    row.refresh_from_db()
    assert (row.state, row.attempts) == ("succeeded", 2)


def test_a_job_that_keeps_killing_its_worker_is_set_aside(kind):
    row = jobkit.enqueue(kind(lambda ctx: None), {})
    age(row, state="running", attempts=3, lease_expires_at=timezone.now() - timedelta(seconds=1))
    assert jobkit.sweep()["set_aside"] == 1
    row.refresh_from_db()
    assert (row.state, row.error_code) == ("failed", "worker_lost")


def test_an_older_attempt_writes_nothing(kind):
    """A worker that slept past its lease wakes up while the next attempt runs."""
    seen = []

    def work(ctx):
        age(ctx.job, attempts=2)  # the sweeper took it back and another worker claimed it
        for write in (lambda: ctx.progress(0.9), lambda: ctx.log("x"), ctx.check_cancelled, ctx.fenced().__enter__):
            with pytest.raises(jobkit.JobLost):
                write()
            seen.append(1)
        return {"stale": True}

    row = jobkit.enqueue(kind(work), {})
    jobkit.run(row.pk)
    row.refresh_from_db()
    assert seen == [1, 1, 1, 1]
    assert (row.state, row.progress, row.result, row.log) == ("running", 0.0, None, "")


def test_a_cancelled_job_stops_at_its_next_check(kind):
    def work(ctx):
        jobkit.cancel(ctx.job)
        ctx.progress(0.5)
        raise AssertionError("never comes here")

    row = jobkit.enqueue(kind(work), {})
    jobkit.run(row.pk)
    row.refresh_from_db()
    assert row.state == "cancelled"
    with pytest.raises(Conflict):
        jobkit.cancel(row)


def test_retry_counts_attempts_on(kind, sent, django_capture_on_commit_callbacks):
    row = jobkit.enqueue(kind(lambda ctx: None, max_attempts=2), {})
    with pytest.raises(Conflict):
        jobkit.retry(row)
    age(row, state="failed", attempts=2)
    with django_capture_on_commit_callbacks(execute=True):
        jobkit.retry(row)
    assert (row.state, row.attempts, row.max_attempts) == ("queued", 2, 4)
    assert len(sent) == 1


def test_retry_refuses_what_is_open_already(kind):
    name = kind(lambda ctx: None)
    failed = jobkit.enqueue(name, {}, dedupe_key="x")
    age(failed, state="failed")
    jobkit.enqueue(name, {}, dedupe_key="x")
    with pytest.raises(Conflict) as caught:
        jobkit.retry(failed)
    assert caught.value.code == "job_open"


def test_an_unknown_kind_fails_with_a_sentence(kind):
    with pytest.raises(LookupError):
        jobkit.enqueue("nobody_knows", {})
    row = Job.objects.create(kind="from_another_release", title="?", queue="io")
    jobkit.run(row.pk)
    row.refresh_from_db()
    assert row.error_code == "unknown_job"


@pytest.mark.django_db(transaction=True)
def test_many_workers_one_winner(kind):
    runs = []
    row = jobkit.enqueue(kind(lambda ctx: runs.append(1)), {})
    won = []
    barrier = threading.Barrier(8)

    def worker():
        barrier.wait()
        won.append(jobkit.run(row.pk))
        connection.close()

    threads = [threading.Thread(target=worker) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert runs == [1]
    assert sorted(won) == [False] * 7 + [True]


@pytest.mark.django_db(transaction=True)
def test_the_heartbeat_renews_the_lease_until_the_time_limit(kind):
    def patient(ctx):
        time.sleep(1.2)
        assert jobkit.sweep()["taken_back"] == 0, "the lease of 0.8 s was renewed meanwhile"

    row = jobkit.enqueue(kind(patient, lease=0.8), {})
    jobkit.run(row.pk)
    row.refresh_from_db()
    assert row.state == "succeeded"

    def endless(ctx):
        while True:
            ctx.check_cancelled()
            time.sleep(0.02)

    row = jobkit.enqueue(kind(endless, name="endless", lease=0.4, time_limit=0.5), {})
    jobkit.run(row.pk)
    row.refresh_from_db()
    assert row.state == "running", "left to the sweeper"
    time.sleep(0.5)
    assert jobkit.sweep()["taken_back"] == 1


@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize("worker", [True, False])
def test_a_worker_whose_job_hangs_ends_itself(kind, monkeypatch, worker):
    exits = []
    monkeypatch.setattr(jobcontext, "_worker", threading.Event())
    if worker:
        jobcontext.this_is_a_worker()
    monkeypatch.setattr(jobcontext, "GRACE_SECONDS", 0.1)
    monkeypatch.setattr(jobcontext.os, "_exit", exits.append)

    def hang(ctx):
        time.sleep(1)

    jobkit.run(jobkit.enqueue(kind(hang, lease=0.4, time_limit=0.2), {}).pk)
    assert exits == [jobcontext.EXIT_STUCK] * worker
