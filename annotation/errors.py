"""The exception tree of the user's faults. Everything else is ours: logged, and shown as "unexpected".

UserError                    400  something the user can put right; every code is stable, every text a sentence
├── NotAllowed               403  signed in, but the role in this dataset does not reach so far
├── Missing                  404  there is no such thing, or not for this user
├── Conflict                 409  someone or something else was there first; `details` says who or what
├── TooLarge                 413  over a stated limit
└── NotReady                 503  right, but not yet: ask again later
"""

from __future__ import annotations

from typing import Any


class UserError(Exception):
    """The user's fault: `code` (stable), `message` (a sentence for people), `details` (JSON object)."""

    status = 400

    def __init__(self, code: str, message: str, details: dict[str, Any] | None = None) -> None:
        super().__init__(message)
        self.code = code
        self.message = message
        self.details = details or {}

    def as_json(self) -> dict[str, Any]:
        """The one error shape of the API."""
        return {"code": self.code, "message": self.message, "details": self.details}


class NotAllowed(UserError):
    """403"""

    status = 403


class Missing(UserError):
    """404"""

    status = 404


class Conflict(UserError):
    """409"""

    status = 409


class TooLarge(UserError):
    """413"""

    status = 413


class NotReady(UserError):
    """503"""

    status = 503
