"""Tiles of large pictures that came in before there were any, or while the limit was higher."""

from __future__ import annotations

from django.conf import settings
from django.db.models import BigIntegerField, F, QuerySet
from django.db.models.functions import Cast

from annotation import jobkit, storage
from annotation.ingest.tiling import tiles_cut
from annotation.models import Image, Job

CUT = jobkit.declare("cut_tiles", queue="batch", title="Cut a large picture into tiles", time_limit=3600)
AT_ONCE = 50  # jobs that wait; the rest is found the next time


def images_whole() -> QuerySet[Image]:
    """Pictures above the limit that are still shown whole."""
    pixels = Cast(F("width"), BigIntegerField()) * F("height")
    return Image.objects.alias(area=pixels).filter(tile_levels=0, area__gt=settings.ANYMASK_TILE_PIXELS).order_by("pk")


def tiles_tend() -> int:
    """Queue what is missing, how many; a picture that failed once is left alone."""
    failed = Job.objects.filter(kind=CUT.name, state=Job.State.FAILED).values_list("dedupe_key", flat=True)
    ids = [pk for pk in images_whole().values_list("pk", flat=True) if str(pk) not in set(failed)][:AT_ONCE]
    for image in Image.objects.filter(pk__in=ids).select_related("dataset"):
        jobkit.enqueue(CUT.name, {"image_id": image.pk}, dataset=image.dataset, dedupe_key=str(image.pk))
    return len(ids)


def image_tile(*, image: Image) -> int:
    """Cut a picture into tiles and show it so from now on; the number of levels, 0 for one that needs none.

    Nothing stays of it if the picture was removed or shown otherwise meanwhile.
    """
    target = f"{storage.image_folder(image.dataset_id, image.sha256)}/tiles-{image.revision}"
    with storage.work_folder() as work:
        levels = tiles_cut(storage.found(image.display_path, image.created_at), work / "tiles", image.pixels)
        if not levels:
            return 0
        storage.adopt(work / "tiles", target)
    same = Image.objects.filter(pk=image.pk, revision=image.revision)
    if not same.update(tile_levels=levels):
        storage.remove(target)
        if not Image.objects.filter(pk=image.pk).exists():
            storage.remove(storage.image_folder(image.dataset_id, image.sha256))
    return levels
