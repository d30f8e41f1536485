"""Imports: pictures with or without masks, from an archive or a folder. All, none, or itemised; twice is once."""

from __future__ import annotations

import uuid
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from django.core.files.uploadedfile import UploadedFile
from django.db import transaction

from annotation import jobkit, storage
from annotation.errors import Missing, UserError
from annotation.formats.base import ImportFormat
from annotation.formats.registry import IMPORTS
from annotation.formats.source import FileIndex, LabelMap, Refusals, SourceImage
from annotation.ingest import archives
from annotation.ingest.cage import Cage
from annotation.ingest.maps import MapCage, masks_of
from annotation.models import Dataset, Image, Job, Mask, Stage
from annotation.room import need_room
from annotation.services.boxes import boxes_add
from annotation.services.images import Incoming, Rights, clean_name, image_add
from annotation.services.masks import masks_add
from annotation.signals import mask_saved, send_on_commit

# The longer lease: one call may read a large item, and no heartbeat gets its turn meanwhile.
IMPORT = jobkit.declare("import", queue="io", title="Import pictures and masks", lease=30, time_limit=24 * 3600)
AUTO, PICTURES = "auto", "images"
FORMATS = (AUTO, PICTURES, *IMPORTS)
FILE = "upload.zip"
MAX_MEMBER_BYTES = 16 << 30  # of a document; pictures have a limit of their own

Progress = Callable[[float, str], None]


@dataclass
class ImportReport:
    """What became of everything: counts add up to what the source holds."""

    format: str = ""
    images_new: int = 0
    images_known: int = 0
    masks_new: int = 0
    masks_known: int = 0
    boxes_new: int = 0
    boxes_known: int = 0
    refusals: Refusals = field(default_factory=Refusals)

    def as_json(self) -> dict[str, Any]:
        """The result of the job."""
        return {
            "format": self.format,
            "images_new": self.images_new,
            "images_known": self.images_known,
            "masks_new": self.masks_new,
            "masks_known": self.masks_known,
            "boxes_new": self.boxes_new,
            "boxes_known": self.boxes_known,
            "refused": self.refusals.count,
            "refusals": self.refusals.listed,
        }


def import_request(*, dataset: Dataset, upload: UploadedFile, import_format: str, user: Any) -> Job:
    """Keep the archive and queue its import. Raises UserError if it is no archive."""
    need_room(upload.size or 0)
    with storage.work_folder() as work:
        kept = work / FILE
        with kept.open("wb") as file:
            for chunk in upload.chunks():
                file.write(chunk)
        archive = archive_keep(kept)
    return import_queue(
        dataset=dataset, archive=archive, file_name=upload.name or FILE, import_format=import_format, user=user
    )


def archive_keep(source: Path) -> uuid.UUID:
    """Move an archive to its place; returns the id of the job that will look there. Raises UserError if it is none.

    In place before the job can be seen by a worker, and outside transactions: an object store takes its time. One whose
    job never comes is removed with other leftovers.
    """
    if not archives.is_archive(source):
        raise UserError("not_an_archive", "Send one zip or tar archive with the pictures and their annotations.")
    job = uuid.uuid4()
    storage.adopt(source, _place(job))
    storage.let_go(_place(job))
    return job


def archive_drop(archive: uuid.UUID) -> None:
    """Remove an archive with all that its import kept."""
    storage.remove(storage.path_for("imports", str(archive)))


def import_queue(*, dataset: Dataset, archive: uuid.UUID, file_name: str, import_format: str, user: Any) -> Job:
    """Queue the import of an archive that was kept; it goes if the dataset has gone. Raises Missing then."""
    try:
        return jobkit.enqueue(
            IMPORT.name,
            {"dataset_id": dataset.pk, "import_format": import_format, "user_id": user.pk},
            dataset=dataset,
            created_by=user,
            title=f"Import {clean_name(file_name)}"[:200],
            pk=archive,
        )
    except Missing:
        archive_drop(archive)
        raise


def _place(job: uuid.UUID) -> str:
    return storage.path_for("imports", str(job), FILE)


def import_run(*, job: Job, dataset: Dataset, import_format: str, user: Any, progress: Progress) -> dict[str, Any]:
    """Import the archive of a job; the job's result. The archive stays: a lost worker's job needs it again."""
    archive = storage.found(_place(job.pk))
    if not archive.is_file():
        raise UserError("upload_missing", "The uploaded archive is no longer there. Upload it again.")
    report = import_archive(dataset=dataset, archive=archive, import_format=import_format, user=user, progress=progress)
    return report.as_json()


def import_archive(
    *, dataset: Dataset, archive: Path, import_format: str, user: Any, progress: Progress
) -> ImportReport:
    """Import a zip or tar archive."""
    report = ImportReport()
    with storage.work_folder() as work:
        index = FileIndex()
        progress(0.0, "Unpacking")
        for member in archives.members(archive, work, MAX_MEMBER_BYTES):
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
    """Image by image: nothing of what is read stays in memory."""
    known = _detected(index) if import_format == AUTO else IMPORTS.get(import_format)
    report.format = known.name if known else PICTURES
    sources = known.read(index, report.refusals) if known else _pictures(index)
    total = max(1, sum(1 for _ in index.pictures()))
    number = 0
    map_cage = MapCage()
    with storage.work_folder() as work, Cage() as cage, map_cage:
        taking = _Taking(dataset, user, cage, map_cage, work, report)
        for number, source in enumerate(sources, 1):
            taking.take(source)
            progress(min(1.0, number / total), f"{number} of {total} pictures" if number <= total else f"{number}")
    if not number and not report.refusals.count:
        raise UserError("import_empty", "There is nothing here that could be imported.")


def _pictures(index: FileIndex) -> Iterator[SourceImage]:
    """Everything but documents, so that what is no picture is refused by name."""
    return (SourceImage(clean_name(name), path) for name, path in index.items() if not name.lower().endswith(".json"))


def _detected(index: FileIndex) -> ImportFormat | None:
    """The first format that recognises the files; None for pictures alone."""
    return next((one for one in IMPORTS.values() if one.recognises(index)), None)


@dataclass
class _Taking:
    """One import under way; what cannot be taken is noted and the import goes on."""

    dataset: Dataset
    user: Any
    cage: Cage
    map_cage: MapCage
    work: Path
    report: ImportReport

    def take(self, source: SourceImage) -> None:
        """One picture and its masks."""
        report = self.report
        rights = Rights(licence=source.licence, credit=source.credit)
        incoming = Incoming(clean_name(source.name), source.path)
        try:
            image, created = image_add(
                dataset=self.dataset, incoming=incoming, user=self.user, cage=self.cage, rights=rights
            )
        except UserError as problem:
            report.refusals.add(source.name, problem.code, problem.message)
            return
        report.images_new += created
        report.images_known += not created
        if source.width and (source.width, source.height) != (image.width, image.height):
            report.refusals.add(
                source.name,
                "image_size_mismatch",
                f"The document says {source.width} x {source.height} pixels, the upright picture has "
                f"{image.width} x {image.height}: its {len(source.masks) or ''} masks do not fit.".replace("  ", " "),
            )
            return
        if source.shapes is not None:
            source.masks += source.shapes(image.height, image.width)
        for label_map in source.maps:
            self._read_map(source, label_map, image)
        if source.masks:
            new = self._add_masks(image, source)
            report.masks_new += new
            report.masks_known += len(source.masks) - new
        if source.boxes:
            new = boxes_add(image=image, boxes=source.boxes)
            report.boxes_new += new
            report.boxes_known += len(source.boxes) - new

    def _read_map(self, source: SourceImage, label_map: LabelMap, image: Image) -> None:
        try:
            values = self.map_cage.values(label_map, self.work)
            if values.shape != (image.height, image.width):
                height, width = values.shape
                told = f"The map is {width} x {height} pixels, the picture {image.width} x {image.height}."
                raise UserError("image_size_mismatch", told)
            source.masks += list(masks_of(label_map, values))
        except UserError as problem:
            self.report.refusals.add(label_map.name, problem.code, problem.message)

    def _add_masks(self, image: Image, source: SourceImage) -> int:
        with transaction.atomic():
            added = masks_add(
                image=image,
                records=source.masks,
                stage=Stage.ASSISTED,
                source=Mask.Source.IMPORTED,
                user=self.user,
            )
            if added:  # one fact for all of them: a receiver counts anyway
                send_on_commit(mask_saved, mask_id=added[-1])
        return len(added)
