"""Fully automatic: grid prompts, confident and stable masks, no person. The masks are accepted as they are.

How confident and how stable was fitted to the version on the masks that people made, together with its detector, whose
boxes are tried too: the grid finds what stands out, the detector what this team labels. Before a retraining there is
neither, and the gates are strict.

Their stage, source and model digest say so for ever: they train with a small weight, judge nothing, and an export can
leave them out. Nobody is asked to label the image any more; a sample is audited.
"""

from __future__ import annotations

from typing import Any

from django.db import transaction

from annotation.models import Image, Mask, Stage
from annotation.services.tasks import task_withdraw
from engine.models import ModelVersion
from engine.proposals import detector_for
from engine.stages.automatic import segment_everything
from engine.stages.base import Progress, is_done, is_in_hand, masks_write, without_twins
from engine.stages.detected import propose

STRICT = {
    "points_per_side": 24,
    "box_nms_thresh": 0.7,
    "pred_iou_thresh": 0.88,
    "stability_score_thresh": 0.95,
    "min_mask_region_area": 100,
}  # the SAM paper's gates
BOXES_SHARE = 0.2  # of an image's time, about, goes into the detector's boxes where there are both
FITTED = ("points_per_side", "box_nms_thresh", "pred_iou_thresh", "stability_score_thresh")


class FullyAutomatic:
    """Settings are named as in the SAM reference."""

    name = str(Stage.FULLY_AUTOMATIC)
    title = "Fully automatic"

    def settings(self, *, dataset_id: int, version: ModelVersion) -> dict[str, Any]:
        """``grid``: a grid of points with its gates, null where no gates keep the promise; ``detector``: its digest."""
        detector = detector_for(dataset_id, version)
        if detector is None:
            return {"grid": STRICT, "detector": None}
        fitted = detector.gates and {**STRICT, **{name: detector.gates[name] for name in FITTED}}
        return {"grid": fitted, "detector": detector.digest}

    def image_run(self, *, image: Image, version: ModelVersion, progress: Progress) -> int | None:
        """Mask everything that the model is sure of, and take the image out of the queue."""
        settings = self.settings(dataset_id=image.dataset_id, version=version)
        if is_done(self, image, version, settings):
            return 0
        if is_in_hand(image):
            return None
        records, seconds = _find(image, version, settings, progress)
        with transaction.atomic():
            written = masks_write(
                stage=self,
                image=image,
                version=version,
                settings=settings,
                records=records,
                status=Mask.Status.ACCEPTED,
                seconds=seconds,
            )
            if written is not None and image.dataset.stage == self.name:
                task_withdraw(image=image)
        return written


def _find(
    image: Image, version: ModelVersion, settings: dict[str, Any], progress: Progress
) -> tuple[list[dict[str, Any]], float]:
    """Records of one image from the detector's boxes, then from the grid, and the seconds it took."""
    by_boxes, by_grid = settings["detector"], settings["grid"]
    records: list[dict[str, Any]] = []
    seconds = 0.0
    if by_boxes is not None:
        records, seconds = propose(image, version, by_boxes, lambda share: progress(BOXES_SHARE * share))
    if by_grid is not None:
        start = 0.0 if by_boxes is None else BOXES_SHARE
        more, longer = segment_everything(image, version, by_grid, lambda share: progress(start + (1 - start) * share))
        records, seconds = without_twins([*records, *more]), seconds + longer
    return records, seconds
