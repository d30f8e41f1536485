"""How unsure the serving model is of an image, so that people label first where it learns most.

A grid of clicks is asked on the stored embedding. Of each click: how far its three candidates disagree (one minus
their mean IoU), how little the best one trusts itself (one minus its predicted IoU) and how unstable it is (one minus
its stability score). The mean of the three over all clicks is the image's uncertainty, 0..1. It gives an order; it is
no probability.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import IntegrityError, transaction
from django.db.models import Exists, OuterRef, QuerySet
from numpy.typing import NDArray

from annotation.errors import NotReady
from annotation.jobkit import declare, enqueue
from annotation.models import Dataset, Image, Job, QueueOrder, Task
from engine.embeddings import stored_maps
from engine.models import Embedding, ModelVersion, Uncertainty
from engine.serving import predictor_for, serving_version

if TYPE_CHECKING:
    from modelzoo.embedding import Embedding as Maps
    from modelzoo.predictor import Predictor

logger = logging.getLogger(__name__)

MEASURE = declare("measure_uncertainty", queue="batch", title="See where the model is unsure", lease=120)

CLICKS_PER_SIDE = 6  # 36 clicks cost about as much as one encoding of the image


@dataclass(frozen=True)
class Doubt:
    """Means over the clicks, all 0..1."""

    disagreement: float
    predicted_iou: float
    stability: float

    @property
    def value(self) -> float:
        """The three reasons for doubt, weighed alike."""
        return (self.disagreement + (1 - self.predicted_iou) + (1 - self.stability)) / 3


def images_to_measure(dataset_id: int, version: ModelVersion) -> QuerySet[Image]:
    """Images in the queue that this version has encoded, but was not asked about."""
    open_tasks = Task.objects.filter(image=OuterRef("pk"), kind=Task.Kind.ANNOTATE, state=Task.State.OPEN)
    encoded = Embedding.objects.filter(image=OuterRef("pk"), version=version)
    known = Uncertainty.objects.filter(image=OuterRef("pk"), version=version)
    return Image.objects.filter(Exists(open_tasks), Exists(encoded), ~Exists(known), dataset=dataset_id)


def uncertainty_request(*, dataset: Dataset) -> Job | None:
    """Queue what is missing for a dataset whose queue is ordered so; None if nothing is."""
    if dataset.queue_order != QueueOrder.UNCERTAINTY:
        return None
    version = serving_version(dataset.pk)
    if not images_to_measure(dataset.pk, version).exists():
        return None
    payload = {"dataset": dataset.pk, "digest": version.digest}
    return enqueue(MEASURE.name, payload, dataset=dataset, dedupe_key=f"{dataset.pk}:{version.digest}")


def datasets_consider() -> None:
    """Every dataset once; one that fails is logged."""
    for dataset in list(Dataset.objects.filter(queue_order=QueueOrder.UNCERTAINTY)):
        try:
            uncertainty_request(dataset=dataset)
        except NotReady:
            return
        except Exception:
            logger.exception("uncertainty not considered", extra={"dataset": dataset.pk})


def images_measure(*, dataset_id: int, version: ModelVersion, progress: Callable[[float, str], None]) -> dict[str, Any]:
    """Ask the model about every image that waits for it. Workers only; an image is measured once per version."""
    ids = list(images_to_measure(dataset_id, version).order_by("id").values_list("pk", flat=True))
    measured = 0
    for place, pk in enumerate(ids):
        progress(place / len(ids), f"Image {place + 1} of {len(ids)}")
        row = Embedding.objects.filter(image=pk, version=version).first()
        try:
            maps = stored_maps(row) if row is not None else None
        except FileNotFoundError:  # made anew when somebody opens the image
            continue
        if maps is not None:
            measured += _keep(pk, version, doubt_of(predictor_for(version), maps))
    return {"images": measured, "model": version.digest}


def doubt_of(predictor: Predictor, maps: Maps) -> Doubt:
    """Ask a grid of clicks on one embedding."""
    from modelzoo.filtering import STABILITY_OFFSET, point_grid, stability_score

    height, width = maps.frame.original_size
    points = point_grid(CLICKS_PER_SIDE) * (width, height)
    logits, ious = predictor.decode_points(maps, points)
    inside = logits[..., *maps.frame.picture_in(logits.shape[-2:])]
    best = np.argmax(ious, axis=1)
    rows = np.arange(len(best))
    stability = np.nan_to_num(stability_score(inside[rows, best], 0.0, STABILITY_OFFSET))
    return Doubt(
        disagreement=float(np.mean(1 - _agreement(inside > 0))),
        predicted_iou=float(np.clip(ious[rows, best], 0, 1).mean()),
        stability=float(np.mean(stability)),
    )


def _agreement(masks: NDArray[np.bool_]) -> NDArray[np.float64]:
    """Mean IoU between the candidates of each click: masks N x C x h x w, result N. Two empty masks agree."""
    ious = []
    for i, j in combinations(range(masks.shape[1]), 2):
        shared = (masks[:, i] & masks[:, j]).sum(axis=(1, 2))
        either = (masks[:, i] | masks[:, j]).sum(axis=(1, 2))
        ious.append(np.where(either > 0, shared / np.maximum(either, 1), 1.0))
    agreement: NDArray[np.float64] = np.mean(ious, axis=0)
    return agreement


def _keep(image_id: int, version: ModelVersion, doubt: Doubt) -> int:
    """Write it down, also on the image, by which the queue is ordered; 0 if the image was deleted meanwhile."""
    fields = {
        "value": doubt.value,
        "disagreement": doubt.disagreement,
        "predicted_iou": doubt.predicted_iou,
        "stability": doubt.stability,
    }
    try:
        with transaction.atomic():
            Uncertainty.objects.update_or_create(image_id=image_id, version=version, defaults=fields)
            return Image.objects.filter(pk=image_id).update(uncertainty=doubt.value)
    except IntegrityError:
        return 0
