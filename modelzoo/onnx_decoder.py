"""Answer prompts from a stored embedding without torch: numpy and ONNX Runtime only, for the web process."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import onnxruntime

from modelzoo.embedding import Embedding, Prediction, point_prompts
from modelzoo.geometry import upscale_masks
from modelzoo.lone_click import clicked_part, lone_click

PADDING, CORNER_FIRST, CORNER_SECOND = -1.0, 2.0, 3.0
MASK_THRESHOLD = 0.0


class OnnxDecoder:
    """A decoder written by modelzoo.export. Safe to share between threads."""

    def __init__(self, path: Path | str, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.log_severity_level = 3
        self.session = onnxruntime.InferenceSession(str(path), options, providers=["CPUExecutionProvider"])
        about = json.loads(self.session.get_modelmeta().custom_metadata_map["anymask"])
        self.mask_stride = int(about["mask_stride"])
        # Files written before this existed do not say; the browser goes by the same name.
        self.one_part = bool(about.get("one_part", "fine" in about["tensors"]))

    def decode(
        self,
        embedding: Embedding,
        points: np.ndarray | None = None,
        labels: np.ndarray | None = None,
        box: np.ndarray | None = None,
        mask_input: np.ndarray | None = None,
        multimask: bool = True,
    ) -> Prediction:
        """As Predictor.decode: points N x 2 (x, y) and box (x0, y0, x1, y1) in original pixels."""
        if points is None and box is None and mask_input is None:
            raise ValueError("Give at least one prompt: points, a box or a mask.")
        coordinates, kinds = prompt_sequence(embedding, points, labels, box)
        height, width = (side // self.mask_stride for side in embedding.frame.padded_size)
        previous = np.zeros((1, height, width)) if mask_input is None else mask_input
        feeds = {name: np.asarray(tensor, np.float32)[None] for name, tensor in embedding.tensors.items()}
        feeds["point_coords"] = coordinates[None].astype(np.float32)
        feeds["point_labels"] = kinds[None].astype(np.float32)
        feeds["mask_input"] = np.asarray(previous, np.float32)[None]
        feeds["has_mask_input"] = np.array([mask_input is not None], np.float32)
        logits, ious = self.session.run(None, feeds)
        chosen = slice(1, None) if multimask else slice(0, 1)
        low_res = logits[0, chosen]
        click = lone_click(*point_prompts(points, labels), box, mask_input)
        if self.one_part and click is not None:
            low_res = clicked_part(low_res, embedding.frame.to_input(click) / self.mask_stride)
        masks = upscale_masks(low_res, embedding.frame, MASK_THRESHOLD)
        return Prediction(masks, ious[0, chosen], low_res)


def prompt_sequence(
    embedding: Embedding, points: np.ndarray | None, labels: np.ndarray | None, box: np.ndarray | None
) -> tuple[np.ndarray, np.ndarray]:
    """Points and box as one sequence in input pixels, N x 2, and labels N; one padding point without a box."""
    frame = embedding.frame
    coordinates, kinds = point_prompts(points, labels)
    if box is None:
        added, added_kinds = np.zeros((1, 2)), [PADDING]
    else:
        added, added_kinds = (
            frame.box_to_input(np.asarray(box, np.float64)).reshape(2, 2),
            [CORNER_FIRST, CORNER_SECOND],
        )
    return np.concatenate([frame.to_input(coordinates), added]), np.concatenate([kinds, added_kinds])
