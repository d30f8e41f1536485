"""The values of deep pictures as they came, for people who look at other ends than those of the display file.

A job keeps them beside the picture when somebody first asks: tiles of each channel at several resolutions
(annotation.ingest.values_child). They change nothing for others, and go with the picture.
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from django.conf import settings

from annotation import jobkit, storage
from annotation.errors import Conflict, UserError
from annotation.ingest.cage import Cage
from annotation.models import Image, Job
from annotation.services import buckets

KEEP = jobkit.declare("keep_values", queue="interactive", title="Prepare original values", time_limit=600)
MAX_VALUES = 256_000_000  # pixels times channels of one picture; 16-bit ones then take 0.7 GB on disk at most
INDEX = "index.json"


class ValuesCage(Cage):
    """A child that keeps values."""

    module = "annotation.ingest.values_child"

    def keep(self, source: Path, folder: Path) -> None:
        """Write index and tiles of a deep picture into `folder`. Raises UserError with the reason."""
        request = {
            "source": str(source),
            "folder": str(folder),
            "max_pixels": settings.ANYMASK_MAX_IMAGE_PIXELS,
            "max_values": MAX_VALUES,
        }
        told = self._ask(request)
        if "code" in told:
            raise UserError(told["code"], told["message"])


@dataclass(frozen=True)
class Standing:
    """Where a picture's values stand: `index` of values_child when ready, `message` why they failed."""

    state: Literal["ready", "pending", "failed"]
    index: dict[str, Any] | None = None
    message: str = ""


def values_offered(image: Image) -> bool:
    """Whether the picture has values of its own that may be seen: deep, original not given up, not too many."""
    if image.mapping is None or image.original_path == image.display_path:
        return False
    return image.pixels * int(image.mapping["count"]) <= MAX_VALUES


def values_request(*, image: Image, again: bool = False) -> Standing:
    """Have them kept unless they are; with `again` also after a failure.

    Raises UserError for a picture of 8 bits, Conflict where the original is gone or too large.
    """
    if image.mapping is None:
        raise UserError("values_absent", "This picture has 8 bits per channel: it is shown with the values it has.")
    if image.original_path == image.display_path:
        raise Conflict("original_not_kept", "The original was not kept, since faces were blurred.")
    if not values_offered(image):
        limit = f"{MAX_VALUES // 1_000_000} million values (pixels times channels)"
        raise Conflict("values_too_many", f"The picture has more than {limit}; it is shown with 8 bits.")
    index = storage.found(tile_path(image, INDEX), image.created_at)
    if index.is_file():
        return Standing("ready", json.loads(index.read_text()))
    key = f"values-{image.pk}"
    last = Job.objects.filter(kind=KEEP.name, dedupe_key=key, dataset=image.dataset_id).order_by("-created_at").first()
    if last is not None and last.state == Job.State.FAILED and not again:
        return Standing("failed", message=last.error_message)
    jobkit.enqueue(KEEP.name, {"image_id": image.pk}, dataset=image.dataset, dedupe_key=key)
    return Standing("pending")


def values_keep(*, image: Image) -> None:
    """Read the original again and store index and tiles, all at once; if the picture goes meanwhile, nothing stays."""
    with storage.work_folder() as work, ValuesCage() as cage:
        folder = work / "values"
        folder.mkdir()
        cage.keep(buckets.original_file(image, work), folder)
        storage.adopt(folder, _folder(image))
    if not Image.objects.filter(pk=image.pk).exists():
        storage.remove(_folder(image))


def tile_path(image: Image, name: str) -> str:
    """Where a file of the values lies; it need not be there."""
    return f"{_folder(image)}/{name}"


def _folder(image: Image) -> str:
    return f"{storage.image_folder(image.dataset_id, image.sha256)}/values"
