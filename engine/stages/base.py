"""What a stage is, and the one way in which machine masks are written.

A stage says what the machine does to one image. Its work is idempotent per (image, stage, model digest, settings
digest): a StageResult row says that it is done and is written in one transaction with the masks, whose ids follow
from what they show. A killed worker's batch goes on where it stopped; running a stage twice changes nothing.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from hashlib import sha256
from typing import Any, Protocol

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotation.models import Image, Mask, Task
from annotation.services.masks import masks_add
from engine.models import ModelVersion, StageResult
from modelzoo import rle

SAME_OBJECT = 0.7  # IoU from which a machine mask shows what has a mask already
WHOLE_IMAGE = 0.95  # share of the image from which a mask is the background, not an object (SAM paper, appendix B)

Progress = Callable[[float], None]


class Stage(Protocol):
    """One stage. ``settings`` are JSON-able; their digest is part of what makes a result."""

    name: str
    title: str

    def settings(self, *, dataset_id: int, version: ModelVersion) -> dict[str, Any]:
        """What steers the machine's part on a dataset with a version."""
        ...

    def image_run(self, *, image: Image, version: ModelVersion, progress: Progress) -> int | None:
        """Do the machine's part on one image unless it is done; returns the number of masks written.

        None, and nothing is written, while people have the image in hand. ``progress`` gets the share done (0..1) and
        may raise to stop.
        """
        ...


def settings_digest(values: Mapping[str, Any]) -> str:
    """SHA-256 of the settings in a canonical form."""
    return sha256(json.dumps(values, sort_keys=True).encode()).hexdigest()


def results_of(stage: Stage, dataset_id: int, version: ModelVersion) -> QuerySet[StageResult]:
    """What this stage has done with this version and today's settings of the dataset."""
    digest = settings_digest(stage.settings(dataset_id=dataset_id, version=version))
    return StageResult.objects.filter(version=version, stage=stage.name, settings_digest=digest)


def is_done(stage: Stage, image: Image, version: ModelVersion, settings: Mapping[str, Any]) -> bool:
    """Whether this stage has done this image with this version and these settings."""
    done = StageResult.objects.filter(image=image, version=version, stage=stage.name)
    return done.filter(settings_digest=settings_digest(settings)).exists()


def tasks_in_hand() -> QuerySet[Task]:
    """Tasks whose image is left alone: somebody holds it, or an audit froze its masks and has not measured them yet."""
    held = Q(state=Task.State.CLAIMED, lease_expires_at__gt=timezone.now())
    asked = Q(state__in=[Task.State.OPEN, Task.State.CLAIMED])
    unmeasured = Q(state=Task.State.SUBMITTED, audited_image__isnull=False, audited_image__measured_at=None)
    return Task.objects.filter(held | Q(asked | unmeasured, kind=Task.Kind.AUDIT)).order_by()


def is_in_hand(image: Image) -> bool:
    """Whether people have the image in hand at this moment."""
    return tasks_in_hand().filter(image=image).exists()


def is_left_to_us(image: Image) -> bool:
    """Inside a transaction: that nobody has the image in hand, nor gets it before the end of the transaction."""
    # Locked: whoever takes the image up at this moment comes after, and meets what is written here.
    list(Task.objects.select_for_update(no_key=True).filter(image=image).order_by("pk").values_list("pk"))
    return not is_in_hand(image)


def masks_write(
    *,
    stage: Stage,
    image: Image,
    version: ModelVersion,
    settings: Mapping[str, Any],
    records: list[dict[str, Any]],
    status: str,
    seconds: float,
) -> int | None:
    """Write the machine's masks of one image and the result row, in one transaction; returns how many there are.

    None if people took the image in hand while the model was at it: then nothing is written, and it waits again.
    ``records`` are SA-1B style records, with the ``prompts`` that led to them or the points. Dropped: what covers the
    whole image, and what has a mask already; of proposals also what is proposed already or was thrown away by a person.
    What the same stage wrote before and does not find any more is retired (deleted, with its history kept), unless a
    person has touched it; so is a proposal where a mask is accepted by itself.
    """
    known = _known(image, stage.name, status)
    kept = [
        {**record, "prompts": record.get("prompts") or _points(record)}
        for record in records
        if _is_object(record, image) and not is_known(record, known)
    ]
    with transaction.atomic():
        if not is_left_to_us(image):
            return None
        result, created = StageResult.objects.get_or_create(
            image=image,
            version=version,
            stage=stage.name,
            settings_digest=settings_digest(settings),
            defaults={"masks": len(kept), "seconds": seconds},
        )
        if created:
            Image.objects.filter(pk=image.pk).update(stage=stage.name)
            there = _align(image, stage.name, {record["segmentation"]["counts"] for record in kept}, status)
            masks_add(
                image=image,
                records=[record for record in kept if record["segmentation"]["counts"] not in there],
                stage=stage.name,
                source=Mask.Source.MODEL,
                status=status,
                model=version.digest,
            )
            if status == Mask.Status.ACCEPTED:
                _retire_proposals(image, kept)
    return result.masks


def without_twins(records: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Records of several finders without those that show what an earlier one shows."""
    kept: list[dict[str, Any]] = []
    known: list[tuple[Any, Any]] = []
    for record in records:
        if not is_known(record, known):
            kept.append(record)
            known.append((record["segmentation"], rle.bbox(record["segmentation"])))
    return kept


def _points(record: Mapping[str, Any]) -> list[dict[str, Any]]:
    """The prompts of a mask that was found by a grid."""
    return [{"type": "point", "x": x, "y": y, "label": 1} for x, y in record["point_coords"]]


def _align(image: Image, stage: str, wanted: set[str], status: str) -> set[str]:
    """Retire this stage's earlier masks that are not wanted any more, and take back those that are wanted again.

    Masks are known by their pixels (RLE counts); returns those of ``wanted`` that are there now.
    """
    there = set()
    now = timezone.now()
    earlier = _untouched(image).filter(stage=stage).exclude(status=Mask.Status.SUPERSEDED)
    for mask in earlier.only("serial", "segmentation", "status"):
        counts = mask.segmentation["counts"]
        again = counts in wanted and counts not in there
        state = status if again else Mask.Status.DELETED
        if again:
            there.add(counts)
        if state != mask.status:
            Mask.objects.filter(pk=mask.pk, status_changed_by=None).update(
                status=state, status_before=mask.status, status_changed_at=now
            )
    return there


def _retire_proposals(image: Image, accepted: list[dict[str, Any]]) -> None:
    """Take back proposals that nobody has touched where the machine itself has accepted a mask of the same object.

    Those with a name or of a track stay: they say more than the mask does.
    """
    shown = [(record["segmentation"], rle.bbox(record["segmentation"])) for record in accepted]
    proposals = _untouched(image).filter(status=Mask.Status.PROPOSED, category="", track=None)
    rows = list(proposals.values_list("pk", "segmentation"))
    twins = [pk for pk, segmentation in rows if is_known({"segmentation": segmentation}, shown)]
    proposals.filter(pk__in=twins).update(
        status=Mask.Status.DELETED, status_before=Mask.Status.PROPOSED, status_changed_at=timezone.now()
    )


def _untouched(image: Image) -> QuerySet[Mask]:
    """Masks that the machine wrote and on which nobody has decided since."""
    masks = Mask.objects.filter(image=image, source=Mask.Source.MODEL, created_by=None, status_changed_by=None)
    # What came by a request and is accepted is a person's, also when their account is no more.
    return masks.filter(Q(body_digest="") | Q(status=Mask.Status.PROPOSED))


def masks_known(image: Image) -> QuerySet[Mask]:
    """Masks as they stand, and proposals that a person threw away: none of them is proposed a second time."""
    machine = Q(source=Mask.Source.MODEL, created_by=None)
    thrown = machine & Q(status=Mask.Status.DELETED, status_changed_by__isnull=False)
    return Mask.objects.filter(Q(status__in=Mask.CURRENT) | thrown, image=image)


def _known(image: Image, stage: str, status: str) -> list[tuple[Any, Any]]:
    """(segmentation, bbox) of what a stage does not write again, without its own: those are aligned with what it finds.

    A mask that the machine accepts by itself gives way to accepted masks alone: nobody is asked about a proposal then.
    """
    masks = masks_known(image)
    if status == Mask.Status.ACCEPTED:
        masks = masks.filter(status=status)
    own = _untouched(image).filter(stage=stage)
    return list(masks.exclude(pk__in=own.values("pk")).values_list("segmentation", "bbox"))


def _is_object(record: Mapping[str, Any], image: Image) -> bool:
    """Neither empty nor the whole image."""
    return 0 < int(record["area"]) < WHOLE_IMAGE * image.pixels


def is_known(record: Mapping[str, Any], known: list[tuple[Any, Any]], least: float = SAME_OBJECT) -> bool:
    """Whether one of these (segmentation, bbox) shows the same object as a record: an IoU of at least so much."""
    box = rle.bbox(record["segmentation"])
    return any(
        rle.boxes_meet(box, other) and rle.iou(record["segmentation"], segmentation) >= least
        for segmentation, other in known
    )
