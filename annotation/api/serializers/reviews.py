"""Reviews: what was said of each mask, and how much is reviewed."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.api.fields import Number, Segmentation
from annotation.models import ReviewItem


class ReviewItemOut(serializers.ModelSerializer[Any]):
    """One mask (or, without a mask, one place) in one round of review."""

    mask = serializers.UUIDField(source="mask.uuid", default=None, allow_null=True)
    after = serializers.UUIDField(source="after.uuid", default=None, allow_null=True, help_text="What became of it.")
    verdict = serializers.ChoiceField(choices=ReviewItem.Verdict.choices, allow_blank=True)
    reason = serializers.ChoiceField(choices=ReviewItem.Reason.choices, allow_blank=True)
    suggestion = Segmentation(allow_null=True, help_text="The mask as the reviewer would have it.")
    author = serializers.SerializerMethodField(help_text="Who labelled the image.")
    decided_by = serializers.SerializerMethodField()

    class Meta:
        model = ReviewItem
        fields = [
            "id",
            "mask",
            "after",
            "author",
            "disagreement",
            "verdict",
            "reason",
            "comment",
            "x",
            "y",
            "suggestion",
            "decided_by",
            "decided_at",
            "answered_at",
        ]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_author(self, row: ReviewItem) -> str | None:
        """User name."""
        return row.author.get_username() if row.author else None

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_decided_by(self, row: ReviewItem) -> str | None:
        """User name."""
        return row.decided_by.get_username() if row.decided_by else None


class ReviewRoundOut(serializers.Serializer[Any]):
    """What is to be looked at on one image."""

    items = ReviewItemOut(many=True, help_text="Of a review all masks, the doubtful first; of returned work those.")
    earlier = ReviewItemOut(many=True, help_text="What was found wrong in other rounds on this image, newest first.")


class FeedbackItemOut(ReviewItemOut):
    """What a reviewer found wrong, with the picture it is on."""

    image = serializers.IntegerField(source="task.image_id")
    file_name = serializers.CharField()
    before_segmentation = Segmentation(source="mask.segmentation", default=None, allow_null=True)
    after_segmentation = Segmentation(source="after.segmentation", default=None, allow_null=True)

    class Meta(ReviewItemOut.Meta):
        fields = [*ReviewItemOut.Meta.fields, "image", "file_name", "before_segmentation", "after_segmentation"]


class ReviewPersonOut(serializers.Serializer[Any]):
    """An annotator's record, and how much of their work is reviewed because of it."""

    username = serializers.CharField()
    judged = serializers.IntegerField(help_text="Of their latest 50 masks.")
    wrong = serializers.IntegerField(help_text="Corrected, deleted or returned.")
    share = serializers.FloatField(help_text="Of their images that are reviewed now, 0..1.")


class ReviewsOut(serializers.Serializer[Any]):
    """The review of a dataset."""

    share = serializers.FloatField()
    adapts = serializers.BooleanField()
    waiting = serializers.IntegerField(help_text="Images that wait for a reviewer.")
    left_for_you = serializers.IntegerField(help_text="Of them those that the caller may review.")
    returned = serializers.IntegerField(help_text="Images that wait for their annotator.")
    verdicts = serializers.DictField(child=serializers.IntegerField(), help_text="Masks by verdict, all rounds.")
    reasons = serializers.DictField(child=serializers.IntegerField(), help_text="Wrong masks by reason.")
    people = ReviewPersonOut(many=True)


class SaidIn(serializers.Serializer[Any]):
    """What a reviewer says."""

    reason = serializers.ChoiceField(choices=ReviewItem.Reason.choices, required=False, allow_blank=True)
    comment = serializers.CharField(max_length=2000, required=False, allow_blank=True)
    x = Number(required=False, allow_null=True, help_text="Where the comment is pinned, in image pixels.")
    y = Number(required=False, allow_null=True)
    suggestion = Segmentation(required=False, allow_null=True)


class VerdictIn(SaidIn):
    """Of one mask; an empty verdict takes back what was said."""

    verdict = serializers.ChoiceField(choices=ReviewItem.Verdict.choices, allow_blank=True)

    def validate_verdict(self, value: str) -> str:
        """A mask is deleted by its own route."""
        if value == ReviewItem.Verdict.DELETED:
            raise serializers.ValidationError("Delete the mask itself.")
        return value
