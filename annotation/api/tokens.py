"""`Authorization: Token ...`: scripts are known by a personal key of which only the digest is stored."""

from __future__ import annotations

from typing import Any

from drf_spectacular.extensions import OpenApiAuthenticationExtension
from rest_framework.authentication import BaseAuthentication, get_authorization_header
from rest_framework.exceptions import AuthenticationFailed
from rest_framework.request import Request

from annotation.services.people import token_user

KEYWORD = "Token"


class ApiTokenAuthentication(BaseAuthentication):
    """The header decides; without it the session does."""

    def authenticate(self, request: Request) -> tuple[Any, None] | None:
        """(user, None); None where no such header is."""
        words = get_authorization_header(request).split()
        if not words or words[0].lower() != KEYWORD.lower().encode():
            return None
        try:
            key = words[1].decode() if len(words) == 2 else ""
        except UnicodeDecodeError:
            key = ""
        user = token_user(key) if key else None
        if user is None:
            raise AuthenticationFailed("This token is unknown or was revoked.")
        return user, None

    def authenticate_header(self, request: Request) -> str:
        """The challenge of a 401."""
        return KEYWORD


class TokenScheme(OpenApiAuthenticationExtension):
    """In the schema."""

    target_class = "annotation.api.tokens.ApiTokenAuthentication"
    name = "tokenAuth"

    def get_security_definition(self, auto_schema: Any) -> dict[str, str]:
        """As the framework's own tokens were described."""
        description = 'Token-based authentication with required prefix "Token"'
        return {"type": "apiKey", "in": "header", "name": "Authorization", "description": description}
