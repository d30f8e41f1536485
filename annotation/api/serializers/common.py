"""The shape of refusals."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers


class ErrorOut(serializers.Serializer[Any]):
    """The one shape of every refusal."""

    code = serializers.CharField(help_text="Stable: scripts may rely on it.")
    message = serializers.CharField(help_text="A sentence for people.")
    details = serializers.JSONField()
