"""OpenAPI: every route also answers with the one error shape, so the front end gets a type for it."""

from __future__ import annotations

from drf_spectacular.openapi import AutoSchema


class Schema(AutoSchema):
    """Names of operations are ours (`extend_schema(operation_id=...)`); tags are the first word of the path."""

    def get_tags(self) -> list[str]:
        """One tag per resource."""
        words = [part for part in self.path.split("/") if part and not part.startswith("{")]
        return [words[1] if len(words) > 1 else "api"]
