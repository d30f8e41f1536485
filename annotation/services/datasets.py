"""Datasets and the people in them."""

from __future__ import annotations

from functools import partial
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models.deletion import RestrictedError
from django.utils import timezone

from annotation import storage
from annotation.errors import Conflict, UserError
from annotation.models import Dataset, GroupRole, Invitation, Job, Member
from annotation.services.exports import EXPORT
from annotation.services.imports import IMPORT
from annotation.services.tasks import tasks_give_back
from annotation.services.training import members_excuse

STRENGTH = {str(role): place for place, role in enumerate(reversed(Member.Role.values))}


def dataset_create(*, user: Any, **fields: Any) -> Dataset:
    """A new dataset; whoever makes it leads it. Raises Conflict `name_taken`."""
    try:
        with transaction.atomic():
            dataset = Dataset.objects.create(created_by=user, **fields)
            if user is not None:
                Member.objects.create(dataset=dataset, user=user, role=Member.Role.LEAD)
    except IntegrityError:
        raise Conflict("name_taken", "There is a dataset of this name already.") from None
    return dataset


def dataset_update(*, dataset: Dataset, **fields: Any) -> Dataset:
    """Change name, description, licence, source, the queue or the retraining settings. Raises Conflict `name_taken`."""
    trains_now = dataset.training_images == 0 and fields.get("training_images", 0) > 0
    for name, value in fields.items():
        setattr(dataset, name, value)
    try:
        with transaction.atomic():
            dataset.save(update_fields=list(fields))
            if trains_now:
                members_excuse(dataset=dataset)
    except IntegrityError:
        raise Conflict("name_taken", "There is a dataset of this name already.") from None
    return dataset


def dataset_delete(*, dataset: Dataset) -> None:
    """Remove a dataset with everything in it. Raises Conflict while a job of it is running, or another one needs it."""
    if Job.objects.filter(dataset=dataset, state=Job.State.RUNNING).exists():
        raise Conflict("jobs_running", "Jobs of this dataset are running. Cancel them or wait until they end.")
    folders = [storage.path_for("images", dataset.pk)]
    for pk in dataset.jobs.filter(kind__in=[EXPORT.name, IMPORT.name]).values_list("pk", flat=True):
        folders += [storage.path_for("exports", str(pk)), storage.path_for("imports", str(pk))]
    folders.append(storage.path_for("versions", dataset.pk))
    folders += [storage.path_for("uploads", str(pk)) for pk in dataset.uploads.values_list("pk", flat=True)]
    try:
        with transaction.atomic():
            dataset.delete()
            for folder in folders:
                transaction.on_commit(partial(storage.remove, folder), robust=True)
    except RestrictedError:  # equal weights are one model version, also across datasets
        raise Conflict("model_in_use", "Another dataset works with a model that was trained on this one.") from None


def member_add(*, dataset: Dataset, username: str, role: str) -> Member:
    """Give somebody a role. Raises UserError for an unknown name, Conflict if they have a role already."""
    user = get_user_model().objects.filter(username=username, is_active=True).first()
    if user is None:
        raise UserError("user_unknown", "There is nobody with this user name.")
    try:
        with transaction.atomic():
            return Member.objects.create(dataset=dataset, user=user, role=role)
    except IntegrityError:
        by_group = Member.objects.filter(dataset=dataset, user=user, own_role="").first()
        if by_group is not None:  # so far they have none of their own
            return member_update(member=by_group, role=role)
        raise Conflict("member_exists", "This person has a role in the dataset already.") from None


def member_update(*, member: Member, role: str) -> Member:
    """Change a person's own role; one that a group gives them stays if it is stronger. Conflict for the last lead."""
    with transaction.atomic():
        by_group = _role_by_groups(member)
        effective = stronger(role, by_group)
        if effective != Member.Role.LEAD:
            _keep_a_lead(member)
            invitations_end(dataset_id=member.dataset_id, user_id=member.user_id)
        if effective == Member.Role.VIEWER:
            tasks_give_back(dataset_id=member.dataset_id, user_id=member.user_id)
        member.role, member.own_role = effective, role if by_group else None
        member.save(update_fields=["role", "own_role"])
    return member


def member_remove(*, member: Member) -> None:
    """Take a role away and give back the images the person holds.

    Conflict for the last lead, and `role_by_group` where they would come back by a group at once.
    """
    with transaction.atomic():
        if _role_by_groups(member):
            message = "A group gives this person a role. Take the role from the group, or close the dataset to them."
            raise Conflict("role_by_group", message)
        _keep_a_lead(member)
        invitations_end(dataset_id=member.dataset_id, user_id=member.user_id)
        tasks_give_back(dataset_id=member.dataset_id, user_id=member.user_id)
        member.delete()


def member_activate(*, member: Member, active: bool) -> Member:
    """Close the dataset to a person, or open it again; what they made stays theirs. Conflict for the last lead."""
    with transaction.atomic():
        if not active:
            _keep_a_lead(member)
            invitations_end(dataset_id=member.dataset_id, user_id=member.user_id)
            tasks_give_back(dataset_id=member.dataset_id, user_id=member.user_id)
        member.deactivated_at = None if active else timezone.now()
        member.save(update_fields=["deactivated_at"])
    return member


def invitations_end(*, dataset_id: int, user_id: int) -> None:
    """Take back the links of somebody who leads the dataset no more: they, and whom they told, could come in again."""
    links = Invitation.objects.filter(dataset=dataset_id, created_by=user_id, revoked_at=None)
    links.update(revoked_at=timezone.now())


def stronger(one: str, other: str) -> str:
    """The role that includes the other; "" is none."""
    return max(one, other, key=lambda role: STRENGTH.get(role, -1))


def _role_by_groups(member: Member) -> str:
    """The strongest role that groups give a member; "" for none."""
    found = ""
    roles = GroupRole.objects.filter(dataset=member.dataset_id, group__people=member.user_id)
    for role in roles.values_list("role", flat=True):
        found = stronger(found, role)
    return found


def _keep_a_lead(member: Member) -> None:
    # Locked in order of id: two leads that remove one another at once cannot both succeed.
    leads = Member.objects.select_for_update().filter(dataset=member.dataset_id, role=Member.Role.LEAD)
    leads = leads.filter(deactivated_at=None).order_by("id")
    if not any(lead.pk != member.pk for lead in leads):
        raise Conflict("last_lead", "A dataset needs a lead: give somebody else the role first.")
