"""Who may reach what. All is looked up through the caller's memberships: what they are no member of is not there.

A stranger gets Missing (404), a member whose role does not reach so far NotAllowed (403).
"""

from __future__ import annotations

import uuid
from operator import attrgetter
from typing import Any, TypeVar

from django.db.models import Model, QuerySet

from annotation.errors import Missing, NotAllowed
from annotation.models import Dataset, Image, Job, Mask, Member, Task, Track, Upload, Video

Role = Member.Role
Row = TypeVar("Row", bound=Model)
NOTHING = "There is nothing here, or you are not a member of its dataset."


def dataset_for(user: Any, dataset_id: int, role: str = Role.VIEWER) -> Dataset:
    """A dataset in which the user has at least this role."""
    return _member(user, dataset_id, role).dataset


def image_for(user: Any, image_id: int, role: str = Role.VIEWER) -> Image:
    """An image of a dataset in which the user has at least this role, with its dataset."""
    return _one_of(Image.objects.select_related("dataset").filter(pk=image_id), "dataset", user, role)


def mask_for(user: Any, mask_uuid: uuid.UUID, role: str = Role.VIEWER) -> Mask:
    """A mask by its public id, with image, dataset, parent and maker."""
    masks = Mask.objects.select_related("image__dataset", "parent", "created_by", "track")
    return _one_of(masks.filter(uuid=mask_uuid), "image__dataset", user, role)


def video_for(user: Any, video_id: int, role: str = Role.VIEWER) -> Video:
    """A video of a dataset in which the user has at least this role, with its dataset."""
    return _one_of(Video.objects.select_related("dataset").filter(pk=video_id), "dataset", user, role)


def track_for(user: Any, track_uuid: uuid.UUID, role: str = Role.VIEWER) -> Track:
    """A track by its public id, with its video and dataset."""
    tracks = Track.objects.select_related("video__dataset")
    return _one_of(tracks.filter(uuid=track_uuid), "video__dataset", user, role)


def task_for(user: Any, task_id: int, role: str = Role.VIEWER) -> Task:
    """A task with its image."""
    tasks = Task.objects.select_related("image__dataset", "assignee")
    return _one_of(tasks.filter(pk=task_id), "image__dataset", user, role)


def upload_for(user: Any, upload_id: uuid.UUID) -> Upload:
    """A file on its way into a dataset that the user leads."""
    upload = Upload.objects.select_related("dataset").filter(pk=upload_id).first()
    if upload is None:
        raise Missing("not_found", NOTHING)
    _member(user, upload.dataset_id, Role.LEAD)
    return upload


def job_for(user: Any, job_id: uuid.UUID, *, change: bool = False) -> Job:
    """A job of one of the user's datasets, or one they started; to change it takes its starter or a lead."""
    job = Job.objects.filter(pk=job_id).first()
    if job is None:
        raise Missing("not_found", NOTHING)
    mine = job.created_by_id == user.pk
    if job.dataset_id is None:
        if not mine:
            raise Missing("not_found", NOTHING)
    else:
        _member(user, job.dataset_id, Role.LEAD if change and not mine else Role.VIEWER)
    return job


def memberships(user: Any) -> QuerySet[Member]:
    """The memberships of a person that count: of datasets that no lead has closed to them."""
    return Member.objects.filter(user=user, deactivated_at=None)


def _one_of(rows: QuerySet[Row], path: str, user: Any, role: str) -> Row:
    """The row, where the user has the role in the dataset to which `path` leads from it."""
    row = rows.filter(**{f"{path}__members__user": user}).first()
    if row is None:
        raise Missing("not_found", NOTHING)
    _member(user, attrgetter(path.replace("__", "."))(row).pk, role)
    return row


def _member(user: Any, dataset_id: int, role: str) -> Member:
    member = memberships(user).select_related("dataset").filter(dataset=dataset_id).first()
    if member is None:
        raise Missing("not_found", NOTHING)
    if not member.reaches(role):
        needed = Role(role).label
        message = f"This takes the role of {needed}; you are {member.get_role_display()} of this dataset."
        raise NotAllowed("role_too_low", message, {"role": member.role, "needed": str(role)})
    return member
