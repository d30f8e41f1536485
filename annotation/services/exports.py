"""Exports: asked for, written in pieces, read again and verified, and only then offered."""

from __future__ import annotations

import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from annotation import jobkit, ports, selectors, storage
from annotation.errors import Missing, UserError
from annotation.formats import coco, sa1b
from annotation.formats.manifest import NAME, Counts
from annotation.models import Dataset, Job

EXPORT = jobkit.declare("export", queue="io", title="Export dataset", time_limit=24 * 3600)
FORMATS = (coco.FORMAT, sa1b.FORMAT)
FILE = "dataset.zip"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # no dates in archives: the same masks give the same bytes

Progress = Callable[[float, str], None]


def export_request(*, dataset: Dataset, export_format: str, user: Any) -> Job:
    """Queue an export; the one that is under way already if there is one of the same format."""
    title = f"Export as {'COCO' if export_format == coco.FORMAT else 'SA-1B'}"
    return jobkit.enqueue(
        EXPORT.name,
        {"dataset_id": dataset.pk, "export_format": export_format},
        dataset=dataset,
        created_by=user,
        dedupe_key=f"{dataset.pk} {export_format}",
        title=title,
    )


def export_run(*, job: Job, dataset: Dataset, export_format: str, progress: Progress) -> dict[str, Any]:
    """Write, verify and pack an export; the result of its job. Raises UserError if there is nothing to export."""
    with storage.work_folder() as work:
        folder = work / "dataset"
        folder.mkdir()
        counts = export_write(dataset=dataset, export_format=export_format, folder=folder, progress=progress)
        progress(0.85, "Packing")
        packed = work / FILE
        _pack(folder, packed)
        relative = storage.path_for("exports", str(job.pk), FILE)
        result = {
            "file": f"{_slug(dataset.name)}-{export_format}.zip",
            "format": export_format,
            "bytes": packed.stat().st_size,
            "sha256": storage.sha256_of(packed),
            "manifest_sha256": storage.sha256_of(folder / NAME),
            "images": counts.images,
            "masks": counts.masks,
            "verified": True,
        }
        storage.adopt(packed, relative)
    return result


def export_write(*, dataset: Dataset, export_format: str, folder: Path, progress: Progress) -> Counts:
    """Write a dataset into an empty folder and read it again. Raises UserError if it has no images."""
    total = selectors.export_size(dataset)
    if total == 0:
        raise UserError("dataset_empty", "There is nothing to export: the dataset has no images.")
    done = 0

    def on_image() -> None:
        nonlocal done
        done += 1
        if done % 25 == 0 or done == total:
            progress(0.6 * done / total, f"{done} of {total} images written")

    records = selectors.export_records(dataset)
    about: dict[str, Any] = {"dataset": dataset.name, "licence": dataset.licence, "source": dataset.source}
    about |= ports.quality_of(dataset.pk)
    if export_format == coco.FORMAT:
        categories, licences = selectors.export_names(dataset)
        counts = coco.write(folder, records, about=about, categories=categories, licences=licences, on_image=on_image)
        progress(0.6, "Reading everything again")
        coco.verify(folder, counts)
    elif export_format == sa1b.FORMAT:
        counts = sa1b.write(folder, records, about=about, on_image=on_image)
        progress(0.6, "Reading everything again")
        sa1b.verify(folder, counts)
    else:
        raise UserError("format_unknown", f"There is no format {export_format!r}: choose coco or sa1b.")
    return counts


def export_folder(*, dataset: Dataset, export_format: str, out: Path, progress: Progress) -> Counts:
    """Write a verified export as a folder that appears whole under `out`. Raises UserError if `out` is not free."""
    if out.exists() and (not out.is_dir() or any(out.iterdir())):
        raise UserError("folder_not_empty", f"{out} is there already and not empty.")
    partial = out.with_name(f".{out.name}.partial")
    shutil.rmtree(partial, ignore_errors=True)
    partial.mkdir(parents=True)
    try:
        counts = export_write(dataset=dataset, export_format=export_format, folder=partial, progress=progress)
        if out.exists():
            out.rmdir()
        partial.rename(out)
    except BaseException:
        shutil.rmtree(partial, ignore_errors=True)
        raise
    return counts


def export_file(*, job: Job) -> tuple[Path, str]:
    """(place on disk, name for the user) of a finished export. Raises Missing."""
    if job.kind == EXPORT.name and job.state == Job.State.SUCCEEDED and job.result:
        path = storage.full(storage.path_for("exports", str(job.pk), FILE))
        if path.is_file():
            return path, str(job.result["file"])
    raise Missing("export_missing", "This export is not ready, or no longer kept.")


def _pack(folder: Path, target: Path) -> None:
    """One zip of a folder: pictures as they are, text deflated, names in order."""
    with zipfile.ZipFile(target, "w", allowZip64=True) as archive:
        for path in sorted(folder.rglob("*")):
            if path.is_dir():
                continue
            info = zipfile.ZipInfo(path.relative_to(folder).as_posix(), _EPOCH)
            info.compress_type = zipfile.ZIP_DEFLATED if path.suffix == ".json" else zipfile.ZIP_STORED
            info.external_attr = 0o644 << 16
            info.file_size = path.stat().st_size
            with path.open("rb") as source, archive.open(info, "w") as entry:
                shutil.copyfileobj(source, entry, 1 << 20)


def _slug(name: str) -> str:
    letters = "".join(c if c.isascii() and c.isalnum() else "-" for c in name.lower())
    return "-".join(part for part in letters.split("-") if part)[:60] or "dataset"
