"""The session cookie, for pages that say whose they are.

All tabs of a browser share one cookie. Where somebody else signs in in another tab, an open page goes on under that
name: without a word, what one person made would be saved as the other's.
"""

from __future__ import annotations

from typing import Any

from drf_spectacular.authentication import SessionScheme
from rest_framework.authentication import SessionAuthentication
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

PERSON_HEADER = "X-Anymask-User"


class PageSessionAuthentication(SessionAuthentication):
    """Django's session; a request whose `X-Anymask-User` names another user's number is refused."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        """(user, None); None where nobody is signed in. Raises AuthenticationFailed, 401 `signed_in_as_another`."""
        known = super().authenticate(request)
        meant = request.headers.get(PERSON_HEADER)
        if known is not None and meant is not None and meant != str(known[0].pk):
            raise AuthenticationFailed(
                "Somebody else has signed in in this browser since this page was opened.", "signed_in_as_another"
            )
        return known


class PageSessionScheme(SessionScheme):
    """In the schema: a session like any other."""

    target_class = "annotation.api.page_sessions.PageSessionAuthentication"
