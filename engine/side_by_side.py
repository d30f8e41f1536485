"""Two versions side by side on images that a person chose: the same prompts to both.

A job encodes the images for both versions, so that prompts on the page are answered at once, and asks both about every
accepted mask: once by a click on its innermost pixel, once by its box. Images that a version learnt from favour it.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotation.errors import Conflict, Missing, UserError
from annotation.jobkit import declare, enqueue
from annotation.models import Dataset, Image, Job, Mask, Member
from engine.embeddings import image_maps
from engine.models import ModelVersion, VersionComparison
from engine.promotion import version_named
from engine.serving import predictor_for
from modelzoo import rle

if TYPE_CHECKING:
    from modelzoo.embedding import Embedding
    from modelzoo.predictor import Predictor

COMPARE = declare(
    "compare_versions", queue="batch", title="Compare two versions", lease=120, role=Member.Role.ANNOTATOR
)
MOST_IMAGES = 12
MOST_MASKS = 30  # of one image, the largest first
PROMPTS = ("click", "box")


def comparison_start(
    *, dataset: Dataset, first: str, second: str, images: Sequence[int], by: Any = None
) -> VersionComparison:
    """Queue the comparison of two versions (digests) on images of a dataset.

    Missing for a version or an image that is not the dataset's; UserError same_version or bad_images; Conflict
    comparison_open while the same one is under way.
    """
    versions = [version_named(dataset.pk, digest) for digest in (first, second)]
    if first == second:
        raise UserError("same_version", "Choose two different versions.")
    chosen = list(dict.fromkeys(images))
    if not 1 <= len(chosen) <= MOST_IMAGES:
        raise UserError("bad_images", f"Choose 1 to {MOST_IMAGES} images.")
    if Image.objects.filter(dataset=dataset, pk__in=chosen).count() != len(chosen):
        raise Missing("not_found", "One of the images is not there.")
    with transaction.atomic():
        row = VersionComparison.objects.create(
            dataset=dataset, first=versions[0], second=versions[1], images=chosen, created_by=by
        )
        key = f"{versions[0].pk}:{versions[1].pk}:{','.join(map(str, sorted(chosen)))}"
        row.job = enqueue(COMPARE.name, {"comparison": row.pk}, dataset=dataset, created_by=by, dedupe_key=key)
        if row.job.payload["comparison"] != row.pk:  # the like of it is open, with a row of its own
            raise Conflict("comparison_open", "These versions are being compared on these images already.")
        row.save(update_fields=["job"])
    return row


def comparison_run(*, comparison_id: int, progress: Callable[[float, str], None]) -> dict[str, Any]:
    """Encode, ask, write the result. Doing it twice gives the same result once. Workers only."""
    row = VersionComparison.objects.select_related("first", "second").filter(pk=comparison_id).first()
    if row is None:
        raise UserError("comparison_missing", "This comparison was deleted.")
    if row.finished_at is None:
        told = []
        for place, image_id in enumerate(row.images):
            progress(place / len(row.images), f"Image {place + 1} of {len(row.images)}")
            image = Image.objects.filter(pk=image_id).first()
            if image is not None:  # it may be deleted meanwhile
                told.append(_compared(image, (row.first, row.second)))
        row.result = {"images": told, "means": means([line for image in told for line in image["masks"]])}
        row.finished_at = timezone.now()
        row.save(update_fields=["result", "finished_at"])
    return {"comparison": row.pk, "masks": row.result["means"]["count"]}


def _compared(image: Image, versions: Sequence[ModelVersion]) -> dict[str, Any]:
    """Of every accepted mask the IoU of both versions' answers with it: {"click": [a, b], "box": [a, b]}."""
    try:
        looks = [(predictor_for(one), image_maps(image, one)) for one in versions]
    except FileNotFoundError as error:
        raise UserError("file_missing", f"The file of {image.file_name} is gone.") from error
    accepted = Mask.objects.filter(image=image, status=Mask.Status.ACCEPTED, crowd=False)
    lines = []
    for mask in accepted.order_by("-area", "serial")[:MOST_MASKS]:
        target = rle.decode(mask.segmentation)
        answers = [_ious(*look, target) for look in looks]
        lines.append({"mask": str(mask.uuid)} | {name: [answer[name] for answer in answers] for name in PROMPTS})
    return {"image": image.pk, "of": accepted.count(), "masks": lines, **means(lines)}


def _ious(predictor: Predictor, embedding: Embedding, target: np.ndarray) -> dict[str, float]:
    """IoU with a bool H x W mask of what one click on it and of what its box gives."""
    from modelzoo.training.clicks import innermost_point, tight_box

    point = np.array([innermost_point(target)], np.float64) + 0.5
    click = predictor.decode(embedding, point, np.ones(1), multimask=True)
    box = predictor.decode(embedding, box=np.array(tight_box(target)), multimask=False)
    best = click.masks[int(click.iou_predictions.argmax())]
    return {"click": rle.mask_iou(best, target), "box": rle.mask_iou(box.masks[0], target)}


def means(lines: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Mean IoU of both versions by prompt, null of no masks."""
    columns = {name: np.array([line[name] for line in lines], np.float64).reshape(-1, 2) for name in PROMPTS}
    return {"count": len(lines)} | {
        name: values.mean(axis=0).tolist() if lines else None for name, values in columns.items()
    }


def comparisons_of(dataset_id: int) -> QuerySet[VersionComparison]:
    """Newest first; of those whose job came to nothing only the open and the failed ones."""
    rows = VersionComparison.objects.filter(dataset_id=dataset_id).select_related("first", "second", "job")
    return rows.filter(Q(finished_at__isnull=False) | Q(job__state__in=[*Job.OPEN, Job.State.FAILED]))
