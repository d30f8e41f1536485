"""Files on their way in."""

from __future__ import annotations

from typing import Any

from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from annotation.models import Image, Upload

LISTED = 20  # reasons of one file in the list; a file of its own address has them all


class RightsIn(serializers.ModelSerializer[Any]):
    """What is known of a picture's rights."""

    class Meta:
        model = Image
        fields = ["licence", "source", "credit", "consent"]


class RefusalOut(serializers.Serializer[Any]):
    """A file that was not taken."""

    name = serializers.CharField()
    code = serializers.CharField()
    message = serializers.CharField()


class KnownOut(serializers.Serializer[Any]):
    """A file that is there already, as this image."""

    name = serializers.CharField()
    image = serializers.IntegerField()


class UploadItemOut(serializers.ModelSerializer[Any]):
    """How far a file is, and what became of it."""

    added = serializers.SerializerMethodField(help_text="Pictures that are new.")
    known = serializers.SerializerMethodField(help_text="Pictures that were there already.")
    refused = serializers.SerializerMethodField(help_text="Files that were not taken.")
    job = serializers.SerializerMethodField(help_text="Of an archive with annotations: its import.")
    duplicates = serializers.SerializerMethodField()
    refusals = serializers.SerializerMethodField()
    limit: int | None = LISTED

    class Meta:
        model = Upload
        fields = [
            "id",
            "file_name",
            "fingerprint",
            "byte_size",
            "received",
            "state",
            "progress",
            "added",
            "known",
            "refused",
            "job",
            "duplicates",
            "refusals",
            "created_at",
            "changed_at",
        ]

    def get_added(self, row: Upload) -> int:
        """From the report."""
        return int(row.report.get("added", 0))

    def get_known(self, row: Upload) -> int:
        """From the report."""
        return int(row.report.get("known", 0))

    def get_refused(self, row: Upload) -> int:
        """From the report."""
        return int(row.report.get("refused", 0))

    @extend_schema_field({"type": "string", "format": "uuid", "nullable": True})
    def get_job(self, row: Upload) -> str | None:
        """From the report."""
        job: str | None = row.report.get("job")
        return job

    @extend_schema_field(KnownOut(many=True))
    def get_duplicates(self, row: Upload) -> list[dict[str, Any]]:
        """The first ones in a list, all of them alone."""
        return list(row.report.get("duplicates", [])[: self.limit])

    @extend_schema_field(RefusalOut(many=True))
    def get_refusals(self, row: Upload) -> list[dict[str, Any]]:
        """The first ones in a list, all of them alone."""
        return list(row.report.get("refusals", [])[: self.limit])


class UploadDetailOut(UploadItemOut):
    """The same with every name."""

    limit = None


class UploadsOut(serializers.Serializer[Any]):
    """What changed; `at` goes into the next question."""

    at = serializers.DateTimeField()
    max_video_frames = serializers.IntegerField(help_text="Frames that are taken of one video at the most.")
    uploads = UploadItemOut(many=True)


class ServerFoldersOut(serializers.Serializer[Any]):
    """What the server offers."""

    folders = serializers.ListField(child=serializers.CharField())


class ServerFolderIn(RightsIn):
    """A folder as the list names it, or one inside, and the rights of its pictures."""

    folder = serializers.CharField(max_length=1000)

    class Meta(RightsIn.Meta):
        fields = ["folder", *RightsIn.Meta.fields]


class UrlListIn(RightsIn):
    """Addresses of pictures, and their rights."""

    addresses = serializers.ListField(child=serializers.CharField(allow_blank=True))

    class Meta(RightsIn.Meta):
        fields = ["addresses", *RightsIn.Meta.fields]
