"""Who somebody is here whom an OpenID Connect provider vouches for.

Known by (issuer, subject), which never changes. At the first sign-in an account is found by an e-mail address that the
provider has verified and that an operator wrote into the account, or a new one is made where that is allowed.
"""

from __future__ import annotations

import re
import unicodedata
from dataclasses import dataclass
from typing import Any, Literal

from allauth.socialaccount.models import SocialAccount
from django.conf import settings
from django.contrib.auth import get_user_model
from django.db import IntegrityError, transaction

from annotation.errors import Conflict, NotAllowed
from annotation.models import Member
from annotation.services.people import invitation_accept, invitation_open

MOST_NAME = 150  # characters, of Django's User
NOT_IN_A_USERNAME = re.compile(r"[^\w.@+-]+")
How = Literal["known", "linked", "new"]


@dataclass(frozen=True)
class Identity:
    """What a provider says of a person. `subject` has 1 to 191 characters; `email` is "" unless it is verified."""

    issuer: str
    subject: str
    email: str = ""
    username: str = ""
    name: str = ""


@dataclass(frozen=True)
class SignedIn:
    """The account, how it was found, and what a new person joined."""

    user: Any
    how: How
    member: Member | None = None


def identity_sign_in(*, identity: Identity, invitation: str = "") -> SignedIn:
    """The account of a person; a new one needs an open invitation (its digest) unless everybody may come.

    A new account and its membership are made both or neither. Raises NotAllowed `account_closed`, `not_invited`,
    `email_unverified`, `email_shared`, Missing `invitation_closed`, Conflict `sign_in_collision`.
    """
    try:
        with transaction.atomic():
            found = _known(identity) or _linked(identity) or _new(identity, invitation)
    except IntegrityError:
        message = "Somebody signed in under the same name at the same moment. Try again."
        raise Conflict("sign_in_collision", message) from None
    if not found.user.is_active:
        raise NotAllowed("account_closed", "Your account is closed. Whoever runs this installation can open it again.")
    return found


def _known(identity: Identity) -> SignedIn | None:
    row = SocialAccount.objects.select_related("user").filter(provider=identity.issuer, uid=identity.subject).first()
    return SignedIn(row.user, "known") if row else None


def _linked(identity: Identity) -> SignedIn | None:
    """By a verified address. ASCII alone: databases find other letters equal that are not (CVE-2019-19844)."""
    if not identity.email or not identity.email.isascii():
        return None
    users = list(get_user_model().objects.filter(email__iexact=identity.email)[:2])
    if len(users) > 1:
        message = "Several accounts here have your e-mail address. Ask whoever runs this installation to mend that."
        raise NotAllowed("email_shared", message)
    if not users:
        return None
    if users[0].is_active:
        SocialAccount.objects.create(user=users[0], provider=identity.issuer, uid=identity.subject)
    return SignedIn(users[0], "linked")


def _new(identity: Identity, invitation: str) -> SignedIn:
    if invitation:
        invitation_open(digest=invitation)
    elif settings.ANYMASK_OIDC_NEW_PEOPLE != "anyone":
        if not identity.email:
            message = (
                f"{settings.ANYMASK_OIDC_NAME} has not verified your e-mail address, so no account is found by it."
            )
            raise NotAllowed("email_unverified", f"{message} Have it verified, or ask a lead for an invitation.")
        message = "There is no account here for your e-mail address. Ask a lead for an invitation."
        raise NotAllowed("not_invited", message)
    user = get_user_model()(
        username=_free_username(identity), first_name=_printable(identity.name)[:MOST_NAME], email=identity.email
    )
    user.set_unusable_password()
    user.save()
    SocialAccount.objects.create(user=user, provider=identity.issuer, uid=identity.subject)
    member = invitation_accept(digest=invitation, user=user) if invitation else None
    return SignedIn(user, "new", member)


def _free_username(identity: Identity) -> str:
    """The name that the provider proposes, with a number if somebody has it already."""
    wanted = unicodedata.normalize("NFKC", identity.username or identity.email.partition("@")[0])
    base = NOT_IN_A_USERNAME.sub("", wanted)[: MOST_NAME - 10] or "person"
    name, number = base, 1
    while get_user_model().objects.filter(username__iexact=name).exists():
        number += 1
        name = f"{base}{number}"
    return name


def _printable(text: str) -> str:
    return "".join(letter for letter in text if letter.isprintable()).strip()
