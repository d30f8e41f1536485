"""Videos, their frames and tracks."""

from __future__ import annotations

from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.models import Image, Mask, Task, Video


class VideoOut(serializers.ModelSerializer[Any]):
    """A video; rows come from selectors.with_frames."""

    duration = serializers.FloatField(help_text="Seconds.")
    frame_rate = serializers.FloatField(help_text="Frames of a second in the file.")
    sampling_rate = serializers.FloatField(help_text="Frames of a second that were taken.")
    frame_count = serializers.IntegerField(help_text="Frames when all have arrived.")
    frames = serializers.IntegerField(source="arrived", help_text="Frames that are there.")
    tracks = serializers.IntegerField(source="track_count")
    first_image = serializers.IntegerField(allow_null=True, help_text="The first frame; null before it arrives.")
    thumbnail_url = serializers.SerializerMethodField(help_text="Of the first frame.")

    class Meta:
        model = Video
        fields = [
            "id",
            "dataset",
            "file_name",
            "width",
            "height",
            "media_type",
            "byte_size",
            "duration",
            "frame_rate",
            "sampling_rate",
            "frame_count",
            "frames",
            "complete",
            "tracks",
            "first_image",
            "thumbnail_url",
            "created_at",
        ]

    @extend_schema_field(serializers.CharField(allow_null=True))
    def get_thumbnail_url(self, row: Any) -> str | None:
        """Null before the first frame arrives."""
        return reverse("image-thumbnail", args=[row.first_image]) if row.first_image else None


class VideoFrameOut(serializers.Serializer[Any]):
    """A frame, in short; the image of this id has everything."""

    image = serializers.IntegerField(source="pk")
    number = serializers.IntegerField(source="frame_number")
    time = serializers.FloatField(source="frame_time", help_text="Seconds from the start of the video.")
    state = serializers.ChoiceField(
        source="task_state", choices=Task.State.choices, allow_null=True, help_text="State of the image's task."
    )
    masks = serializers.IntegerField(source="mask_count", help_text="Accepted masks.")
    uncertainty = serializers.FloatField(allow_null=True)
    thumbnail_url = serializers.SerializerMethodField()

    def get_thumbnail_url(self, row: Image) -> str:
        """Cached for ever."""
        return f"{reverse('image-thumbnail', args=[row.pk])}?v={row.pixels_sha256[:12]}"


class FramesOut(serializers.Serializer[Any]):
    """One page of frames."""

    frames = VideoFrameOut(many=True)
    next = serializers.IntegerField(allow_null=True, help_text="`from` of the next page; null after the last frame.")
    complete = serializers.BooleanField(help_text="False while frames of the video are still to come.")


class TrackMaskOut(serializers.Serializer[Any]):
    """A current mask of a track, without its pixels."""

    id = serializers.UUIDField()
    image = serializers.IntegerField()
    frame = serializers.IntegerField(help_text="Number of the frame.")
    status = serializers.ChoiceField(choices=Mask.Status.choices, help_text="Proposed or accepted.")
    source = serializers.ChoiceField(choices=Mask.Source.choices)  # type: ignore[assignment]  # the field: not what DRF keeps under the name
    confidence = serializers.FloatField(allow_null=True, help_text="What the model expected its IoU to be.")


class TrackOut(serializers.Serializer[Any]):
    """A thing that is followed."""

    id = serializers.UUIDField()
    category = serializers.CharField()
    created_at = serializers.DateTimeField()
    masks = TrackMaskOut(many=True, help_text="At most one for each frame, in their order.")


class TracksOut(serializers.Serializer[Any]):
    """Tracks of a video, oldest first."""

    tracks = TrackOut(many=True)


class TrackIn(serializers.Serializer[Any]):
    """What a track begins with."""

    mask = serializers.UUIDField()


class TrackChangeIn(serializers.Serializer[Any]):
    """What is followed; its masks take the category too."""

    category = serializers.CharField(max_length=200, allow_blank=True)
