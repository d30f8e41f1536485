"""The default model: CompactEncoder + CompactDecoder behind the protocol that Predictor and export rely on."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from PIL import Image
from torch import Tensor, nn

from modelzoo.geometry import Frame, preprocess_shape
from modelzoo.model.clicks import Answers, answers_by_decoding
from modelzoo.model.compact_decoder import CORNER_FIRST, CORNER_SECOND, FINE_STRIDE, PADDING, CompactDecoder
from modelzoo.model.compact_encoder import CompactEncoder, image_tensor

STRIDE = 16  # padded sides are multiples of this


class Compact(nn.Module):
    """A small promptable segmenter for CPUs.

    `config` holds every constructor argument, JSON-able, and travels inside the checkpoint.
    """

    variant = "anymask_compact"
    mask_threshold = 0.0
    mask_stride = FINE_STRIDE
    one_part = True
    tensor_names = ("coarse", "middle", "fine")

    def __init__(
        self,
        long_side: int,
        widths: tuple[int, int, int, int],
        depths: tuple[int, int, int, int],
        coarse_channels: int,
        middle_channels: int,
        fine_channels: int,
        affinity_channels: int,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "long_side": long_side,
            "widths": list(widths),
            "depths": list(depths),
            "coarse_channels": coarse_channels,
            "middle_channels": middle_channels,
            "fine_channels": fine_channels,
            "affinity_channels": affinity_channels,
        }
        self.long_side = long_side
        channels = (coarse_channels, middle_channels, fine_channels, affinity_channels)
        self.encoder = CompactEncoder(widths, depths, *channels)
        self.decoder = CompactDecoder(*channels)

    @property
    def device(self) -> torch.device:
        return next(self.parameters()).device

    def look_at(self, long_side: int) -> None:
        """Resize pictures to `long_side` pixels from now on. Weights know best the sizes of their training."""
        self.long_side = self.config["long_side"] = long_side

    def frame(self, original_size: tuple[int, int]) -> Frame:
        """Longest side to `long_side`, then padded right and bottom to multiples of 16. Sizes are (height, width)."""
        input_size = preprocess_shape(*original_size, self.long_side)
        height, width = (-(-side // STRIDE) * STRIDE for side in input_size)
        return Frame(original_size=original_size, input_size=input_size, padded_size=(height, width))

    def preprocess(self, image: np.ndarray) -> Tensor:
        """H x W x 3 uint8 RGB -> 1 x 3 x Hp x Wp float32, padded with the mean colour (zero)."""
        frame = self.frame((image.shape[0], image.shape[1]))
        height, width = frame.input_size
        resized = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BILINEAR))
        pixels = image_tensor(torch.from_numpy(resized.copy()).permute(2, 0, 1))
        padded = torch.zeros(1, 3, *frame.padded_size)
        padded[0, :, :height, :width] = pixels
        return padded.to(self.device)

    def encode(self, pixels: Tensor) -> dict[str, Tensor]:
        """B x 3 x Hp x Wp from `preprocess` -> the three maps."""
        return self.encoder(pixels)

    def decode(
        self,
        features: dict[str, Tensor],
        frame: Frame,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
        mask_input: Tensor | None = None,
        multimask: bool = True,
    ) -> tuple[Tensor, Tensor]:
        """Decode B prompts on one picture; coordinates are input-frame pixels (x, y).

        points B x N x 2 with labels B x N, boxes B x 4 (x0, y0, x1, y1), mask_input B x 1 x h4 x w4 logits.
        Returns logits B x C x h4 x w4 and predicted IoUs B x C: C = 3 candidates, or 1 when not `multimask`.
        """
        if points is None and boxes is None and mask_input is None:
            raise ValueError("Give at least one prompt: points, a box or a mask.")
        coordinates, kinds = prompt_sequence(points, labels, boxes, mask_input, self.device)
        height, width = (side // FINE_STRIDE for side in frame.padded_size)
        previous = mask_input if mask_input is not None else coordinates.new_zeros(len(coordinates), 1, height, width)
        logits, ious = self.decoder.answer(features, coordinates, kinds, previous)
        chosen = slice(1, None) if multimask else slice(0, 1)
        return logits[:, chosen], ious[:, chosen]

    def answer_clicks(self, features: dict[str, Tensor], frame: Frame, least_iou: float) -> Answers:
        """What answers lone clicks on one picture: see PromptableModel. Predicted IoUs need the masks: all are made."""
        return answers_by_decoding(self, features, frame)

    def forward(self, pixels: Tensor) -> dict[str, Tensor]:
        return self.encode(pixels)


def prompt_sequence(
    points: Tensor | None, labels: Tensor | None, boxes: Tensor | None, mask_input: Tensor | None, device: torch.device
) -> tuple[Tensor, Tensor]:
    """Points and boxes as one sequence: B x N x 2 coordinates and B x N labels; one padding point without a box."""
    given = next(prompt for prompt in (points, boxes, mask_input) if prompt is not None)
    count = given.shape[0]
    coordinates = points if points is not None else torch.zeros(count, 0, 2, device=device)
    kinds = labels if labels is not None else torch.zeros(count, 0, device=device)
    if boxes is not None:
        extra, extra_kinds = boxes.reshape(count, 2, 2), [CORNER_FIRST, CORNER_SECOND]
    else:
        extra, extra_kinds = torch.zeros(count, 1, 2, device=device), [PADDING]
    added = torch.tensor([extra_kinds], dtype=torch.float32, device=device).expand(count, -1)
    return torch.cat([coordinates, extra.to(coordinates)], 1), torch.cat([kinds.to(added), added], 1)


def anymask_compact(long_side: int = 384) -> Compact:
    """3.1 million parameters. `long_side`: pixels of the longer side that pictures are resized to."""
    return Compact(
        long_side=long_side,
        widths=(32, 48, 96, 192),
        depths=(1, 2, 1, 3),
        coarse_channels=128,
        middle_channels=32,
        fine_channels=16,
        affinity_channels=12,
    )
