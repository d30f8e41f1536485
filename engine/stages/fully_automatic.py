"""Fully automatic: grid prompts, confident and stable masks, no person. The masks are accepted as they are.

Their stage, source and model digest say so for ever: they train with a small weight, judge nothing, and an export can
leave them out. Nobody is asked to label the image any more; a sample is audited.
"""

from __future__ import annotations

from typing import Any

from annotation.models import Image, Mask, Stage
from annotation.services.tasks import task_withdraw
from engine.models import ModelVersion
from engine.stages.automatic import segment_everything
from engine.stages.base import Progress, is_done, masks_write


class FullyAutomatic:
    """Settings are named as in the SAM reference."""

    name = str(Stage.FULLY_AUTOMATIC)
    title = "Fully automatic"

    def settings(self, *, dataset_id: int, version: ModelVersion) -> dict[str, Any]:
        """A 24 x 24 grid: the default model's maps are a quarter of SAM's side, a finer grid finds little more."""
        return {
            "points_per_side": 24,
            "pred_iou_thresh": 0.65,
            "stability_score_thresh": 0.75,
            "box_nms_thresh": 0.7,
            "min_mask_region_area": 100,
        }

    def image_run(self, *, image: Image, version: ModelVersion, progress: Progress) -> int:
        """Mask everything that the model is sure of, and take the image out of the queue."""
        settings = self.settings(dataset_id=image.dataset_id, version=version)
        if is_done(self, image, version, settings):
            return 0
        records, seconds = segment_everything(image, version, settings, progress)
        written = masks_write(
            stage=self,
            image=image,
            version=version,
            settings=settings,
            records=records,
            status=Mask.Status.ACCEPTED,
            seconds=seconds,
        )
        if image.dataset.stage == self.name:
            task_withdraw(image=image)
        return written
