"""Prompts of other systems, many at once, and what is told of each."""

from __future__ import annotations

from typing import Any

from rest_framework import serializers

from annotation.api.fields import Box, Points, Segmentation

MOST_PROMPTS = 64
MOST_POINTS = 20  # of one prompt


class OutsidePromptIn(serializers.Serializer[Any]):
    """One object, in image pixels: points, a box, or both."""

    name = serializers.CharField(max_length=100, required=False, default="", allow_blank=True, help_text="Given back.")
    points = Points(required=False, max_length=MOST_POINTS)
    labels = serializers.ListField(
        child=serializers.IntegerField(min_value=0, max_value=1),
        required=False,
        max_length=MOST_POINTS,
        help_text="1 inside, 0 outside; without them every point is inside.",
    )
    box = Box(required=False, allow_null=True, help_text="[x0, y0, x1, y1]")

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        """As many labels as points, and something to go by."""
        points, box = attrs.get("points", []), attrs.get("box")
        labels = attrs.setdefault("labels", [1] * len(points))
        if len(points) != len(labels):
            raise serializers.ValidationError("There must be as many labels as points.")
        if not points and box is None:
            raise serializers.ValidationError("Give at least one point or a box.")
        if box is not None and not (box[0] < box[2] and box[1] < box[3]):
            raise serializers.ValidationError("A box is [x0, y0, x1, y1] with x0 < x1 and y0 < y1.")
        return attrs


class SegmentIn(serializers.Serializer[Any]):
    """Up to 64 prompts on one image; the answers come in their order."""

    prompts = OutsidePromptIn(many=True, allow_empty=False, max_length=MOST_PROMPTS)  # type: ignore[call-arg]  # many=True makes a list of them, with a length
    orientation = serializers.BooleanField(default=False, help_text="Tell also how each object is turned.")
    model = serializers.CharField(
        required=False, default="", allow_blank=True, max_length=64, help_text="Digest of a version; empty: serving."
    )


class PoseOut(serializers.Serializer[Any]):
    """How an object is turned: the ellipse with the same second moments."""

    angle = serializers.FloatField(help_text="Degrees of the longer axis to the x axis, clockwise; -90 to 90.")
    major = serializers.FloatField(help_text="Full length of the longer axis in pixels.")
    minor = serializers.FloatField(help_text="Full length of the shorter axis in pixels.")


class SegmentedOut(serializers.Serializer[Any]):
    """The answer to one prompt. Where the model finds nothing, the area is 0 and there is no centroid."""

    name = serializers.CharField(help_text="Of the prompt.")
    segmentation = Segmentation()
    bbox = Box(help_text="[x, y, w, h] in pixels.")
    area = serializers.IntegerField(help_text="Pixels.")
    area_m2 = serializers.FloatField(allow_null=True, help_text="Square metres; null where the scale is not known.")
    centroid = serializers.ListField(
        child=serializers.FloatField(),
        min_length=2,
        max_length=2,
        allow_null=True,
        help_text="[x, y] in pixels; the centre of the first pixel is [0.5, 0.5].",
    )
    predicted_iou = serializers.FloatField(help_text="What the model expects of its mask, 0 to 1.")
    stability_score = serializers.FloatField()
    pose = PoseOut(allow_null=True, help_text="Null unless it was asked for.")


class SegmentOut(serializers.Serializer[Any]):
    """Answers in the order of the prompts."""

    model = serializers.CharField(help_text="Digest of the version that answered.")
    width = serializers.IntegerField()
    height = serializers.IntegerField()
    pixel_size = serializers.FloatField(allow_null=True, help_text="Metres per pixel; null where nobody told it.")
    masks = SegmentedOut(many=True)
