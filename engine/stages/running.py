"""Run a stage over a dataset: image by image, resumable, with progress. Workers only."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Any

from django.db import IntegrityError
from django.db.models import Exists, OuterRef, QuerySet

from annotation.errors import UserError
from annotation.jobkit import declare, enqueue
from annotation.models import Dataset, Image, Job, Stage, Task
from annotation.object_store import StoreAway
from engine.models import Detector, ModelVersion, ServingModel, StageResult
from engine.serving import serving_version
from engine.stages import stage_named
from engine.stages.base import results_of, tasks_in_hand

RUN = declare("run_stage", queue="batch", title="Run a stage", lease=120)
MOST_NAMED = 100  # images that a job failed on, in its result


def images_waiting(dataset: Dataset, version: ModelVersion) -> QuerySet[Image]:
    """Images on which the machine's part of the dataset's stage is still to be done.

    Semi-automatic: those that are in the queue, once for every version that serves, so that people meet the newest
    model's proposals. Fully automatic: those that nobody has taken up, once for all: accepted masks do not change
    because the model did. Assisted: none, the embedding is made on upload. What people have in hand is left alone.
    """
    images = Image.objects.filter(~Exists(tasks_in_hand().filter(image=OuterRef("pk"))), dataset=dataset)
    tasks = Task.objects.filter(image=OuterRef("pk"), kind=Task.Kind.ANNOTATE)
    if dataset.stage == Stage.SEMI_AUTOMATIC:
        done = results_of(stage_named(dataset.stage), dataset.pk, version).filter(image=OuterRef("pk"))
        return images.filter(Exists(tasks.filter(state=Task.State.OPEN)), ~Exists(done))
    if dataset.stage == Stage.FULLY_AUTOMATIC:
        done = StageResult.objects.filter(image=OuterRef("pk"), stage=dataset.stage)
        return images.filter(~Exists(tasks.exclude(state=Task.State.OPEN)), ~Exists(done))
    return images.none()


def part_request(*, dataset: Dataset, every: bool = False, by: Any = None) -> Job | None:
    """Queue the machine's part of the dataset's stage: on the images that wait for it, or on ``every`` image.

    None when nothing waits. One open job per dataset, stage and extent.
    """
    stage = stage_named(dataset.stage)
    if not every and not images_waiting(dataset, serving_version(dataset.pk)).exists():
        return None
    extent = "every" if every else "waiting"
    return enqueue(
        RUN.name,
        {"dataset": dataset.pk, "stage": stage.name, "every": every},
        dataset=dataset,
        created_by=by,
        dedupe_key=f"{dataset.pk}:{stage.name}:{extent}",
        title=f"{stage.title} stage",
    )


def part_consider(*, dataset: Dataset) -> Job | None:
    """Queue the machine's part if images wait for it that an earlier job has not failed on, or was stopped before."""
    version = serving_version(dataset.pk)
    waiting = images_waiting(dataset, version)
    ended = Job.objects.filter(dataset=dataset, kind=RUN.name, payload__stage=dataset.stage, state__in=Job.ENDED)
    last = ended.order_by("-created_at").first()
    if last is not None:
        waiting = _worth_a_try(waiting, last, dataset, version)
    return part_request(dataset=dataset) if waiting.exists() else None


def _worth_a_try(waiting: QuerySet[Image], last: Job, dataset: Dataset, version: ModelVersion) -> QuerySet[Image]:
    """Those of the waiting images on which the same again would not end as the last job did.

    With another model or detector all of them. Else not those on which it failed; only newer ones than the job where
    somebody stopped it, it failed as a whole, or on so many that it does not name them all.
    """
    newer = waiting.filter(created_at__gt=last.created_at)
    if last.state != Job.State.SUCCEEDED or not last.result:
        return waiting if _changed_since(last.finished_at, dataset, version) else newer
    settings = stage_named(dataset.stage).settings(dataset_id=dataset.pk, version=version)
    if (last.result.get("model"), last.result.get("detector")) != (version.digest, settings.get("detector")):
        return waiting
    failed = [one["image"] for one in last.result.get("failed", [])]
    return waiting.exclude(pk__in=failed) if len(failed) < MOST_NAMED else newer


def _changed_since(moment: datetime | None, dataset: Dataset, version: ModelVersion) -> bool:
    """Whether the version has come into service, or has got a detector, after a moment."""
    if moment is None:
        return False
    switched = ServingModel.objects.filter(dataset=dataset, updated_at__gt=moment)
    trained = Detector.objects.filter(dataset=dataset, version=version, created_at__gt=moment)
    return version.created_at > moment or switched.exists() or trained.exists()


def stage_run(
    *, dataset_id: int, stage: str, progress: Callable[[float, str], None], every: bool = True
) -> dict[str, Any]:
    """Do the machine's part on every image of a dataset, or on those that wait for it; returns counts.

    The version is the one that serves when the run starts. ``detector`` is the digest of the one that proposed; null
    where a grid of points did, or nothing is proposed. An image that fails is counted and named, the rest goes on. What
    people have in hand is left alone: ``left`` counts it, ``images`` does not. What arrives meanwhile is done too; a
    run for what waits ends when the dataset leaves the stage or another version serves.
    """
    chosen = stage_named(stage)
    version = serving_version(dataset_id)
    detector = chosen.settings(dataset_id=dataset_id, version=version).get("detector")
    by_what = {"stage": chosen.name, "model": version.digest, "detector": detector}
    done, masks, left = 0, 0, 0
    failed: list[dict[str, Any]] = []
    for image, total in _images(dataset_id, chosen.name, version, every):

        def told(share: float, name: str = image.file_name, before: int = done, of: int = total) -> None:
            progress((before + share) / of, f"{name} ({before + 1} of {of})")

        told(0.0)
        try:
            written = chosen.image_run(image=image, version=version, progress=told)
            if written is None:
                left += 1
                continue
            masks += written
        except UserError as error:
            failed.append({"image": image.pk, "code": error.code, "message": error.message})
        except IntegrityError:
            if Image.objects.filter(pk=image.pk).exists():
                raise
            continue  # deleted meanwhile
        except StoreAway:
            raise
        except OSError as error:
            failed.append({"image": image.pk, "code": "file_unreadable", "message": str(error)[:200]})
        done += 1
    return {**by_what, "images": done, "masks": masks, "left": left, "failed": failed[:MOST_NAMED]}


def _images(dataset_id: int, stage: str, version: ModelVersion, every: bool) -> Iterator[tuple[Image, int]]:
    """(image, how many there are so far) for each image to do, as it is when its turn has come."""
    seen: set[int] = set()
    while (dataset := Dataset.objects.filter(pk=dataset_id).first()) is not None:
        wanted = Image.objects.filter(dataset=dataset) if every else images_waiting(dataset, version)
        # Ids first: SQLite refuses to write while a query of the same connection is still being read.
        ids = [pk for pk in wanted.order_by("id").values_list("pk", flat=True) if pk not in seen]
        if not ids:
            return
        total = len(seen) + len(ids)
        for pk in ids:
            if not every and not _is_wanted(dataset_id, stage, version):
                return
            seen.add(pk)
            image = wanted.filter(pk=pk).first()
            if image is not None:  # else deleted, or somebody took it up meanwhile
                yield image, total


def _is_wanted(dataset_id: int, stage: str, version: ModelVersion) -> bool:
    """Whether the dataset is in this stage still, and works with this version: one that was withdrawn masks no more."""
    return Dataset.objects.filter(pk=dataset_id, stage=stage).exists() and serving_version(dataset_id) == version
