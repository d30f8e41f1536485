"""Boxes from outside, answered by the serving model: each becomes a proposed mask that a person keeps or corrects."""

from __future__ import annotations

from typing import Any

import numpy as np
from django.db import transaction

from annotation.jobkit import declare, enqueue
from annotation.models import BoxPrompt, Image, Job, Mask, Stage
from annotation.services.masks import masks_add
from engine.embeddings import image_maps
from engine.serving import predictor_for, serving_version
from engine.stages.base import without_twins

PROMPT = declare("prompt_boxes", queue="batch", title="Masks from boxes", lease=60)


def boxes_request(*, image: Image) -> Job:
    """Queue what waits on an image; the job that waits already if there is one."""
    return enqueue(PROMPT.name, {"image": image.pk}, dataset=image.dataset, dedupe_key=str(image.pk))


def boxes_answer(*, image: Image) -> dict[str, Any]:
    """Make a proposal of every box that no model has looked at; counts. Workers only.

    What shows an object that has a mask already is left out. Twice is once: boxes are marked with the masks.
    """
    from modelzoo.proposals import masks_of_boxes

    boxes = list(image.box_prompts.filter(answered=False))
    if not boxes:
        return {"boxes": 0, "masks": 0}
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
    return {"boxes": len(boxes), "masks": len(made)}
