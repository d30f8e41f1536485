"""The demo account of this installation: a password made here, kept in a private file of the data folder."""

from __future__ import annotations

import json
import os
import secrets
from pathlib import Path

from django.conf import settings
from django.contrib.auth import get_user_model

from annotation import storage


def _file() -> Path:
    return storage.root() / "demo-account.json"


def account() -> dict[str, str] | None:
    """{"username", "password"} of the demo account, or None if this installation has none."""
    try:
        told = json.loads(_file().read_text("utf-8"))
        return {"username": str(told["username"]), "password": str(told["password"])}
    except (OSError, ValueError, KeyError, TypeError):
        return None


def ensure() -> dict[str, str]:
    """Make the account if it is not there; its user name and password."""
    users = get_user_model().objects
    told = account()
    if told is not None and users.filter(username=told["username"]).exists():
        return told
    told = {"username": settings.ANYMASK_DEMO_USER, "password": secrets.token_urlsafe(9)}
    user = users.filter(username=told["username"]).first() or users.create(username=told["username"])
    user.set_password(told["password"])
    user.save()
    partial = _file().with_name(f".{_file().name}.{secrets.token_hex(4)}")
    handle = os.open(partial, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        json.dump(told, file)
    partial.replace(_file())
    return told
