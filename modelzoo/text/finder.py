"""What a text speaks of, in a picture: masks of a grid of clicks, each looked at by the encoder of texts and pictures.

SAM's own text prompts (Kirillov et al. 2023, section 7.5 and appendix D.5) need a decoder that was trained with them;
none was released. Here the decoder proposes and the encoder judges: a candidate is worth predicted IoU x stability x
the probability that the text, and none of the others it is told from, speaks of what is cut out around it.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image as Picture

from modelzoo.candidates import INSIDE, SAME, Candidate, Floats, Progress, Source, distinct
from modelzoo.embedding import Embedding
from modelzoo.exemplars import unit
from modelzoo.filtering import point_grid

if TYPE_CHECKING:
    from modelzoo.predictor import Predictor
    from modelzoo.text.clip import Clip

POINTS_PER_SIDE = 16
MOST_LOOKED_AT = 64  # best candidates
TOGETHER = 16  # of them at once: memory, no effect on results
ROOM = 1.3  # side of a cut-out, in longer sides of the mask's box: appendix D.5 takes 1 to 2
DIMMED = 0.7  # how far what is beside the mask fades to gray: appendix D.5 leaves it out half of the time
FAINTEST = 0.02  # score below which nothing is told
GRAY = (128, 128, 128)
# Several ways to say it are steadier than one (Radford et al. 2021, section 3.1.4).
SENTENCES = ("a photo of {}.", "a picture of {} in the scene.", "a close-up of {}.", "{}")
# What a cut-out may show instead, beside the other names that the caller knows.
OTHERWISE = ("the background", "an empty surface", "a texture", "something else", "a part of an object")


@dataclass(frozen=True)
class Said:
    """What is looked for, the same for every picture. vectors: N x P, first the text, then what else may be there."""

    text: str
    vectors: Floats

    @classmethod
    def of(cls, clip: Clip, text: str, others: Sequence[str] = ()) -> Said:
        """`others`: texts that speak of other things. Each text is the mean of what its sentences mean."""
        texts = [text, *others, *OTHERWISE]
        vectors = clip.texts([sentence.format(one) for one in texts for sentence in SENTENCES])
        return cls(text, unit(vectors.reshape(len(texts), len(SENTENCES), -1).mean(axis=1)))


@dataclass(frozen=True)
class TextFinder:
    """Finds what a text speaks of on a stored embedding and its picture."""

    predictor: Predictor
    clip: Clip

    def find(
        self,
        embedding: Embedding,
        image: NDArray[np.uint8],
        said: Said,
        progress: Progress | None = None,
    ) -> list[dict[str, Any]]:
        """Records as of `modelzoo.candidates.Source.records`, best first; the score orders and is no probability.

        image: H x W x 3 uint8 RGB, what the embedding was made of. `progress` gets the share done, 0..1, and may
        raise to stop.
        """
        tell = progress or (lambda share: None)
        source = Source.of(self.predictor, embedding)
        height, width = image.shape[:2]
        points = point_grid(POINTS_PER_SIDE) * np.array([width, height])
        found = list(source.clicked(points, lambda share: tell(0.4 * share)))
        trust = np.array([one.trust for one in found], np.float64)
        best = distinct(found, trust, SAME + 0.2)[:MOST_LOOKED_AT]
        if not best:
            return []
        found = [found[place] for place in best]
        scores = trust[best] * self._probabilities(
            found, Picture.fromarray(image), said.vectors, lambda share: tell(0.4 + 0.6 * share)
        )
        kept = [place for place in distinct(found, scores, SAME, INSIDE) if scores[place] >= FAINTEST]
        records = source.records([found[place] for place in kept], [float(scores[place]) for place in kept])
        prompt = {"type": "text", "text": said.text}
        return [{**record, "prompts": [prompt, *record["prompts"]]} for record in records]

    def _probabilities(
        self, found: Sequence[Candidate], picture: Picture.Image, said: Floats, tell: Progress
    ) -> NDArray[np.float64]:
        """That the first of the texts' vectors, and no other, speaks of each of N candidates, N."""
        threshold = self.predictor.model.mask_threshold
        chances = np.zeros(len(found))
        for start in range(0, len(found), TOGETHER):
            batch = found[start : start + TOGETHER]
            seen = self.clip.pictures([cut_out(one, picture, threshold) for one in batch])
            logits = (seen @ said.T).astype(np.float64) * self.clip.scale
            weights = np.exp(logits - logits.max(axis=1, keepdims=True))
            chances[start : start + TOGETHER] = weights[:, 0] / weights.sum(axis=1)
            tell((start + len(batch)) / len(found))
        return chances


def cut_out(found: Candidate, picture: Picture.Image, threshold: float) -> Picture.Image:
    """A square around a candidate; what is beside the mask is faded, what is beside the picture is gray."""
    view = found.view
    x0, y0, x1, y1 = found.box(threshold) or (view.columns.start, view.rows.start, view.columns.stop, view.rows.stop)
    side = max(2, round(ROOM * max(x1 + 1 - x0, y1 + 1 - y0)))
    left, top = round((x0 + x1 + 1 - side) / 2), round((y0 + y1 + 1 - side) / 2)
    square = Picture.new("RGB", (side, side), GRAY)
    inside = picture.crop((max(left, 0), max(top, 0), min(left + side, picture.width), min(top + side, picture.height)))
    square.paste(inside, (max(-left, 0), max(-top, 0)))
    fading = Picture.new("L", (side, side), round(255 * DIMMED))
    fading.paste(0, (view.columns.start - left, view.rows.start - top), Picture.fromarray(view.drawn(threshold)))
    square.paste(GRAY, (0, 0), fading)
    return square
