"""Reading the environment: one helper per type, one error sentence, and the per-install secret."""

from __future__ import annotations

import os
import secrets
from pathlib import Path

from django.core.exceptions import ImproperlyConfigured


def text(name: str, default: str) -> str:
    """A string; an empty variable counts as absent."""
    return os.environ.get(name) or default


def number(name: str, default: int) -> int:
    """A whole number of at least 0."""
    value = text(name, str(default))
    if not value.isascii() or not value.isdigit():
        raise ImproperlyConfigured(f"{name} must be a whole number, not {value!r}.")
    return int(value)


def flag(name: str, default: bool = False) -> bool:
    """A switch: 1/true/yes/on or 0/false/no/off."""
    value = text(name, "1" if default else "0").lower()
    if value in ("1", "true", "yes", "on"):
        return True
    if value in ("0", "false", "no", "off"):
        return False
    raise ImproperlyConfigured(f"{name} must be 1 or 0, not {value!r}.")


def words(name: str, default: str = "") -> list[str]:
    """A comma-separated list."""
    return [word.strip() for word in text(name, default).split(",") if word.strip()]


def secret_key(file: Path) -> str:
    """The key of this installation: from `file`, made there (mode 0600) by whichever process comes first.

    The key is written to a private file and then hard-linked into place, which fails if another process was quicker,
    so that no process ever reads half a key.
    """
    if not file.exists():
        file.parent.mkdir(parents=True, exist_ok=True)
        private = file.with_name(f".{file.name}.{os.getpid()}.{secrets.token_hex(4)}")
        handle = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        try:
            os.write(handle, secrets.token_urlsafe(64).encode("ascii"))
            os.fsync(handle)
        finally:
            os.close(handle)
        try:
            os.link(private, file)
        except FileExistsError:
            pass
        finally:
            private.unlink()
    key = file.read_text("ascii").strip()
    if len(key) < 50:
        raise ImproperlyConfigured(f"The secret key in {file} is too short: delete the file to have a new one made.")
    return key
