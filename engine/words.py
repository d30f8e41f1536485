"""Free text: what it speaks of in an image, where the installation's owner supplies an encoder of texts and pictures.

Experimental. Nothing is downloaded; without the setting everything else works, and this says so.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from django.conf import settings

from annotation.errors import UserError
from annotation.models import Image
from engine.embeddings import image_maps, read_pixels
from engine.models import ModelVersion
from engine.serving import predictor_for

if TYPE_CHECKING:
    from modelzoo.text.clip import Clip

Progress = Callable[[float], None]
Search = Callable[[Image, Progress], list[dict[str, Any]]]  # records, best first; progress gets the share done


def require_text_encoder() -> None:
    """UserError no_text_encoder where free text is not understood."""
    if not settings.ANYMASK_TEXT_ENCODER:
        raise UserError(
            "no_text_encoder",
            "Free text needs a text encoder, and this installation has none. "
            "Names that masks of this dataset have are found without.",
        )


def text_encoder() -> Clip:
    """The owner's, loaded once per process. UserError no_text_encoder or text_encoder_unusable. Workers only."""
    from modelzoo.weight_files import CheckpointError

    require_text_encoder()
    try:
        return _loaded(Path(settings.ANYMASK_TEXT_ENCODER))
    except CheckpointError as error:
        raise UserError("text_encoder_unusable", f"The text encoder cannot be used: {error}") from error


@lru_cache(maxsize=1)
def _loaded(folder: Path) -> Clip:
    from modelzoo.text.clip import Clip

    return Clip.load(folder)


def text_search(*, text: str, others: Sequence[str], version: ModelVersion) -> Search:
    """What finds, on one image after the other, what the text and none of the others speaks of. Workers only."""
    from modelzoo.text.finder import Said, TextFinder

    clip = text_encoder()
    finder, said = TextFinder(predictor_for(version), clip), Said.of(clip, text, others)
    return lambda image, progress: finder.find(image_maps(image, version), read_pixels(image), said, progress)
