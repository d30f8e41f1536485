"""Assisted: the image comes empty, people mask what they see and the model answers their prompts."""

from __future__ import annotations

from typing import Any

from annotation.models import Image, Stage
from engine.embeddings import image_embed
from engine.models import ModelVersion
from engine.stages.base import Progress


class Assisted:
    """The machine's part is the embedding alone, so that every image is ready before it is opened."""

    name = str(Stage.ASSISTED)
    title = "Assisted"

    def settings(self, *, dataset_id: int, version: ModelVersion) -> dict[str, Any]:
        """Nothing to set."""
        return {}

    def image_run(self, *, image: Image, version: ModelVersion, progress: Progress) -> int:
        """Encode the image; no masks."""
        progress(0.0)
        image_embed(image=image, version=version)
        return 0
