"""The encoder runs once per image and version, in a worker; what it leaves is a file that the browser reads.

A file is known by (image digest, model digest): it never changes, and two datasets with the same picture share it.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from django.db import IntegrityError
from PIL import Image as Picture

from annotation import storage
from annotation.errors import Missing, NotReady
from annotation.jobkit import declare, enqueue
from annotation.models import Image, Job, Task
from engine.models import Embedding, ModelVersion
from engine.serving import predictor_for, serving_version, serving_versions
from modelzoo.embedding import Embedding as Maps
from modelzoo.geometry import Frame

State = Literal["ready", "pending", "failed", "absent"]

# Two kinds, since a queue is worked off in order: what somebody looks at must not wait behind a bulk upload.
SOON = declare("embed_image", queue="interactive", title="Prepare image", time_limit=600)
LATER = declare("embed_upload", queue="batch", title="Prepare uploaded image", time_limit=600)
REBUILD = declare("rebuild_embeddings", queue="batch", title="Prepare images for the new model")
KINDS = (SOON.name, LATER.name)
SOON_AFTER_SWITCH = 8  # images that are encoded ahead of everything else when another version is put into service


@dataclass(frozen=True)
class Readiness:
    """Where one image stands for one version. ``job`` is the latest one that matters, if any."""

    state: State
    version: ModelVersion
    embedding: Embedding | None = None
    job: Job | None = None


def file_path(image: Image, version: ModelVersion) -> str:
    """Relative storage path of an embedding file."""
    return storage.path_for("embeddings", version.digest, image.pixels_sha256[:2], f"{image.pixels_sha256}.f16")


def read_pixels(image: Image) -> np.ndarray:
    """The display file as H x W x 3 uint8 RGB: the frame that every mask of this image lives in."""
    with Picture.open(storage.found(image.display_path, image.created_at), formats=("JPEG", "PNG")) as picture:
        return np.asarray(picture.convert("RGB"))


def image_embed(*, image: Image, version: ModelVersion) -> Embedding:
    """Encode one image for one version, or return what is there already. Doing it twice gives one row, one file.

    Missing if the image is deleted meanwhile; then no file is left.
    """
    existing = Embedding.objects.filter(image=image, version=version).first()
    if existing is not None:
        return existing
    path = file_path(image, version)
    twin = Embedding.objects.filter(path=path, version=version).first()
    if twin is not None and storage.exists(path):
        fields = {"layout": twin.layout, "frame": twin.frame, "byte_size": twin.byte_size}
    else:
        value = predictor_for(version).encode(read_pixels(image))
        data = value.to_bytes()
        storage.write_atomic(path, data)
        fields = {"layout": value.layout(), "frame": value.frame.as_dict(), "byte_size": len(data)}
    try:
        row, _ = Embedding.objects.get_or_create(image=image, version=version, defaults={"path": path, **fields})
    except IntegrityError:
        if Image.objects.filter(pk=image.pk).exists():
            raise
        embedding_file_remove(path)
        raise Missing("image_gone", "The image was deleted meanwhile.") from None
    return row


def stored_maps(row: Embedding) -> Maps:
    """The maps of an embedding row, float32. FileNotFoundError where the file went away."""
    data = storage.found(row.path, row.created_at).read_bytes()
    return Maps.from_bytes(data, row.layout, Frame.from_dict(row.frame))


def image_maps(image: Image, version: ModelVersion) -> Maps:
    """The maps of an image for a version, float32: stored ones, or encoded now. Workers only.

    Missing if the image is deleted meanwhile, FileNotFoundError if its picture is gone.
    """
    row = image_embed(image=image, version=version)
    try:
        return stored_maps(row)
    except FileNotFoundError:  # made room for others
        return predictor_for(version).encode(read_pixels(image))


def embedding_file_remove(path: str) -> None:
    """Remove an embedding file that no row names: two datasets with the same picture share one."""
    if not Embedding.objects.filter(path=path).exists():
        storage.remove(path)


def embedding_request(*, image: Image, version: ModelVersion | None = None, soon: bool = True) -> Job | None:
    """Queue the encoding of an image for its dataset's serving version unless it is there or under way."""
    version = version or serving_version(image.dataset_id)
    if Embedding.objects.filter(image=image, version=version).exists():
        return None
    return _queued(image, version, SOON.name if soon else LATER.name)


def being_prepared(image: Image, version: ModelVersion) -> NotReady:
    """What a request is answered with that needs an embedding which is not there; its encoding is queued by then."""
    embedding_request(image=image, version=version)
    return NotReady("embedding_pending", "The image is being prepared. Try again in a moment.")


def _queued(image: Image, version: ModelVersion, kind: str) -> Job:
    return enqueue(
        kind,
        {"image": image.pk, "digest": version.digest},
        dataset=image.dataset,
        dedupe_key=dedupe_key(image.pk, version),
        title=f"Prepare {image.file_name}"[:200],
    )


def dedupe_key(image_id: int, version: ModelVersion) -> str:
    """One open job per image and version (and kind)."""
    return f"{image_id}:{version.digest}"


def readiness_of(images: Iterable[Image]) -> dict[int, State]:
    """State of every image for the version that serves its dataset; four queries however many images there are."""
    images = list(images)
    versions = serving_versions(image.dataset_id for image in images)
    if not versions:
        return {image.pk: "absent" for image in images}
    ready = _ready(images, versions)
    keys = {
        dedupe_key(image.pk, versions[image.dataset_id]): image.pk
        for image in images
        if (image.pk, versions[image.dataset_id].pk) not in ready
    }
    states: dict[int, State] = {image.pk: "ready" for image in images}
    states |= {pk: "absent" for pk in keys.values()}
    # Oldest first, so that the latest attempt has the last word.
    jobs = Job.objects.filter(kind__in=KINDS, dedupe_key__in=list(keys), dataset_id__in=versions).order_by("created_at")
    for key, state in jobs.values_list("dedupe_key", "state"):
        states[keys[key]] = _state_of_job(state)
    return states


def readiness(image: Image, version: ModelVersion | None = None) -> Readiness:
    """Where one image stands for a version (default: the serving one), with its embedding or the latest job."""
    version = version or serving_version(image.dataset_id)
    row = Embedding.objects.filter(image=image, version=version).first()
    if row is not None and storage.found(row.path, row.created_at).is_file():
        return Readiness("ready", version, embedding=row)
    if row is not None:
        row.delete()  # it outlived its file (restored database, emptied disk) and is made anew
    job = (
        Job.objects.filter(kind__in=KINDS, dedupe_key=dedupe_key(image.pk, version), dataset_id=image.dataset_id)
        .order_by("-created_at")
        .first()
    )
    return Readiness(_state_of_job(job.state) if job else "absent", version, job=job)


def _state_of_job(state: str) -> State:
    """What a job that was meant to make an embedding says while there is none."""
    if state in Job.OPEN:
        return "pending"
    # Cancelled, or done for a file that was removed since: asking again is right.
    return "failed" if state == Job.State.FAILED else "absent"


def images_embed(image_ids: Sequence[int]) -> list[Job]:
    """Queue what is missing of these images, in this order: what people are about to open."""
    found = Image.objects.select_related("dataset").in_bulk(list(image_ids))
    versions = serving_versions(image.dataset_id for image in found.values())
    images = [found[pk] for pk in image_ids if pk in found and found[pk].dataset_id in versions]
    ready = _ready(images, versions)
    return [
        _queued(image, versions[image.dataset_id], SOON.name)
        for image in images
        if (image.pk, versions[image.dataset_id].pk) not in ready
    ]


def _ready(images: Sequence[Image], versions: Mapping[int, ModelVersion]) -> set[tuple[int, int]]:
    """(image, version) of the embeddings that are there, of any of these."""
    rows = Embedding.objects.filter(
        image_id__in=[image.pk for image in images], version__in={version.pk for version in versions.values()}
    )
    return set(rows.values_list("image_id", "version_id"))


def embeddings_rebuild(*, dataset_id: int, on_image: Any = None) -> int:
    """After a switch: queue the images with open or claimed tasks for the version that serves now.

    Those about to be worked on go first; returns how many were queued. Work in progress keeps the version it started
    with, whose files stay.
    """
    live = [Task.State.CLAIMED, Task.State.OPEN]
    tasks = Task.objects.filter(image__dataset_id=dataset_id, state__in=live).order_by("state", "-priority", "id")
    version = serving_version(dataset_id)
    queued = 0
    # Ids first: SQLite refuses to write while a query of the same connection is still being read.
    for place, image_id in enumerate(list(tasks.values_list("image_id", flat=True))):
        image = Image.objects.select_related("dataset").filter(pk=image_id).first()
        if image is not None:
            queued += embedding_request(image=image, version=version, soon=place < SOON_AFTER_SWITCH) is not None
        if on_image is not None:
            on_image()
    return queued
