"""Proposals of the dataset's own detector on one image. Workers only."""

from __future__ import annotations

import time
from typing import Any

from annotation.errors import UserError
from annotation.models import Image
from engine.embeddings import image_maps
from engine.models import Detector, ModelVersion
from engine.proposals import detector_load
from engine.serving import predictor_for
from engine.stages.base import Progress

# No gates of its own: the detector's calibration weighs predicted IoU and stability.
BOXES: dict[str, Any] = {"most_boxes": 100, "box_nms_thresh": 0.6, "min_mask_region_area": 20}


def propose(image: Image, version: ModelVersion, digest: str, progress: Progress) -> tuple[list[dict[str, Any]], float]:
    """SA-1B style records of one image, each with the box it was prompted with, and the seconds it took.

    ``digest`` names the dataset's detector for the version; UserError detector_gone. From the stored embedding: the
    encoder has looked at the image before, or does so now for everybody.
    """
    from modelzoo.proposals import BoxMaskGenerator

    detector = Detector.objects.filter(dataset_id=image.dataset_id, version=version, digest=digest).first()
    if detector is None:
        raise UserError("detector_gone", "The detector of this model was removed meanwhile. Run the stage again.")
    started = time.monotonic()
    embedding = image_maps(image, version)
    generator = BoxMaskGenerator(predictor_for(version), detector_load(detector), **BOXES)
    return generator.generate(embedding, progress=progress), time.monotonic() - started
