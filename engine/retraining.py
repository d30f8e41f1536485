"""Whether a dataset can be retrained, and the start of a run. Safe in the web process: rows and counts only.

What a run then does is in ``pipeline``.
"""

from __future__ import annotations

import logging
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, transaction
from django.db.models import Count, Q
from django.utils import timezone

from annotation.counts import figure
from annotation.errors import Conflict, NotReady, UserError
from annotation.jobkit import declare, enqueue
from annotation.models import Dataset, Image, Job
from engine.models import ModelVersion, RetrainingPlan, TrainingRun
from engine.serving import serving_version
from engine.snapshots import masks_by_people

logger = logging.getLogger(__name__)

TRAIN = declare("train_model", queue="training", title="Retrain the model", max_attempts=4)
TRAINABLE = ("anymask_compact",)
ASKED_TWICE = timedelta(minutes=1)


@dataclass(frozen=True)
class Reason:
    """Why something cannot be done: a stable code and a sentence."""

    code: str
    message: str


@dataclass(frozen=True)
class LoopState:
    """Today's values of the loop for one dataset. ``new_masks`` counts since the last run was started."""

    new_masks: int
    train_masks: int
    held_out_masks: int
    held_out_needed: int
    serving: ModelVersion | None
    open_run: TrainingRun | None
    reasons: list[Reason] = field(default_factory=list)

    @property
    def can_retrain(self) -> bool:
        """Whether a run could start now."""
        return not self.reasons


def new_masks_of(dataset_id: int, **runs: Any) -> int:
    """Accepted masks on training images, made since the last run of this dataset (of those with `runs`) was started."""
    masks = masks_by_people(dataset_id).filter(image__split=Image.Split.TRAIN)
    last = TrainingRun.objects.filter(dataset_id=dataset_id, **runs).order_by("-id").first()
    return masks.filter(created_at__gt=last.created_at).count() if last else masks.count()


def masks_by_split(dataset_id: int) -> dict[str, int]:
    """Masks that people have seen, by the side of their image."""
    rows = masks_by_people(dataset_id).order_by().values_list("image__split").annotate(number=Count("pk"))
    return dict(rows.values_list("image__split", "number"))


@figure("loop")
def loop_counts(dataset_id: int) -> dict[str, Any]:
    """{"masks": {side: masks that people have seen}, "new": those on training images since the last run}."""
    return {"masks": masks_by_split(dataset_id), "new": new_masks_of(dataset_id)}


def loop_state(dataset: Dataset) -> LoopState:
    """Counts, the serving version, the open run, and every reason why no run could start now."""
    found = loop_counts(dataset.pk)
    counts, new = found["masks"], found["new"]
    train, held_out = counts.get(Image.Split.TRAIN, 0), counts.get(Image.Split.HELD_OUT, 0)
    open_run = TrainingRun.objects.filter(dataset=dataset, state__in=TrainingRun.OPEN).select_related("job").first()
    try:
        serving = serving_version(dataset.pk)
    except NotReady:
        serving = None
    return LoopState(
        new_masks=new,
        train_masks=train,
        held_out_masks=held_out,
        held_out_needed=settings.ANYMASK_GATE_MIN_MASKS,
        serving=serving,
        open_run=open_run if open_run and not is_abandoned(open_run) else None,
        reasons=_reasons(train, held_out, serving, open_run),
    )


def _reasons(train: int, held_out: int, serving: ModelVersion | None, open_run: TrainingRun | None) -> list[Reason]:
    """Everything that stands against a run, most basic first."""
    reasons = []
    if serving is None:
        reasons.append(Reason("no_model", "No model is registered yet."))
    elif serving.variant not in TRAINABLE:
        reasons.append(Reason("model_not_trainable", f"A {serving.variant} model cannot be retrained here."))
    if open_run is not None and not is_abandoned(open_run):
        reasons.append(Reason("training_open", "A training run is already under way."))
    if train < settings.ANYMASK_TRAIN_MIN_MASKS:
        needed = settings.ANYMASK_TRAIN_MIN_MASKS
        reasons.append(
            Reason("too_few_train_masks", f"{train} of at least {needed} masks on training images are there.")
        )
    if held_out < settings.ANYMASK_GATE_MIN_MASKS:
        needed = settings.ANYMASK_GATE_MIN_MASKS
        reasons.append(
            Reason(
                "too_few_held_out_masks",
                f"{held_out} of at least {needed} masks on held-out images are there; without them a new model "
                "could not be judged. Every fifth picture or so is held out.",
            )
        )
    return reasons


def run_start(*, dataset: Dataset, trigger: str, by: Any = None) -> TrainingRun:
    """Open a run and queue its job.

    Conflict training_open while another is open; UserError not_enough_masks (with the reasons) when it could not
    come to anything; NotReady while no model is registered.
    """
    runs_reconcile(dataset_id=dataset.pk)
    base = serving_version(dataset.pk)
    state = loop_state(dataset)
    others = [reason for reason in state.reasons if reason.code != "training_open"]
    if state.open_run is not None:
        raise _already_open(state.open_run)
    if others:
        code = others[0].code if others[0].code == "model_not_trainable" else "not_enough_masks"
        details = {"reasons": [{"code": reason.code, "message": reason.message} for reason in others]}
        raise UserError(code, " ".join(reason.message for reason in others), details)
    try:
        with transaction.atomic():
            run = TrainingRun.objects.create(dataset=dataset, trigger=trigger, base=base, seed=0, created_by=by)
            # The run's number is the seed: every run draws other views, and each can be repeated.
            run.seed = run.pk
            run.job = enqueue(TRAIN.name, {"run": run.pk}, dataset=dataset, created_by=by, dedupe_key=f"run:{run.pk}")
            run.save(update_fields=["seed", "job"])
    except IntegrityError:
        open_run = TrainingRun.objects.filter(dataset=dataset, state__in=TrainingRun.OPEN).first()
        if open_run is None:
            raise
        raise _already_open(open_run) from None
    return run


def _already_open(run: TrainingRun) -> Conflict:
    return Conflict("training_open", "A training run is already under way.", {"run": run.pk})


def run_reopen(run: TrainingRun) -> None:
    """A failed or cancelled run whose job was told to try again holds the dataset's slot again, if it is free."""
    try:
        with transaction.atomic():
            TrainingRun.objects.filter(
                pk=run.pk, state__in=[TrainingRun.State.FAILED, TrainingRun.State.CANCELLED]
            ).update(state=TrainingRun.State.QUEUED, error_code="", message="", finished_at=None)
    except IntegrityError:
        raise Conflict("training_open", "Another training run is under way; try again when it has ended.") from None
    run.refresh_from_db()


def run_close(run: TrainingRun, *, state: str, code: str = "", message: str = "") -> None:
    """End an open run; one that has ended keeps its end."""
    TrainingRun.objects.filter(pk=run.pk, state__in=TrainingRun.OPEN).update(
        state=state, error_code=code[:64], message=message, finished_at=timezone.now()
    )
    run.refresh_from_db()


def is_abandoned(run: TrainingRun) -> bool:
    """Whether an open run's job has ended without it: cancelled while it waited, or set aside by the sweeper."""
    return run.job is None or run.job.state in Job.ENDED


def runs_reconcile(*, dataset_id: int | None = None) -> int:
    """Close open runs whose job has ended without them, with the job's own words. Returns how many."""
    runs = TrainingRun.objects.filter(state__in=TrainingRun.OPEN).select_related("job")
    if dataset_id is not None:
        runs = runs.filter(dataset_id=dataset_id)
    closed = 0
    for run in runs:
        if not is_abandoned(run):
            continue
        if run.job is not None and run.job.state == Job.State.CANCELLED:
            run_close(run, state=TrainingRun.State.CANCELLED, code="cancelled", message="Cancelled.")
        else:
            code = run.job.error_code if run.job else "job_missing"
            message = run.job.error_message if run.job else "Its job is gone."
            run_close(run, state=TrainingRun.State.FAILED, code=code or "unexpected", message=message)
        closed += 1
    return closed


def dataset_retrain_on_time(*, dataset_id: int) -> TrainingRun | None:
    """What the clock asks for: a run, if there is something new to learn. The answer is kept for the page.

    Two clocks, or a message that comes twice, start one run: whoever comes within a minute finds it asked already.
    """
    now = timezone.now()
    unasked = Q(asked_at=None) | Q(asked_at__lt=now - ASKED_TWICE)
    if not RetrainingPlan.objects.filter(unasked, dataset_id=dataset_id).update(asked_at=now):
        return None
    dataset = Dataset.objects.get(pk=dataset_id)
    run, answer = None, "Nothing to do: there are no new masks since the last run that was judged."
    # A run that died or was cancelled has learnt nothing. The threshold waits for new masks then, or it would try on.
    if new_masks_of(dataset_id, state=TrainingRun.State.FINISHED) > 0:
        try:
            run = run_start(dataset=dataset, trigger=TrainingRun.Trigger.SCHEDULE)
            answer = f"Training run {run.pk} was started."
        except UserError as refusal:
            answer = f"No run was started: {refusal.message}"
    RetrainingPlan.objects.filter(dataset_id=dataset_id).update(answer=answer[:500])
    return run


def datasets_consider() -> list[TrainingRun]:
    """Start a run for every dataset that wants one by itself: enough new masks, nothing against it."""
    runs_reconcile()
    started = []
    for dataset in Dataset.objects.filter(auto_retrain=True):
        # The cheap question first: this runs every minute for every dataset.
        if new_masks_of(dataset.pk) < max(1, dataset.retrain_after):
            continue
        if not loop_state(dataset).can_retrain:
            continue
        try:
            started.append(run_start(dataset=dataset, trigger=TrainingRun.Trigger.THRESHOLD))
        except UserError as refusal:  # somebody was quicker
            logger.info("no run started: %s", refusal.message, extra={"dataset": dataset.pk, "code": refusal.code})
    return started
