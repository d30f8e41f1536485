"""Segment everything on one image: the part that both machine stages share. Workers only."""

from __future__ import annotations

import time
from typing import Any

from annotation.models import Image
from engine.embeddings import read_pixels
from engine.models import ModelVersion
from engine.serving import predictor_for
from engine.stages.base import Progress


def segment_everything(
    image: Image, version: ModelVersion, settings: dict[str, Any], progress: Progress
) -> tuple[list[dict[str, Any]], float]:
    """SA-1B style records of one image (compressed RLE, image pixels) and the seconds it took."""
    from modelzoo.automatic import AutomaticMaskGenerator

    started = time.monotonic()
    generator = AutomaticMaskGenerator(predictor_for(version), **settings)
    records = generator.generate(read_pixels(image), progress=progress)
    return records, time.monotonic() - started
