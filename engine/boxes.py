"""Boxes from outside, answered by the serving model: each becomes a proposed mask that a person keeps or corrects."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.db import transaction
from django.db.models import BigIntegerField
from django.db.models.functions import Cast

from annotation.errors import NotReady
from annotation.jobkit import declare, enqueue
from annotation.models import BoxPrompt, Image, Job, Mask, Stage
from annotation.services.masks import masks_add
from engine.embeddings import image_maps
from engine.serving import default_version, predictor_for, serving_version
from engine.stages.base import without_twins

PROMPT = declare("prompt_boxes", queue="batch", title="Masks from boxes", lease=60)
AT_ONCE = 100  # pictures that one look by the clock asks for


def boxes_request(*, image: Image) -> Job:
    """Queue what waits on an image; the job that waits already if there is one."""
    return enqueue(PROMPT.name, {"image": image.pk}, dataset=image.dataset, dedupe_key=str(image.pk))


def boxes_consider() -> None:
    """Queue boxes that no job has met: they came as one ended, or before there was a model. What failed stays."""
    try:
        default_version()
    except NotReady:
        return
    jobs = Job.objects.filter(kind=PROMPT.name).exclude(state=Job.State.SUCCEEDED)
    asked = jobs.values_list(Cast("dedupe_key", BigIntegerField()))
    left = BoxPrompt.objects.filter(answered=False).exclude(image__in=asked).order_by("image")
    ids = list(left.values_list("image", flat=True).distinct()[:AT_ONCE])
    for image in Image.objects.filter(pk__in=ids).select_related("dataset"):
        boxes_request(image=image)


def boxes_answer(*, image: Image) -> dict[str, Any]:
    """Make a proposal of every box that no model has looked at; counts. Workers only.

    Those that come meanwhile are answered too: whoever brought them was told that a job is under way. What
    shows an object that has a mask already is left out. Twice is once: boxes are marked with the masks.
    """
    answered, made = 0, 0
    while boxes := list(image.box_prompts.filter(answered=False)):
        made += _answer(image, boxes)
        answered += len(boxes)
    return {"boxes": answered, "masks": made}


def _answer(image: Image, boxes: list[BoxPrompt]) -> int:
    """Proposals of some boxes of an image, and that they are answered, at once; how many."""
    from modelzoo.proposals import masks_of_boxes

    version = serving_version(image.dataset_id)
    embedding = image_maps(image, version)
    corners = np.array([[x, y, x + width, y + height] for x, y, width, height in (row.bbox for row in boxes)])
    found = masks_of_boxes(predictor_for(version), embedding, corners.astype(np.float64))
    answered = zip(boxes, found, strict=True)
    records = [{**record, "category": row.category} for row, record in answered if record is not None]
    current = Mask.objects.filter(image=image, status__in=Mask.CURRENT)
    there = [{"segmentation": segmentation} for segmentation in current.values_list("segmentation", flat=True)]
    new = [record for record in without_twins([*there, *records]) if "predicted_iou" in record]
    with transaction.atomic():
        made = masks_add(
            image=image,
            records=new,
            stage=Stage.ASSISTED,
            source=Mask.Source.MODEL,
            status=Mask.Status.PROPOSED,
            model=version.digest,
        )
        BoxPrompt.objects.filter(pk__in=[row.pk for row in boxes]).update(answered=True)
    return len(made)
