"""Jobs of annotation. Imported by workers and beat only; each fetches by id and calls a service."""

from __future__ import annotations

import time
from functools import partial
from typing import Any

from django.contrib.auth import get_user_model

from annotation import counts, disk, jobkit, pulses, storage
from annotation.errors import UserError
from annotation.exported import ExportFilter
from annotation.jobkit import JobContext
from annotation.models import Dataset, Image, Job
from annotation.services import (
    addresses,
    exports,
    figures,
    folders,
    imports,
    measurements,
    statistics,
    tasks,
    tiles,
    uploads,
    values,
    versions,
    webhooks,
)
from annotation.services import mapping as mappings
from annotation.services.images import Rights

SWEEP_SECONDS = 4  # with the lease it bounds how long the job of a lost worker waits
LEFTOVER_SECONDS = 2 * 24 * 3600


def worker_stopping() -> None:
    """This worker is told to stop, as for a new release. What it may not get done is no fault of jobs and files."""
    for job in jobkit.worker_stopping():
        if job.kind == uploads.TAKE_IN.name and job.dataset is not None:
            uploads.take_in_stopping(dataset=job.dataset)


@jobkit.job(exports.EXPORT.name)
def run_export(
    ctx: JobContext,
    *,
    dataset_id: int,
    export_format: str,
    options: dict[str, Any] | None = None,
    filters: dict[str, Any] | None = None,
    version: int | None = None,
) -> dict[str, Any]:
    """Write, verify and offer an export."""
    return exports.export_run(
        job=ctx.job,
        dataset=_dataset(dataset_id),
        export_format=export_format,
        progress=ctx.progress,
        options=options,
        filters=filters,
        version=version,
    )


@jobkit.job(versions.FREEZE.name)
def run_freeze(
    ctx: JobContext, *, dataset_id: int, note: str, filters: dict[str, Any], user_id: int | None
) -> dict[str, Any]:
    """Freeze a version of a dataset."""
    version, created = versions.version_freeze(
        dataset=_dataset(dataset_id),
        note=note,
        chosen=ExportFilter.of(filters),
        user=get_user_model().objects.filter(pk=user_id or 0).first(),
        progress=ctx.progress,
    )
    return {"number": version.number, "digest": version.digest, "images": version.images, "new": created}


@jobkit.job(imports.IMPORT.name)
def run_import(ctx: JobContext, *, dataset_id: int, import_format: str, user_id: int) -> dict[str, Any]:
    """Import the archive that was kept for this job, and remove it."""
    ctx.afterwards(partial(imports.archive_drop, ctx.job.pk))
    user = get_user_model().objects.filter(pk=user_id).first()
    dataset = _dataset(dataset_id)
    return imports.import_run(
        job=ctx.job, dataset=dataset, import_format=import_format, user=user, progress=ctx.progress
    )


@jobkit.job(uploads.TAKE_IN.name)
def run_take_in(ctx: JobContext, *, dataset_id: int) -> dict[str, Any]:
    """Decode what was uploaded into a dataset."""
    return uploads.take_in_run(ctx=ctx, dataset=_dataset(dataset_id))


@jobkit.job(folders.IMPORT.name)
def run_server_folder(
    ctx: JobContext, *, dataset_id: int, folder: str, rights: dict[str, str], user_id: int
) -> dict[str, Any]:
    """Take in a folder of the server."""
    user = get_user_model().objects.filter(pk=user_id).first()
    dataset = _dataset(dataset_id)
    return folders.folder_take(ctx=ctx, dataset=dataset, folder=folder, rights=Rights(**rights), user=user)


@jobkit.job(addresses.IMPORT.name)
def run_url_list(ctx: JobContext, *, dataset_id: int, rights: dict[str, str], user_id: int) -> dict[str, Any]:
    """Fetch and take in a list of addresses."""
    user = get_user_model().objects.filter(pk=user_id).first()
    return addresses.addresses_take(ctx=ctx, dataset=_dataset(dataset_id), rights=Rights(**rights), user=user)


@jobkit.job(mappings.REMAP.name)
def run_remap(ctx: JobContext, *, image_id: int, mapping: dict[str, Any]) -> None:
    """Show the values of a deep picture otherwise."""
    image = Image.objects.filter(pk=image_id).first()
    if image is not None:
        mappings.image_remap(image=image, mapping=mapping)


@jobkit.job(values.KEEP.name)
def run_keep_values(ctx: JobContext, *, image_id: int) -> None:
    """Keep the values of a deep picture as they came."""
    image = Image.objects.select_related("dataset").filter(pk=image_id).first()
    if image is not None:
        values.values_keep(image=image)


@jobkit.job(tiles.CUT.name)
def run_cut_tiles(ctx: JobContext, *, image_id: int) -> dict[str, Any] | None:
    """Cut a large picture into tiles."""
    image = Image.objects.filter(pk=image_id).first()
    return {"levels": tiles.image_tile(image=image)} if image is not None else None


@jobkit.job(statistics.COUNT.name)
def run_statistics(ctx: JobContext, *, dataset_id: int) -> dict[str, Any]:
    """Count a dataset."""
    return statistics.statistics_count(ctx=ctx, dataset=_dataset(dataset_id))


@jobkit.job(counts.COUNT.name)
def run_count(ctx: JobContext, *, dataset_id: int) -> dict[str, Any]:
    """Count the figures of a large dataset."""
    return figures.figures_count(ctx=ctx, dataset_id=_dataset(dataset_id).pk)


@jobkit.job(measurements.MEASURE.name)
def run_measurements(ctx: JobContext, *, dataset_id: int) -> dict[str, Any]:
    """Measure masks."""
    return measurements.measurements_make(ctx=ctx, dataset=_dataset(dataset_id))


@jobkit.job(webhooks.DELIVER.name)
def run_deliver(ctx: JobContext, *, webhook_id: int) -> dict[str, Any]:
    """Send what waits for a webhook."""
    return webhooks.webhook_deliver(ctx=ctx, webhook_id=webhook_id)


@jobkit.periodic(seconds=SWEEP_SECONDS)
def tend_webhooks() -> None:
    """Tell of jobs that ended, and try again what failed."""
    webhooks.webhooks_tend()


@jobkit.periodic(seconds=SWEEP_SECONDS)
def tend_uploads() -> None:
    """What arrived while the last job was ending, and what a person has stopped."""
    uploads.uploads_tend()


@jobkit.periodic(seconds=SWEEP_SECONDS)
def sweep_jobs() -> None:
    """Re-send, take back, set aside; and show that scheduler, broker and a worker work together."""
    jobkit.sweep()
    pulses.pulse(pulses.SCHEDULER, [])


@jobkit.periodic(seconds=15)
def expire_leases() -> int:
    """Give images back whose holder went away."""
    return tasks.tasks_expire()


@jobkit.periodic(seconds=3600)
def tend_tiles() -> None:
    """Large pictures that came before there were tiles."""
    tiles.tiles_tend()


@jobkit.periodic(seconds=3600)
def remove_leftovers() -> None:
    """Files of work that was killed half way, and archives whose import has failed, two days later."""
    uploads.uploads_expire()
    webhooks.deliveries_expire()
    open_imports = Job.objects.filter(kind=imports.IMPORT.name, state__in=Job.OPEN)
    waiting = {str(pk) for pk in open_imports.values_list("pk", flat=True)}
    since = time.time() - LEFTOVER_SECONDS
    for folder in ("work", "incoming"):
        disk.aged_out(folder, since)
    storage.leftovers_remove("imports", before=since, kept=waiting)


def _dataset(dataset_id: int) -> Dataset:
    dataset = Dataset.objects.filter(pk=dataset_id).first()
    if dataset is None:
        raise UserError("dataset_gone", "The dataset no longer exists.")
    return dataset
