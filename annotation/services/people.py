"""How people come in: invitations by link, new accounts, and keys for scripts.

Secrets are random, shown once and stored as their SHA-256: whoever reads the database cannot use them.
"""

from __future__ import annotations

import hashlib
import secrets
from datetime import timedelta
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.password_validation import validate_password
from django.contrib.auth.validators import UnicodeUsernameValidator
from django.core.exceptions import ValidationError
from django.db import IntegrityError, transaction
from django.db.models import F
from django.utils import timezone

from annotation.errors import Conflict, Missing, UserError
from annotation.models import ApiToken, Dataset, Invitation, Member

SECRET_BYTES = 32
HINT = 8  # characters of a key that are kept to tell keys apart
MOST_TOKENS = 50
USED_EVERY = timedelta(minutes=1)  # how exactly "last used" is known
CLOSED = "This invitation has ended, was taken back or was used up. Ask for another one."


def digest_of(secret: str) -> str:
    """What is stored of a secret."""
    return hashlib.sha256(secret.encode()).hexdigest()


# --- Invitations -------------------------------------------------------------------------------------------------


def invitation_create(
    *, dataset: Dataset, by: Any, role: str, days: int = 7, uses: int = 1, note: str = ""
) -> tuple[Invitation, str]:
    """(the row, the secret of its link). It ends after so many days or people."""
    secret = secrets.token_urlsafe(SECRET_BYTES)
    expires = timezone.now() + timedelta(days=days)
    row = Invitation.objects.create(
        dataset=dataset,
        role=role,
        digest=digest_of(secret),
        note=note,
        uses_left=uses,
        expires_at=expires,
        created_by=by,
    )
    return row, secret


def invitation_revoke(*, invitation: Invitation) -> None:
    """Nobody joins by it any more; who did stays."""
    Invitation.objects.filter(pk=invitation.pk, revoked_at=None).update(revoked_at=timezone.now())


def invitation_open(*, digest: str) -> Invitation:
    """The invitation whose link's secret has this digest, or Missing `invitation_closed`."""
    row = Invitation.objects.select_related("dataset", "created_by").filter(digest=digest).first()
    author = row.created_by if row else None
    if row is None or not row.is_open(timezone.now()) or (author is not None and not author.is_active):
        raise Missing("invitation_closed", CLOSED)
    return row


def invitation_accept(*, digest: str, user: Any) -> Member:
    """Join by a link; who is in the dataset already keeps their role and costs no use.

    Conflict `member_deactivated` for somebody to whom a lead has closed the dataset.
    """
    row = invitation_open(digest=digest)
    member = Member.objects.filter(dataset=row.dataset_id, user=user).first()
    if member is not None:
        if member.deactivated_at is not None:
            raise Conflict(
                "member_deactivated", "A lead has closed this dataset to you. Only a lead can open it again."
            )
        return member
    try:
        with transaction.atomic():
            open_now = Invitation.objects.filter(
                pk=row.pk, uses_left__gt=0, revoked_at=None, expires_at__gt=timezone.now()
            )
            if not open_now.update(uses_left=F("uses_left") - 1, used=F("used") + 1):
                raise Missing("invitation_closed", CLOSED)
            return Member.objects.create(dataset=row.dataset, user=user, role=row.role)
    except IntegrityError:  # accepted twice at once
        return Member.objects.get(dataset=row.dataset_id, user=user)


def account_create(*, digest: str, username: str, password: str, name: str = "") -> tuple[Any, Member]:
    """A new account for whoever holds an open link (its digest), and its membership: both or neither.

    UserError `username_invalid`, `password_weak` (with the reasons), Conflict `username_taken`.
    """
    invitation_open(digest=digest)
    try:
        UnicodeUsernameValidator()(username)
    except ValidationError:
        message = "A user name has letters, digits and @ . + - _ only."
        raise UserError("username_invalid", message) from None
    model = get_user_model()
    user = model(username=username, first_name=name)
    try:
        validate_password(password, user)
    except ValidationError as problem:
        raise UserError("password_weak", " ".join(problem.messages), {"reasons": problem.messages}) from None
    user.set_password(password)
    taken = Conflict("username_taken", "Somebody has this user name already. Choose another one, or sign in.")
    if model.objects.filter(username__iexact=username).exists():
        raise taken
    try:
        with transaction.atomic():
            user.save()
            return user, invitation_accept(digest=digest, user=user)
    except IntegrityError:
        raise taken from None


# --- Keys for scripts --------------------------------------------------------------------------------------------


def token_create(*, user: Any, name: str) -> tuple[ApiToken, str]:
    """(the row, the key, which is never shown again)."""
    if ApiToken.objects.filter(user=user, revoked_at=None).count() >= MOST_TOKENS:
        raise UserError("too_many_tokens", f"You have {MOST_TOKENS} tokens. Revoke one that you do not use.")
    key = secrets.token_hex(SECRET_BYTES)
    row = ApiToken.objects.create(user=user, name=name, digest=digest_of(key), hint=key[:HINT])
    return row, key


def token_revoke(*, token: ApiToken) -> None:
    """It opens nothing from now on."""
    ApiToken.objects.filter(pk=token.pk, revoked_at=None).update(revoked_at=timezone.now())


def token_user(key: str) -> Any | None:
    """Whose key this is, its use noted; None for a key that is unknown, revoked, or of a closed account."""
    token = ApiToken.objects.select_related("user").filter(digest=digest_of(key), revoked_at=None).first()
    if token is None or not token.user.is_active:
        return None
    now = timezone.now()
    if token.last_used_at is None or now - token.last_used_at > USED_EVERY:
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)
    return token.user
