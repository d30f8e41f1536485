"""Judge a version on the held-out images of a snapshot, with the same seeded clicks for every version. Workers only."""

from __future__ import annotations

from collections.abc import Callable
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from django.conf import settings

from annotation import storage
from annotation.errors import UserError
from engine.models import Evaluation, ModelVersion, Snapshot, TrainingRun
from engine.serving import predictor_for

if TYPE_CHECKING:
    from modelzoo.training.data import Record

SEED = 0
MAX_CLICKS = 10  # people who need more draw by hand; every further click costs the retraining more time


def held_out_records(snapshot: Snapshot) -> list[Record]:
    """The held-out images with the masks to judge on: all, or the same few hundred each time when there are many."""
    from dataclasses import replace

    from modelzoo.training.data import read_sa1b

    records = read_sa1b(storage.folder_found(snapshot.path) / "held_out")
    everyone = [mask for record in records for mask in record.ids]
    most = settings.ANYMASK_EVALUATE_MASKS
    if len(everyone) <= most:
        return records
    # By digest, not by order: masks added later do not change which of the earlier ones are looked at first.
    chosen = set(sorted(everyone, key=lambda mask: sha256(mask.encode()).hexdigest())[:most])
    thinned = []
    for record in records:
        kept = [(rle, key) for rle, key in zip(record.masks, record.ids, strict=True) if key in chosen]
        if kept:
            thinned.append(
                replace(record, masks=[rle for rle, _ in kept], ids=[key for _, key in kept], weights=[1.0] * len(kept))
            )
    return thinned


def version_evaluate(
    *, run: TrainingRun, role: str, version: ModelVersion, progress: Callable[[float], None]
) -> Evaluation:
    """Measure ``version`` in its ``role`` for this run, or return what was measured before.

    ``progress`` gets the share done (0..1) after every mask; what it raises stops the work.
    """
    existing = Evaluation.objects.filter(run=run, role=role, version=version).first()
    if existing is not None:
        return existing
    if run.snapshot is None:
        raise ValueError("A run is evaluated on its snapshot; it has none yet.")
    from modelzoo.training.data import load_sample
    from modelzoo.training.evaluate import evaluate

    records = held_out_records(run.snapshot)
    total = sum(len(record.ids) for record in records)
    if total == 0:
        raise UserError("not_enough_masks", "No mask lies on a held-out image, so the new model cannot be judged.")
    report = evaluate(
        predictor_for(version),
        (load_sample(record) for record in records),
        seed=SEED,
        max_clicks=MAX_CLICKS,
        progress=lambda done: progress(done / total),
    )
    # A retry may meet another serving version than the attempt before: the role's row is then measured anew.
    row, _ = Evaluation.objects.update_or_create(
        run=run,
        role=role,
        defaults={"version": version, "summary": report.summary, "rows": _plain(report.rows), "images": len(records)},
    )
    return row


KEPT = (
    "id",
    "area",
    "iou",
    "iou_1_oracle",
    "iou_box",
    "boundary_1",
    "boundary_5",
    "boundary_box",
    "noc85",
    "noc90",
    "predicted_iou",
    "candidates",
)


def _plain(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The fields of the rows that the gate and the pages read."""
    return [{name: row[name] for name in KEPT} for row in rows]
