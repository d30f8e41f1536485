"""A picture of coloured blobs, and a decoder's answers to it: for SAM-shaped networks without their real weights.

Masks of random weights span the whole picture, and duplicates would leave one of them. So the network runs, in full and
timed, and its answer is then replaced: the logits of a prompt say how near each place is in colour to the place under
it, at three tolerances. What that costs is kept apart and counts for nobody.
"""

from __future__ import annotations

import math
import time
from typing import Any

import numpy as np
import torch
from PIL import Image, ImageDraw, ImageFilter
from torch import Tensor
from torch.nn import functional as F

from modelzoo.geometry import Frame
from modelzoo.model.clicks import Answers

BLOBS = 170
TOLERANCES = (0.10, 0.22, 0.40)  # of a colour's distance: part, whole, and what surrounds it
STEEPNESS = 150.0  # logits per unit of distance


def picture(height: int, width: int) -> np.ndarray:
    """H x W x 3 uint8: ellipses of all sizes and colours, slightly blurred."""
    random = np.random.default_rng(0)
    canvas = Image.new("RGB", (width, height), (127, 127, 127))
    draw = ImageDraw.Draw(canvas)
    for _ in range(BLOBS):
        x, y = random.uniform(0, width), random.uniform(0, height)
        a, b = random.uniform(0.01, 0.08, 2) * width
        draw.ellipse((x - a, y - b, x + a, y + b), fill=tuple(int(one) for one in random.integers(0, 256, 3)))
    return np.asarray(canvas.filter(ImageFilter.GaussianBlur(width / 400)))


class Watched:
    """A promptable model whose parts are timed, in processor seconds: `spent` by "encode", "decode" and "scene".

    plain: decode as the reference does, with every projection of the image. scene: replace the answers, see the module.
    """

    def __init__(self, model: Any, *, plain: bool, scene: bool) -> None:
        self.model, self.plain, self.scene = model, plain, scene
        self.spent = {"encode": 0.0, "decode": 0.0, "scene": 0.0}
        model.requires_grad_(False)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.model, name)

    def encode(self, pixels: Tensor) -> dict[str, Tensor]:
        started = time.process_time()
        features: dict[str, Tensor] = self.model.encode(pixels)
        self.spent["encode"] += time.process_time() - started
        if self.scene:
            size = [side // self.model.mask_stride for side in pixels.shape[-2:]]
            features = {**features, "scene": F.adaptive_avg_pool2d(pixels, size)[0] / 4}
        return features

    def decode(self, features: dict[str, Tensor], frame: Frame, **prompts: Any) -> tuple[Tensor, Tensor]:
        """As the model's. Without gradients to compute, the plain form is the one for training."""
        started = time.process_time()
        known = {name: tensor.clone() if self.plain else tensor for name, tensor in features.items() if name != "scene"}
        with torch.inference_mode(not self.plain), torch.set_grad_enabled(self.plain):
            logits, ious = self.model.decode(known, frame, **prompts)
        self.spent["decode"] += time.process_time() - started
        return self._replaced(features, prompts["points"][:, 0]) if self.scene else (logits, ious)

    def answer_clicks(self, features: dict[str, Tensor], frame: Frame, least_iou: float) -> Answers:
        """As the model's. With a scene every click is drawn: what random weights predict says nothing."""
        started = time.process_time()
        known = {name: tensor for name, tensor in features.items() if name != "scene"}
        answer: Answers = self.model.answer_clicks(known, frame, -math.inf if self.scene else least_iou)
        self.spent["decode"] += time.process_time() - started

        def timed(points: Tensor) -> tuple[Tensor, Tensor]:
            started = time.process_time()
            logits, ious = answer(points)
            self.spent["decode"] += time.process_time() - started
            return self._replaced(features, points) if self.scene else (logits, ious)

        return timed

    def _replaced(self, features: dict[str, Tensor], points: Tensor) -> tuple[Tensor, Tensor]:
        """The scene's answers to lone clicks N x 2."""
        started = time.process_time()
        result = answers(features["scene"], points / self.model.mask_stride)
        self.spent["scene"] += time.process_time() - started
        return result


def answers(colours: Tensor, places: Tensor) -> tuple[Tensor, Tensor]:
    """colours 3 x h x w, places N x 2 (x, y) on them -> logits N x 3 x h x w and made-up predicted IoUs N x 3."""
    height, width = colours.shape[-2:]
    x, y = places[:, 0].long().clamp(0, width - 1), places[:, 1].long().clamp(0, height - 1)
    logits = torch.empty(len(places), len(TOLERANCES), height, width)
    for one in range(len(places)):
        distance = (colours - colours[:, y[one], x[one], None, None]).norm(dim=0)
        for index, tolerance in enumerate(TOLERANCES):
            torch.mul(distance, -STEEPNESS, out=logits[one, index]).add_(STEEPNESS * tolerance)
    noise = torch.sin(places[:, :1] * 12.9898 + places[:, 1:] * 78.233 + torch.arange(3)) * 43758.5453
    return logits, 0.76 + 0.24 * (noise - noise.floor())
