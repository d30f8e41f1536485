"""Groups of people, and the roles they have in datasets.

Who may do what is decided by Member rows alone. A group's role is written into those of its people: `role` is the
strongest of their own and their groups', `own_role` keeps their own while groups have a say. So every change here ends
in `_settle`, which writes the rows anew from what is given.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction
from django.db.models import Q

from annotation.errors import Conflict, UserError
from annotation.models import Dataset, Group, GroupRole, Member
from annotation.services.datasets import invitations_end, stronger
from annotation.services.tasks import tasks_give_back

MOST_PEOPLE = 1000


def group_save(*, group: Group | None, owner: Any, name: str | None = None, people: list[str] | None = None) -> Group:
    """Make a group, or change its name or its people (user names; all of them). What is None stays.

    UserError `user_unknown`, Conflict `name_taken`, and `last_lead` where a dataset would be left without one.
    """
    users = None if people is None else _users(people, group)
    with transaction.atomic():
        row = _named(group, owner, name)
        if users is not None:
            affected = set(row.people.values_list("pk", flat=True)) ^ {user.pk for user in users}
            row.people.set(users)
            for dataset in row.roles.order_by("dataset").values_list("dataset", flat=True):
                _settle(dataset, affected)
    return row


def _named(group: Group | None, owner: Any, name: str | None) -> Group:
    """A new group of this name, or the group with it. Raises Conflict `name_taken`."""
    try:
        with transaction.atomic():
            if group is None:
                return Group.objects.create(owner=owner, name=name or "")
            if name is not None:
                group.name = name
                group.save(update_fields=["name"])
            return group
    except IntegrityError:
        raise Conflict("name_taken", "There is a group of this name already. Choose another one.") from None


def group_delete(*, group: Group) -> None:
    """The group and its roles; people keep their own. Conflict `last_lead`."""
    with transaction.atomic():
        for role in list(group.roles.order_by("dataset")):
            group_role_remove(role=role)
        group.delete()


def group_role_set(*, dataset: Dataset, group: Group, role: str) -> GroupRole:
    """Give a group a role in a dataset, or another one. Conflict `last_lead`."""
    with transaction.atomic():
        row, _ = GroupRole.objects.update_or_create(dataset=dataset, group=group, defaults={"role": role})
        _settle(dataset.pk, group.people.values_list("pk", flat=True))
    return row


def group_role_remove(*, role: GroupRole) -> None:
    """Take it away; people keep what they have by themselves and by other groups. Conflict `last_lead`."""
    with transaction.atomic():
        people = list(role.group.people.values_list("pk", flat=True))
        role.delete()
        _settle(role.dataset_id, people)


def _settle(dataset_id: int, users: Iterable[int]) -> None:
    """Write the members of a dataset among `users` anew: from their own roles and those of their groups."""
    users = list(users)
    # Locked in order of id, as for every change of leads (annotation.services.datasets).
    leads = Member.objects.select_for_update().filter(dataset=dataset_id, role=Member.Role.LEAD, deactivated_at=None)
    had_a_lead = bool(list(leads.order_by("id")))
    by_group: dict[int, str] = {}
    given = GroupRole.objects.filter(dataset=dataset_id, group__people__in=users)
    for user, role in given.values_list("group__people", "role"):
        by_group[user] = stronger(by_group.get(user, ""), role)
    members = {row.user_id: row for row in Member.objects.filter(dataset=dataset_id, user__in=users)}
    for user in users:
        _write(dataset_id, user, members.get(user), by_group.get(user, ""))
    if had_a_lead and not leads.exists():
        raise Conflict("last_lead", "A dataset would be left without a lead: give somebody else the role first.")


def _write(dataset_id: int, user: int, member: Member | None, by_group: str) -> None:
    if member is None:
        if by_group:
            Member.objects.create(dataset_id=dataset_id, user_id=user, role=by_group, own_role="")
        return
    own = member.role if member.own_role is None else member.own_role
    role = stronger(own, by_group)
    if role in ("", Member.Role.VIEWER):
        tasks_give_back(dataset_id=dataset_id, user_id=user)
    if role != Member.Role.LEAD:
        invitations_end(dataset_id=dataset_id, user_id=user)
    if not role and member.deactivated_at is None:
        member.delete()
        return
    # Without a role, but closed to them: the row stays, or the next group or link would open the dataset again.
    member.role, member.own_role = role or Member.Role.VIEWER, own if by_group or not role else None
    member.save(update_fields=["role", "own_role"])


def _users(names: list[str], group: Group | None) -> list[Any]:
    """Accounts of these names; a closed one only where it is in the group already."""
    if len(names) > MOST_PEOPLE:
        raise UserError("group_too_large", f"A group may have {MOST_PEOPLE} people at the most.")
    wanted = set(names)
    known = Q(is_active=True) | Q(pk__in=group.people.values("pk") if group else [])
    users = list(get_user_model().objects.filter(known, username__in=wanted))
    unknown = sorted(wanted - {user.get_username() for user in users})
    if unknown:
        raise UserError("user_unknown", f"There is nobody with the user name {unknown[0]}.", {"unknown": unknown[:20]})
    return users
