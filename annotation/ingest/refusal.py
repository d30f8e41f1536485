"""What a reader in the cage says of a picture that cannot be used."""

from __future__ import annotations


class Refused(Exception):
    """(code, sentence)."""
