"""Masks: saved once under the client's id, superseded and never edited, deleted and restored."""

from __future__ import annotations

import hashlib
import json
import uuid
from collections import Counter
from collections.abc import Iterable
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from annotation.errors import Conflict, Missing, UserError
from annotation.models import Image, Mask, Task, Track
from annotation.services.bulk import rows_insert
from annotation.signals import mask_deleted, mask_saved, send_on_commit
from modelzoo import rle

ATTEMPTS = 5  # to store many masks while somebody else stores the same
# What a proposal says of how the machine made it; its category, track and crowd may be others by now.
OF_THE_MACHINE = [
    *("stage", "source", "model", "predicted_iou", "stability_score", "crop_box", "point_coords", "prompts"),
    *("candidates", "chosen", "seconds", "edits", "task", "created_by"),
]
NAMESPACE = uuid.UUID("6c0b3a0e-7a3c-5d6e-9b1f-2f4f6f0a8f11")


def mask_save(*, image: Image, mask_uuid: uuid.UUID, user: Any, body: dict[str, Any]) -> tuple[Mask, bool]:
    """Save an accepted mask; (mask, True), or (the same mask saved before, False) when the request is a repetition.

    `body` has `segmentation` and any of: parent (uuid), category, stage, source, prompts, candidates, chosen,
    predicted_iou, stability_score, crop_box, point_coords, model, seconds, edits, task (id), track (uuid), proposed.
    Area and box are computed here. With a parent, the parent is superseded in the same transaction and its track is the
    new mask's. With `proposed` what the parent took over from the machine is the machine's proposal again.

    Raises UserError for a bad mask or parent, `not_a_proposal` where the machine made no such mask, Missing if the
    image is deleted meanwhile, Conflict `mask_conflict` if the id is taken by another mask, Conflict `mask_superseded`
    if the parent is no longer current and `frame_taken` if the track has another mask on this image:
    `details.current` is the uuid of the mask that is there.
    """
    fields = checked(image, body)
    fields["body_digest"] = _digest(image, user, body, fields["segmentation"])
    if (existing := Mask.objects.filter(uuid=mask_uuid).first()) is not None:
        return _same(existing, fields["body_digest"]), False
    parent = _parent(image, body.get("parent"))
    if parent is not None:
        fields["crowd"] = parent.crowd  # no tool draws crowds: a corrected one stays one
        fields["track"] = parent.track or fields["track"]
    fields |= {"created_by": user, **_apart(fields["task"], parent)}
    if body.get("proposed"):
        fields |= _as_proposed(parent, fields["segmentation"])
    try:
        with transaction.atomic():
            if parent is not None:
                _supersede(parent, user)
            mask = Mask.objects.create(uuid=mask_uuid, image=image, parent=parent, **fields)
            if mask.status == Mask.Status.ACCEPTED:
                send_on_commit(mask_saved, mask_id=mask.serial)
            elif mask.status == Mask.Status.PROPOSED and parent is not None:
                send_on_commit(mask_deleted, mask_id=parent.serial)
    except (IntegrityError, Conflict):  # perhaps the same request came twice at once
        if (existing := Mask.objects.filter(uuid=mask_uuid).first()) is not None:
            return _same(existing, fields["body_digest"]), False
        if not Image.objects.filter(pk=image.pk).exists():
            raise Missing("image_gone", "The image was deleted meanwhile.") from None
        refuse_taken(fields["track"], image.pk)
        raise
    return mask, True


def mask_delete(*, mask: Mask, user: Any) -> Mask:
    """Put a mask into the bin; deleting twice is deleting once. Raises Conflict if it was superseded meanwhile."""
    with transaction.atomic():  # and then the moment: whoever waits for its turn may wait for seconds
        for status in Mask.LIVE:
            changed = Mask.objects.filter(pk=mask.pk, status=status).update(
                status=Mask.Status.DELETED,
                status_before=status,
                status_changed_at=timezone.now(),
                status_changed_by=user,
            )
            if changed:
                if status in Mask.CURRENT:
                    send_on_commit(mask_deleted, mask_id=mask.serial)
                break
    mask.refresh_from_db()
    if mask.status == Mask.Status.SUPERSEDED:
        raise superseded(mask)
    return mask


def mask_restore(*, mask: Mask, user: Any) -> Mask:
    """Take a mask out of the bin; a current one stays as it is.

    Raises Conflict `mask_superseded` if another version of the same object is current, or `frame_taken` if its track
    has another mask on the image by now.
    """
    try:
        with transaction.atomic():
            row = Mask.objects.select_for_update().get(pk=mask.pk)
            if row.status == Mask.Status.SUPERSEDED:
                raise superseded(row)
            if row.status == Mask.Status.DELETED:
                _refuse_second(row)
                row.status = row.status_before or Mask.Status.ACCEPTED
                row.status_before = ""
                row.status_changed_at = timezone.now()
                row.status_changed_by = user
                row.save(update_fields=["status", "status_before", "status_changed_at", "status_changed_by"])
                if row.status == Mask.Status.ACCEPTED:
                    send_on_commit(mask_saved, mask_id=row.serial)
    except IntegrityError:
        refuse_taken(mask.track, mask.image_id)
        raise
    return row


def refuse_taken(track: Track | None, image_id: int) -> None:
    """Raises Conflict `frame_taken` if the track has a current mask on this image: `details.current` is its uuid."""
    there = Mask.objects.filter(track=track, image=image_id, status__in=Mask.CURRENT).first() if track else None
    if there is not None:
        told = "The track has a mask on this frame already. Correct that one, or take it out of the track."
        raise Conflict("frame_taken", told, {"current": str(there.uuid)})


def mask_history(*, mask: Mask) -> list[Mask]:
    """All versions of this object, oldest first: back to the first ancestor and on to every revision of it."""
    parents = dict(Mask.objects.filter(image=mask.image_id).values_list("serial", "parent"))
    first = mask.serial
    while (parent := parents.get(first)) is not None:
        first = parent
    family = {first}
    for serial in sorted(parents):  # a correction always comes after what it corrects
        if parents[serial] in family:
            family.add(serial)
    versions = Mask.objects.filter(image=mask.image_id, serial__in=family).select_related(
        "created_by", "parent", "track"
    )
    return list(versions.order_by("serial"))


def current_of(mask: Mask) -> Mask | None:
    """The version of this object that counts now; None if it was deleted."""
    if mask.is_current:
        return mask
    return next((one for one in reversed(mask_history(mask=mask)) if one.is_current), None)


def masks_add(
    *,
    image: Image,
    records: Iterable[dict[str, Any]],
    stage: str,
    source: str,
    status: str = Mask.Status.ACCEPTED,
    model: str = "",
    user: Any = None,
) -> list[int]:
    """Many masks of one image at once, made by a model or imported; those that are there already are left alone.

    A record has `segmentation` (an RLE, or rle.Measured if it was checked) and any of: category, crowd, predicted_iou,
    stability_score, crop_box, point_coords, track (uuid).
    The id follows from image, model, source, category and pixels, so that work done twice gives the same masks once;
    of masks that are equal within one call, each is kept.
    Returns the serials of the masks that are new. Raises UserError for a bad record and Conflict `frame_taken` for a
    track that has another mask here; then none of this call is stored.
    """
    rows: dict[uuid.UUID, dict[str, Any]] = {}
    common = {"image_id": image.pk, "status": status, "created_by_id": getattr(user, "pk", None)}
    same: Counter[str] = Counter()
    for record in records:
        fields = checked(image, {**record, "stage": stage, "source": source, "model": model})
        told = json.dumps(
            [image.pk, model, stage, source, fields["category"], fields["crowd"], fields["segmentation"]["counts"]]
        )
        same[told] += 1
        key = uuid.uuid5(NAMESPACE, f"{told[:-1]}, {same[told]}]")
        task, track = fields.pop("task"), fields.pop("track")
        rows[key] = {"uuid": key, "task_id": task.pk if task else None, **common, **fields}
        rows[key]["track_id"] = track.pk if track else None
    return _stored(rows)


def masks_audited(*, found: dict[int, float]) -> None:
    """Keep what an audit found: the serial of a mask as people left it -> its IoU (0..1) with what it was before."""
    rows = [Mask(serial=serial, audit_iou=iou) for serial, iou in found.items()]
    Mask.objects.bulk_update(rows, ["audit_iou"], batch_size=200)


def _stored(rows: dict[uuid.UUID, dict[str, Any]]) -> list[int]:
    """Store those that are not there yet, and return their serials."""
    for attempt in range(ATTEMPTS):
        known = set(Mask.objects.filter(uuid__in=list(rows)).values_list("uuid", flat=True))
        new = [row for key, row in rows.items() if key not in known]
        try:
            with transaction.atomic():
                now = timezone.now()  # once it is our turn: open editors ask for what is newer than a few seconds
                rows_insert(model=Mask, rows=[{**row, "created_at": now, "status_changed_at": now} for row in new])
            mine = Mask.objects.filter(uuid__in=[row["uuid"] for row in new])
            return list(mine.order_by("serial").values_list("serial", flat=True))
        except IntegrityError:  # the same work is done twice at this moment
            if attempt == ATTEMPTS - 1:
                for row in new:
                    refuse_taken(Track.objects.filter(pk=row["track_id"]).first(), row["image_id"])
                raise
    raise AssertionError


def checked(image: Image, body: dict[str, Any]) -> dict[str, Any]:
    """Fields of a new row: segmentation validated against the image, area and box computed. Raises UserError."""
    mask = _measured(image, body["segmentation"])
    return {
        "segmentation": mask.segmentation,
        "bbox": mask.bbox,
        "area": mask.area,
        "category": body.get("category", ""),
        "crowd": body.get("crowd", False),
        "stage": body.get("stage") or image.dataset.stage,
        "source": body["source"],
        "prompts": body.get("prompts", []),
        "candidates": body.get("candidates", []),
        "chosen": body.get("chosen"),
        "predicted_iou": body.get("predicted_iou"),
        "stability_score": body.get("stability_score"),
        "crop_box": body.get("crop_box"),
        "point_coords": body.get("point_coords"),
        "model": body.get("model", ""),
        "seconds": body.get("seconds", 0.0),
        "edits": body.get("edits", 0),
        "task": _task(image, body.get("task")),
        "track": _track(image, body.get("track")),
    }


def _measured(image: Image, told: object) -> rle.Measured:
    """A mask of this image with at least one pixel, checked once. Raises UserError."""
    size = [image.height, image.width]
    if not isinstance(told, rle.Measured) or told.segmentation["size"] != size:
        try:
            told = rle.examine(told.segmentation if isinstance(told, rle.Measured) else told, *size)
        except rle.RLEError as problem:
            raise UserError(problem.code, str(problem)) from None
    if told.area == 0:
        raise UserError("mask_empty", "The mask has no pixels.")
    return told


def _task(image: Image, task_id: int | None) -> Task | None:
    """The task of this image under which the mask was made; a lease that ended meanwhile does not lose the mask."""
    if task_id is None:
        return None
    return Task.objects.filter(pk=task_id, image=image).first()


def _track(image: Image, track_uuid: uuid.UUID | None) -> Track | None:
    """The track of the frame's video that the mask belongs to; one that was ended meanwhile does not lose the mask."""
    if track_uuid is None:
        return None
    return Track.objects.filter(uuid=track_uuid, video=image.video_id).first()


def _digest(image: Image, user: Any, body: dict[str, Any], segmentation: rle.RLE) -> str:
    """What makes two requests the same: everything that was sent, with the mask in its canonical form."""
    # Active time may be told anew with a retry and says nothing about what was drawn.
    told = {name: value for name, value in body.items() if name not in ("seconds", "segmentation")}
    told |= {"counts": segmentation["counts"], "image": image.pk, "user": getattr(user, "pk", None)}
    return hashlib.sha256(json.dumps(told, sort_keys=True, default=str).encode()).hexdigest()


def _same(existing: Mask, digest: str) -> Mask:
    if existing.body_digest != digest:
        raise Conflict("mask_conflict", "Another mask was saved under this id.", {"id": str(existing.uuid)})
    return existing


def _parent(image: Image, parent_uuid: uuid.UUID | None) -> Mask | None:
    if parent_uuid is None:
        return None
    parent = Mask.objects.filter(uuid=parent_uuid).first()
    if parent is None or parent.image_id != image.pk:
        raise UserError("parent_missing", "The mask to correct is not on this image.")
    return parent


def _apart(task: Task | None, parent: Mask | None) -> dict[str, Any]:
    """Masks of a trainee or a second person are only compared, and never correct or become masks of the dataset."""
    was_apart = parent is not None and parent.status == Mask.Status.COMPARED
    if parent is not None and was_apart and task is None:
        task = parent.task
    if task is None or task.kind not in Task.APART:
        if was_apart:
            raise UserError("parent_missing", "The mask to correct is not on this image.")
        return {}
    if parent is not None and parent.status in Mask.CURRENT:
        raise UserError("parent_missing", "The mask to correct is not on this image.")
    return {"status": Mask.Status.COMPARED, "task": task, "track": None}


def _as_proposed(parent: Mask | None, segmentation: rle.RLE) -> dict[str, Any]:
    """Fields of the machine's mask that the parent, or one before it, was made of. Raises UserError."""
    for row in reversed(mask_history(mask=parent) if parent is not None else []):
        if row.created_by_id is None and row.source == Mask.Source.MODEL and row.segmentation == segmentation:
            Mask.objects.filter(pk=row.pk).update(status_changed_by=None)  # nobody has decided on it
            return {"status": Mask.Status.PROPOSED, **{name: getattr(row, name) for name in OF_THE_MACHINE}}
    raise UserError("not_a_proposal", "The machine has not proposed this mask, so it cannot be a proposal again.")


def _supersede(parent: Mask, user: Any) -> None:
    """Conditional: of two corrections at once, one wins and the other learns which."""
    changed = Mask.objects.filter(pk=parent.pk, status__in=Mask.LIVE).update(
        status=Mask.Status.SUPERSEDED, status_changed_at=timezone.now(), status_changed_by=user
    )
    if not changed:
        parent.refresh_from_db()
        raise superseded(parent)


def superseded(mask: Mask) -> Conflict:
    """Why a mask that is no longer current cannot be changed: `details.current` is the uuid of the one that is."""
    if mask.status == Mask.Status.DELETED:
        return Conflict("mask_deleted", "Somebody deleted this mask meanwhile.", {"current": None})
    current = current_of(mask)
    details = {"current": str(current.uuid) if current else None}
    return Conflict("mask_superseded", "Somebody corrected this mask meanwhile.", details)


def _refuse_second(mask: Mask) -> None:
    """An earlier version may count again by now, as after an undone consensus: the object would be there twice."""
    if (current := current_of(mask)) is not None:
        told = "Another version of this mask counts by now. Restore this one in its history instead."
        raise Conflict("mask_superseded", told, {"current": str(current.uuid)})
