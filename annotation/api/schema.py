"""OpenAPI: tags, and the one error shape with every operation."""

from __future__ import annotations

from typing import Any, Literal

from drf_spectacular.openapi import AutoSchema
from drf_spectacular.plumbing import DJANGO_PATH_CONVERTER_MAPPING  # type: ignore[attr-defined]  # not told as public
from drf_spectacular.types import OpenApiTypes

from annotation.api.serializers.common import ErrorOut

DJANGO_PATH_CONVERTER_MAPPING["row"] = OpenApiTypes.INT  # annotation.api.converters
Direction = Literal["request", "response"]


class Schema(AutoSchema):
    """Names of operations are ours (`extend_schema(operation_id=...)`); tags are the first word of the path."""

    def get_tags(self) -> list[str]:
        """One tag per resource."""
        words = [part for part in self.path.split("/") if part and not part.startswith("{")]
        return [words[1] if len(words) > 1 else "api"]

    def _get_response_bodies(self, direction: Direction = "response") -> dict[str, Any]:
        """What the view declares; every other answer is a refusal."""
        bodies: dict[str, Any] = super()._get_response_bodies(direction)
        if direction == "response":
            refusal = self._get_response_for_code(ErrorOut, "default", direction=direction)  # type: ignore[no-untyped-call]  # inherited from a library
            bodies.setdefault("default", refusal)
        return bodies


def outputs_are_complete(result: dict[str, Any], generator: Any, request: Any, public: bool) -> dict[str, Any]:
    """Every field of an answer is always there, so that the front end's types need no question marks."""
    for name, component in result.get("components", {}).get("schemas", {}).items():
        if name.endswith("Out") and "properties" in component:
            component["required"] = list(component["properties"])
    return result


DATABASE_LIMITS = {2**15 - 1, 2**31 - 1, 2**63 - 1}


def without_database_limits(result: Any, **_kwargs: Any) -> Any:
    """Drop integer bounds that come from the database at hand: the document is the same on all of them."""
    stack = [result]
    while stack:
        node = stack.pop()
        if isinstance(node, dict):
            if node.get("type") == "integer" and node.get("maximum") in DATABASE_LIMITS:
                for name in ("maximum", "format"):
                    node.pop(name, None)
            stack.extend(node.values())
        elif isinstance(node, list):
            stack.extend(node)
    return result
