"""The trainer of a run: what it is told, its own process (one for each GPU), its curve, its log. Workers only."""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from annotation import storage
from annotation.errors import UserError
from annotation.jobkit import JobContext
from engine import child
from engine.models import Snapshot, TrainingRun
from engine.plans import MOST_STEPS, memory_limit, minutes_of, plan_of, steps_of, view_mix

TRAINED = "model.safetensors"
CURVE_POINTS = 400
BY_STEP = 200  # a run of no more steps is reported and saved by steps, a longer one by the clock
VIEW_SHARE = 2 / 3  # of the model's longer side: that of the views it is fine-tuned on
CHECKPOINT_SECONDS = 15  # what a killed trainer does again at the most
CARRIED = ("state.pt", "progress.jsonl")  # with these in its folder another machine can go on
CARRY_SECONDS = 300
NO_MEMORY = re.compile(r"out of memory|can't allocate memory|MemoryError", re.IGNORECASE)


def run_plan(run: TrainingRun, snapshot: Snapshot) -> None:
    """Settle what the trainer is told, once: a later attempt goes on with it. UserError without training masks."""
    if run.config and run.mix:
        return
    plan, counts = plan_of(run.dataset_id), snapshot.counts
    people, automatic = counts["train"]["masks"], counts["train_automatic"]["masks"]
    if not people:
        raise UserError("not_enough_masks", "No mask that a person has seen lies on a training image any more.")
    run.mix = view_mix(plan, people=people, automatic=automatic)
    run.config = train_settings(run, minutes=minutes_of(plan), steps=steps_of(plan), synthetic=plan.synthetic_share)
    run.save(update_fields=["config", "mix"])


def train_settings(run: TrainingRun, *, minutes: int, steps: int, synthetic: float) -> dict[str, Any]:
    """The trainer's settings for a fine-tuning, without paths. Drawn by the run's seed."""
    from modelzoo.checkpoint import read_metadata

    config = read_metadata(storage.found(run.base.checkpoint_path)).get("config", {})
    gpus, cores = _gpus(), os.cpu_count() or 1
    here, side = processes(gpus), int(config.get("long_side", 384))
    return {
        "model": run.base.variant,
        "seed": run.seed,
        "steps": steps or MOST_STEPS,
        "minutes": float(minutes),
        # Small batches of small views: more steps in the minutes there are, and crops show things enlarged anyway
        # (measured in docs/retraining.md).
        "batch": 2,
        "prompts": 8,
        "long_sides": [max(16, round(side * VIEW_SHARE / 16) * 16)],
        "used_at": side,
        "learning_rate": 3e-4,
        "warm_up": min(8, steps // 10 + 1) if steps else 8,  # a slow machine comes to forty steps in all
        "decay_from": 0.3,
        "ema": 0.99,
        "freeze_norm": True,
        "synthetic": synthetic,
        "validation_share": 0.0,
        **_rhythm(minutes, steps),
        "validation_masks": 30,
        "patience": 6,  # of eight looks: the best weights come late, when the rate has fallen
        "threads": settings.ANYMASK_TRAIN_THREADS or max(1, cores // here),
        # Views are made on processors: a GPU is fed by several of them.
        "loaders": max(1, min(8, cores // here - 1)) if gpus else 1,
    }


def _rhythm(minutes: int, steps: int) -> dict[str, Any]:
    """How often the trainer reports, saves its state and judges itself."""
    if 0 < steps <= BY_STEP:
        every = {"report_every": max(1, steps // 100), "checkpoint_every": max(1, steps // 20)}
        return {"clock": "steps", **every, "validation_every": max(1, steps // 6)}
    every = {"report_every": max(1, minutes * 60 // 200), "checkpoint_every": CHECKPOINT_SECONDS}
    return {"clock": "seconds", **every, "validation_every": max(10, minutes * 60 // 8)}


def _gpus() -> int:
    from modelzoo.training.devices import gpus_here

    return gpus_here()


def processes(gpus: int) -> int:
    """How many processes train: as the setting says, else one for each GPU."""
    return settings.ANYMASK_TRAIN_PROCESSES or max(1, gpus)


def config_write(path: Path, run: TrainingRun, snapshot: Snapshot) -> None:
    """The TOML file that ``python -m modelzoo train`` reads: settings, starting weights, data with their weights."""
    frozen = storage.folder_found(snapshot.path)
    values = {**run.config, "out": ".", "init": str(storage.found(run.base.checkpoint_path))}
    lines = [f"{name} = {json.dumps(value)}" for name, value in values.items()]
    weights = {"train": run.mix["people"], "train_automatic": run.mix["automatic"]}
    for table, names in (("data", ("train", "train_automatic")), ("validation", ("validation",))):
        for name in names:
            if snapshot.counts[name]["masks"] and weights.get(name, 1.0) > 0:
                lines += ["", f"[[{table}]]", f"path = {json.dumps(str(frozen / name))}", 'format = "sa1b"']
                lines.append(f"weight = {weights.get(name, 1.0)}")
    path.write_text("\n".join(lines) + "\n", "utf-8")


def command(config: Path, count: int) -> list[str]:
    """Module and arguments of the trainer; several processes are started, and ended, by torchrun."""
    train = ["modelzoo", "train", str(config)]
    if count < 2:
        return train
    # Each of them in a session of its own, out of reach of a signal to the first: they watch their parent.
    torchrun = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(count)]
    return [*torchrun, "-m", "engine.guarded", "-", "-", *train]


def result_of(folder: Path) -> dict[str, Any] | None:
    """What the trainer left at its end; None if it has not come so far."""
    return child.result_in(folder / "result.json", folder / TRAINED)


def trainer_run(
    run: TrainingRun, folder: Path, ctx: JobContext, *, share: tuple[float, float], carry: Callable[[], None]
) -> None:
    """Train in a child process; its curve goes to the run, its progress and its log to the job, as they appear.

    ``share`` is the part of the job's progress bar that is the training's; ``carry`` is called every few minutes, to
    put what a later attempt goes on from where other machines find it. UserError training_timed_out or
    training_out_of_memory; ChildFailed for everything that may go better another time.
    """
    reader, curve = child.LineReader(folder / "progress.jsonl"), Curve()
    start, end = share
    carried = time.monotonic()
    curve.add(list(reader.new()))  # an earlier attempt's, told already
    ctx.progress(start + curve.share(run.config["minutes"]) * (end - start), "Starting the trainer")
    if ctx.attempt > 1:
        ctx.log(f"Attempt {ctx.attempt}: training goes on from its last checkpoint.")

    def look() -> None:
        nonlocal carried
        ctx.check_cancelled()
        if time.monotonic() - carried > CARRY_SECONDS:
            carried = time.monotonic()
            carry()
        lines = list(reader.new())
        if not curve.add(lines):
            return
        TrainingRun.objects.filter(pk=run.pk).update(curve=curve.points)
        ctx.progress(start + curve.share(run.config["minutes"]) * (end - start), curve.message())
        for text in filter(None, map(_told, lines)):
            ctx.log(text)

    # Beyond its own minutes it only reads, validates and writes; a machine under load may take its time for that.
    limit = run.config["minutes"] * 60 * 2 + 900
    arguments = command(folder / "config.toml", processes(_gpus()))
    try:
        child.run_child(arguments, folder=folder, limit_seconds=limit, memory_limit=memory_limit(), on_tick=look)
    except child.ChildTimedOut as error:
        raise UserError("training_timed_out", str(error)) from error
    except child.ChildFailed as error:
        ctx.log(child.tail(folder / "child.log") or str(error))
        if isinstance(error, child.ChildOutOfMemory) or NO_MEMORY.search(str(error)):
            advice = "Train on a larger machine, or allow more with ANYMASK_TRAIN_MEMORY_MIB."
            raise UserError("training_out_of_memory", f"Training ran out of memory. {error} {advice}") from error
        raise
    if result_of(folder) is None:
        raise child.ChildFailed("The trainer ended without a result.")


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

    def share(self, minutes: float) -> float:
        """What is done, 0..1, by steps or by time, whichever is further."""
        by_steps: float = float(self._last.get("step", 0)) / max(1, self._last.get("steps", 1))
        by_time: float = float(self._last.get("seconds", 0)) / (minutes * 60)
        share: float = min(1.0, max(by_steps, by_time))
        return share

    def message(self) -> str:
        """Where it is, for people."""
        step, steps = self._last.get("step", 0), self._last.get("steps", MOST_STEPS)
        loss = self.points[-1]["loss"] if self.points else None
        parts = [f"step {step}" if steps >= MOST_STEPS else f"step {step} of {steps}"]
        parts += [] if loss is None else [f"loss {loss:.3f}"]
        return f"Training: {', '.join(parts)}"


def _told(line: dict[str, Any]) -> str:
    """A line of progress.jsonl for the log; empty for what the curve shows."""
    where = f"step {line.get('step')}, {line.get('seconds', 0) / 60:.1f} min"
    match line.get("event"):
        case "start":
            images = f"{line.get('training_images')} images to learn from, {line.get('validation_images')} to validate"
            return f"Training starts at {where}: {images}."
        case "validation":
            figures = ", ".join(f"{name} {line[name]:.3f}" for name in ("miou_1", "miou_3", "miou_box") if name in line)
            return f"Validation at {where}: score {line.get('score')} ({figures})."
        case "end":
            return f"Training ended at {where}, by its {line.get('stopped')}."
    return ""
