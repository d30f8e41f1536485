"""Exports and imports."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.api.fields import Number
from annotation.formats.registry import EXPORTS
from annotation.models import Image, Mask, Stage
from annotation.services.imports import FORMATS

MAX_VALUES = 200


def _several(choices: Any, help_text: str) -> serializers.ListField:
    one = serializers.ChoiceField(choices=choices)
    return serializers.ListField(child=one, required=False, max_length=MAX_VALUES, help_text=help_text)


def _words(help_text: str) -> serializers.ListField:
    one = serializers.CharField(allow_blank=True, max_length=200)
    return serializers.ListField(child=one, required=False, max_length=MAX_VALUES, help_text=help_text)


def _iou(help_text: str) -> Number:
    return Number(required=False, allow_null=True, min_value=0, max_value=1, help_text=help_text)


class ExportFilterIn(serializers.Serializer[Any]):
    """Which images and masks; an empty or missing list means all."""

    stages = _several(Stage.choices, "How far the model led when the mask was made.")
    statuses = _several(
        [choice for choice in Mask.Status.choices if choice[0] in Mask.CURRENT], "Accepted ones if none is named."
    )
    sources = _several(Mask.Source.choices, "Who or what made the mask.")
    categories = _words('Names; "" is masks without one.')
    models = _words('Digests of model versions; "" is masks in which none took part.')
    splits = _several(Image.Split.choices, "Sides of the data.")
    licences = _words('Licences of images; "" is images without one.')
    consents = _several(Image.Consent.choices, "All but refused if none is named.")
    audit_iou_min = _iou("Only masks that an audit looked at, with at least this IoU of before and after.")
    audit_iou_max = _iou("The same, with at most this IoU: what people had to correct.")
    audited = serializers.BooleanField(required=False, help_text="Only images that people corrected in an audit.")
    masked = serializers.BooleanField(required=False, help_text="Only images with a mask that is chosen.")


@extend_schema_field({"type": "object", "additionalProperties": {"oneOf": [{"type": "string"}, {"type": "integer"}]}})
class OptionsField(serializers.DictField):
    """Options of a format by name; the format checks their values."""

    child = serializers.JSONField()


class ExportIn(serializers.Serializer[Any]):
    """What to write."""

    format = serializers.ChoiceField(choices=list(EXPORTS))
    options = OptionsField(required=False)
    filters = ExportFilterIn(required=False)
    version = serializers.IntegerField(
        required=False, min_value=1, max_value=10**9, help_text="A frozen version instead of the present; no filters."
    )


class ExportSizeOut(serializers.Serializer[Any]):
    """What an export would hold."""

    images = serializers.IntegerField()
    masks = serializers.IntegerField()


class ValueOut(serializers.Serializer[Any]):
    """A value that occurs."""

    value = serializers.CharField()
    count = serializers.IntegerField()
    unit = serializers.CharField(help_text="What is counted: masks or images.")


class ExportChoicesOut(serializers.Serializer[Any]):
    """What a dataset can be filtered by: the values that occur, the most frequent first."""

    stages = ValueOut(many=True)
    statuses = ValueOut(many=True)
    sources = ValueOut(many=True)
    categories = ValueOut(many=True)
    models = ValueOut(many=True)
    splits = ValueOut(many=True)
    licences = ValueOut(many=True)
    consents = ValueOut(many=True)


class OptionChoiceOut(serializers.Serializer[Any]):
    """A value of an option."""

    value = serializers.CharField()
    title = serializers.CharField()


@extend_schema_field({"oneOf": [{"type": "string"}, {"type": "integer"}]})
class DefaultField(serializers.JSONField):
    """Text or a whole number."""


class OptionOut(serializers.Serializer[Any]):
    """Something to choose in a format: one of the choices, or, if there are none, a whole number."""

    name = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    default = DefaultField()
    choices = OptionChoiceOut(many=True)
    low = serializers.IntegerField()
    high = serializers.IntegerField()


class ExportFormatOut(serializers.Serializer[Any]):
    """A format to write; `loses` says what it cannot hold."""

    name = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()
    loses = serializers.CharField()
    options = OptionOut(many=True)


class ImportFormatOut(serializers.Serializer[Any]):
    """A format to read."""

    name = serializers.CharField()
    title = serializers.CharField()
    about = serializers.CharField()


class FormatsOut(serializers.Serializer[Any]):
    """What can be written and read."""

    exports = ExportFormatOut(many=True)
    imports = ImportFormatOut(many=True)


class ImportIn(serializers.Serializer[Any]):
    """One zip or tar archive."""

    file = serializers.FileField()
    format = serializers.ChoiceField(choices=FORMATS, default="auto")
