"""Many lone clicks on one image: SAM's decoder in its three parts, click by click, for the grids of "everything"."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from modelzoo.geometry import Frame, Size
from modelzoo.model.mask_decoder import MaskDecoder
from modelzoo.model.prepared_decoder import Drawing, ImageViews, PreparedDecoder, Sketch
from modelzoo.model.prompt_encoder import PADDING, PromptEncoder

OUTSIDE = -100.0  # logit of what is not drawn: far outside every mask
SCALE = 4  # logits per position of the embedding, in either direction


class PreparedClicks:
    """The three candidates of lone clicks on one image, as `Sam.decode` gives them within rounding.

    What the image fixes is computed once, which pays from three clicks on. Nothing is drawn beside the picture, nor of
    a click all of whose candidates are predicted at `least_iou` or below: logits there are OUTSIDE.
    """

    def __init__(
        self, prompts: PromptEncoder, decoder: MaskDecoder, embedding: Tensor, frame: Frame, least_iou: float
    ) -> None:
        self.views = ImageViews(prompts, decoder)(embedding)
        self.sketch, self.drawing = PreparedDecoder(prompts, decoder), Drawing(prompts, decoder)
        self.size: Size = (embedding.shape[2], embedding.shape[3])
        self.least_iou = least_iou
        bottom, right = (reach(frame, axis, length) for axis, length in enumerate(self.size))
        self.window = torch.tensor([0, bottom, 0, right])
        self.no_mask = embedding.new_zeros(1, 1, *self.low_size), embedding.new_zeros(1)

    @property
    def low_size(self) -> Size:
        """Of the logits, (h, w)."""
        return SCALE * self.size[0], SCALE * self.size[1]

    def __call__(self, points: Tensor) -> tuple[Tensor, Tensor]:
        """N x 2 (x, y) in input-frame pixels -> (logits N x 3 x h x w over the padded frame, predicted IoU N x 3)."""
        logits = points.new_full((len(points), 3, *self.low_size), OUTSIDE)
        ious = points.new_empty(len(points), 3)
        kinds = points.new_tensor([[1.0, PADDING]])
        _, bottom, _, right = (SCALE * self.window).tolist()
        for place, point in enumerate(points):
            coords = torch.stack([point, torch.zeros_like(point)])[None]
            sketch, said = self.sketch(self.views, coords, kinds, *self.no_mask)
            ious[place] = said[0, 1:]
            if (ious[place] > self.least_iou).any():
                candidates = Sketch(sketch.level, sketch.coefficients, sketch.spread, sketch.weights[1:])
                logits[place, :, :bottom, :right] = self.drawing(self.views["upscaled"], candidates, self.window)[0]
        return logits, ious


def reach(frame: Frame, axis: int, length: int) -> int:
    """Positions of the embedding, of `length` along an axis, that the picture's pixels look at when it is enlarged."""
    rows = math.ceil(frame.input_size[axis] * SCALE * length / frame.padded_size[axis] + 0.5)
    return min(length, math.ceil(rows / SCALE))
