"""Tracks: one thing followed through the frames of a video, with at most one current mask on each of them."""

from __future__ import annotations

import uuid
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import QuerySet
from django.utils import timezone

from annotation.errors import Conflict, Missing, UserError
from annotation.models import Image, Mask, Stage, Track, Video
from annotation.services.masks import checked, refuse_taken, superseded
from annotation.signals import mask_deleted, send_on_commit


def track_begin(*, video: Video, mask: Mask, user: Any) -> tuple[Track, bool]:
    """A new track that begins with this mask; (track, True), or (the track that began with it, False) when asked again.

    The track takes the mask's category. Raises UserError for a mask that is not on a frame of the video, Conflict
    `mask_tracked` if it belongs to another track (`details.track`), Conflict `mask_superseded` if it is no longer
    current.
    """
    _usable(video, mask)
    with transaction.atomic():
        track = Track.objects.create(video=video, category=mask.category, created_by=user)
        if _moved(mask, None, track, user):
            return track, True
        transaction.set_rollback(True)
    mask.refresh_from_db()
    if mask.track is None:
        raise superseded(mask)
    if mask.track.masks.order_by("serial").values_list("pk", flat=True).first() == mask.pk:
        return mask.track, False
    raise Conflict("mask_tracked", "This mask belongs to a track already.", {"track": str(mask.track.uuid)})


def track_update(*, track: Track, category: str, user: Any) -> Track:
    """Say what is followed; its current masks are told so too, without a new row each: no pixel changes.

    Raises Missing `track_gone` if somebody ended it meanwhile.
    """
    with transaction.atomic():
        if not Track.objects.filter(pk=track.pk).update(category=category):
            raise Missing("track_gone", "Somebody ended this track meanwhile.")
        track.category = category
        masks = track.masks.filter(status__in=Mask.CURRENT).exclude(category=category)
        masks.update(category=category, status_changed_at=timezone.now(), status_changed_by=user)
    return track


def track_delete(*, track: Track, user: Any, proposed: bool = True) -> None:
    """End a track. Accepted masks stay, as masks without a track; proposed ones go into the bin, or stay as well."""
    with transaction.atomic():
        # Locked: a mask that is put to the track at this moment comes before, or is refused.
        Track.objects.select_for_update().filter(pk=track.pk).first()
        # Every other mask of the track, of whatever status, is let go by the database (SET_NULL).
        current = track.masks.filter(status__in=Mask.CURRENT)
        if proposed:
            proposals_discard(masks=current, user=user)
        current.update(status_changed_at=timezone.now())
        track.delete()


def proposals_discard(*, masks: QuerySet[Mask], user: Any = None) -> None:
    """Put those of the masks that are only proposed into the bin.

    `user` None: the machine takes back what it said, of which webhooks are not told.
    """
    with transaction.atomic():
        # Locked, so that one that is accepted at this moment is either left alone or refused to whoever accepts it.
        proposed = masks.filter(status=Mask.Status.PROPOSED).select_for_update()
        serials = list(proposed.values_list("serial", flat=True))
        Mask.objects.filter(serial__in=serials, status=Mask.Status.PROPOSED).update(
            status=Mask.Status.DELETED,
            status_before=Mask.Status.PROPOSED,
            status_changed_at=timezone.now(),
            status_changed_by=user,
        )
        if user is not None:
            for serial in serials:
                send_on_commit(mask_deleted, mask_id=serial)


def track_mask_put(*, track: Track, mask: Mask, user: Any) -> Mask:
    """Put a mask to a track, out of the one it was in. Putting twice is putting once.

    Raises UserError for a mask of another video, Conflict `frame_taken` if the track has another mask on this frame
    (`details.current`), Conflict `mask_superseded` if this one is no longer current.
    """
    _usable(track.video, mask)
    if mask.track_id == track.pk:
        return mask
    try:
        with transaction.atomic():
            moved = _moved(mask, mask.track, track, user)
    except IntegrityError:
        refuse_taken(track, mask.image_id)
        raise
    mask.refresh_from_db()
    if not moved and mask.track_id != track.pk:
        raise Conflict("mask_changed", "Somebody changed this mask meanwhile. Look again, then decide.")
    return mask


def track_mask_remove(*, track: Track, mask: Mask, user: Any) -> None:
    """Take a mask out of its track; it stays as a mask of the frame. One that is not in the track is left alone."""
    _moved(mask, track, None, user)


def track_propose(*, track: Track, image: Image, record: dict[str, Any], model: str) -> Mask | None:
    """Store the machine's mask of a frame of the track; None where an accepted mask stands, which is what people said.

    `record` has `segmentation` and any of: predicted_iou (how sure the machine is of this frame), stability_score,
    prompts, point_coords. A proposed mask that is there is superseded by the new one, and kept if it is the same.
    Raises UserError for a bad record or an image of another video, Conflict `frame_taken` if somebody else puts a mask
    there at this moment.
    """
    if image.video_id != track.video_id:
        raise UserError("other_video", "This image is not a frame of the track's video.")
    # Not of the dataset's stage: what the semi-automatic stage proposed it takes back and counts.
    told = {**record, "stage": Stage.ASSISTED, "source": Mask.Source.MODEL, "model": model, "category": track.category}
    fields = {**checked(image, told), "status": Mask.Status.PROPOSED, "track": track}
    try:
        with transaction.atomic():
            there = Mask.objects.filter(track=track, image=image, status__in=Mask.CURRENT).first()
            if there is not None:
                if there.status == Mask.Status.ACCEPTED:
                    return None
                if there.segmentation == fields["segmentation"] and there.model == model:
                    return there
                changed = Mask.objects.filter(pk=there.pk, status=Mask.Status.PROPOSED).update(
                    status=Mask.Status.SUPERSEDED, status_changed_at=timezone.now()
                )
                if not changed:
                    return None
            return Mask.objects.create(uuid=uuid.uuid4(), image=image, parent=there, **fields)
    except IntegrityError:
        refuse_taken(track, image.pk)
        raise


def _usable(video: Video, mask: Mask) -> None:
    """Raises UserError for a mask that is not on a frame of the video, Conflict for one that is no longer current."""
    if mask.image.video_id != video.pk:
        raise UserError("other_video", "This mask is not on a frame of this video.")
    if mask.status == Mask.Status.COMPARED:
        raise UserError("mask_compared", "This mask is only compared with the dataset's, and never part of it.")
    if mask.status not in Mask.CURRENT:
        raise superseded(mask)


def _moved(mask: Mask, before: Track | None, after: Track | None, user: Any) -> bool:
    """From one track to another, conditional: False if the mask was changed meanwhile."""
    with transaction.atomic():  # and then the moment: whoever waits for its turn may wait for seconds
        changed = Mask.objects.filter(pk=mask.pk, track=before, status__in=Mask.CURRENT).update(
            track=after, status_changed_at=timezone.now(), status_changed_by=user
        )
    return bool(changed)
