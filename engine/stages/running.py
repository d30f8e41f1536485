"""Run a stage over a dataset: image by image, resumable, with progress. Workers only."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import IntegrityError

from annotation.errors import UserError
from annotation.jobkit import declare, enqueue
from annotation.models import Dataset, Image, Job
from engine.serving import serving_version
from engine.stages import stage_named

RUN = declare("run_stage", queue="batch", title="Run a stage")


def stage_start(*, dataset: Dataset, stage: str, by: Any = None) -> Job:
    """Put a dataset into a stage and queue the machine's part of it. One at a time per dataset and stage."""
    chosen = stage_named(stage)
    serving_version(dataset.pk)  # NotReady before anything is changed
    Dataset.objects.filter(pk=dataset.pk).update(stage=chosen.name)
    return enqueue(
        RUN.name,
        {"dataset": dataset.pk, "stage": chosen.name},
        dataset=dataset,
        created_by=by,
        dedupe_key=f"{dataset.pk}:{chosen.name}",
        title=f"{chosen.title} stage",
    )


def stage_run(*, dataset_id: int, stage: str, progress: Callable[[float, str], None]) -> dict[str, Any]:
    """Do the machine's part on every image of a dataset; returns counts.

    The version is the one that serves when the run starts. An image that fails is counted and named, the rest goes on.
    """
    chosen = stage_named(stage)
    version = serving_version(dataset_id)
    # Ids first: SQLite refuses to write while a query of the same connection is still being read.
    ids = list(Image.objects.filter(dataset_id=dataset_id).order_by("id").values_list("pk", flat=True))
    total = len(ids)
    done, masks = 0, 0
    failed: list[dict[str, Any]] = []
    for pk in ids:
        image = Image.objects.filter(pk=pk).first()
        if image is None:  # deleted meanwhile
            continue

        def told(share: float, name: str = image.file_name, before: int = done) -> None:
            progress((before + share) / total, f"{name} ({before + 1} of {total})")

        told(0.0)
        try:
            masks += chosen.image_run(image=image, version=version, progress=told)
        except UserError as error:
            failed.append({"image": image.pk, "code": error.code, "message": error.message})
        except IntegrityError:
            if Image.objects.filter(pk=pk).exists():
                raise
            continue  # deleted meanwhile
        except OSError as error:
            failed.append({"image": image.pk, "code": "file_unreadable", "message": str(error)[:200]})
        done += 1
    return {"stage": chosen.name, "model": version.digest, "images": done, "masks": masks, "failed": failed[:100]}
