"""What a stage is, and the one way in which machine masks are written.

A stage says what the machine does to one image. Its work is idempotent per (image, stage, model digest, settings
digest): a StageResult row says that it is done, the ids of its masks follow from the same four, and both are written
in one transaction. A killed worker's batch goes on where it stopped; running a stage twice changes nothing.
"""

from __future__ import annotations

import json
import uuid
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Protocol

from django.db import transaction
from django.utils import timezone

from annotation.models import Image, Mask
from engine.models import ModelVersion, StageResult
from modelzoo import rle

MACHINE_MASKS = uuid.UUID("5c3e4d1e-8d0b-5b6e-9a3c-0f5f3f6a7b21")  # namespace of the ids of machine masks
SAME_OBJECT = 0.7  # IoU from which a machine mask shows what a person has masked already
WHOLE_IMAGE = 0.95  # share of the image from which a mask is the background, not an object (SAM paper, appendix B)

Progress = Callable[[float], None]


class Stage(Protocol):
    """One stage. ``settings`` are JSON-able; their digest is part of what makes a result."""

    name: str
    title: str

    def settings(self) -> dict[str, Any]:
        """What steers the machine's part."""
        ...

    def image_run(self, *, image: Image, version: ModelVersion, progress: Progress) -> int:
        """Do the machine's part on one image unless it is done; returns the number of masks written.

        ``progress`` gets the share done (0..1) and may raise to stop.
        """
        ...


def settings_digest(values: Mapping[str, Any]) -> str:
    """SHA-256 of the settings in a canonical form."""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def is_done(stage: Stage, image: Image, version: ModelVersion) -> bool:
    """Whether this stage has done this image with this version and these settings."""
    return StageResult.objects.filter(
        image=image, version=version, stage=stage.name, settings_digest=settings_digest(stage.settings())
    ).exists()


def masks_write(
    *,
    stage: Stage,
    image: Image,
    version: ModelVersion,
    records: list[dict[str, Any]],
    status: str,
    seconds: float,
) -> int:
    """Write the machine's masks of one image and the result row, in one transaction; returns how many.

    ``records`` are SA-1B style records of the automatic mask generator. Dropped: what covers the whole image, and what
    a person has masked already. What the same stage wrote before and nobody touched since is retired (deleted, with
    its history kept).
    """
    digest = settings_digest(stage.settings())
    by_people = list(_by_people(image).values_list("segmentation", "bbox"))
    kept = [record for record in records if _is_object(record, image) and not _is_known(record, by_people)]
    rows = [_row(stage, image, version, digest, place, record, status) for place, record in enumerate(kept)]
    now = timezone.now()
    with transaction.atomic():
        result, created = StageResult.objects.get_or_create(
            image=image,
            version=version,
            stage=stage.name,
            settings_digest=digest,
            defaults={"masks": len(rows), "seconds": seconds},
        )
        if not created:
            return result.masks
        for state in (Mask.Status.PROPOSED, Mask.Status.ACCEPTED):
            _untouched(image, stage.name).filter(status=state).update(
                status=Mask.Status.DELETED, status_before=state, status_changed_at=now, status_changed_by=None
            )
        Mask.objects.bulk_create(rows, ignore_conflicts=True)
    return len(rows)


def _row(
    stage: Stage,
    image: Image,
    version: ModelVersion,
    digest: str,
    place: int,
    record: Mapping[str, Any],
    status: str,
) -> Mask:
    """One record as a row. Area and box are computed from the pixels here, as for every mask."""
    segmentation = rle.validate(record["segmentation"], image.height, image.width)
    point = record["point_coords"][0]
    return Mask(
        uuid=uuid.uuid5(MACHINE_MASKS, f"{image.pk}:{stage.name}:{version.digest}:{digest}:{place}"),
        image=image,
        segmentation=segmentation,
        bbox=rle.bbox(segmentation),
        area=rle.area(segmentation),
        stage=stage.name,
        source=Mask.Source.MODEL,
        status=status,
        prompts=[{"type": "point", "x": point[0], "y": point[1], "label": 1}],
        predicted_iou=record["predicted_iou"],
        stability_score=record["stability_score"],
        crop_box=record["crop_box"],
        point_coords=record["point_coords"],
        model=version.digest,
    )


def _by_people(image: Image) -> Any:
    """Accepted masks of an image that are not the machine's own."""
    accepted = Mask.objects.filter(image=image, status=Mask.Status.ACCEPTED)
    return accepted.exclude(created_by=None, source=Mask.Source.MODEL)


def _untouched(image: Image, stage: str) -> Any:
    """Masks that this stage wrote and nobody has accepted, corrected or deleted."""
    return Mask.objects.filter(
        image=image, stage=stage, source=Mask.Source.MODEL, created_by=None, status_changed_by=None
    )


def _is_object(record: Mapping[str, Any], image: Image) -> bool:
    """Neither empty nor the whole image."""
    return 0 < int(record["area"]) < WHOLE_IMAGE * image.pixels


def _is_known(record: Mapping[str, Any], known: list[tuple[Any, Any]]) -> bool:
    """Whether a person's mask shows the same object."""
    box = rle.bbox(record["segmentation"])
    return any(
        _boxes_meet(box, other) and rle.iou(record["segmentation"], segmentation) >= SAME_OBJECT
        for segmentation, other in known
    )


def _boxes_meet(a: list[int], b: list[int]) -> bool:
    """Whether two XYWH boxes have a pixel in common: a cheap no before the masks are compared."""
    return a[0] < b[0] + b[2] and b[0] < a[0] + a[2] and a[1] < b[1] + b[3] and b[1] < a[1] + a[3]
