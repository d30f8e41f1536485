"""Shadow comparison: prompts that people gave to the serving model are given to another version, too.

People's prompts and the masks they accepted are replayed through both versions, in a job, beside the work: nobody sees
the other version's answers. It says what the gate cannot, for its clicks are simulated. Accepted masks were made with
the serving model's help, so it is favoured, most where a mask was taken as the model gave it; masks that people
corrected by hand are therefore told apart.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict
from itertools import groupby
from typing import TYPE_CHECKING, Any

import numpy as np
from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from annotation.errors import Conflict, Missing, UserError
from annotation.jobkit import declare, enqueue
from annotation.models import Dataset, Image, Job, Mask
from engine.embeddings import read_pixels
from engine.models import ModelVersion, ShadowComparison
from engine.paired import Resampling, compare_means, drawn_together, place_of
from engine.promotion import versions_of
from engine.serving import predictor_for, serving_version
from modelzoo import rle

if TYPE_CHECKING:
    from modelzoo.embedding import Embedding
    from modelzoo.predictor import Predictor

SHADOW = declare("shadow_compare", queue="batch", title="Compare on live prompts", lease=120)
MOST_MASKS = 120  # newest first: what people do today
FEWEST = 5  # masks, below which nothing can be said
AGREED = 0.9  # IoU from which two answers are called the same


def masks_with_prompts(dataset_id: int) -> QuerySet[Mask]:
    """Accepted masks that people made by prompts, newest first. What the machine proposed had the machine's prompts."""
    masks = Mask.objects.filter(image__dataset_id=dataset_id, status=Mask.Status.ACCEPTED, crowd=False)
    by_model = masks.filter(source__in=[Mask.Source.MODEL, Mask.Source.MODEL_EDITED], created_by__isnull=False)
    own = by_model.exclude(parent__isnull=False, parent__created_by=None)
    return own.exclude(prompts=[]).order_by("-serial")


def masks_chosen(dataset_id: int, other: ModelVersion) -> tuple[list[Mask], bool]:
    """Masks to replay, and whether some lie on training images: only where there are too few others.

    Made since the other version was: what it has learnt from is not asked of it.
    """
    since = masks_with_prompts(dataset_id).filter(created_at__gt=other.created_at).select_related("image")
    unseen = since.exclude(image__split=Image.Split.TRAIN)
    found = [mask for mask in unseen[:MOST_MASKS] if steps_of(mask)]
    if len(found) >= FEWEST:
        return found, False
    return [mask for mask in since[:MOST_MASKS] if steps_of(mask)], True


def steps_of(mask: Mask) -> list[dict[str, Any]]:
    """The prompts of a mask that can be replayed: points and boxes, in their order."""
    return [prompt for prompt in mask.prompts if prompt.get("type") in ("point", "box")]


def shadow_start(*, dataset: Dataset, digest: str, by: Any = None) -> ShadowComparison:
    """Queue the comparison of a version with the one that serves.

    Missing for a version that is not the dataset's; Conflict already_serving for the serving one, shadow_open while the
    same comparison is under way; UserError too_few_prompts.
    """
    other = versions_of(dataset.pk).filter(digest=digest).first()
    if other is None:
        raise Missing("unknown_model", "This dataset has no model with that digest.")
    serving = serving_version(dataset.pk)
    if other.pk == serving.pk:
        raise Conflict("already_serving", f"{other.name} serves: there is nothing to compare it with.")
    chosen, _ = masks_chosen(dataset.pk, other)
    if len(chosen) < FEWEST:
        raise UserError(
            "too_few_prompts",
            f"{len(chosen)} masks with prompts were accepted since {other.name} was made; {FEWEST} are needed.",
        )
    with transaction.atomic():
        row = ShadowComparison.objects.create(dataset=dataset, serving=serving, other=other, created_by=by)
        key = f"{dataset.pk}:{serving.pk}:{other.pk}"
        row.job = enqueue(SHADOW.name, {"comparison": row.pk}, dataset=dataset, created_by=by, dedupe_key=key)
        if row.job.payload["comparison"] != row.pk:  # the like of it is open, with a row of its own
            raise Conflict("shadow_open", "This version is being compared already.")
        row.save(update_fields=["job"])
    return row


def shadow_run(*, comparison_id: int, progress: Callable[[float, str], None]) -> dict[str, Any]:
    """Replay, measure, write the result. Doing it twice gives the same result once."""
    row = ShadowComparison.objects.select_related("serving", "other").filter(pk=comparison_id).first()
    if row is None:
        raise UserError("comparison_missing", "This comparison was deleted.")
    if row.finished_at is None:
        masks, on_training = masks_chosen(row.dataset_id, row.other)
        pairs = list(_replayed(row, masks, progress))
        if len(pairs) < FEWEST:
            raise UserError("too_few_prompts", "Too few of the masks are still there to compare anything.")
        row.result = summary(pairs) | {"on_training_images": on_training}
        row.finished_at = timezone.now()
        row.save(update_fields=["result", "finished_at"])
    return {"comparison": row.pk, "masks": row.result["masks"]}


def _replayed(
    row: ShadowComparison, masks: Sequence[Mask], progress: Callable[[float, str], None]
) -> Iterator[dict[str, Any]]:
    """One line per mask: both versions' IoU with what the person accepted, and with one another."""
    predictors = [predictor_for(version) for version in (row.serving, row.other)]
    done = 0
    for _, group in groupby(sorted(masks, key=lambda mask: mask.image_id), key=lambda mask: mask.image_id):
        together = list(group)
        image = Image.objects.filter(pk=together[0].image_id).first()
        if image is None:  # deleted meanwhile
            continue
        pixels = read_pixels(image)
        looks = [(predictor, predictor.encode(pixels)) for predictor in predictors]
        for mask in together:
            accepted = rle.decode(mask.segmentation)
            ours, theirs = (replay(*look, steps_of(mask)) for look in looks)
            done += 1
            progress(done / len(masks), f"{done} of {len(masks)} masks replayed")
            yield {
                "place": place_of(image.video_id, image.pk),
                "edited": mask.source == Mask.Source.MODEL_EDITED,
                "prompts": len(steps_of(mask)),
                "serving": rle.mask_iou(ours, accepted),
                "other": rle.mask_iou(theirs, accepted),
                "agreement": rle.mask_iou(ours, theirs),
            }


def replay(predictor: Predictor, embedding: Embedding, steps: Sequence[dict[str, Any]]) -> np.ndarray:
    """The mask, bool H x W, that a version shows after these prompts, each answered with the last answer fed back."""
    points: list[tuple[float, float]] = []
    labels: list[int] = []
    box: np.ndarray | None = None
    fed: np.ndarray | None = None
    mask = np.zeros(embedding.frame.original_size, bool)
    for step in steps:
        if step["type"] == "box":
            box = np.array([step["x0"], step["y0"], step["x1"], step["y1"]], np.float64)
        else:
            points.append((float(step["x"]), float(step["y"])))
            labels.append(int(step.get("label", 1)))
        single = len(points) == 1 and box is None
        answer = predictor.decode(
            embedding, np.array(points) if points else None, np.array(labels) if points else None, box, fed, single
        )
        best = int(answer.iou_predictions.argmax())
        mask, fed = answer.masks[best], answer.low_res_logits[best : best + 1]
    return mask


def summary(pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """What the page shows: mean IoUs with the paired interval, how often both say the same, edited masks apart."""
    agreement = np.array([pair["agreement"] for pair in pairs])
    edited = [pair for pair in pairs if pair["edited"]]
    return {
        "masks": len(pairs),
        "images": len({pair["place"] for pair in pairs}),
        "prompts": sum(pair["prompts"] for pair in pairs),
        "all": _difference(pairs),
        "edited": _difference(edited) if len(edited) >= FEWEST else None,
        "agreement": float(agreement.mean()),
        "agreed": float((agreement >= AGREED).mean()),
    }


def _difference(pairs: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Other minus serving, named as in the gate: the other version is the candidate."""
    serving, other = (np.array([pair[name] for pair in pairs], np.float64) for name in ("serving", "other"))
    resampling = Resampling(drawn_together([pair["place"] for pair in pairs]), len(pairs), 0.95, 2000, 0)
    return asdict(compare_means(serving, other, resampling))


def shadows_of(dataset_id: int) -> QuerySet[ShadowComparison]:
    """Comparisons of a dataset, newest first; of those whose job came to nothing only the open ones."""
    rows = ShadowComparison.objects.filter(dataset_id=dataset_id).select_related("serving", "other", "job")
    return rows.filter(Q(finished_at__isnull=False) | Q(job__state__in=[*Job.OPEN, Job.State.FAILED]))
