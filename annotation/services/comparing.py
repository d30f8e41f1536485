"""Two people on one image: what a second person or a trainee masked, beside the masks of the dataset."""

from __future__ import annotations

from statistics import fmean
from typing import Any

from annotation.counts import figure
from annotation.matching import match
from annotation.models import Comparison, Mask, Task


def comparison_make(*, task: Task) -> Comparison:
    """Compare the masks of a submitted task with the dataset's masks of its image; a task is compared anew each time.

    In training an object that was missed counts as IoU 0: who masks one object well has not masked the image.
    """
    theirs = Mask.objects.filter(task=task, status=Mask.Status.COMPARED).order_by("serial")
    reference = Mask.objects.filter(image=task.image_id, status=Mask.Status.ACCEPTED, crowd=False).order_by("serial")
    ours = list(reference.values_list("uuid", "segmentation"))
    made = list(theirs.values_list("uuid", "segmentation"))
    matching = match([mask for _, mask in ours], [mask for _, mask in made])
    pairs = [
        {"reference": str(ours[i][0]), "mask": str(made[j][0]), "iou": round(iou, 6)} for i, j, iou in matching.pairs
    ]
    counted = [iou for _, _, iou in matching.pairs]
    if task.kind == Task.Kind.TRAINING:
        counted += [0.0] * len(matching.only_a)
    row, _ = Comparison.objects.update_or_create(
        task=task,
        defaults={
            "mean_iou": fmean(counted) if counted else None,
            "pairs": pairs,
            "missed": len(matching.only_a),
            "extra": len(matching.only_b),
        },
    )
    return row


@figure("agreement")
def agreement_of(dataset_id: int) -> dict[str, Any]:
    """How well two people agree: mean IoU over all objects that both masked, and how many only one of them did.

    {"images", "pairs", "only_first", "only_second", "mean_iou", "found_by_both"}; the last two are null before there
    is anything, 0..1 else.
    """
    rows = Comparison.objects.filter(task__image__dataset=dataset_id, task__kind=Task.Kind.OVERLAP)
    values = list(rows.values_list("pairs", "missed", "extra"))
    ious = [pair["iou"] for pairs, _, _ in values for pair in pairs]
    only_first, only_second = sum(missed for _, missed, _ in values), sum(extra for _, _, extra in values)
    objects = len(ious) + only_first + only_second
    return {
        "images": len(values),
        "pairs": len(ious),
        "only_first": only_first,
        "only_second": only_second,
        "mean_iou": fmean(ious) if ious else None,
        "found_by_both": len(ious) / objects if objects else None,
    }
