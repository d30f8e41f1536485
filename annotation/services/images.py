"""Pictures in: stored, decoded once in a cage, upright, known by digest."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings
from django.db import IntegrityError, transaction

from annotation import storage
from annotation.errors import Missing, TooLarge, UserError
from annotation.ingest.cage import Cage, Decoded
from annotation.ingest.tiling import tiles_cut
from annotation.models import Dataset, Image, Task, Tombstone, split_for
from annotation.signals import image_uploaded, send_on_commit

EXTENSIONS = {
    "image/jpeg": "jpg",
    "image/png": "png",
    "image/webp": "webp",
    "image/tiff": "tif",
    "image/bmp": "bmp",
    "image/gif": "gif",
    "image/heic": "heic",
    "image/avif": "avif",
    "application/dicom": "dcm",
}


@dataclass(frozen=True)
class Rights:
    """Where a picture comes from and what may be done with it."""

    licence: str = ""
    source: str = ""
    credit: str = ""
    consent: str = ""


@dataclass(frozen=True)
class Incoming:
    """A file that has arrived: `name` as the sender calls it, `path` where its bytes are now.

    `stays_at` is the address at which the original can be read again, if it need not be kept here.
    """

    name: str
    path: Path
    stays_at: str = ""


class Report(Protocol):
    """Who is told what became of every file."""

    def added(self, image: Image) -> None:
        """A new image."""

    def known(self, name: str, image: Image) -> None:
        """A file whose bytes are in the dataset already, as this image."""

    def refused(self, name: str, problem: UserError) -> None:
        """A file that was not taken, and why."""


def image_add(
    *,
    dataset: Dataset,
    incoming: Incoming,
    user: Any,
    cage: Cage,
    rights: Rights | None = None,
    priority: int = 0,
) -> tuple[Image, bool]:
    """Store one picture and open its task; (image, True), or (the image that is there already, False).

    The same bytes in the same dataset are the same image. Raises UserError for a picture that cannot be used, Missing
    if the dataset is deleted meanwhile; then no file is left.
    """
    if incoming.path.stat().st_size > settings.ANYMASK_MAX_IMAGE_BYTES:
        limit = settings.ANYMASK_MAX_IMAGE_BYTES // (1 << 20)
        raise TooLarge("image_file_too_large", f"The file is larger than the limit of {limit} MiB for one picture.")
    sha256 = storage.sha256_of(incoming.path)
    if existing := Image.objects.filter(dataset=dataset, sha256=sha256).first():
        return existing, False
    refuse_removed(dataset, sha256)
    relative = storage.image_folder(dataset.pk, sha256)
    files = _files(dataset, incoming, cage, relative)
    rights = rights or Rights()
    image = Image(
        dataset=dataset,
        file_name=incoming.name,
        sha256=sha256,
        byte_size=incoming.path.stat().st_size,
        licence=rights.licence or dataset.licence,
        source=rights.source or dataset.source,
        credit=rights.credit,
        consent=rights.consent,
        split=split_for(sha256),
        created_by=user,
        **files,
    )
    try:
        with transaction.atomic():
            image.save()
            Task.objects.create(image=image, priority=priority)
            send_on_commit(image_uploaded, image_id=image.pk)
    except IntegrityError:  # the same picture came twice at once, or the dataset went away
        if existing := Image.objects.filter(dataset=dataset, sha256=sha256).first():
            return existing, False
        storage.remove(relative)
        raise Missing("dataset_gone", "The dataset was deleted meanwhile.") from None
    return image, True


def _files(dataset: Dataset, incoming: Incoming, cage: Cage, relative: str) -> dict[str, Any]:
    """Decode, keep what is to be kept, cut tiles and put all in place; the columns of the image that tell of it."""
    with storage.work_folder() as work:
        folder = work / "image"
        folder.mkdir()
        decoded = cage.decode(incoming.path, folder)
        conversion, original = _keep(dataset, incoming, folder, decoded)
        revision = int(dataset.blur_faces)
        pixels = decoded.width * decoded.height
        levels = tiles_cut(folder / decoded.display, folder / f"tiles-{revision}", pixels)
        if dataset.blur_faces:
            storage.remove(relative)  # what a killed attempt left there was perhaps not blurred
        storage.adopt(folder, relative)
    return {
        "width": decoded.width,
        "height": decoded.height,
        "media_type": decoded.media_type,
        "conversion": conversion,
        "mapping": decoded.mapping,
        "revision": revision,
        "georeference": decoded.georeference,
        "pixel_size": decoded.pixel_size[0] if decoded.pixel_size else None,
        "pixel_size_from": decoded.pixel_size[1] if decoded.pixel_size else "",
        "original_path": f"{relative}/{original}" if original else "",
        "original_url": "" if original else incoming.stays_at,
        "display_path": f"{relative}/{decoded.display}",
        "thumbnail_path": f"{relative}/thumbnail.jpg",
        "tile_levels": levels,
    }


def _keep(dataset: Dataset, incoming: Incoming, folder: Path, decoded: Decoded) -> tuple[str, str]:
    """(what was done, name of the original in the folder). Where faces are blurred the original is not kept.

    The name is empty where the original stays elsewhere.
    """
    if not dataset.blur_faces:
        if incoming.stays_at:
            return decoded.conversion, ""
        original = f"original.{EXTENSIONS[decoded.media_type]}"
        storage.link_or_copy(incoming.path, folder / original)
        return decoded.conversion, original
    return faces_blurred(folder, decoded.display, decoded.conversion), decoded.display


def faces_blurred(folder: Path, display: str, conversion: str) -> str:
    """Blur the faces in a display file and its thumbnail, in a folder; what was done to the pixels."""
    from annotation.ingest.faces import blur_files  # the detectors are for workers, not for the web process

    blurred = blur_files(folder / display, folder / "thumbnail.jpg")
    said = f"{blurred} faces blurred" if blurred != 1 else "1 face blurred"
    return ", ".join(filter(None, [conversion, said]))[:255]


def refuse_removed(dataset: Dataset, sha256: str) -> None:
    """Raises UserError if this picture was removed from the dataset for good."""
    stone = Tombstone.objects.filter(dataset=dataset, sha256=sha256).first()
    if stone is not None:
        when = f"{stone.created_at:%d %B %Y}"
        raise UserError("image_removed", f"This picture was removed for good on {when} and is not taken again.")


def image_update(*, image: Image, **fields: str | bool | float | None) -> Image:
    """Change licence, source or credit, the size of its pixels, or whether annotators are measured by it (gold)."""
    if "pixel_size" in fields:
        fields["pixel_size_from"] = Image.BY_HAND if fields["pixel_size"] is not None else ""
    for name, value in fields.items():
        setattr(image, name, value)
    image.save(update_fields=list(fields))
    return image


def image_delete(*, image: Image) -> None:
    """Remove an image with its masks, tasks and files."""
    folder = storage.image_folder(image.dataset_id, image.sha256)
    with transaction.atomic():
        image.delete()
        transaction.on_commit(lambda: storage.remove(folder), robust=True)


def clean_name(name: str) -> str:
    """The last part of a file name for showing: no folders, no control characters, at most 255 characters."""
    last = name.replace("\\", "/").rsplit("/", 1)[-1]
    printable = "".join(character for character in last if character.isprintable()).strip()
    return printable.encode("utf-8", "replace").decode("utf-8")[-255:] or "unnamed"
