"""Encode a picture once, answer any number of prompts. Stateless: the embedding is a value that can be stored."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import torch
from torch import Tensor

from modelzoo.embedding import Embedding, Prediction, point_prompts
from modelzoo.geometry import Frame, upscale_masks
from modelzoo.lone_click import clicked_part, lone_click
from modelzoo.model.clicks import Answers


@runtime_checkable
class PromptableModel(Protocol):
    """What Sam and Compact have in common. Coordinates are (x, y) in input-frame pixels; see Compact.decode.

    one_part: a lone click is answered by what hangs together under it (modelzoo.lone_click).
    """

    variant: str
    mask_threshold: float
    mask_stride: int
    one_part: bool
    tensor_names: tuple[str, ...]

    @property
    def device(self) -> torch.device: ...

    def frame(self, original_size: tuple[int, int]) -> Frame: ...

    def preprocess(self, image: np.ndarray) -> Tensor: ...

    def encode(self, pixels: Tensor) -> dict[str, Tensor]: ...

    def decode(
        self,
        features: dict[str, Tensor],
        frame: Frame,
        points: Tensor | None = None,
        labels: Tensor | None = None,
        boxes: Tensor | None = None,
        mask_input: Tensor | None = None,
        multimask: bool = True,
    ) -> tuple[Tensor, Tensor]: ...

    def answer_clicks(self, features: dict[str, Tensor], frame: Frame, least_iou: float) -> Answers:
        """A function from N x 2 clicks on one picture, in input-frame pixels, to what `decode` gives for each alone:
        logits N x 3 x h x w and predicted IoUs N x 3. Logits beside the picture, and those of a click all of whose
        candidates are predicted at `least_iou` or below, may be left far outside every mask.
        """
        ...


class Predictor:
    """A model in evaluation mode behind two methods that take and give numpy arrays."""

    def __init__(self, model: PromptableModel) -> None:
        self.model = model
        if isinstance(model, torch.nn.Module):
            model.eval()

    @torch.inference_mode()
    def encode(self, image: np.ndarray) -> Embedding:
        """H x W x 3 uint8 RGB -> Embedding (float32 tensors on the CPU)."""
        if image.ndim != 3 or image.shape[2] != 3 or image.dtype != np.uint8:
            raise ValueError(f"Expected an H x W x 3 uint8 RGB image, got {image.dtype} {image.shape}.")
        features = self.model.encode(self.model.preprocess(image))
        tensors = {name: features[name][0].float().cpu().numpy() for name in self.model.tensor_names}
        return Embedding(tensors, self.model.frame((image.shape[0], image.shape[1])))

    @torch.inference_mode()
    def decode(
        self,
        embedding: Embedding,
        points: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        box: np.ndarray | None = None,
        mask_input: np.ndarray | None = None,
        multimask: bool = True,
    ) -> Prediction:
        """Masks for one set of prompts.

        points N x 2 (x, y) and box (x0, y0, x1, y1) in original pixels, labels N (1 object, 0 background), mask_input
        1 x h x w logits of an earlier Prediction. Three candidates when `multimask`, else one. ValueError without
        any prompt, or when points and labels differ in number.
        """
        frame, device = embedding.frame, self.model.device
        features = self._features(embedding)
        coordinates, kinds = point_prompts(points, labels)
        low_res, ious = self.model.decode(
            features,
            frame,
            points=as_batch(frame.to_input(coordinates), device) if len(coordinates) else None,
            labels=as_batch(kinds, device) if len(kinds) else None,
            boxes=None if box is None else as_batch(frame.box_to_input(np.asarray(box, np.float64)), device),
            mask_input=None if mask_input is None else as_batch(mask_input, device),
            multimask=multimask,
        )
        logits = low_res[0].float().cpu().numpy()
        click = lone_click(coordinates, kinds, box, mask_input)
        if self.model.one_part and click is not None:
            logits = clicked_part(logits, frame.to_input(click) / self.model.mask_stride)
        masks = upscale_masks(logits, frame, self.model.mask_threshold)
        return Prediction(masks, ious[0].float().cpu().numpy(), logits)

    @torch.inference_mode()
    def decode_boxes(self, embedding: Embedding, boxes: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """One mask for each of N boxes (x0, y0, x1, y1 in original pixels), decoded together.

        Returns low-res logits N x h x w over the padded frame and predicted IoUs N, float32.
        """
        features = self._features(embedding)
        corners = torch.from_numpy(embedding.frame.box_to_input(np.asarray(boxes, np.float64))).float()
        low_res, ious = self.model.decode(
            features, embedding.frame, boxes=corners.to(self.model.device), multimask=False
        )
        return low_res[:, 0].float().cpu().numpy(), ious[:, 0].float().cpu().numpy()

    @torch.inference_mode()
    def decode_points(self, embedding: Embedding, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Three candidates for each of N single points (x, y in original pixels), decoded together.

        Returns low-res logits N x 3 x h x w over the padded frame and predicted IoUs N x 3, float32.
        """
        device = self.model.device
        prompts = torch.from_numpy(embedding.frame.to_input(np.asarray(points, np.float64))).float().to(device)[:, None]
        labels = torch.ones(prompts.shape[:2], device=device)
        features = self._features(embedding)
        low_res, ious = self.model.decode(features, embedding.frame, points=prompts, labels=labels, multimask=True)
        return low_res.float().cpu().numpy(), ious.float().cpu().numpy()

    def _features(self, embedding: Embedding) -> dict[str, Tensor]:
        """The maps as the decoder takes them, 1 x C x H x W each."""
        return {
            name: torch.from_numpy(np.asarray(tensor, np.float32)).to(self.model.device)[None]
            for name, tensor in embedding.tensors.items()
        }


def as_batch(array: np.ndarray, device: torch.device) -> Tensor:
    return torch.from_numpy(np.ascontiguousarray(array, dtype=np.float32)).to(device)[None]
