"""Proposals of the dataset's own detector on one image. Workers only."""

from __future__ import annotations

import time
from typing import Any

from annotation.models import Image
from engine.embeddings import image_embed, stored_maps
from engine.models import Detector, ModelVersion
from engine.proposals import detector_load
from engine.serving import predictor_for
from engine.stages.base import Progress


def propose(
    image: Image, version: ModelVersion, detector: Detector, settings: dict[str, Any], progress: Progress
) -> tuple[list[dict[str, Any]], float]:
    """SA-1B style records of one image, each with the box it was prompted with, and the seconds it took.

    From the stored embedding: the encoder has looked at the image before, or does so now for everybody.
    """
    from modelzoo.proposals import BoxMaskGenerator

    started = time.monotonic()
    row = image_embed(image=image, version=version)
    embedding = stored_maps(row)
    generator = BoxMaskGenerator(predictor_for(version), detector_load(detector), **settings)
    return generator.generate(embedding, progress=progress), time.monotonic() - started
