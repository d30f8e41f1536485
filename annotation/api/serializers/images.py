"""Images and uploads."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from django.urls import reverse
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation import ports, selectors
from annotation.api.fields import Number
from annotation.models import Image, Stage, Task
from annotation.services.values import values_offered

READINESS = ("ready", "pending", "failed", "absent")


class ImageIn(serializers.ModelSerializer[Any]):
    """What a lead may set."""

    pixel_size = Number(
        min_value=1e-12, max_value=1e6, required=False, allow_null=True, help_text="Metres; null: as the dataset says."
    )

    class Meta:
        model = Image
        fields = ["licence", "source", "credit", "consent", "gold", "pixel_size"]


class ImageOut(serializers.ModelSerializer[Any]):
    """An image; rows come from selectors.with_summary, readiness for all of a page from the port."""

    file_url = serializers.SerializerMethodField(help_text="The picture whose pixels all coordinates mean.")
    thumbnail_url = serializers.SerializerMethodField()
    tiles_url = serializers.SerializerMethodField(
        help_text="Of a large picture: the address of its tiles, with {z} for the level, {x} for the column and {y} "
        "for the row; null for one that is shown whole."
    )
    values_url = serializers.SerializerMethodField(
        help_text="Of a picture of more than 8 bits or other than three channels: where its own values are told; null "
        "where there are none, the original was not kept, or they are too many."
    )
    tile_levels = serializers.IntegerField(help_text="How many levels of tiles there are; the last is one tile.")
    overlay_url = serializers.SerializerMethodField(
        help_text="Masks as a transparent PNG of the thumbnail's size; null without masks."
    )
    mask_count = serializers.IntegerField(help_text="Accepted masks.")
    task_state = serializers.ChoiceField(choices=Task.State.choices, allow_null=True)
    readiness = serializers.SerializerMethodField(help_text="Whether the serving model has seen the image.")
    stage = serializers.ChoiceField(choices=Stage.choices, help_text="The last one whose machine part was done.")

    class Meta:
        model = Image
        fields = [
            "id",
            "dataset",
            "file_name",
            "sha256",
            "width",
            "height",
            "media_type",
            "byte_size",
            "conversion",
            "split",
            "stage",
            "gold",
            "uncertainty",
            "licence",
            "source",
            "credit",
            "consent",
            "mapping",
            "georeference",
            "pixel_size",
            "pixel_size_from",
            "file_url",
            "thumbnail_url",
            "tiles_url",
            "tile_levels",
            "values_url",
            "overlay_url",
            "mask_count",
            "task_state",
            "readiness",
            "video",
            "frame_number",
            "frame_time",
            "created_at",
        ]

    def get_file_url(self, row: Any) -> str:
        """Cached for ever: what it names never changes."""
        return f"{reverse('image-file', args=[row.pk])}?v={row.pixels_sha256[:12]}"

    def get_thumbnail_url(self, row: Any) -> str:
        """Cached for ever too."""
        return f"{reverse('image-thumbnail', args=[row.pk])}?v={row.pixels_sha256[:12]}"

    def get_tiles_url(self, row: Any) -> str | None:
        """Cached for ever too."""
        if not row.tile_levels:
            return None
        return f"{reverse('image', args=[row.pk])}tiles/{{z}}/{{x}}/{{y}}/?v={row.pixels_sha256[:12]}"

    def get_values_url(self, row: Any) -> str | None:
        """Changes with the mapping."""
        return reverse("image-values", args=[row.pk]) if values_offered(row) else None

    def get_overlay_url(self, row: Any) -> str | None:
        """Changes with the masks."""
        version = overlay_version(row)
        return f"{reverse('image-overlay', args=[row.pk])}?v={version}" if version else None

    @extend_schema_field(serializers.ChoiceField(choices=READINESS))
    def get_readiness(self, row: Any) -> str:
        """From the port, asked once per page."""
        return str(self.context["readiness"].get(row.pk, "absent"))


def overlay_version(row: Any) -> str:
    """What the overlay of an annotated image row depends on, as text; empty without masks."""
    if not row.overlay_count:
        return ""
    changed = int(row.overlay_changed.timestamp() * 1000) if row.overlay_changed else 0
    return f"{row.overlay_count}-{row.overlay_serial}-{changed:x}"


def images_out(rows: Iterable[Image]) -> list[dict[str, Any]]:
    """Annotated image rows as JSON, with one question to the port for all of them."""
    rows = list(rows)
    readiness = ports.segmenter().readiness([row.pk for row in rows])
    return [dict(data) for data in ImageOut(rows, many=True, context={"readiness": readiness}).data]


def image_out(image_id: int) -> dict[str, Any]:
    """One image as JSON, read anew."""
    return images_out([selectors.with_summary(Image.objects.all()).get(pk=image_id)])[0]


class OwnChannelOut(serializers.Serializer[Any]):
    """One channel of a deep picture, in its own values."""

    low = serializers.FloatField(help_text="Black as long as nobody looks otherwise.")
    high = serializers.FloatField(help_text="White as long as nobody looks otherwise.")
    minimum = serializers.FloatField()
    maximum = serializers.FloatField()


class OwnValuesOut(serializers.Serializer[Any]):
    """A deep picture's own values."""

    state = serializers.ChoiceField(choices=["ready", "pending", "failed"])
    message = serializers.CharField(allow_blank=True, help_text="Why it failed.")
    url = serializers.CharField(
        allow_null=True, help_text="Address of a tile, with {channel}, {z} for the level, {x} for the column, {y}."
    )
    kind = serializers.ChoiceField(choices=["uint8", "uint16", "int16", "float32"], allow_null=True)
    levels = serializers.IntegerField(help_text="How many resolutions there are; the last is one tile.")
    channels = OwnChannelOut(many=True)
    shown = serializers.ListField(
        child=serializers.IntegerField(), help_text="Channels that are red, green and blue; one alone is grey."
    )
    inverted = serializers.BooleanField(help_text="Whether low values are white.")


class RejectedOut(serializers.Serializer[Any]):
    """A file that was not taken."""

    name = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class DuplicateOut(serializers.Serializer[Any]):
    """A file that is there already."""

    name = serializers.CharField()
    image = ImageOut()


class UploadOut(serializers.Serializer[Any]):
    """What became of every file."""

    accepted = ImageOut(many=True)
    duplicates = DuplicateOut(many=True)
    rejected = RejectedOut(many=True)


class UploadIn(serializers.Serializer[Any]):
    """Pictures and zip or tar archives of pictures; the field may be repeated."""

    files = serializers.ListField(child=serializers.FileField(), min_length=1)
