"""Freeze what people accepted into a training set that never changes.

    snapshots/<dataset>/<digest>/
        manifest.jsonl      one line per image: its digest, its split, every mask with stage, source and RLE digest
        train/  train_automatic/  validation/  held_out/
                            SA-1B folders by the writer that exports use, each with the SHA-256 of its files

The digest is the SHA-256 of manifest.jsonl: the same content has the same digest and is written once. An image is on
the side that its own digest gave it at upload and never changes it, so no model is judged on what it has seen. Masks
that no person looked at train from a folder of their own (their weight is a setting) and never judge anything.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from hashlib import sha256
from itertools import groupby, islice
from pathlib import Path
from typing import Any

from django.db import transaction
from django.db.models import Q, QuerySet

from annotation import storage
from annotation.counts import figure
from annotation.formats import sa1b
from annotation.formats.base import Brief
from annotation.models import Dataset, Image, Mask, Stage
from engine.models import Snapshot, SnapshotImage

MANIFEST = "manifest.jsonl"
AUTOMATIC = "train_automatic"
FOLDERS: tuple[str, ...] = (
    str(Image.Split.TRAIN),
    AUTOMATIC,
    str(Image.Split.VALIDATION),
    str(Image.Split.HELD_OUT),
)
# What the machine accepted by itself.
# A mask that came by a request was made by a person, also when their account is no more.
SEEN_BY_NOBODY = Q(stage=Stage.FULLY_AUTOMATIC, source=Mask.Source.MODEL, created_by__isnull=True, body_digest="")
CHUNK = 50  # images whose masks are in memory together


def accepted_masks(dataset_id: int) -> QuerySet[Mask]:
    """Masks that count: accepted, one object each (a crowd region is no object to click)."""
    return Mask.objects.filter(image__dataset_id=dataset_id, status=Mask.Status.ACCEPTED, crowd=False)


def masks_by_people(dataset_id: int) -> QuerySet[Mask]:
    """Accepted masks that a person made, corrected, accepted or imported: the only ones a model may be judged on."""
    return accepted_masks(dataset_id).exclude(SEEN_BY_NOBODY)


@figure("training-masks")
def training_masks(dataset_id: int) -> list[int]:
    """[masks that a person has seen, masks that nobody has] on the training images of a dataset."""
    train = Image.Split.TRAIN
    people = masks_by_people(dataset_id).filter(image__split=train).count()
    return [people, accepted_masks(dataset_id).filter(image__split=train).count() - people]


def folder_of(mask: Mask) -> str | None:
    """The folder a mask goes to; None for a machine's mask outside of the training side, which judges nothing."""
    split = mask.image.split
    of_model = mask.stage == Stage.FULLY_AUTOMATIC and mask.source == Mask.Source.MODEL
    if not of_model or mask.created_by_id is not None or mask.body_digest:  # as SEEN_BY_NOBODY
        return split
    return AUTOMATIC if split == Image.Split.TRAIN else None


@dataclass
class Plan:
    """What a snapshot will hold: the manifest's lines, and per folder which masks (serials) of which image."""

    lines: list[str] = field(default_factory=list)
    images: list[tuple[str, dict[str, list[int]]]] = field(default_factory=list)  # (digest, folder -> serials)
    folders: dict[str, list[tuple[int, list[int]]]] = field(default_factory=lambda: {name: [] for name in FOLDERS})

    @property
    def digest(self) -> str:
        """SHA-256 of the manifest."""
        return sha256("".join(self.lines).encode()).hexdigest()

    @property
    def counts(self) -> dict[str, dict[str, int]]:
        """Images and masks per folder."""
        return {
            name: {"images": len(images), "masks": sum(len(masks) for _, masks in images)}
            for name, images in self.folders.items()
        }


def snapshot_plan(dataset_id: int) -> Plan:
    """Look at every accepted mask once, in one query: what is frozen is what counted at one moment."""
    plan = Plan()
    masks = accepted_masks(dataset_id).select_related("image").order_by("image__sha256", "serial")
    for image, group in groupby(masks.iterator(chunk_size=1000), key=lambda mask: mask.image):
        entries: list[dict[str, Any]] = []
        chosen: dict[str, list[int]] = {}
        for mask in group:
            folder = folder_of(mask)
            if folder is None:
                continue
            chosen.setdefault(folder, []).append(mask.serial)
            entries.append(
                {
                    "key": mask.serial,
                    "id": str(mask.uuid),
                    "folder": folder,
                    "stage": mask.stage,
                    "source": mask.source,
                    "rle": sha256(mask.segmentation["counts"].encode()).hexdigest(),
                }
            )
        for folder, serials in chosen.items():
            plan.folders[folder].append((image.pk, serials))
        if entries:
            line = {"sha256": image.sha256, "split": image.split, "size": [image.height, image.width], "masks": entries}
            plan.lines.append(json.dumps(line, sort_keys=True, separators=(",", ":")) + "\n")
            plan.images.append((image.sha256, chosen))
    return plan


def snapshot_freeze(*, dataset: Dataset, on_image: Callable[[], None] = lambda: None) -> Snapshot:
    """Freeze a dataset's accepted masks, or return the snapshot that holds exactly these already.

    Masks that are added meanwhile are in the next one; when a picture is removed for good meanwhile, perhaps before
    anybody could know that it is in here, all is frozen anew. ``on_image`` is called after each image and may raise to
    stop; then nothing is left behind.
    """
    while True:
        removed = dataset.tombstones.count()
        snapshot = _frozen(dataset, on_image)
        if dataset.tombstones.count() == removed:
            return snapshot
        storage.remove(snapshot.path)


def _frozen(dataset: Dataset, on_image: Callable[[], None]) -> Snapshot:
    plan = snapshot_plan(dataset.pk)
    path = storage.path_for("snapshots", dataset.pk, plan.digest)
    existing = Snapshot.objects.filter(dataset=dataset, digest=plan.digest).first()
    if existing is not None and storage.exists(path):
        return existing
    with storage.work_folder() as work:
        folder = work / "snapshot"
        folder.mkdir()
        (folder / MANIFEST).write_text("".join(plan.lines), encoding="utf-8")
        for name, images in plan.folders.items():
            if images:
                _write_folder(folder / name, images, dataset, on_image)
        storage.adopt(folder, path)
    with transaction.atomic():
        snapshot, created = Snapshot.objects.get_or_create(
            dataset=dataset, digest=plan.digest, defaults={"path": path, "counts": plan.counts}
        )
        if created:
            rows = (SnapshotImage(snapshot=snapshot, sha256=digest, parts=parts) for digest, parts in plan.images)
            SnapshotImage.objects.bulk_create(rows, batch_size=500)
    return snapshot


def _write_folder(
    folder: Path, images: Sequence[tuple[int, list[int]]], dataset: Dataset, on_image: Callable[[], None]
) -> None:
    """One SA-1B folder, read again after it is written. A mask's content never changes, so its serial is enough."""
    folder.mkdir()
    about = {"dataset": dataset.name, "licence": dataset.licence, "part": folder.name}
    counts = sa1b.write(folder, _records(images), Brief(about=about, on_image=on_image))
    sa1b.verify(folder, counts)


def _records(images: Sequence[tuple[int, list[int]]]) -> Iterator[tuple[Image, list[Mask]]]:
    """Images with their masks, a chunk at a time."""
    remaining = iter(images)
    while chunk := list(islice(remaining, CHUNK)):
        rows = Image.objects.in_bulk([pk for pk, _ in chunk])
        masks = Mask.objects.in_bulk([serial for _, serials in chunk for serial in serials])
        for pk, serials in chunk:
            yield rows[pk], [masks[serial] for serial in serials]


def run_folder(run_id: int, snapshot: Snapshot) -> str:
    """Relative folder in which a training run on a snapshot works."""
    return storage.path_for("runs", f"{run_id}-{snapshot.digest[:12]}")


def manifest_lines(snapshot: Snapshot) -> Iterator[dict[str, Any]]:
    """The manifest of a snapshot, image by image."""
    with (storage.folder_found(snapshot.path) / MANIFEST).open(encoding="utf-8") as file:
        for line in file:
            yield json.loads(line)
