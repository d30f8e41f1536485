"""A dataset has one training run at a time; it starts when there is enough to train and judge, and never stays open."""

from __future__ import annotations

import threading

import pytest
from django.db import IntegrityError, connection, transaction

from annotation import jobkit
from annotation.errors import Conflict, NotReady, UserError
from annotation.models import Dataset, Job
from engine.models import TrainingRun
from engine.retraining import datasets_consider, loop_state, run_close, run_reopen, run_start, runs_reconcile
from tests.cast import add_image, add_mask, ellipse
from tests.engine.conftest import version_row


@pytest.fixture
def enough(cast, base):
    """As many masks as the settings ask for, on both sides."""
    for seed, split in enumerate(("train", "held_out")):
        image = add_image(cast.dataset, seed=seed, split=split)
        for place in range(8):
            add_mask(image, ellipse(image, x=0.1 + place / 10, size=0.08))
    return cast.dataset


def test_too_few_masks_are_counted_out_in_sentences(cast, base):
    image = add_image(cast.dataset, split="train")
    add_mask(image)
    state = loop_state(cast.dataset)
    assert not state.can_retrain
    assert {reason.code for reason in state.reasons} == {"too_few_train_masks", "too_few_held_out_masks"}
    assert "1 of at least 8" in state.reasons[0].message
    with pytest.raises(UserError) as refusal:
        run_start(dataset=cast.dataset, trigger="person", by=cast.ana)
    assert refusal.value.code == "not_enough_masks"
    assert {reason["code"] for reason in refusal.value.details["reasons"]} == {r.code for r in state.reasons}


def test_machine_masks_do_not_count(cast, base):
    for seed, split in enumerate(("train", "held_out")):
        image = add_image(cast.dataset, seed=seed, split=split)
        for _ in range(9):
            add_mask(image, stage="fully_automatic", source="model", created_by=None)
    assert (loop_state(cast.dataset).train_masks, loop_state(cast.dataset).held_out_masks) == (0, 0)


def test_without_a_model_it_says_so(cast):
    assert "no_model" in {reason.code for reason in loop_state(cast.dataset).reasons}
    with pytest.raises(NotReady):
        run_start(dataset=cast.dataset, trigger="person")


def test_a_model_that_cannot_be_trained_here_says_so(enough, base):
    type(base).objects.update(variant="sam_vit_b")
    with pytest.raises(UserError) as refusal:
        run_start(dataset=enough, trigger="person")
    assert refusal.value.code == "model_not_trainable"


def test_a_run_starts_with_its_job(enough, cast, base):
    run = run_start(dataset=enough, trigger="person", by=cast.ana)
    assert (run.state, run.base, run.job.queue, run.job.payload) == ("queued", base, "training", {"run": run.pk})
    assert loop_state(enough).open_run == run
    assert not loop_state(enough).can_retrain


def test_a_second_run_is_a_conflict(enough):
    run = run_start(dataset=enough, trigger="person")
    with pytest.raises(Conflict) as refusal:
        run_start(dataset=enough, trigger="person")
    assert (refusal.value.code, refusal.value.details) == ("training_open", {"run": run.pk})
    assert Job.objects.count() == 1


def test_the_database_itself_refuses_a_second_open_run(enough, base):
    run_start(dataset=enough, trigger="person")
    with pytest.raises(IntegrityError), transaction.atomic():
        TrainingRun.objects.create(dataset=enough, trigger="person", base=base, seed=1)


@pytest.mark.django_db(transaction=True)
def test_of_eight_starts_at_once_one_comes_through(enough):
    barrier, outcome = threading.Barrier(8), []

    def start():
        barrier.wait()
        try:
            outcome.append(run_start(dataset=enough, trigger="person"))
        except Conflict:
            outcome.append(None)
        finally:
            connection.close()

    threads = [threading.Thread(target=start) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(outcome) == 8
    assert sum(run is not None for run in outcome) == 1
    assert Job.objects.filter(kind="train_model").count() == 1


def test_a_run_cancelled_while_it_waited_frees_the_slot(enough):
    run = run_start(dataset=enough, trigger="person")
    jobkit.cancel(run.job)
    assert loop_state(enough).can_retrain  # at once, before anything has tidied up
    again = run_start(dataset=enough, trigger="person")
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("cancelled", "cancelled")
    assert again.state == "queued"


def test_a_run_set_aside_by_the_sweeper_is_closed_with_its_reason(enough):
    run = run_start(dataset=enough, trigger="person")
    Job.objects.update(state="failed", error_code="worker_lost", error_message="The worker stopped every time.")
    assert runs_reconcile() == 1
    run.refresh_from_db()
    assert (run.state, run.error_code, run.message) == ("failed", "worker_lost", "The worker stopped every time.")
    assert runs_reconcile() == 0


def test_a_failed_run_comes_back_with_its_job_unless_another_is_open(enough):
    run = run_start(dataset=enough, trigger="person")
    run_close(run, state="failed", code="unexpected", message="x")
    run_reopen(run)
    assert (run.state, run.error_code) == ("queued", "")
    run_close(run, state="failed", code="unexpected", message="x")
    Job.objects.update(state="failed")
    run_start(dataset=enough, trigger="person")
    with pytest.raises(Conflict):
        run_reopen(run)


def test_by_threshold_a_run_starts_by_itself_once(enough):
    Dataset.objects.update(retrain_after=8)
    (run,) = datasets_consider()
    assert run.trigger == "threshold"
    assert datasets_consider() == []
    run_close(run, state="finished")
    assert datasets_consider() == []  # no new masks since


def test_new_masks_count_from_the_last_run(enough):
    assert loop_state(enough).new_masks == 8
    run_close(run_start(dataset=enough, trigger="person"), state="finished")
    assert loop_state(enough).new_masks == 0
    add_mask(enough.images.get(split="train"))
    assert loop_state(enough).new_masks == 1


def test_below_the_threshold_or_switched_off_nothing_starts(enough):
    Dataset.objects.update(retrain_after=9)
    assert datasets_consider() == []
    Dataset.objects.update(retrain_after=8, auto_retrain=False)
    assert datasets_consider() == []


def test_two_datasets_train_side_by_side(enough, cast):
    from tests.cast import make_cast

    other = make_cast("Vegetables").dataset
    version = version_row("own", dataset=other)
    TrainingRun.objects.create(dataset=other, trigger="person", base=version, seed=1)
    assert run_start(dataset=enough, trigger="person").is_open
