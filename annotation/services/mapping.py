"""The values of a deep picture shown otherwise: a new display file from the original, the same coordinates."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models import F

from annotation import jobkit, storage
from annotation.errors import Conflict, UserError
from annotation.ingest.cage import Cage
from annotation.ingest.tiling import tiles_cut
from annotation.models import Image, Job
from annotation.services import buckets
from annotation.signals import image_changed, send_on_commit

REMAP = jobkit.declare("remap_image", queue="interactive", title="Show values otherwise", time_limit=600)


def image_remap_request(*, image: Image, mapping: dict[str, Any], user: Any) -> Job:
    """Queue it. `mapping` has any of channels, low, high and inverted (annotation.ingest.depth); what is left out is
    chosen from the values. Raises UserError for a picture without deep values, Conflict where no original is kept."""
    if image.mapping is None:
        raise UserError("mapping_absent", "This picture has 8 bits per channel: there is nothing to map.")
    if image.original_path == image.display_path:
        raise Conflict("original_not_kept", "The original was not kept, since faces were blurred.")
    count = int(image.mapping["count"])
    channels = mapping.get("channels") or image.mapping["channels"]
    if not all(0 <= channel < count for channel in channels):
        raise UserError("mapping_channels", f"This picture has {count} channels, numbered from 0.")
    lows, highs = mapping.get("low", []), mapping.get("high", [])
    if len(lows) != len(highs) or (lows and len(lows) != len(channels)):
        raise UserError("mapping_ends", "Give as many lowest and highest values as channels are shown.")
    if any(low >= high for low, high in zip(lows, highs, strict=True)):
        raise UserError("mapping_ends", "Each lowest value must lie below its highest.")
    return jobkit.enqueue(
        REMAP.name, {"image_id": image.pk, "mapping": mapping}, dataset=image.dataset, created_by=user
    )


def image_remap(*, image: Image, mapping: dict[str, Any]) -> None:
    """Decode the original again, and switch to what came out if nobody else was quicker."""
    folder = storage.image_folder(image.dataset_id, image.sha256)
    new = image.revision + 1
    with storage.work_folder() as work, Cage() as cage:
        decoded = cage.decode(buckets.original_file(image, work), work, mapping)
        suffix = decoded.display.rsplit(".", 1)[-1]
        display, thumbnail = f"{folder}/display-{new}.{suffix}", f"{folder}/thumbnail-{new}.jpg"
        levels = tiles_cut(work / decoded.display, work / "tiles", decoded.width * decoded.height)
        if levels:
            storage.adopt(work / "tiles", f"{folder}/tiles-{new}")
        storage.adopt(work / decoded.display, display)
        storage.adopt(work / "thumbnail.jpg", thumbnail)
    with transaction.atomic():
        changed = Image.objects.filter(pk=image.pk, revision=image.revision).update(
            revision=F("revision") + 1,
            mapping=decoded.mapping,
            conversion=decoded.conversion,
            display_path=display,
            thumbnail_path=thumbnail,
            tile_levels=levels,
        )
        if not changed:
            raise Conflict("mapping_changed", "Somebody else changed the same picture at the same time.")
        send_on_commit(image_changed, image_id=image.pk)
    for path in (image.display_path, image.thumbnail_path, f"{folder}/tiles-{image.revision}"):
        storage.remove(path)
