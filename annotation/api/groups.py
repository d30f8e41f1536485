"""Routes of groups: who is in them, and which role they have in a dataset."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Count, Prefetch, Q, QuerySet
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.views import APIView

from annotation.access import Role, dataset_for
from annotation.errors import Missing, NotAllowed
from annotation.models import Group, GroupRole, Member
from annotation.services import groups


class GroupOut(serializers.ModelSerializer[Any]):
    """A group that the caller owns or is in."""

    owner = serializers.CharField(source="owner.username")
    mine = serializers.SerializerMethodField(help_text="Whether the caller may change it.")
    people: serializers.SlugRelatedField[Any] = serializers.SlugRelatedField(
        many=True, read_only=True, slug_field="username"
    )

    class Meta:
        model = Group
        fields = ["id", "name", "owner", "mine", "people", "created_at"]

    def get_mine(self, row: Group) -> bool:
        """The owner alone."""
        return bool(row.owner_id == self.context["user"].pk)


class GroupIn(serializers.Serializer[Any]):
    """Name and people; what is left out stays."""

    name = serializers.CharField(max_length=100)
    people = serializers.ListField(child=serializers.CharField(max_length=150), required=False)


class GroupRoleOut(serializers.ModelSerializer[Any]):
    """A group with a role in a dataset."""

    group = serializers.IntegerField(source="group_id")
    name = serializers.CharField(source="group.name")
    owner = serializers.CharField(source="group.owner.username", help_text="Who says who is in it.")
    people = serializers.SerializerMethodField(help_text="Their number.")
    role = serializers.ChoiceField(choices=Member.Role.choices)

    class Meta:
        model = GroupRole
        fields = ["group", "name", "owner", "people", "role", "created_at"]

    @extend_schema_field(serializers.IntegerField())
    def get_people(self, row: Any) -> int:
        """Counted by the view."""
        return int(row.size)


class GroupRoleIn(serializers.Serializer[Any]):
    """Give a group a role."""

    group = serializers.IntegerField(min_value=1, max_value=2**63 - 1)
    role = serializers.ChoiceField(choices=Member.Role.choices)


def _groups_of(user: Any) -> QuerySet[Group]:
    mine = Group.objects.filter(Q(owner=user) | Q(people=user)).distinct()
    people = get_user_model().objects.order_by("username")
    return mine.select_related("owner").prefetch_related(Prefetch("people", queryset=people)).order_by("name")


def _group_for(user: Any, group_id: int, *, change: bool = False) -> Group:
    group = _groups_of(user).filter(pk=group_id).first()
    if group is None:
        raise Missing("not_found", "There is no such group, or you are not in it.")
    if change and group.owner_id != user.pk:
        raise NotAllowed("not_owner", f"Only {group.owner.get_username()} may change this group.")
    return group


def _group_out(request: Request, group_id: int) -> dict[str, Any]:
    return dict(GroupOut(_groups_of(request.user).get(pk=group_id), context={"user": request.user}).data)


class GroupsView(APIView):
    """The caller's groups."""

    @extend_schema(operation_id="groups", responses=GroupOut(many=True))
    def get(self, request: Request) -> Response:
        """Those the caller owns or is in, by name."""
        rows = _groups_of(request.user)
        return Response(GroupOut(rows, many=True, context={"user": request.user}).data)

    @extend_schema(operation_id="groups_create", request=GroupIn, responses={201: GroupOut})
    def post(self, request: Request) -> Response:
        """Make one; whoever makes it owns it. 409 `name_taken`, 400 `user_unknown`."""
        data = GroupIn(data=request.data)
        data.is_valid(raise_exception=True)
        group = groups.group_save(group=None, owner=request.user, **data.validated_data)
        return Response(_group_out(request, group.pk), status=status.HTTP_201_CREATED)


class GroupView(APIView):
    """One group."""

    @extend_schema(operation_id="groups_change", request=GroupIn(partial=True), responses=GroupOut)
    def patch(self, request: Request, group_id: int) -> Response:
        """Another name, or other people (all of them). Their roles follow at once. The owner; 409 `last_lead`."""
        group = _group_for(request.user, group_id, change=True)
        data = GroupIn(data=request.data, partial=True)
        data.is_valid(raise_exception=True)
        groups.group_save(group=group, owner=group.owner, **data.validated_data)
        return Response(_group_out(request, group_id))

    @extend_schema(operation_id="groups_delete", responses={204: None})
    def delete(self, request: Request, group_id: int) -> Response:
        """With the roles it gave. The owner; 409 `last_lead`."""
        groups.group_delete(group=_group_for(request.user, group_id, change=True))
        return Response(status=status.HTTP_204_NO_CONTENT)


class DatasetGroupsView(APIView):
    """The groups of a dataset."""

    @extend_schema(operation_id="dataset_groups", responses=GroupRoleOut(many=True))
    def get(self, request: Request, dataset_id: int) -> Response:
        """Every group with a role."""
        dataset = dataset_for(request.user, dataset_id)
        return Response(GroupRoleOut(_with_size(dataset.group_roles.all()), many=True).data)

    @extend_schema(operation_id="dataset_groups_set", request=GroupRoleIn, responses={201: GroupRoleOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Give a group of the caller's a role, or another one. Leads only; 409 `last_lead`."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = GroupRoleIn(data=request.data)
        data.is_valid(raise_exception=True)
        group = _group_for(request.user, data.validated_data["group"])
        row = groups.group_role_set(dataset=dataset, group=group, role=data.validated_data["role"])
        shown = _with_size(GroupRole.objects.filter(pk=row.pk)).get()
        return Response(GroupRoleOut(shown).data, status=status.HTTP_201_CREATED)


class DatasetGroupView(APIView):
    """One group's role."""

    @extend_schema(operation_id="dataset_groups_remove", responses={204: None})
    def delete(self, request: Request, dataset_id: int, group_id: int) -> Response:
        """Take it away; people keep what they have otherwise. Leads only; 409 `last_lead`."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        role = dataset.group_roles.select_related("group").filter(group=group_id).first()
        if role is None:
            raise Missing("not_found", "This group has no role here.")
        groups.group_role_remove(role=role)
        return Response(status=status.HTTP_204_NO_CONTENT)


def _with_size(rows: QuerySet[GroupRole]) -> QuerySet[Any]:
    return rows.select_related("group__owner").annotate(size=Count("group__people")).order_by("group__name")
