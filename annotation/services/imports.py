"""Imports: pictures with or without masks, from an archive or a folder. All, none, or itemised; twice is once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from annotation import jobkit, storage
from annotation.errors import UserError
from annotation.formats import coco, sa1b
from annotation.formats.source import MAX_JSON_BYTES, FileIndex, Refusals, SourceImage
from annotation.ingest import archives
from annotation.ingest.cage import Cage
from annotation.models import Dataset, Image, Job, Mask, Stage
from annotation.services.images import Incoming, Rights, clean_name, image_add
from annotation.services.masks import masks_add
from annotation.signals import mask_saved, send_on_commit

# The longer lease: one call reads a whole JSON document, and no heartbeat gets its turn meanwhile.
IMPORT = jobkit.declare("import", queue="io", title="Import pictures and masks", lease=30, time_limit=24 * 3600)
FORMATS = ("auto", "images", coco.FORMAT, sa1b.FORMAT)
FILE = "upload.zip"
_SA1B_HEAD = re.compile(rb'"image"\s*:\s*\{')

Progress = Callable[[float, str], None]


@dataclass
class ImportReport:
    """What became of everything: counts add up to what the source holds."""

    images_new: int = 0
    images_known: int = 0
    masks_new: int = 0
    masks_known: int = 0
    refusals: Refusals = field(default_factory=Refusals)

    def as_json(self) -> dict[str, Any]:
        """The result of the job."""
        return {
            "images_new": self.images_new,
            "images_known": self.images_known,
            "masks_new": self.masks_new,
            "masks_known": self.masks_known,
            "refused": self.refusals.count,
            "refusals": self.refusals.listed,
        }


def import_request(*, dataset: Dataset, upload: UploadedFile, import_format: str, user: Any) -> Job:
    """Keep the archive and queue its import. Raises UserError if it is no zip archive."""
    with storage.work_folder() as work:
        kept = work / FILE
        with kept.open("wb") as file:
            for chunk in upload.chunks():
                file.write(chunk)
        if not archives.is_zip(kept):
            raise UserError("not_an_archive", "Send one zip archive with the pictures and their annotations.")
        with transaction.atomic():
            job = jobkit.enqueue(
                IMPORT.name,
                {"dataset_id": dataset.pk, "import_format": import_format, "user_id": user.pk},
                dataset=dataset,
                created_by=user,
                title=f"Import {clean_name(upload.name or FILE)}"[:200],
            )
            # In place before the row is visible to a worker.
            storage.adopt(kept, storage.path_for("imports", str(job.pk), FILE))
    return job


def import_run(*, job: Job, dataset: Dataset, import_format: str, user: Any, progress: Progress) -> dict[str, Any]:
    """Import the archive of a job; the job's result. The archive is removed when all is in."""
    relative = storage.path_for("imports", str(job.pk), FILE)
    archive = storage.full(relative)
    if not archive.is_file():
        raise UserError("upload_missing", "The uploaded archive is no longer there. Upload it again.")
    report = import_archive(dataset=dataset, archive=archive, import_format=import_format, user=user, progress=progress)
    storage.remove(storage.path_for("imports", str(job.pk)))
    return report.as_json()


def import_archive(
    *, dataset: Dataset, archive: Path, import_format: str, user: Any, progress: Progress
) -> ImportReport:
    """Import a zip archive."""
    report = ImportReport()
    with storage.work_folder() as work:
        index = FileIndex()
        progress(0.0, "Unpacking")
        for member in archives.members(archive, work, MAX_JSON_BYTES):
            if member.error is not None:
                report.refusals.add(member.name, member.error.code, member.error.message)
            elif member.path is not None:
                index.add(member.name, member.path)
        _import(dataset, index, import_format, user, progress, report)
    return report


def import_folder(*, dataset: Dataset, folder: Path, import_format: str, user: Any, progress: Progress) -> ImportReport:
    """Import a folder of this machine; links in it are passed over."""
    report = ImportReport()
    _import(dataset, FileIndex.of_folder(folder), import_format, user, progress, report)
    return report


def _import(
    dataset: Dataset, index: FileIndex, import_format: str, user: Any, progress: Progress, report: ImportReport
) -> None:
    sources = list(_sources(index, import_format, report.refusals))
    if not sources and not report.refusals.count:
        raise UserError("import_empty", "There is nothing here that could be imported.")
    with Cage() as cage:
        for number, source in enumerate(sources, 1):
            _import_image(dataset, source, user, cage, report)
            progress(number / len(sources), f"{number} of {len(sources)} pictures")


def _sources(index: FileIndex, import_format: str, refusals: Refusals) -> Iterator[SourceImage]:
    chosen = _detect(index) if import_format == "auto" else import_format
    if chosen == coco.FORMAT:
        return coco.read(index, refusals)
    if chosen == sa1b.FORMAT:
        return sa1b.read(index, refusals)
    return (SourceImage(clean_name(name), path) for name, path in index.items() if not name.lower().endswith(".json"))


def _detect(index: FileIndex) -> str:
    """SA-1B if a JSON file begins with one image, COCO if there is any other JSON, else pictures alone."""
    documents = [item for item in index.ending(".json") if not item[0].endswith("manifest.json")]
    if not documents:
        return "images"
    for _name, path in documents[:5]:
        with path.open("rb") as file:
            if _SA1B_HEAD.search(file.read(1 << 16)):
                return sa1b.FORMAT
    return coco.FORMAT


def _import_image(dataset: Dataset, source: SourceImage, user: Any, cage: Cage, report: ImportReport) -> None:
    """One picture and its masks; a refusal of either is noted and the import goes on."""
    rights = Rights(licence=source.licence, credit=source.credit)
    incoming = Incoming(clean_name(source.name), source.path)
    try:
        image, created = image_add(dataset=dataset, incoming=incoming, user=user, cage=cage, rights=rights)
    except UserError as problem:
        report.refusals.add(source.name, problem.code, problem.message)
        return
    report.images_new += created
    report.images_known += not created
    if not source.masks:
        return
    if (source.width, source.height) != (image.width, image.height):
        report.refusals.add(
            source.name,
            "image_size_mismatch",
            f"The document says {source.width} x {source.height} pixels, the upright picture has "
            f"{image.width} x {image.height}: its {len(source.masks)} masks do not fit.",
        )
        return
    new = _add_masks(image, source, user)
    report.masks_new += new
    report.masks_known += len(source.masks) - new


def _add_masks(image: Image, source: SourceImage, user: Any) -> int:
    with transaction.atomic():
        added = masks_add(
            image=image,
            records=source.masks,
            stage=Stage.ASSISTED,
            source=Mask.Source.IMPORTED,
            user=user,
        )
        if added:  # one fact for all of them: a receiver counts anyway
            send_on_commit(mask_saved, mask_id=added[-1].serial)
    return len(added)
