"""Reads, with what they need fetched beforehand: no query per row, and memory that does not grow with a dataset."""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from typing import Any

from django.db.models import Count, Exists, F, IntegerField, Max, OuterRef, Q, QuerySet, Subquery, Value
from django.db.models.functions import Coalesce
from django.utils import timezone

from annotation.models import Dataset, Image, Mask, Member, Task, Track, Upload, Video

_ANNOTATE = Q(kind=Task.Kind.ANNOTATE)


def _count(queryset: QuerySet[Any], by: str) -> Any:
    """A correlated count: joins of several tables would multiply the rows."""
    counted = queryset.order_by().values(by).annotate(n=Count("pk")).values("n")
    return Coalesce(Subquery(counted, output_field=IntegerField()), Value(0))


def datasets_of(user: Any) -> QuerySet[Dataset]:
    """Datasets of which the user is a member, with role and cover; annotation.counts says how much they hold."""
    mine = Dataset.objects.filter(members__user=user, members__deactivated_at=None).annotate(role=F("members__role"))
    images = Image.objects.filter(dataset=OuterRef("pk"))
    return mine.annotate(cover_id=Subquery(images.order_by("id").values("pk")[:1]))


def with_summary(images: QuerySet[Image]) -> QuerySet[Image]:
    """Add mask_count, task_state, and what the overlay depends on: overlay_count, overlay_serial, overlay_changed."""
    masks = Mask.objects.filter(image=OuterRef("pk"), status__in=Mask.CURRENT).order_by().values("image")
    tasks = Task.objects.filter(_ANNOTATE, image=OuterRef("pk"))
    accepted = Mask.objects.filter(image=OuterRef("pk"), status=Mask.Status.ACCEPTED)
    return images.annotate(
        mask_count=_count(accepted, "image"),
        overlay_count=Coalesce(Subquery(masks.annotate(n=Count("pk")).values("n")), Value(0)),
        overlay_serial=Coalesce(Subquery(masks.annotate(n=Max("serial")).values("n")), Value(0)),
        overlay_changed=Subquery(masks.annotate(n=Max("status_changed_at")).values("n")),
        task_state=Subquery(tasks.order_by("-id").values("state")[:1]),
    )


def images_in_state(images: QuerySet[Image], state: str) -> QuerySet[Image]:
    """Those whose newest annotate task is in this state: from the tasks to the images, not a look at every image."""
    newer = Task.objects.filter(_ANNOTATE, image=OuterRef("image"), pk__gt=OuterRef("pk"))
    return images.filter(pk__in=Task.objects.filter(_ANNOTATE, ~Exists(newer), state=state).values("image"))


def masks_of_image(image: Image, user: Any, *, history: bool = False) -> QuerySet[Mask]:
    """Current masks of an image, or all that ever were, oldest first. Without those that are only compared.

    None for who has begun to mask the same picture for a comparison (`task_begun`).
    """
    masks = _masks(image, None) if task_begun(image, user) is None else Mask.objects.none()
    return masks if history else masks.filter(status__in=Mask.CURRENT)


def _masks(image: Image, apart: Task | None) -> QuerySet[Mask]:
    """Masks of the dataset, or those of one task that are only compared with them."""
    masks = image.masks.select_related("created_by", "parent", "track").order_by("serial")
    if apart is not None:
        return masks.filter(task=apart)
    return masks.exclude(task__kind__in=Task.APART).exclude(status=Mask.Status.COMPARED)


def masks_changed(image: Image, since: datetime | None, task: Task | None = None) -> QuerySet[Mask]:
    """Masks that were made, corrected, deleted or restored at or after `since`; without it all but the superseded.

    Who holds `task` as a trainee or a second person sees their own masks alone.
    """
    masks = _masks(image, task if task is not None and task.kind in Task.APART else None)
    if since is None:
        return masks.exclude(status=Mask.Status.SUPERSEDED)
    return masks.filter(status_changed_at__gte=since)


def task_shown(image: Image, user: Any) -> Task | None:
    """The task this person holds on an image, whatever its kind; else one that they began and nobody has taken up,
    where they see their own masks alone; else the newest annotate task, with its holder."""
    tasks = Task.objects.filter(image=image).select_related("assignee").order_by("-id")
    held = tasks.filter(state=Task.State.CLAIMED, assignee=user, lease_expires_at__gt=timezone.now()).first()
    return held or task_begun(image, user) or tasks.filter(_ANNOTATE).first()


def task_begun(image: Image, user: Any) -> Task | None:
    """What a trainee or a second person left half-done: until it is submitted, the other masks are not for their eyes.

    Whoever is in no training any more left nothing.
    """
    return tasks_begun([image.pk], user).select_related("assignee").order_by("-id").first()


def tasks_begun(images: Collection[int], user: Any) -> QuerySet[Task]:
    """The tasks of these images (ids) that `task_begun` means."""
    waiting = Q(state=Task.State.OPEN) | Q(state=Task.State.CLAIMED, assignee=user)
    tasks = Task.objects.filter(waiting, image__in=images, kind__in=Task.APART)
    trainees = Member.objects.filter(
        user=user, role=Member.Role.ANNOTATOR, graduated_at=None, dataset__training_images__gt=0
    )
    training = Q(kind=Task.Kind.TRAINING, assignee=user, image__dataset__in=trainees.values("dataset"))
    second = Q(kind=Task.Kind.OVERLAP, pk__in=Mask.objects.filter(image__in=images, created_by=user).values("task"))
    return tasks.filter(training | second)


def categories_of(dataset: Dataset, limit: int) -> list[dict[str, Any]]:
    """Names that current masks carry, the most used first: [{"name", "masks"}], at most `limit`."""
    masks = Mask.objects.filter(image__dataset=dataset, status__in=Mask.CURRENT).exclude(category="")
    counted = masks.order_by().values("category").annotate(masks=Count("pk")).order_by("-masks", "category")
    return [{"name": row["category"], "masks": row["masks"]} for row in counted[:limit]]


def uploads_of(dataset: Dataset, user: Any, since: datetime | None, for_import: bool = False) -> QuerySet[Upload]:
    """A person's uploads of pictures into a dataset, or of archives for the import, oldest first; with `since` those
    that changed at or after it."""
    rows = Upload.objects.filter(dataset=dataset, created_by=user)
    rows = rows.exclude(import_format="") if for_import else rows.filter(import_format="")
    return rows.filter(changed_at__gte=since) if since else rows


def with_frames(videos: QuerySet[Video]) -> QuerySet[Video]:
    """Add arrived (frames that are there), track_count and first_image (id of the first frame, null without one)."""
    frames = Image.objects.filter(video=OuterRef("pk"))
    return videos.annotate(
        arrived=_count(frames, "video"),
        track_count=_count(Track.objects.filter(video=OuterRef("pk")), "video"),
        first_image=Subquery(frames.order_by("frame_number").values("pk")[:1]),
    )


def frames_of(video: Video, start: int, limit: int) -> list[Image]:
    """At most `limit` frames from the number `start` on, in their order, with mask_count and task_state."""
    tasks = Task.objects.filter(_ANNOTATE, image=OuterRef("pk"))
    accepted = Mask.objects.filter(image=OuterRef("pk"), status=Mask.Status.ACCEPTED)
    rows = video.frames.filter(frame_number__gte=start).order_by("frame_number")
    rows = rows.annotate(
        mask_count=_count(accepted, "image"), task_state=Subquery(tasks.order_by("-id").values("state")[:1])
    )
    return list(rows[:limit])


def tracks_of(tracks: QuerySet[Track]) -> list[dict[str, Any]]:
    """Tracks with their current masks, without pixels: [{"id", "category", "created_at", "masks": [{"id", "image",
    "frame", "status", "source", "confidence"}]}], masks in the order of frames. Two queries for any number of them."""
    found: dict[int, dict[str, Any]] = {
        row.pk: {"id": row.uuid, "category": row.category, "created_at": row.created_at, "masks": []} for row in tracks
    }
    masks = Mask.objects.filter(track__in=tracks.order_by(), status__in=Mask.CURRENT).order_by("image__frame_number")
    for mask in masks.annotate(frame=F("image__frame_number"), confidence=F("predicted_iou")).values(
        "track_id", "uuid", "image_id", "frame", "status", "source", "confidence"
    ):
        if (track := found.get(mask["track_id"])) is not None:  # one that began between the two queries
            track["masks"].append({**mask, "id": mask["uuid"], "image": mask["image_id"]})
    return list(found.values())
