"""Exports: asked for, written in pieces, read again and verified, and only then offered."""

from __future__ import annotations

import hashlib
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from django.conf import settings

from annotation import exported, jobkit, object_store, storage
from annotation.errors import Missing, UserError
from annotation.exported import ExportFilter
from annotation.formats.base import Brief
from annotation.formats.manifest import NAME, Counts, files
from annotation.formats.registry import export_format as format_of
from annotation.models import Dataset, Job, Member
from annotation.room import need_room
from annotation.services import packing
from annotation.services.versions import present, version_names, version_of, version_present, version_records

DATASHEET = "datasheet.md"
MEDIA_TYPES = {".zip": "application/zip", ".tar": "application/x-tar"}
ATTEMPTS = 5  # of one export, while pictures are removed
EXPORT = jobkit.declare(
    "export", queue="exports", title="Export dataset", time_limit=24 * 3600, role=Member.Role.REVIEWER
)

Progress = Callable[[float, str], None]


def export_request(
    *,
    dataset: Dataset,
    export_format: str,
    user: Any,
    options: dict[str, Any] | None = None,
    chosen: ExportFilter | None = None,
    version: int | None = None,
) -> Job:
    """Queue an export, of the present state or of a version; the one that is under way already of the same choices.

    Raises UserError for a format or an option that does not exist, and for a version with filters of its own; Missing
    for a version that does not exist.
    """
    found = format_of(export_format)
    values = found.chosen(options or {})
    filters = (chosen or ExportFilter()).as_json()
    if version is not None:
        version_of(dataset=dataset, number=version)
        if filters:
            raise UserError("version_filtered", "A version is exported as it was frozen: it takes no filters.")
    told = json.dumps([values, filters, version], sort_keys=True)
    return jobkit.enqueue(
        EXPORT.name,
        {"dataset_id": dataset.pk, "export_format": export_format, "options": values, "filters": filters}
        | ({} if version is None else {"version": version}),
        dataset=dataset,
        created_by=user,
        dedupe_key=f"{dataset.pk} {export_format} {hashlib.sha256(told.encode()).hexdigest()[:16]}",
        title=f"Export as {found.title}" + ("" if version is None else f", version {version}"),
    )


def export_run(
    *,
    job: Job,
    dataset: Dataset,
    export_format: str,
    progress: Progress,
    options: dict[str, Any] | None = None,
    filters: dict[str, Any] | None = None,
    version: int | None = None,
) -> dict[str, Any]:
    """Write, verify and pack an export; the result of its job. Raises UserError if there is nothing to export, or no
    room for it.

    One that was overtaken by the removal of a picture is written anew: it may hold that picture.
    """
    for _ in range(ATTEMPTS):
        removed = dataset.tombstones.count()
        result = _export_make(job, dataset, export_format, progress, options or {}, filters or {}, version)
        if dataset.tombstones.count() == removed:
            return result
        storage.remove(storage.path_for("exports", str(job.pk)))
    raise UserError("export_overtaken", "Pictures were removed again and again while this was written. Try it later.")


def _export_make(
    job: Job,
    dataset: Dataset,
    export_format: str,
    progress: Progress,
    options: dict[str, Any],
    filters: dict[str, Any],
    version: int | None,
) -> dict[str, Any]:
    chosen = ExportFilter.of(filters)
    need_room()

    def told(share: float, message: str) -> None:
        need_room()  # it may fill the disk that everything else is saved on
        progress(share, message)

    with storage.work_folder() as work:
        folder = work / "dataset"
        folder.mkdir()
        counts = export_write(
            dataset=dataset,
            export_format=export_format,
            folder=folder,
            progress=told,
            options=options,
            chosen=chosen,
            version=version,
        )
        need_room(sum(row["bytes"] for row in files(folder)))
        packed = packing.pack(folder, work, lambda share: told(0.85 + 0.07 * share, "Packing"))
        packing.verify(packed, folder, lambda share: progress(0.92 + 0.07 * share, "Reading the archive again"))
        result = {
            "file": f"{_slug(dataset.name)}-{export_format}{packed.suffix}",
            "format": export_format,
            "options": options,
            "filters": chosen.as_json(),
            "version": version,
            "bytes": packed.stat().st_size,
            "sha256": storage.sha256_of(packed),
            "manifest_sha256": storage.sha256_of(folder / NAME),
            "images": counts.images,
            "masks": counts.masks,
            "left_out": counts.left_out,
            "verified": True,
        }
        storage.adopt(packed, _place(job, packed.suffix))
    return result


def export_write(
    *,
    dataset: Dataset,
    export_format: str,
    folder: Path,
    progress: Progress,
    options: dict[str, Any] | None = None,
    chosen: ExportFilter | None = None,
    version: int | None = None,
) -> Counts:
    """Write a dataset or a version, and its datasheet, into an empty folder and read it. UserError if it is empty."""
    found = format_of(export_format)
    values = found.chosen(options or {})
    chosen = chosen or ExportFilter()
    frozen = None if version is None else version_of(dataset=dataset, number=version)
    total = frozen.images if frozen else exported.export_size(dataset, chosen)["images"]
    if total == 0:
        empty = not dataset.images.exists()
        why = "the dataset has no images" if empty else "no image is like that"
        raise UserError("dataset_empty" if empty else "nothing_chosen", f"There is nothing to export: {why}.")
    done = 0

    def on_image() -> None:
        nonlocal done
        done += 1
        if done % 25 == 0 or done == total:
            progress(min(0.6, 0.6 * done / total), f"{done} of {total} images written")

    known = version_present(frozen) if frozen else present(dataset)
    about: dict[str, Any] = {**known["about"]}
    about |= {name: value for name, value in (("options", values), ("filters", chosen.as_json())) if value}
    if frozen:
        about["version"] = {"number": frozen.number, "digest": frozen.digest, "filters": frozen.filters}
    names = version_names(frozen) if frozen else exported.export_names(dataset, chosen)
    brief = Brief(about=about, categories=names[0], licences=names[1], options=values, on_image=on_image)
    (folder / DATASHEET).write_text(known["datasheet"], encoding="utf-8")
    records = version_records(frozen) if frozen else exported.export_records(dataset, chosen)
    counts = found.write(folder, records, brief)
    progress(0.6, "Reading everything again")
    found.verify(folder, counts)
    return counts


def export_folder(
    *,
    dataset: Dataset,
    export_format: str,
    out: Path,
    progress: Progress,
    options: dict[str, Any] | None = None,
    chosen: ExportFilter | None = None,
    version: int | None = None,
) -> Counts:
    """Write a verified export as a folder that appears whole under `out`. Raises UserError if `out` is not free."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError("folder_not_empty", f"{out} is there already and not empty.")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        counts = export_write(
            dataset=dataset,
            export_format=export_format,
            folder=partial,
            progress=progress,
            options=options,
            chosen=chosen,
            version=version,
        )
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return counts


def export_file(*, job: Job) -> tuple[Path, str]:
    """(place on disk, name for the user) of a finished export. Raises Missing."""
    relative, name = _finished(job)
    if not storage.exists(relative):  # a copy on this disk says nothing: another machine may have removed it
        raise _missing()
    return storage.found(relative), name


def export_link(*, job: Job) -> str | None:
    """A signed address of the store for a finished export, good for ANYMASK_STORE_LINK_SECONDS.

    None where files come from this server: without an object store, or with 0 seconds. Raises Missing.
    """
    if not object_store.is_used() or not settings.ANYMASK_STORE_LINK_SECONDS:
        return None
    relative, name = _finished(job)
    if not object_store.exists(relative):
        raise _missing()
    kind = MEDIA_TYPES[Path(name).suffix]
    return object_store.link(relative, name=name, media_type=kind, seconds=settings.ANYMASK_STORE_LINK_SECONDS)


def _finished(job: Job) -> tuple[str, str]:
    if job.kind != EXPORT.name or job.state != Job.State.SUCCEEDED or not job.result:
        raise _missing()
    name = str(job.result["file"])
    return _place(job, Path(name).suffix), name


def _missing() -> Missing:
    return Missing("export_missing", "This export is not ready, or no longer kept.")


def _place(job: Job, suffix: str) -> str:
    return storage.path_for("exports", str(job.pk), f"dataset{suffix}")


def _slug(name: str) -> str:
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    return "-".join(part for part in letters.split("-") if part)[:60] or "dataset"
