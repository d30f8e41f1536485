"""Fields that are stricter than the framework's, and their types in the schema."""

from __future__ import annotations

import math
from typing import Any

from drf_spectacular.types import OpenApiTypes
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

SEGMENTATION_SCHEMA = {
    "type": "object",
    "description": "COCO RLE: size is [height, width]; counts is compressed text.",
    "required": ["size", "counts"],
    "properties": {
        "size": {"type": "array", "items": {"type": "integer"}, "minItems": 2, "maxItems": 2},
        "counts": {"type": "string"},
    },
}
BOX_SCHEMA = {"type": "array", "items": {"type": "number"}, "minItems": 4, "maxItems": 4}
POINTS_SCHEMA = {
    "type": "array",
    "items": {"type": "array", "items": {"type": "number"}, "minItems": 2, "maxItems": 2},
}


@extend_schema_field(OpenApiTypes.FLOAT)
class Number(serializers.FloatField):
    """A finite JSON number; text like "nan" is none."""

    def to_internal_value(self, data: Any) -> float:
        """Refuse text, booleans, NaN and infinities."""
        if type(data) not in (int, float):
            self.fail("invalid")
        try:
            value = float(data)
        except OverflowError:
            self.fail("invalid")
        if not math.isfinite(value):
            self.fail("invalid")
        return value


@extend_schema_field(SEGMENTATION_SCHEMA)
class Segmentation(serializers.Field[Any, Any, Any, Any]):
    """An RLE on its way to the validator of modelzoo.rle, which knows the image; here it only has to be an object."""

    default_error_messages = {"invalid": "A mask must be an object with size and counts."}

    def to_internal_value(self, data: Any) -> dict[str, Any]:
        """size and counts, unchecked; nothing else is kept."""
        if not isinstance(data, dict):
            self.fail("invalid")
        return {"size": data.get("size"), "counts": data.get("counts")}

    def to_representation(self, value: Any) -> Any:
        """As stored: legal and compressed."""
        return value


@extend_schema_field(BOX_SCHEMA)
class Box(serializers.ListField):
    """Four numbers."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(child=Number(min_value=-1e7, max_value=1e7), min_length=4, max_length=4, **kwargs)


@extend_schema_field(POINTS_SCHEMA)
class Points(serializers.ListField):
    """Pairs of numbers (x, y)."""

    def __init__(self, **kwargs: Any) -> None:
        pair = serializers.ListField(child=Number(min_value=-1e7, max_value=1e7), min_length=2, max_length=2)
        super().__init__(child=pair, max_length=kwargs.pop("max_length", 200), **kwargs)
