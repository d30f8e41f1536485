"""How good are the masks? People correct every mask on a random sample of images; IoU before and after says it.

The protocol of the SAM paper (section 5): of pairs of a mask as it was and as people left it, the share above 0.90 and
above 0.75 IoU. Nobody corrects an image on which they made a mask. Ours is stricter in one point: a mask that people
deleted counts as IoU 0. Masks that they found missing are counted beside it: they say how complete the images are.

Intervals are 95 % bootstrap intervals over images, for masks of one image are not independent.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Iterable
from typing import Any

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from django.utils import timezone

from annotation.counts import figure
from annotation.errors import Conflict, UserError
from annotation.jobkit import declare
from annotation.models import Dataset, Image, Mask, Task
from annotation.services.masks import masks_audited
from annotation.services.tasks import task_open, tasks_withdraw
from engine.models import Audit, AuditedImage
from engine.paired import Resampling
from engine.snapshots import SEEN_BY_NOBODY
from modelzoo import rle

MEASURE = declare("measure_audit", queue="io", title="Measure an audited image")

SHARES = {"above_90": 0.9, "above_75": 0.75}  # the two of the paper
CONFIDENCE = 0.95
RESAMPLES = 2000


def images_to_audit(dataset: Dataset, source: str) -> QuerySet[Image]:
    """Images that a sample is drawn from: they have masks of this source, and nobody is to label them any more."""
    live = Task.objects.filter(image=OuterRef("pk"), state__in=[Task.State.OPEN, Task.State.CLAIMED])
    images = Image.objects.filter(~Exists(live), dataset=dataset)
    return images.filter(Exists(masks_to_audit(source).filter(image=OuterRef("pk"))))


@figure("auditable")
def auditable(dataset_id: int) -> dict[str, int]:
    """By source how many images a sample could be drawn from."""
    dataset = Dataset.objects.get(pk=dataset_id)
    return {source: images_to_audit(dataset, source).count() for source in Audit.Source.values}


def masks_to_audit(source: str) -> QuerySet[Mask]:
    """Accepted masks of single objects; of source ``automatic`` those that no person has looked at."""
    masks = Mask.objects.filter(status=Mask.Status.ACCEPTED, crowd=False)
    if source == Audit.Source.AUTOMATIC:
        return masks.filter(SEEN_BY_NOBODY)
    return masks


def audit_start(*, dataset: Dataset, size: int, seed: int = 0, source: str = "automatic", by: Any = None) -> Audit:
    """Draw ``size`` images (or as many as there are) and open an audit task on each. The same seed draws the same.

    UserError ``nothing_to_audit``; Conflict ``audit_open`` while another one is and has something left to come.
    """
    with transaction.atomic():
        for before in Audit.objects.select_for_update().filter(dataset=dataset, state=Audit.State.OPEN):
            if not _closed_at_its_end(before):  # its last images may have been skipped, or deleted
                raise _one_open()
    ids = list(images_to_audit(dataset, source).order_by("sha256").values_list("pk", flat=True))
    if not ids:
        raise UserError(
            "nothing_to_audit",
            "No image has such masks and is done: images that are still in the queue are not audited.",
        )
    drawn = random.Random(seed).sample(ids, min(size, len(ids)))  # noqa: S311  a sample, not a secret
    try:
        with transaction.atomic():
            audit = Audit.objects.create(dataset=dataset, source=source, size=len(drawn), seed=seed, created_by=by)
            for image in Image.objects.filter(pk__in=drawn).order_by("id"):
                masks = masks_to_audit(source).filter(image=image).order_by("serial").values_list("serial", flat=True)
                task = task_open(image=image, kind=Task.Kind.AUDIT)
                AuditedImage.objects.create(audit=audit, image=image, task=task, masks=list(masks))
    except IntegrityError:
        raise _one_open() from None
    return audit


def _one_open() -> Conflict:
    return Conflict("audit_open", "An audit of this dataset is open already. Close it before the next one.")


def audit_measure(*, task_id: int) -> dict[str, Any]:
    """What became of the masks of one audited image, once its task is submitted; closes the audit after the last one.

    Doing it twice changes nothing: an image is measured once.
    """
    place = AuditedImage.objects.select_related("audit", "task").filter(task=task_id, measured_at=None).first()
    if place is None or place.task is None or place.task.state != Task.State.SUBMITTED:
        return {"measured": 0}
    pairs, left, added = _compare(place)
    with transaction.atomic():
        AuditedImage.objects.filter(pk=place.pk, measured_at=None).update(
            pairs=pairs, added=added, corrected_by=place.task.assignee_id, measured_at=timezone.now()
        )
        masks_audited(found=left)
        audit = Audit.objects.select_for_update().get(pk=place.audit_id)
        audit.numbers = audit_numbers(audit)
        audit.save(update_fields=["numbers"])
        _closed_at_its_end(audit)
    return {"measured": len(pairs), "added": added}


def audit_close(*, audit: Audit) -> Audit:
    """Publish what was measured so far; tasks that are left are withdrawn. Conflict ``audit_closed``.

    What people have submitted and no job has measured yet is added to the figures when it is.
    """
    with transaction.atomic():
        row = Audit.objects.select_for_update().get(pk=audit.pk)
        if row.state == Audit.State.CLOSED:
            raise Conflict("audit_closed", "This audit is closed already.")
        tasks_withdraw(tasks=_tasks_left(row))
        _close(row)
    return row


def _closed_at_its_end(audit: Audit) -> bool:
    """Whether the audit is closed; it is now if nothing is left to come."""
    if audit.state == Audit.State.OPEN and not _to_come(audit).exists():
        _close(audit)
    return audit.state == Audit.State.CLOSED


def _close(audit: Audit) -> None:
    audit.state = Audit.State.CLOSED
    audit.closed_at = timezone.now()
    audit.save(update_fields=["state", "closed_at"])


def _to_come(audit: Audit) -> QuerySet[AuditedImage]:
    """Images whose task is not done, or done and not measured yet: people may be quicker than the jobs."""
    states = [Task.State.OPEN, Task.State.CLAIMED, Task.State.SUBMITTED]
    return audit.images.filter(measured_at=None, task__state__in=states)


def _tasks_left(audit: Audit) -> QuerySet[Task]:
    return Task.objects.filter(audited_image__audit=audit, state__in=[Task.State.OPEN, Task.State.CLAIMED])


def _compare(place: AuditedImage) -> tuple[list[dict[str, Any]], dict[int, float], int]:
    """(pairs of one image, serial of what was left -> its IoU, masks that were added).

    Every frozen mask is followed through its corrections.
    """
    fields = ("serial", "uuid", "parent_id", "status", "segmentation", "task_id")
    rows = {mask.serial: mask for mask in Mask.objects.filter(image=place.image_id).only(*fields)}
    successor: dict[int, Mask] = {}
    for serial in sorted(rows):  # a later correction of the same parent comes after one that was undone
        parent = rows[serial].parent_id
        if parent is not None:
            successor[parent] = rows[serial]
    pairs, left = [], {}
    for before in (rows[serial] for serial in place.masks if serial in rows):
        after = _left(before, successor)
        pairs.append(_pair(before, after))
        if after.is_current:
            left[after.serial] = pairs[-1]["iou"]
    new = [mask for mask in rows.values() if mask.task_id == place.task_id and mask.parent_id is None]
    return pairs, left, sum(mask.is_current for mask in new)


def _left(mask: Mask, successor: dict[int, Mask]) -> Mask:
    """What a mask became."""
    while mask.status == Mask.Status.SUPERSEDED and mask.serial in successor:
        mask = successor[mask.serial]
    return mask


def _pair(before: Mask, after: Mask) -> dict[str, Any]:
    """One mask as it was against what it became."""
    if not after.is_current:
        return {"mask": str(before.uuid), "outcome": "deleted", "iou": 0.0}
    same = after.segmentation["counts"] == before.segmentation["counts"]
    iou = 1.0 if same else round(rle.iou(before.segmentation, after.segmentation), 6)
    return {"mask": str(before.uuid), "outcome": "kept" if same else "corrected", "iou": iou}


def audit_numbers(audit: Audit) -> dict[str, Any]:
    """Everything an audit says so far: counts, mean IoU, the two shares, each with its interval. JSON-able.

    {"images", "pairs", "kept", "corrected", "deleted", "added"} are counts; "mean_iou", "above_90" and "above_75" are
    {"value", "low", "high"} in 0..1, or null before the first image was measured.
    """
    measured = audit.images.exclude(measured_at=None).order_by("pk")
    rows = list(measured.values_list("image_id", "pairs", "added"))
    outcomes = Counter(pair["outcome"] for _, pairs, _ in rows for pair in pairs)
    ious = np.array([pair["iou"] for _, pairs, _ in rows for pair in pairs])
    groups = [image for image, pairs, _ in rows for _ in pairs]
    numbers: dict[str, Any] = {
        "images": len(rows),
        "pairs": len(ious),
        "added": sum(added for _, _, added in rows),
        **{outcome: outcomes[outcome] for outcome in ("kept", "corrected", "deleted")},
        **dict.fromkeys(("mean_iou", *SHARES)),
    }
    if len(ious):
        numbers["mean_iou"] = _with_interval(ious, groups)
        for name, bar in SHARES.items():
            numbers[name] = _with_interval((ious > bar).astype(np.float64), groups)
    return numbers


def _with_interval(values: Any, groups: Iterable[object]) -> dict[str, float]:
    """Mean of N values and its bootstrap interval over groups."""
    low, high = Resampling(list(groups), len(values), CONFIDENCE, RESAMPLES, 0).of_mean(values)
    return {"value": float(values.mean()), "low": low, "high": high}


def audit_published(dataset_id: int) -> dict[str, Any]:
    """What an export says about the quality of its masks: {"audit": ...} of the newest closed audit, else nothing."""
    closed = Audit.objects.filter(dataset=dataset_id, state=Audit.State.CLOSED).exclude(numbers={})
    audit = closed.order_by("-closed_at").first()
    if audit is None or audit.closed_at is None:
        return {}
    told = {"source": audit.source, "seed": audit.seed, "closed": audit.closed_at.isoformat(timespec="seconds")}
    return {"audit": {**told, "sampled_images": audit.size, **audit.numbers}}


def audited_images(dataset_id: int) -> list[int]:
    """Ids of the images on which people corrected every mask, in any audit of the dataset."""
    measured = AuditedImage.objects.filter(audit__dataset=dataset_id).exclude(measured_at=None)
    return list(measured.order_by("image_id").values_list("image_id", flat=True).distinct())
