"""Where a mask came from and what came of it: mask, model version, training run, snapshot, masks, and back.

Everything is asked within one dataset, and the number of queries does not grow with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from annotation.models import Image, Mask
from annotation.services.masks import mask_history
from engine.models import ModelVersion, SnapshotImage, TrainingRun
from engine.promotion import versions_of

USES_SHOWN = 100  # snapshots, newest first
CHILDREN_SHOWN = 100


@dataclass(frozen=True)
class Step:
    """One version of a line of descent, with the run of this dataset that made it; None for what came from outside."""

    version: ModelVersion
    run: TrainingRun | None


@dataclass(frozen=True)
class Use:
    """One snapshot that held something: what of it lay in which part, and the runs that were made with it."""

    row: SnapshotImage
    parts: dict[str, int]
    runs: list[TrainingRun] = field(default_factory=list)


@dataclass(frozen=True)
class VersionOrigin:
    """A version, its descent (itself first), what was trained from it, and how many masks of the dataset it offered."""

    steps: list[Step]
    children: list[Step]
    masks: int


@dataclass(frozen=True)
class MaskOrigin:
    """A mask, all versions of its object, the descent of the model that offered it (if one did), and its uses."""

    mask: Mask
    history: list[Mask]
    offered_by: Mask | None
    steps: list[Step]
    uses: list[Use]


def version_origin(*, dataset_id: int, version: ModelVersion) -> VersionOrigin:
    """What led to a version of a dataset, and on from it."""
    known = versions_of(dataset_id).in_bulk()
    chain = _descent(version, known)
    children = [one for one in known.values() if one.parent_id == version.pk]
    children.sort(key=lambda one: -one.pk)
    runs = _runs_of([*chain, *children[:CHILDREN_SHOWN]], dataset_id)
    return VersionOrigin(
        steps=[Step(one, runs.get(one.pk)) for one in chain],
        children=[Step(one, runs.get(one.pk)) for one in children[:CHILDREN_SHOWN]],
        masks=Mask.objects.filter(image__dataset_id=dataset_id, model=version.digest).count(),
    )


def mask_origin(*, mask: Mask) -> MaskOrigin:
    """Both ways from one mask. A mask drawn over an offered one owes its beginning to the model that offered that."""
    dataset_id = mask.image.dataset_id
    history = mask_history(mask=mask)
    offered_by = next((one for one in reversed(_ancestors(mask, history)) if one.model), None)
    steps: list[Step] = []
    if offered_by is not None:
        known = versions_of(dataset_id).in_bulk()
        version = next((one for one in known.values() if one.digest == offered_by.model), None)
        if version is not None:
            chain = _descent(version, known)
            runs = _runs_of(chain, dataset_id)
            steps = [Step(one, runs.get(one.pk)) for one in chain]
    return MaskOrigin(mask, history, offered_by, steps, _uses(mask.image, serial=mask.serial))


def image_uses(*, image: Image) -> list[Use]:
    """The newest snapshots that held masks of an image."""
    return _uses(image)


def _uses(image: Image, *, serial: int | None = None) -> list[Use]:
    """Snapshots with an image, or with one of its masks, newest first, each with its runs."""
    rows = SnapshotImage.objects.filter(sha256=image.sha256, snapshot__dataset_id=image.dataset_id)
    uses = []
    for row in rows.select_related("snapshot").order_by("-snapshot_id").iterator(chunk_size=200):
        parts = {
            part: len(serials) if serial is None else 1
            for part, serials in row.parts.items()
            if serial is None or serial in serials
        }
        if parts:
            uses.append(Use(row, parts))
        if len(uses) == USES_SHOWN:
            break
    runs = _with_everything(TrainingRun.objects.filter(snapshot__in=[use.row.snapshot_id for use in uses]))
    for run in runs.order_by("-id"):
        next(use for use in uses if use.row.snapshot_id == run.snapshot_id).runs.append(run)
    return uses


def _ancestors(mask: Mask, history: list[Mask]) -> list[Mask]:
    """The mask and what it was made from, oldest first."""
    rows = {one.serial: one for one in history}
    line: list[Mask] = []
    here: Mask | None = rows.get(mask.serial, mask)
    while here is not None:
        line.insert(0, here)
        here = rows.get(here.parent_id) if here.parent_id else None
    return line


def _descent(version: ModelVersion, known: dict[int, ModelVersion]) -> list[ModelVersion]:
    """A version and its parents, as far as the dataset knows them."""
    chain = [version]
    while (parent := known.get(chain[-1].parent_id or 0)) is not None and parent not in chain:
        chain.append(parent)
    return chain


def _runs_of(versions: Iterable[ModelVersion], dataset_id: int) -> dict[int, TrainingRun]:
    """The first run of the dataset that ended in each version."""
    runs = TrainingRun.objects.filter(dataset_id=dataset_id, candidate__in=[one.pk for one in versions])
    found = {run.candidate_id: run for run in _with_everything(runs).order_by("-id")}
    return {pk: run for pk, run in found.items() if pk is not None}


def _with_everything(runs: Any) -> Any:
    """What a run's brief needs, fetched beforehand; its curve is not shown here."""
    return runs.select_related("snapshot", "candidate", "base").prefetch_related("decisions").defer("curve")


def masks_of_rows(rows: Iterable[SnapshotImage]) -> dict[int, Mask]:
    """The masks that some images of a snapshot hold, by serial, without those that were deleted with their image."""
    serials = [serial for row in rows for part in row.parts.values() for serial in part]
    return Mask.objects.only("uuid", "status", "stage", "source", "category", "image_id").in_bulk(serials)
