"""Rights of pictures, one by one and in bulk, and removal for good with a tombstone."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

from django.db import transaction

from annotation import storage
from annotation.errors import UserError
from annotation.models import Dataset, Image, Job, Tombstone, Video
from annotation.services.exports import EXPORT
from annotation.signals import image_removed

FIELDS = ("licence", "source", "credit", "consent")
CHUNK = 500


def images_chosen(dataset: Dataset, image_ids: Sequence[int] | None) -> list[int]:
    """Ids of the named images of a dataset, of all without names. Raises UserError if one is not of this dataset."""
    rows = dataset.images.order_by("pk").values_list("pk", flat=True)
    if image_ids is None:
        return list(rows)
    found: list[int] = []
    for start in range(0, len(image_ids), CHUNK):
        found += rows.filter(pk__in=image_ids[start : start + CHUNK])
    if missing := set(image_ids) - set(found):
        raise UserError("images_unknown", f"{len(missing)} of these images are not in this dataset.")
    return found


def images_set_rights(*, dataset: Dataset, image_ids: Sequence[int] | None, fields: dict[str, str]) -> int:
    """Set licence, source, credit or consent of these images, of all if `image_ids` is None; how many."""
    if not fields or not set(fields) <= set(FIELDS):
        raise UserError("rights_empty", "Say at least one of licence, source, photographer and consent.")
    chosen = images_chosen(dataset, image_ids)
    with transaction.atomic():
        for start in range(0, len(chosen), CHUNK):
            Image.objects.filter(pk__in=chosen[start : start + CHUNK]).update(**fields)
    return len(chosen)


def images_remove(*, dataset: Dataset, image_ids: Sequence[int], user: Any, reason: str) -> int:
    """Remove images for good: masks, tasks, files, embeddings, written exports; a tombstone each. How many.

    With a frame goes the file of its video, which shows it too; the other frames stay.
    """
    chosen = images_chosen(dataset, image_ids)
    for start in range(0, len(chosen), CHUNK):
        for image in Image.objects.filter(pk__in=chosen[start : start + CHUNK]).select_related("video"):
            _remove(dataset, image, user, reason)
    if chosen:
        Video.objects.filter(dataset=dataset, complete=True, frames=None).delete()
        _exports_remove(dataset)
    return len(chosen)


def _remove(dataset: Dataset, image: Image, user: Any, reason: str) -> None:
    folder = storage.image_folder(dataset.pk, image.sha256)
    sha256, image_id = image.sha256, image.pk
    with transaction.atomic():
        for digest in (sha256, image.video.sha256) if image.video else (sha256,):
            Tombstone.objects.get_or_create(
                dataset=dataset, sha256=digest, defaults={"reason": reason, "created_by": user}
            )
        if image.video:
            Video.objects.filter(pk=image.video.pk).update(original_path="")
            original = storage.image_folder(dataset.pk, image.video.sha256)
            transaction.on_commit(partial(storage.remove, original), robust=True)
        image.delete()
        transaction.on_commit(partial(storage.remove, folder), robust=True)
        transaction.on_commit(
            lambda: image_removed.send_robust(sender=None, dataset_id=dataset.pk, image_id=image_id, sha256=sha256),
            robust=True,
        )


def _exports_remove(dataset: Dataset) -> None:
    """Exports hold copies of pictures and masks; they can be written again. One under way sees to it by itself."""
    for pk in Job.objects.filter(dataset=dataset, kind=EXPORT.name).values_list("pk", flat=True):
        storage.remove(storage.path_for("exports", str(pk)))
