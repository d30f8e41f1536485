"""Semi-automatic: the image comes with the masks the model is surest of, as proposals; people add what is missing.

A proposal is nobody's mask: it is not exported and trains nothing until a person accepts or corrects it.
"""

from __future__ import annotations

from typing import Any

from django.db import IntegrityError, transaction

from annotation.models import Image, Mask, Stage, Task
from engine.models import ModelVersion
from engine.stages.automatic import segment_everything
from engine.stages.base import Progress, is_done, masks_write


class SemiAutomatic:
    """Settings are named as in the SAM reference; stricter than the fully automatic stage, for a person has to look."""

    name = str(Stage.SEMI_AUTOMATIC)
    title = "Semi-automatic"

    def settings(self) -> dict[str, Any]:
        """A 16 x 16 grid: prominent objects, few of them."""
        return {
            "points_per_side": 16,
            "pred_iou_thresh": 0.7,
            "stability_score_thresh": 0.8,
            "box_nms_thresh": 0.6,
            "min_mask_region_area": 100,
        }

    def image_run(self, *, image: Image, version: ModelVersion, progress: Progress) -> int:
        """Propose masks, and have somebody look at an image that got any."""
        if is_done(self, image, version):
            return 0
        records, seconds = segment_everything(image, version, self.settings(), progress)
        written = masks_write(
            stage=self, image=image, version=version, records=records, status=Mask.Status.PROPOSED, seconds=seconds
        )
        if written:
            _ask_somebody(image)
        return written


def _ask_somebody(image: Image) -> None:
    """An open task for the image, unless one is open or claimed already (the constraint decides)."""
    try:
        with transaction.atomic():
            Task.objects.create(image=image, kind=Task.Kind.ANNOTATE)
    except IntegrityError:
        return
