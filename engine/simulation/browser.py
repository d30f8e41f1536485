"""The part of the browser that a simulated person needs: it fetches an image's embedding and decodes prompts itself."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from engine.segmenter import low_res_mask, stability
from modelzoo import rle
from modelzoo.embedding import Embedding, Prediction
from modelzoo.geometry import Frame
from modelzoo.onnx_decoder import OnnxDecoder
from modelzoo.training import clicks

Json = dict[str, Any]
Points = list[tuple[float, float]]


@dataclass
class Attempt:
    """A mask in the making: bool H x W, the prompts that led to it (image pixels), and what was offered for the last.

    ``feedback`` (logits 1 x h x w) goes with the next prompt: the last answer or, as in the editor (decision 13), the
    mask that this began from, ``held`` until an answer disobeys a click. ``middle``: (x, y, depth) of that mask, which
    goes along as a click until a negative one comes near.
    """

    mask: np.ndarray
    points: Points = field(default_factory=list)
    labels: list[int] = field(default_factory=list)
    feedback: np.ndarray | None = None
    held: bool = False
    middle: tuple[float, float, float] | None = None
    candidates: list[Json] = field(default_factory=list)
    chosen: int | None = None
    model: str = ""


@dataclass(frozen=True)
class OpenImage:
    """One image in the editor of one person."""

    embedding: Embedding
    decoder: OnnxDecoder
    model: str

    def begin(self, mask: np.ndarray) -> Attempt:
        """A correction of a mask, bool H x W: it is the first feedback, and its middle the first click."""
        x, y, depth = clicks.deepest(mask)
        logits = low_res_mask(mask, self.embedding.frame, self.decoder.mask_stride)
        return Attempt(mask, feedback=logits, held=True, middle=(x + 0.5, y + 0.5, depth), model=self.model)

    def click(self, attempt: Attempt, x: float, y: float, label: int) -> None:
        """One more click; shown is the candidate that the model trusts most, and its logits are fed back."""
        attempt.points.append((x, y))
        attempt.labels.append(label)
        if attempt.middle and label == 0 and np.hypot(x - attempt.middle[0], y - attempt.middle[1]) < attempt.middle[2]:
            attempt.middle = None
        answer, best = self._answer(attempt, attempt.feedback)
        if attempt.held and disobeys(answer.masks[best], attempt.points, attempt.labels):
            answer, best = self._answer(attempt, answer.low_res_logits[best : best + 1])
            attempt.held = False
        attempt.mask, attempt.chosen, attempt.model = answer.masks[best], best, self.model
        if not attempt.held:
            attempt.feedback = answer.low_res_logits[best : best + 1]
        stable = stability(answer.low_res_logits, self.embedding.frame)
        attempt.candidates = offered(answer.masks, answer.iou_predictions, stable)

    def _answer(self, attempt: Attempt, feedback: np.ndarray | None) -> tuple[Prediction, int]:
        """What the model says to all clicks so far, and the place of the candidate that it trusts most."""
        first = [attempt.middle[:2]] if attempt.middle else []
        answer = self.decoder.decode(
            self.embedding,
            points=np.array([*first, *attempt.points]),
            labels=np.array([*[1 for _ in first], *attempt.labels]),
            mask_input=feedback,
            multimask=feedback is None,
        )
        return answer, int(answer.iou_predictions.argmax())


def disobeys(mask: np.ndarray, points: Points, labels: Sequence[int]) -> bool:
    """Whether a mask, bool H x W, leaves out a positive click or holds a negative one. Points in image pixels."""
    height, width = mask.shape
    return any(
        bool(mask[min(int(y), height - 1), min(int(x), width - 1)]) != bool(label)
        for (x, y), label in zip(points, labels, strict=True)
    )


def offered(masks: np.ndarray, ious: Sequence[float] | np.ndarray, stable: Sequence[float] | np.ndarray) -> list[Json]:
    """What is recorded of candidates, bool C x H x W with C scores each: everything but their pixels."""
    found = []
    for mask, iou, one in zip(masks, ious, stable, strict=True):
        segmentation = rle.encode(mask)
        found.append(
            {
                "predicted_iou": round(float(iou), 4),
                "stability_score": round(float(one), 4),
                "area": rle.area(segmentation),
                "bbox": rle.bbox(segmentation),
            }
        )
    return found


class Browser:
    """Opens images over the routes that the editor uses; a decoder is fetched once per model version."""

    def __init__(self, get: Callable[[str], Json], fetch: Callable[[str], bytes]) -> None:
        self.get, self.fetch = get, fetch
        self.decoders: dict[str, OnnxDecoder] = {}

    def open(self, image: int) -> OpenImage:
        """ValueError while the image is not ready."""
        told = self.get(f"/api/images/{image}/embedding/")
        if told["state"] != "ready":
            raise ValueError(f"Image {image} is not ready: {told['message'] or told['state']}")
        data = self.fetch(told["url"])
        embedding = Embedding.from_bytes(data, told["layout"], Frame.from_dict(told["frame"]))
        return OpenImage(embedding, self._decoder(told["decoder_url"]), told["model"])

    def _decoder(self, url: str) -> OnnxDecoder:
        if url not in self.decoders:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder) / "decoder.onnx"
                path.write_bytes(self.fetch(url))
                self.decoders[url] = OnnxDecoder(path)
        return self.decoders[url]
