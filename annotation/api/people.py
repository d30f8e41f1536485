"""Routes by which people come in: invitations, joining, personal tokens."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import login
from django.utils import timezone
from drf_spectacular.utils import extend_schema, extend_schema_field
from rest_framework import serializers, status
from rest_framework.authentication import SessionAuthentication
from rest_framework.permissions import AllowAny
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle
from rest_framework.views import APIView

from annotation.access import Role, dataset_for
from annotation.api.session import SignInThrottle
from annotation.errors import Conflict, Missing
from annotation.models import ApiToken, Invitation, Member
from annotation.services import people

SHOWN = 100


class InvitationOut(serializers.ModelSerializer[Any]):
    """One link, without its secret."""

    role = serializers.ChoiceField(choices=Member.Role.choices)
    open = serializers.SerializerMethodField(help_text="Whether somebody may still join by it.")
    created_by = serializers.SerializerMethodField()

    class Meta:
        model = Invitation
        fields = [
            "id",
            "role",
            "note",
            "uses_left",
            "used",
            "expires_at",
            "revoked_at",
            "open",
            "created_by",
            "created_at",
        ]

    def get_open(self, row: Invitation) -> bool:
        """Now."""
        return row.is_open(timezone.now())

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_created_by(self, row: Invitation) -> str | None:
        """User name."""
        return row.created_by.get_username() if row.created_by else None


class InvitationMadeOut(InvitationOut):
    """With the link's secret, this once."""

    secret = serializers.CharField(help_text="The link is /join/<secret>. It is not shown again.")

    class Meta(InvitationOut.Meta):
        fields = [*InvitationOut.Meta.fields, "secret"]


class InvitationIn(serializers.Serializer[Any]):
    """What a link gives."""

    role = serializers.ChoiceField(choices=Member.Role.choices)
    days = serializers.IntegerField(min_value=1, max_value=365, default=7)
    uses = serializers.IntegerField(min_value=1, max_value=1000, default=1)
    note = serializers.CharField(max_length=200, required=False, allow_blank=True)


class InvitationShownOut(serializers.Serializer[Any]):
    """What somebody with the link is told."""

    dataset_name = serializers.CharField(source="dataset.name")
    role = serializers.ChoiceField(choices=Member.Role.choices)
    invited_by = serializers.SerializerMethodField()
    expires_at = serializers.DateTimeField()

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_invited_by(self, row: Invitation) -> str | None:
        """User name."""
        return row.created_by.get_username() if row.created_by else None


class JoinIn(serializers.Serializer[Any]):
    """Of a new account; somebody who is signed in sends nothing."""

    username = serializers.CharField(max_length=150, required=False)
    password = serializers.CharField(max_length=1000, required=False, trim_whitespace=False)
    name = serializers.CharField(max_length=150, required=False, allow_blank=True)


class JoinedOut(serializers.Serializer[Any]):
    """Where one is now."""

    dataset = serializers.IntegerField()
    role = serializers.ChoiceField(choices=Member.Role.choices)


class InvitationsView(APIView):
    """Links into a dataset."""

    @extend_schema(operation_id="invitations", responses=InvitationOut(many=True))
    def get(self, request: Request, dataset_id: int) -> Response:
        """The newest hundred. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        return Response(InvitationOut(dataset.invitations.select_related("created_by")[:SHOWN], many=True).data)

    @extend_schema(operation_id="invitations_create", request=InvitationIn, responses={201: InvitationMadeOut})
    def post(self, request: Request, dataset_id: int) -> Response:
        """Make a link; its secret is told this once. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        data = InvitationIn(data=request.data)
        data.is_valid(raise_exception=True)
        row, secret = people.invitation_create(dataset=dataset, by=request.user, **data.validated_data)
        return Response({**InvitationOut(row).data, "secret": secret}, status=status.HTTP_201_CREATED)


class InvitationRevokeView(APIView):
    """One link."""

    @extend_schema(operation_id="invitations_revoke", responses={204: None})
    def delete(self, request: Request, dataset_id: int, invitation_id: int) -> Response:
        """Nobody joins by it any more. Leads only."""
        dataset = dataset_for(request.user, dataset_id, Role.LEAD)
        row = dataset.invitations.filter(pk=invitation_id).first()
        if row is None:
            raise Missing("not_found", "There is no such invitation.")
        people.invitation_revoke(invitation=row)
        return Response(status=status.HTTP_204_NO_CONTENT)


class InvitationView(APIView):
    """What somebody who follows a link sees and does; signed in or not."""

    permission_classes = [AllowAny]

    def get_throttles(self) -> list[BaseThrottle]:
        """As attempts to sign in: a secret cannot be tried out."""
        return [SignInThrottle()]

    @extend_schema(operation_id="invitation_show", responses=InvitationShownOut, auth=[])
    def get(self, request: Request, secret: str) -> Response:
        """To which dataset, as what. 404 `invitation_closed`."""
        return Response(InvitationShownOut(people.invitation_open(digest=people.digest_of(secret))).data)

    @extend_schema(operation_id="invitation_accept", request=JoinIn, responses=JoinedOut, auth=[])
    def post(self, request: Request, secret: str) -> Response:
        """Join; without a session by making an account, which is signed in. 404 `invitation_closed`.

        409 `signed_in` for a new account beside a session: whoever filled in that form did not mean this person.
        """
        digest = people.digest_of(secret)
        if request.user.is_authenticated:
            if isinstance(request.data, dict) and "username" in request.data:
                name = request.user.get_username()
                raise Conflict(
                    "signed_in", f"{name} is signed in in this browser now. Sign out first, or join as {name}."
                )
            member = people.invitation_accept(digest=digest, user=request.user)
        else:
            SessionAuthentication().enforce_csrf(request)
            data = JoinIn(data=request.data)
            data.is_valid(raise_exception=True)
            missing = {
                field: ["This is needed."] for field in ("username", "password") if field not in data.validated_data
            }
            if missing:
                raise serializers.ValidationError(missing)
            user, member = people.account_create(digest=digest, **data.validated_data)
            login(request._request, user, backend="django.contrib.auth.backends.ModelBackend")
            request.user = user
        return Response(JoinedOut({"dataset": member.dataset_id, "role": member.role}).data)


class TokenOut(serializers.ModelSerializer[Any]):
    """One key, without the key."""

    class Meta:
        model = ApiToken
        fields = ["id", "name", "hint", "last_used_at", "created_at"]


class TokenMadeOut(TokenOut):
    """With the key, this once."""

    key = serializers.CharField(help_text="Send it as `Authorization: Token <key>`. It is not shown again.")

    class Meta(TokenOut.Meta):
        fields = [*TokenOut.Meta.fields, "key"]


class TokenIn(serializers.Serializer[Any]):
    """What it is for."""

    name = serializers.CharField(max_length=100)


class TokensView(APIView):
    """The caller's own keys."""

    @extend_schema(operation_id="tokens", responses=TokenOut(many=True))
    def get(self, request: Request) -> Response:
        """Those that work, newest first."""
        user: Any = request.user
        return Response(TokenOut(user.api_tokens.filter(revoked_at=None), many=True).data)

    @extend_schema(operation_id="tokens_create", request=TokenIn, responses={201: TokenMadeOut})
    def post(self, request: Request) -> Response:
        """Make one; the key is told this once."""
        data = TokenIn(data=request.data)
        data.is_valid(raise_exception=True)
        row, key = people.token_create(user=request.user, name=data.validated_data["name"])
        return Response({**TokenOut(row).data, "key": key}, status=status.HTTP_201_CREATED)


class TokenView(APIView):
    """One key."""

    @extend_schema(operation_id="tokens_revoke", responses={204: None})
    def delete(self, request: Request, token_id: int) -> Response:
        """It opens nothing from now on."""
        user: Any = request.user
        row = user.api_tokens.filter(pk=token_id).first()
        if row is None:
            raise Missing("not_found", "There is no such token.")
        people.token_revoke(token=row)
        return Response(status=status.HTTP_204_NO_CONTENT)
