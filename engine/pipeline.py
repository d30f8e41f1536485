"""One training run from snapshot to decision, as its job does it. Workers only.

Every step looks first whether an earlier attempt has done it: a run goes on where a killed worker left it. The
training itself is a process of its own and resumes from its last checkpoint.
"""

from __future__ import annotations

from contextlib import suppress
from functools import partial
from typing import Any

from django.utils import timezone

from annotation import object_store, storage
from annotation.errors import UserError
from annotation.jobkit import JobCancelled, JobContext, JobLost
from annotation.models import Image, Mask
from engine import trainer
from engine.evaluation import version_evaluate
from engine.models import Evaluation, ModelVersion, Promotion, Snapshot, TrainingRun
from engine.paired import place_of
from engine.promotion import candidate_decide, candidate_judge
from engine.proposals import detector_train
from engine.retraining import run_close, run_reopen
from engine.serving import serving_version, version_register
from engine.snapshots import manifest_lines, run_folder, snapshot_freeze

# Shares of the job's progress bar.
FROZEN, TRAINED_AT, JUDGED, DETECTED = 0.05, 0.7, 0.85, 0.98


def run_execute(*, run_id: int, ctx: JobContext) -> dict[str, Any]:
    """Do what is left of a run; returns the decision. A failure closes the run unless another attempt is to come."""
    run = TrainingRun.objects.select_related("dataset", "base", "snapshot", "candidate").filter(pk=run_id).first()
    if run is None:
        raise UserError("run_missing", "This training run was deleted.")
    decided = run.decisions.select_related("to_version").first()
    if decided is not None:
        return _told(decided)  # the attempt before was killed between the decision and the end of its job
    if not run.is_open:
        run_reopen(run)
    try:
        decision = _steps(run, ctx)
    except JobLost:
        raise  # another worker has the run now
    except JobCancelled:
        run_close(run, state=TrainingRun.State.CANCELLED, code="cancelled", message="Cancelled.")
        raise
    except UserError as error:
        run_close(run, state=TrainingRun.State.FAILED, code=error.code, message=error.message)
        raise
    except object_store.StoreAway:
        raise  # the job waits for the store
    except Exception:
        if ctx.attempt >= ctx.job.max_attempts:
            message = "Something unexpected went wrong. The log of the job has the details."
            run_close(run, state=TrainingRun.State.FAILED, code="unexpected", message=message)
        raise
    return _told(decision)


def _told(decision: Promotion) -> dict[str, Any]:
    """The result of the job."""
    told = {"decision": decision.kind, "reason": decision.reason, "model": decision.to_version.digest}
    return {"run": decision.run_id, **told}


def _steps(run: TrainingRun, ctx: JobContext) -> Promotion:
    """Freeze, train, register, judge, train the detector of what will serve, decide."""
    snapshot = _freeze(run, ctx)
    candidate = _train(run, snapshot, ctx)
    _enter(run, TrainingRun.State.EVALUATING, ctx)
    half = (JUDGED - TRAINED_AT) / 2

    def told(start: float, who: str) -> Any:
        return lambda done: ctx.progress(start + half * done, f"Clicking held-out masks with the {who} model")

    serving = serving_version(run.dataset_id)
    version_evaluate(run=run, role=Evaluation.Role.SERVING, version=serving, progress=told(TRAINED_AT, "serving"))
    judged = version_evaluate(
        run=run, role=Evaluation.Role.CANDIDATE, version=candidate, progress=told(TRAINED_AT + half, "new")
    )
    places, stages = _where_masks_lie(snapshot)
    verdict = candidate_judge(run=run, places=places, stages=stages, categories=_names(judged))
    # Before the switch, so that the version that serves has its detector from the first moment on.
    winner = candidate if verdict.promote else serving
    detector_train(run=run, snapshot=snapshot, version=winner, ctx=ctx, share=(JUDGED, DETECTED))
    with ctx.fenced():
        decision = candidate_decide(run=run, verdict=verdict)
        ModelVersion.objects.filter(pk=candidate.pk).update(metrics=judged.summary)
        TrainingRun.objects.filter(pk=run.pk).update(
            state=TrainingRun.State.FINISHED, message=decision.reason, finished_at=timezone.now()
        )
    ctx.log(decision.reason)
    return decision


def _enter(run: TrainingRun, state: str, ctx: JobContext) -> None:
    """Show where the run is, if this attempt still has it."""
    ctx.check_cancelled()
    run.state = state
    TrainingRun.objects.filter(pk=run.pk).update(state=state)


def _freeze(run: TrainingRun, ctx: JobContext) -> Snapshot:
    """The run's snapshot, made once: a second attempt trains on the same masks.

    Unless one of its pictures was removed for good meanwhile, and its files with it (engine.forgetting).
    """
    if run.snapshot is not None and not storage.exists(run.snapshot.path):
        ctx.log("A picture of the training set was removed for good: the set is frozen anew.")
        storage.remove(run_folder(run.pk, run.snapshot))
        Evaluation.objects.filter(run=run).delete()  # both models are judged on the same masks
        run.snapshot = None
    if run.snapshot is None:
        _enter(run, TrainingRun.State.FREEZING, ctx)
        ctx.progress(0, "Freezing the training set")
        run.snapshot = snapshot_freeze(dataset=run.dataset, on_image=ctx.check_cancelled)
        run.save(update_fields=["snapshot"])
        held = ", ".join(f"{part['masks']} {name.replace('_', ' ')}" for name, part in run.snapshot.counts.items())
        ctx.log(f"Snapshot {run.snapshot.digest[:12]} holds masks: {held}.")
    return run.snapshot


def _where_masks_lie(snapshot: Snapshot) -> tuple[dict[str, tuple[str, str]], dict[str, str]]:
    """Place and stage of every held-out mask, by the id that evaluation rows carry."""
    frames = Image.objects.filter(dataset=snapshot.dataset_id, video__isnull=False)
    videos = dict(frames.values_list("sha256", "video"))
    places, stages = {}, {}
    for line in manifest_lines(snapshot):
        for mask in line["masks"]:
            places[str(mask["key"])] = place_of(videos.get(line["sha256"]), line["sha256"])
            stages[str(mask["key"])] = mask["stage"]
    return places, stages


def _names(judged: Evaluation) -> dict[str, str]:
    """What each judged mask shows, where somebody has said so."""
    masks = Mask.objects.filter(pk__in=[row["id"] for row in judged.rows]).exclude(category="")
    return {str(serial): category for serial, category in masks.values_list("serial", "category")}


# --- Training ----------------------------------------------------------------------------------------------------


def _train(run: TrainingRun, snapshot: Snapshot, ctx: JobContext) -> ModelVersion:
    """The candidate: trained in a process of its own from the run's base, taken into storage, recorded."""
    if run.candidate is not None:
        return run.candidate
    _enter(run, TrainingRun.State.TRAINING, ctx)
    place = run_folder(run.pk, snapshot)
    folder = storage.folder_found(place)
    folder.mkdir(parents=True, exist_ok=True)
    if trainer.result_of(folder) is None:
        for name in trainer.CARRIED:
            storage.caught_up(f"{place}/{name}")
        trainer.run_plan(run, snapshot)
        trainer.config_write(folder / "config.toml", run, snapshot)
        carry = partial(_carry, place)
        trainer.trainer_run(run, folder, ctx, share=(FROZEN, TRAINED_AT), carry=carry)
    ctx.progress(TRAINED_AT, "Exporting the new model")
    candidate = version_register(
        checkpoint=folder / trainer.TRAINED,
        name=f"{run.dataset.name[:180]} run {run.pk}",
        state=ModelVersion.State.CANDIDATE,
        dataset_id=run.dataset_id,
        parent=run.base,
    )
    with ctx.fenced():
        TrainingRun.objects.filter(pk=run.pk).update(candidate=candidate)
    run.candidate = candidate
    # The optimiser's state is several times the model and of no more use.
    storage.remove(f"{place}/state.pt")
    return candidate


def _carry(place: str) -> None:
    """Put the last checkpoint into the object store, if there is one: another machine may have to go on with it."""
    with suppress(object_store.StoreAway, FileNotFoundError):
        for name in trainer.CARRIED:
            storage.share(f"{place}/{name}")
