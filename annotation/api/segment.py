"""Prompts from other systems: a robot, a detector, a gaze. Boxes and points in, masks with their measures out."""

from __future__ import annotations

from typing import Any

import numpy as np
from drf_spectacular.utils import extend_schema
from rest_framework.authentication import get_authorization_header
from rest_framework.request import Request
from rest_framework.response import Response
from rest_framework.throttling import BaseThrottle, SimpleRateThrottle
from rest_framework.views import APIView

from annotation import ports
from annotation.access import Role, image_for
from annotation.api.serializers import SegmentIn, SegmentOut
from annotation.measures import pose
from annotation.models import Image
from annotation.services.people import digest_of
from modelzoo import rle


class PromptThrottle(SimpleRateThrottle):
    """So many requests per token and minute; without a token, per person."""

    scope = "prompts"

    def get_cache_key(self, request: Request, view: APIView) -> str:
        """By the digest of the token: the key itself is stored nowhere."""
        words = get_authorization_header(request).split()
        by_token = len(words) == 2 and words[0].lower() == b"token"
        who = digest_of(words[1].decode("latin-1")) if by_token else str(request.user.pk)
        return self.cache_format % {"scope": self.scope, "ident": who}


class SegmentView(APIView):
    """Prompts of other systems."""

    def get_throttles(self) -> list[BaseThrottle]:
        """Every request counts, however many prompts it carries."""
        return [PromptThrottle()]

    @extend_schema(operation_id="images_segment", request=SegmentIn, responses={200: SegmentOut})
    def post(self, request: Request, image_id: int) -> Response:
        """The best mask for each prompt; nothing is saved. Annotators, reviewers and leads.

        503 embedding_pending while the model looks at the picture for the first time; 429 with Retry-After beyond the
        rate of this installation (`ANYMASK_PROMPT_RATE`).
        """
        image = image_for(request.user, image_id, Role.ANNOTATOR)
        data = SegmentIn(data=request.data)
        data.is_valid(raise_exception=True)
        asked = data.validated_data
        scale = image.pixel_size or image.dataset.pixel_size
        model = asked["model"]
        masks = []
        for prompt in asked["prompts"]:
            segmentation, predicted, stability, model = _best(image, prompt, model)
            masks.append(
                {
                    "name": prompt["name"],
                    "predicted_iou": predicted,
                    "stability_score": stability,
                    **measured(segmentation, scale, asked["orientation"]),
                }
            )
        told = {"model": model, "width": image.width, "height": image.height, "pixel_size": scale, "masks": masks}
        return Response(SegmentOut(told).data)


def _best(image: Image, prompt: dict[str, Any], model: str) -> tuple[rle.RLE, float, float, str]:
    """(mask, predicted IoU, stability, digest of the model): of a lone click the candidate that is trusted most."""
    points = np.asarray(prompt["points"], np.float32).reshape(-1, 2) if prompt.get("points") else None
    labels = np.asarray(prompt["labels"], np.float32) if points is not None else None
    box = np.asarray(prompt["box"], np.float32) if prompt.get("box") is not None else None
    lone = box is None and points is not None and len(points) == 1
    answer = ports.segmenter().predict(image.pk, points, labels, box, None, lone, model=model)
    best = int(answer.iou_predictions.argmax())
    scores = float(answer.iou_predictions[best]), float(answer.stability_scores[best])
    return rle.encode(answer.masks[best]), *scores, answer.model


def measured(segmentation: rle.RLE, scale: float | None, orientation: bool) -> dict[str, Any]:
    """Fields of SegmentedOut that follow from the pixels. `scale`: metres per pixel or None."""
    area, bbox = rle.measure(segmentation)
    turned = pose(segmentation) if area else None
    return {
        "segmentation": segmentation,
        "bbox": bbox,
        "area": area,
        "area_m2": None if scale is None else area * scale**2,
        "centroid": None if turned is None else [turned.x, turned.y],
        "pose": turned if orientation else None,
    }
