"""One training run from snapshot to decision, as its job does it. Workers only.

Every step looks first whether an earlier attempt has done it: a run goes on where a killed worker left it. The
training itself is a process of its own and resumes from its last checkpoint.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from django.conf import settings
from django.utils import timezone

from annotation import storage
from annotation.errors import UserError
from annotation.jobkit import JobCancelled, JobContext, JobLost
from engine.child import ChildFailed, ChildTimedOut, LineReader, run_child
from engine.evaluation import version_evaluate
from engine.models import Evaluation, ModelVersion, Promotion, Snapshot, TrainingRun
from engine.promotion import candidate_decide, candidate_judge
from engine.retraining import run_close, run_reopen
from engine.serving import serving_version, version_register
from engine.snapshots import manifest_lines, run_folder, snapshot_freeze

TRAINED = "model.safetensors"
CURVE_POINTS = 400
SECONDS_PER_STEP = 2.0  # on two shared CPU cores; only shapes the learning-rate schedule, the minutes are the limit
SYNTHETIC_SHARE = 0.2  # of the views: what the base model was raised on, so that it is not forgotten
AUTOMATIC_SHARE = 0.1  # what a mask counts that no person has seen, against one that somebody has

# Shares of the job's progress bar.
FROZEN, TRAINED_AT, JUDGED = 0.05, 0.75, 0.98


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
    """Freeze, train, register, judge, decide."""
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
    images, stages = _where_masks_lie(snapshot)
    verdict = candidate_judge(run=run, images=images, stages=stages)
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
    """The run's snapshot, made once: a second attempt trains on the same masks."""
    if run.snapshot is None:
        _enter(run, TrainingRun.State.FREEZING, ctx)
        ctx.progress(0, "Freezing the training set")
        run.snapshot = snapshot_freeze(dataset=run.dataset, on_image=ctx.check_cancelled)
        run.save(update_fields=["snapshot"])
        ctx.log(f"Snapshot {run.snapshot.digest[:12]}: {json.dumps(run.snapshot.counts)}")
    return run.snapshot


def _where_masks_lie(snapshot: Snapshot) -> tuple[dict[str, str], dict[str, str]]:
    """Image digest and stage of every held-out mask, by the id that evaluation rows carry."""
    images, stages = {}, {}
    for line in manifest_lines(snapshot):
        for mask in line["masks"]:
            images[str(mask["key"])], stages[str(mask["key"])] = line["sha256"], mask["stage"]
    return images, stages


# --- Training ----------------------------------------------------------------------------------------------------


def _train(run: TrainingRun, snapshot: Snapshot, ctx: JobContext) -> ModelVersion:
    """The candidate: trained in a process of its own from the run's base, taken into storage, recorded."""
    if run.candidate is not None:
        return run.candidate
    _enter(run, TrainingRun.State.TRAINING, ctx)
    place = run_folder(run.pk, snapshot)
    folder = storage.full(place)
    folder.mkdir(parents=True, exist_ok=True)
    if _result(folder) is None:
        run.config = train_settings(run, snapshot)
        run.save(update_fields=["config"])
        _write_config(folder / "config.toml", run, snapshot)
        _run_trainer(run, folder, ctx)
    ctx.progress(TRAINED_AT, "Exporting the new model")
    candidate = version_register(
        checkpoint=folder / TRAINED,
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


def _result(folder: Path) -> dict[str, Any] | None:
    """What the trainer left at its end; None if it has not come so far."""
    try:
        result = json.loads((folder / "result.json").read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return result if (folder / TRAINED).exists() else None


def train_settings(run: TrainingRun, snapshot: Snapshot) -> dict[str, Any]:
    """The trainer's settings for a fine-tuning of a few minutes, without paths. Fixed by the run's seed."""
    from modelzoo.checkpoint import read_metadata

    minutes = settings.ANYMASK_TRAIN_MINUTES
    steps = settings.ANYMASK_TRAIN_STEPS or max(20, int(minutes * 60 / SECONDS_PER_STEP))
    config = read_metadata(storage.full(run.base.checkpoint_path)).get("config", {})
    return {
        "model": run.base.variant,
        "seed": run.seed,
        "steps": steps,
        "minutes": float(minutes),
        "batch": 4,
        "prompts": 8,
        "long_sides": [int(config.get("long_side", 384))],
        "learning_rate": 3e-4,
        "warm_up": min(20, steps // 10 + 1),
        "decay_from": 0.3,
        "ema": 0.98,
        "freeze_norm": True,
        "synthetic": SYNTHETIC_SHARE,
        "validation_share": 0.0,
        "report_every": max(1, steps // 100),
        "checkpoint_every": max(1, steps // 20),
        "validation_every": max(1, steps // 6),
        "validation_masks": 30,
        "patience": 4,
        "threads": settings.ANYMASK_TRAIN_THREADS or os.cpu_count() or 1,
        "loaders": 1,
    }


def _write_config(path: Path, run: TrainingRun, snapshot: Snapshot) -> None:
    """The TOML file that ``python -m modelzoo train`` reads: settings, starting weights, data with their weights."""
    frozen = storage.full(snapshot.path)
    values = {**run.config, "out": ".", "init": str(storage.full(run.base.checkpoint_path))}
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    counts = snapshot.counts
    people = counts["train"]["masks"]
    weights = {"train": 1.0, "train_automatic": min(1.0, AUTOMATIC_SHARE * counts["train_automatic"]["masks"] / people)}
    for table, names in (("data", ("train", "train_automatic")), ("validation", ("validation",))):
        for name in names:
            if counts[name]["masks"]:
                lines += ["", f"[[{table}]]", f"path = {json.dumps(str(frozen / name))}", 'format = "sa1b"']
                lines.append(f"weight = {weights.get(name, 1.0)}")
    path.write_text("\n".join(lines) + "\n", "utf-8")


def _run_trainer(run: TrainingRun, folder: Path, ctx: JobContext) -> None:
    """Train in a child process; its curve goes to the run and its progress to the job as it appears."""
    reader = LineReader(folder / "progress.jsonl")
    curve = Curve()

    def look() -> None:
        ctx.check_cancelled()
        if not curve.add(list(reader.new())):
            return
        TrainingRun.objects.filter(pk=run.pk).update(curve=curve.points)
        share, message = curve.progress(run.config["minutes"])
        ctx.progress(FROZEN + share * (TRAINED_AT - FROZEN), message)

    # Beyond its own minutes it only reads, validates and writes; a machine under load may take its time for that.
    limit = settings.ANYMASK_TRAIN_MINUTES * 60 * 2 + 900
    try:
        run_child(["modelzoo", "train", str(folder / "config.toml")], folder=folder, limit_seconds=limit, on_tick=look)
    except ChildTimedOut as error:
        raise UserError("training_timed_out", str(error)) from error
    except ChildFailed as error:
        ctx.log(str(error))
        raise
    if _result(folder) is None:
        raise ChildFailed("The trainer ended without a result.")


class Curve:
    """The lines of progress.jsonl as the points of a curve; a resumed run continues it from where it resumed."""

    def __init__(self) -> None:
        self.points: list[dict[str, Any]] = []
        self._last: dict[str, Any] = {}

    def add(self, lines: list[dict[str, Any]]) -> bool:
        """Take new lines in; whether there were any."""
        for line in lines:
            self._last = line
            if line.get("event") == "start":
                # What came after the checkpoint is trained again.
                self.points = [point for point in self.points if point["step"] <= line["step"]]
            elif line.get("event") in ("step", "validation"):
                point = {name: value for name, value in line.items() if name not in ("event", "steps")}
                # A validation says nothing of the loss: it keeps the last one, so that every point has one.
                self.points.append({"loss": self.points[-1].get("loss") if self.points else None, **point})
        if len(self.points) > CURVE_POINTS:
            self.points = self.points[len(self.points) % 2 :: 2]
        return bool(lines)

    def progress(self, minutes: float) -> tuple[float, str]:
        """Share done (0..1, by steps or by time, whichever is further) and a line for people."""
        step, steps = int(self._last.get("step", 0)), max(1, int(self._last.get("steps", 1)))
        share = step / steps
        if minutes:
            share = max(share, float(self._last.get("seconds", 0)) / (minutes * 60))
        loss = self.points[-1]["loss"] if self.points else None
        told = "" if loss is None else f", loss {loss:.3f}"
        return min(1.0, share), f"Training: step {step} of {steps}{told}"
