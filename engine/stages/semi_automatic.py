"""Semi-automatic: the image comes with the masks the model is surest of, as proposals; people add what is missing.

A detector that was trained on the dataset's masks says where objects are, and the decoder makes a mask of each box.
Before there is one for the version, a grid of points finds what stands out.
A proposal is nobody's mask: it is not exported and trains nothing until a person accepts or corrects it.
"""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from annotation.models import Image, Mask, Stage, Task
from engine.models import ModelVersion
from engine.proposals import detector_for
from engine.stages.automatic import segment_everything
from engine.stages.base import Progress, is_done, is_in_hand, masks_write
from engine.stages.detected import BOXES, propose


class SemiAutomatic:
    """Settings are named as in the SAM reference; stricter than the fully automatic stage, for a person has to look."""

    name = str(Stage.SEMI_AUTOMATIC)
    title = "Semi-automatic"

    def settings(self, *, dataset_id: int, version: ModelVersion) -> dict[str, Any]:
        """By a detector, with its digest: the bar of certainty is its own. Else a 16 x 16 grid: prominent objects."""
        detector = detector_for(dataset_id, version)
        if detector is not None:
            return {"detector": detector.digest, **BOXES}
        return {
            "points_per_side": 16,
            "pred_iou_thresh": 0.7,
            "stability_score_thresh": 0.8,
            "box_nms_thresh": 0.6,
            "min_mask_region_area": 100,
        }

    def image_run(self, *, image: Image, version: ModelVersion, progress: Progress) -> int | None:
        """Propose masks, and have somebody look at an image that got any."""
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
                status=Mask.Status.PROPOSED,
                seconds=seconds,
            )
            if written:
                _ask_somebody(image)
        return written


def _find(
    image: Image, version: ModelVersion, settings: dict[str, Any], progress: Progress
) -> tuple[list[dict[str, Any]], float]:
    """Records of one image, by the detector that the settings name or by the grid, and the seconds it took."""
    if "detector" in settings:
        return propose(image, version, settings["detector"], progress)
    return segment_everything(image, version, settings, progress)


def _ask_somebody(image: Image) -> None:
    """An open task for the image, unless one is open or claimed already (the constraint decides)."""
    try:
        with transaction.atomic():
            Task.objects.create(image=image, kind=Task.Kind.ANNOTATE)
    except IntegrityError:
        return
