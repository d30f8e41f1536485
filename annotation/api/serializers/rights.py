"""Rights, removal, mapping of deep values, statistics."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from annotation.api.fields import Number
from annotation.models import Image, Tombstone

MAX_IMAGES = 100_000


class ImagesChosen(serializers.Serializer[Any]):
    """Images by id, or all of them."""

    images = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=10**15), required=False, max_length=MAX_IMAGES
    )
    all = serializers.BooleanField(default=False, help_text="True: every image of the dataset; then name none.")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """One or the other, so that nobody means some and gets all."""
        if bool(attrs.get("images")) == attrs["all"]:
            raise serializers.ValidationError({"images": "Name images, or say all: true."})
        return attrs


class RightsBulkIn(ImagesChosen):
    """What to set; what is left out stays."""

    licence = serializers.CharField(max_length=200, allow_blank=True, required=False)
    source = serializers.CharField(max_length=500, allow_blank=True, required=False)  # type: ignore[assignment]  # the field: not what DRF keeps under the name
    credit = serializers.CharField(max_length=500, allow_blank=True, required=False)
    consent = serializers.ChoiceField(choices=Image.Consent.choices, allow_blank=True, required=False)


class ChangedOut(serializers.Serializer[Any]):
    """How many images it was."""

    images = serializers.IntegerField()


class RemovalIn(serializers.Serializer[Any]):
    """Images to remove for good."""

    images = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=10**15), min_length=1, max_length=1000
    )
    reason = serializers.CharField(max_length=500, help_text="Stays with the tombstone: name nobody in it.")


class TombstoneOut(serializers.ModelSerializer[Any]):
    """What is left of a picture that was removed for good."""

    removed_by = serializers.CharField(source="created_by.username", default=None, allow_null=True)
    removed_at = serializers.DateTimeField(source="created_at")

    class Meta:
        model = Tombstone
        fields = ["sha256", "reason", "removed_by", "removed_at"]


class MappingIn(serializers.Serializer[Any]):
    """How deep values are to be shown; what is left out is chosen from the values."""

    channels = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=63),
        min_length=1,
        max_length=3,
        required=False,
        help_text="Numbers of the channels that become red, green and blue, from 0; one is shown grey.",
    )
    low = serializers.ListField(child=Number(), min_length=1, max_length=3, required=False)
    high = serializers.ListField(child=Number(), min_length=1, max_length=3, required=False)
    inverted = serializers.BooleanField(required=False)


class NamedOut(serializers.Serializer[Any]):
    """One value and how often it occurs."""

    name = serializers.CharField()
    count = serializers.IntegerField()


class ClassOut(serializers.Serializer[Any]):
    """One class of images."""

    name = serializers.CharField()
    images = serializers.IntegerField()


class SizeOut(serializers.Serializer[Any]):
    """One size of images."""

    width = serializers.IntegerField()
    height = serializers.IntegerField()
    images = serializers.IntegerField()


class FiguresOut(serializers.Serializer[Any]):
    """What was counted."""

    images = serializers.IntegerField()
    masks = serializers.IntegerField(help_text="Accepted ones.")
    centres = serializers.ListField(
        child=serializers.ListField(child=serializers.IntegerField()),
        help_text="32 rows of 32 columns: masks by the centre of their box, as shares of height and width.",
    )
    masks_per_image = ClassOut(many=True)
    relative_sizes = serializers.ListField(
        child=serializers.IntegerField(), help_text="20 classes of 0..1: the root of a mask's share of its image."
    )
    concavity = serializers.ListField(
        child=serializers.IntegerField(), help_text="20 classes of 0..1: 1 - area / area of the convex hull."
    )
    concavity_masks = serializers.IntegerField(help_text="Masks whose concavity was measured.")
    sizes = SizeOut(many=True, help_text="The most frequent ones.")
    size_kinds = serializers.IntegerField(help_text="How many sizes there are.")
    megapixels = ClassOut(many=True)
    categories = NamedOut(many=True)
    sources = NamedOut(many=True)
    stages = NamedOut(many=True)
    kinds = NamedOut(many=True)
    splits = NamedOut(many=True)
    licences = NamedOut(many=True)
    consents = NamedOut(many=True)
    image_sources = NamedOut(many=True)


class StatisticsOut(serializers.Serializer[Any]):
    """The last count, and whether anything changed since."""

    figures = FiguresOut(allow_null=True)
    counted_at = serializers.DateTimeField(allow_null=True)
    current = serializers.BooleanField(help_text="Nothing changed since the count.")
    counting = serializers.BooleanField(help_text="A count is under way.")
