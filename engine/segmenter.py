"""The engine's answer to annotation's question: the ONNX decoder on stored embeddings, in the web process, no torch."""

from __future__ import annotations

import threading
from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from annotation.errors import Missing, NotReady, UserError
from annotation.models import Image
from annotation.ports import Prediction, Readiness
from engine import embeddings
from engine.models import Embedding as EmbeddingRow
from engine.models import ModelVersion
from engine.promotion import version_named
from engine.serving import Recent, decoder_for
from modelzoo.embedding import Embedding
from modelzoo.geometry import Frame, resize_bilinear

MASK_LOGIT = 12.0  # how sure the decoder is told to be of a mask that comes as pixels: beyond doubt, short of absurd

_recent: Recent[Embedding] = Recent(8)
# Masks of a picture of 50 megapixels take 600 MB as logits on their way; a request per thread would be gigabytes.
_decoding = threading.BoundedSemaphore(2)


class OnnxSegmenter:
    """annotation.ports.Segmenter over the version that serves each image's dataset."""

    def readiness(self, image_ids: Sequence[int]) -> dict[int, Readiness]:
        """Whether each image has an embedding for the serving version; unknown ids are absent."""
        images = Image.objects.filter(pk__in=image_ids).only("pk", "dataset_id")
        states: dict[int, Readiness] = dict.fromkeys(image_ids, "absent")
        return states | embeddings.readiness_of(images)

    def predict(
        self,
        image_id: int,
        points: NDArray[np.float32] | None,
        labels: NDArray[np.float32] | None,
        box: NDArray[np.float32] | None,
        mask_input: NDArray[np.bool_] | None,
        multimask: bool = True,
        model: str = "",
    ) -> Prediction:
        """Decode one prompt: points N x 2 (x, y), box (x0, y0, x1, y1) and mask_input H x W in image pixels.

        By the serving version, or by the one of the dataset's whose digest is `model`. Missing for an unknown image or
        version, UserError without any prompt, NotReady (the encoding is queued by then) while
        there is no embedding.
        """
        if points is None and box is None and mask_input is None:
            raise UserError("no_prompt", "Give at least one point, a box or a mask.")
        image = Image.objects.select_related("dataset").filter(pk=image_id).first()
        if image is None:
            raise Missing("not_found", "There is no such image.")
        state = embeddings.readiness(image, version_named(image.dataset_id, model) if model else None)
        if state.embedding is None:
            raise embeddings.being_prepared(image, state.version)
        version = state.version
        decoder = decoder_for(version)
        value = self._embedding(state.embedding, version)
        logits = None
        if mask_input is not None:
            logits = low_res_mask(mask_input, value.frame, decoder.mask_stride)
        with _decoding:
            answer = decoder.decode(
                value, points=points, labels=labels, box=box, mask_input=logits, multimask=multimask
            )
        return Prediction(
            masks=answer.masks,
            iou_predictions=np.clip(answer.iou_predictions, 0, 1).astype(np.float32),
            stability_scores=stability(answer.low_res_logits, value.frame),
            model=version.digest,
        )

    def _embedding(self, row: EmbeddingRow, version: ModelVersion) -> Embedding:
        """The stored maps of one image as float32, the few latest kept for the next click."""

        def load() -> Embedding:
            try:
                return embeddings.stored_maps(row)
            except FileNotFoundError:
                raise NotReady("embedding_pending", "The image has to be prepared again. Try in a moment.") from None

        return _recent.get(row.path, load)


def low_res_mask(mask: NDArray[np.bool_], frame: Frame, stride: int) -> NDArray[np.float32]:
    """A mask H x W in image pixels -> logits 1 x h x w over the padded frame, as the decoder feeds them back."""
    inside = resize_bilinear(mask.astype(np.float32), frame.input_size)
    padded = np.zeros(frame.padded_size, np.float32)
    padded[: frame.input_size[0], : frame.input_size[1]] = inside
    small = resize_bilinear(padded, (frame.padded_size[0] // stride, frame.padded_size[1] // stride))
    return ((2 * small - 1) * MASK_LOGIT).astype(np.float32)[None]


def stability(low_res: NDArray[np.float32], frame: Frame) -> NDArray[np.float32]:
    """Stability score (0..1, float32 C) of logits C x h x w, counted where the picture is; 0 for an empty mask."""
    from modelzoo.filtering import STABILITY_OFFSET, stability_score  # scipy stays out of processes that never predict

    scores = stability_score(low_res[:, *frame.picture_in(low_res.shape[1:])], 0.0, STABILITY_OFFSET)
    return np.nan_to_num(scores).astype(np.float32)
