"""How far the serving model is from what people masked: reviewers see first where they differ most.

The model is asked with the box of each mask under review; the disagreement is 1 - IoU of its answer and the mask. It
orders and says nothing about who is right. The decoder is the one of the web process: no torch.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import numpy as np
from django.utils import timezone

from annotation.errors import NotReady
from annotation.jobkit import declare, enqueue
from annotation.models import Task
from annotation.ports import segmenter
from annotation.services.reviews import disagreement_set
from modelzoo import rle

MEASURE = declare("measure_disagreement", queue="io", title="Compare masks under review with the model")
AGAIN_AFTER = timedelta(minutes=1)  # the picture may have to be encoded first
AT_ONCE = 50


def disagreement_request(*, task: Task) -> None:
    """Queue the comparison of one review."""
    enqueue(MEASURE.name, {"task": task.pk}, dataset=task.image.dataset, dedupe_key=str(task.pk))


def disagreement_measure(*, task_id: int) -> dict[str, Any]:
    """Ask the model about every mask of an open review. Doing it twice gives the same."""
    task = Task.objects.select_related("image").filter(pk=task_id, kind=Task.Kind.REVIEW).first()
    if task is None or task.state == Task.State.SUBMITTED:
        return {"measured": 0}
    values: dict[int, float] = {}
    for item in task.review_items.exclude(mask=None).select_related("mask"):
        mask = item.mask
        assert mask is not None
        x, y, width, height = mask.bbox
        box = np.array([x, y, x + width, y + height], np.float32)
        try:
            answer = segmenter().predict(task.image_id, None, None, box, None, multimask=False)
        except NotReady:
            return {"measured": 0, "waits": "The picture is not prepared yet."}
        inside = answer.masks[int(answer.iou_predictions.argmax())]
        values[mask.pk] = round(1 - rle.mask_iou(inside, rle.decode(mask.segmentation)), 6)
    disagreement_set(task=task, values=values)
    return {"measured": len(values)}


def disagreements_consider() -> None:
    """Ask again about reviews whose picture was not prepared when they were opened."""
    since = timezone.now() - AGAIN_AFTER
    waiting = Task.objects.filter(kind=Task.Kind.REVIEW, state=Task.State.OPEN, disagreement=None, created_at__lt=since)
    for task in waiting.select_related("image__dataset").order_by("id")[:AT_ONCE]:
        disagreement_request(task=task)
