"""Facts from annotation and from the engine itself, each answered by queueing a job at the most."""

from __future__ import annotations

from typing import Any

from django.db import transaction
from django.db.models.signals import post_delete, pre_delete
from django.dispatch import receiver

from annotation import storage
from annotation.errors import NotReady
from annotation.jobkit import enqueue
from annotation.models import Dataset, Image, Task
from annotation.services.tasks import tasks_upcoming
from annotation.signals import (
    boxes_added,
    image_changed,
    image_removed,
    image_uploaded,
    review_opened,
    task_claimed,
    task_submitted,
)
from engine.audit import MEASURE
from engine.boxes import boxes_request
from engine.disagreement import disagreement_request
from engine.embeddings import REBUILD, embedding_file_remove, embedding_request, images_embed
from engine.forgetting import FORGET, RENEW
from engine.models import Detector, Embedding, ModelVersion, RetrainingPlan, Snapshot, TrainingRun
from engine.proposals import detector_file_remove
from engine.serving import default_version
from engine.signals import serving_changed
from engine.snapshots import run_folder
from engine.stages.running import part_request

PREFETCH = 3


@receiver(image_uploaded)
def _encode_upload(image_id: int, **_: Any) -> None:
    """A picture is there: encode it, and do the machine's part of the dataset's stage, when there is time."""
    image = Image.objects.select_related("dataset").filter(pk=image_id).first()
    if image is not None and default_is_registered():
        embedding_request(image=image, soon=False)
        part_request(dataset=image.dataset)


@receiver(boxes_added)
def _answer_boxes(image_id: int, **_: Any) -> None:
    """Boxes came with a picture: the model makes masks of them."""
    image = Image.objects.select_related("dataset").filter(pk=image_id).first()
    if image is not None and default_is_registered():
        boxes_request(image=image)


@receiver(image_removed)
def _forget(dataset_id: int, image_id: int, sha256: str, **_: Any) -> None:
    """A picture is gone for good: what was made of it goes too."""
    dataset = Dataset.objects.filter(pk=dataset_id).first()
    if dataset is not None:
        enqueue(FORGET.name, {"dataset": dataset_id, "image": image_id, "sha256": sha256}, dataset=dataset)


@receiver(image_changed)
def _renew(image_id: int, **_: Any) -> None:
    """Deep values are mapped otherwise: the model has to look again."""
    image = Image.objects.select_related("dataset").filter(pk=image_id).first()
    if image is not None:
        enqueue(RENEW.name, {"image": image_id}, dataset=image.dataset)


@receiver(task_claimed)
def _prefetch(task_id: int, **_: Any) -> None:
    """Somebody starts on an image: encode it and the next ones of the queue at once."""
    task = Task.objects.select_related("image__dataset", "assignee").filter(pk=task_id).first()
    if task is not None and default_is_registered():
        upcoming = tasks_upcoming(dataset=task.image.dataset, limit=PREFETCH, after=task)
        images_embed([task.image_id, *upcoming])


@receiver(task_submitted)
def _measure_audit(task_id: int, **_: Any) -> None:
    """An audited image is done: measure what became of its masks."""
    task = Task.objects.select_related("image__dataset").filter(pk=task_id, kind=Task.Kind.AUDIT).first()
    if task is not None:
        enqueue(MEASURE.name, {"task": task.pk}, dataset=task.image.dataset, dedupe_key=str(task.pk))


@receiver(review_opened)
def _measure_disagreement(task_id: int, **_: Any) -> None:
    """A reviewer is asked to look: where does the model see something else?"""
    task = Task.objects.select_related("image__dataset", "assignee").filter(pk=task_id).first()
    if task is not None and default_is_registered():
        disagreement_request(task=task)


@receiver(serving_changed)
def _rebuild(dataset_id: int, version_id: int, **_: Any) -> None:
    """Another version serves: the images that people have before them need its embeddings, and its proposals."""
    dataset = Dataset.objects.get(pk=dataset_id)
    enqueue(REBUILD.name, {"dataset": dataset_id}, dataset=dataset, dedupe_key=f"{dataset_id}:{version_id}")
    part_request(dataset=dataset)


def default_is_registered() -> bool:
    """Whether there is a model at all; before `manage.py prepare` there is nothing to encode with."""
    return ModelVersion.objects.filter(is_default=True).exists()


def model_health() -> dict[str, Any]:
    """The part "model" of /healthz: the default version, or why there is none."""
    try:
        version = default_version()
    except NotReady as error:
        return {"status": "starting", "message": error.message}
    return {"status": "ok", "name": version.name, "variant": version.variant, "digest": version.digest}


# --- Files go with their rows ------------------------------------------------------------------------------------


@receiver(post_delete, sender=Embedding)
def _embedding_file(instance: Embedding, **_: Any) -> None:
    """The last row of a file takes it along."""
    transaction.on_commit(lambda: embedding_file_remove(instance.path))


@receiver(pre_delete, sender=TrainingRun)
def _run_folder(instance: TrainingRun, **_: Any) -> None:
    # Before, since the folder's name needs the snapshot, which goes with the dataset.
    if instance.snapshot is not None:
        folder = run_folder(instance.pk, instance.snapshot)
        transaction.on_commit(lambda: storage.remove(folder))


@receiver(post_delete, sender=Snapshot)
def _snapshot_folder(instance: Snapshot, **_: Any) -> None:
    transaction.on_commit(lambda: storage.remove(instance.path))


@receiver(post_delete, sender=RetrainingPlan)
def _schedule(instance: RetrainingPlan, **_: Any) -> None:
    """Beat stops asking for a dataset that is gone."""
    if instance.task is not None:
        instance.task.delete()


@receiver(post_delete, sender=Detector)
def _detector_folder(instance: Detector, **_: Any) -> None:
    transaction.on_commit(lambda: detector_file_remove(instance.digest))


@receiver(post_delete, sender=ModelVersion)
def _version_folder(instance: ModelVersion, **_: Any) -> None:
    transaction.on_commit(lambda: storage.remove(storage.path_for("models", instance.digest)))
