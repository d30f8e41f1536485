"""The detector of proposals of a dataset and a version: trained in a process of its own, found, loaded. Workers train.

It works on the version's own embeddings, so it comes after the model and belongs to it. Every training run leaves one
for the version that will serve: the candidate if it is promoted, else the one that serves on, which then knows the
masks that are new.
"""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings
from django.db import IntegrityError, transaction

from annotation import storage
from annotation.jobkit import JobContext
from annotation.models import Image
from annotation.object_store import StoreAway
from engine.child import ChildFailed, LineReader, result_in, run_child
from engine.models import Detector, ModelVersion, Snapshot, TrainingRun
from engine.plans import memory_limit
from engine.serving import Recent
from engine.snapshots import run_folder

if TYPE_CHECKING:
    from modelzoo.proposals import Detector as LoadedDetector

PRECISION = 0.8  # share of the proposals that shall be right on validation images
PARTS = {"train": "people", "train_automatic": "automatic", "validation": "validation", "held_out": "held-out"}
WEIGHTS, RESULT, PROGRESS = "detector.safetensors", "detector.json", "detector.jsonl"
GROUPS = "groups.json"  # image -> its video: frames of one video are calibrated on together

_loaded: Recent[LoadedDetector] = Recent(2)


def detector_for(dataset_id: int, version: ModelVersion) -> Detector | None:
    """The newest detector of a dataset for a version; None before one was trained."""
    return Detector.objects.filter(dataset_id=dataset_id, version=version).first()


def detector_load(row: Detector) -> LoadedDetector:
    """The detector behind a row, loaded once per process (the two latest are kept). Workers only."""
    from modelzoo.proposals import load_detector

    return _loaded.get(row.digest, lambda: load_detector(storage.found(row.path)))


def detector_train(
    *, run: TrainingRun, snapshot: Snapshot, version: ModelVersion, ctx: JobContext, share: tuple[float, float]
) -> Detector | None:
    """Train a detector for ``version`` on the run's snapshot, or return what an earlier attempt made.

    ``share`` is its part of the job's progress bar. None when it is switched off or came to nothing: proposals are then
    made without one, and the model does not fail because its helper did. The reason stands in the job's log.
    """
    existing = Detector.objects.filter(run=run, version=version).first()
    if existing is not None or settings.ANYMASK_PROPOSAL_MINUTES == 0:
        return existing
    folder = storage.full(f"{run_folder(run.pk, snapshot)}/detector-{version.short_digest}")
    try:
        result = _result(folder) or _train(folder, snapshot, version, run.seed, ctx, share)
        detector = _register(run, version, folder, result)
    except StoreAway:
        raise
    except (ChildFailed, OSError) as error:
        ctx.log(f"No detector of proposals could be trained: {error}")
        return None
    ctx.log(f"Detector {detector.digest[:12]}: {json.dumps(detector.metrics)}")
    return detector


def _train(
    folder: Path, snapshot: Snapshot, version: ModelVersion, seed: int, ctx: JobContext, share: tuple[float, float]
) -> dict[str, Any]:
    """Run ``python -m modelzoo train-proposals`` and return what it left."""
    folder.mkdir(parents=True, exist_ok=True)
    frames = Image.objects.filter(dataset=snapshot.dataset_id, video__isnull=False).values_list("pk", "video__sha256")
    (folder / GROUPS).write_text(json.dumps(dict(frames)), "utf-8")
    reader = LineReader(folder / PROGRESS)
    list(reader.new())  # an earlier attempt's, told already
    start, end = share

    def look() -> None:
        ctx.check_cancelled()
        for line in reader.new():
            ctx.progress(start + (end - start) * float(line["share"]), str(line["message"]))

    minutes = settings.ANYMASK_PROPOSAL_MINUTES
    # Beyond its minutes it encodes validation and held-out pictures; a machine under load may take its time for that.
    limit = minutes * 60 * 3 + 600
    run_child(
        _arguments(folder, snapshot, version, seed),
        folder=folder,
        limit_seconds=limit,
        on_tick=look,
        memory_limit=memory_limit(),
    )
    result = _result(folder)
    if result is None:
        raise ChildFailed("The training of the detector ended without a result.")
    return result


def _arguments(folder: Path, snapshot: Snapshot, version: ModelVersion, seed: int) -> list[str]:
    """The command line of the child."""
    frozen = storage.folder_found(snapshot.path)
    threads = settings.ANYMASK_TRAIN_THREADS
    options: dict[str, object] = {
        "model": storage.found(version.checkpoint_path),
        "out": folder,
        "groups": folder / GROUPS,
        "minutes": settings.ANYMASK_PROPOSAL_MINUTES,
        "steps": settings.ANYMASK_PROPOSAL_STEPS,
        "precision": PRECISION,
        "seed": seed,
        **({"threads": threads} if threads else {}),
    }
    words = ["modelzoo", "train-proposals"]
    for name, value in options.items():
        words += [f"--{name}", str(value)]
    for part, option in PARTS.items():
        if snapshot.counts[part]["masks"]:
            words += [f"--{option}", str(frozen / part)]
    return words


def _result(folder: Path) -> dict[str, Any] | None:
    """What the child left at its end; None if it has not come so far."""
    return result_in(folder / RESULT, folder / WEIGHTS)


def _register(run: TrainingRun, version: ModelVersion, folder: Path, result: dict[str, Any]) -> Detector:
    """Take the file into storage under its digest and record it. Doing it twice gives one row."""
    digest = result["digest"]
    place = storage.path_for("detectors", digest)
    with storage.work_folder() as work:
        new = work / "detector"
        new.mkdir()
        shutil.copyfile(folder / WEIGHTS, new / WEIGHTS)
        storage.adopt(new, place)
    values = {name: result[name] for name in ("calibration", "gates", "metrics")} | {"dataset_id": run.dataset_id}
    try:
        with transaction.atomic():
            return Detector.objects.create(run=run, version=version, digest=digest, path=f"{place}/{WEIGHTS}", **values)
    except IntegrityError:
        return Detector.objects.get(run=run, version=version)


def detector_file_remove(digest: str) -> None:
    """Remove a detector's file when no row names it any more."""
    if not Detector.objects.filter(digest=digest).exists():
        storage.remove(storage.path_for("detectors", digest))
