"""The one question that annotation asks upwards: what would the model segment here?

The engine answers by `provide(segmenter)` when the application starts. Numpy only: the web process has no torch.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from annotation.errors import NotReady

Readiness = Literal["ready", "pending", "failed", "absent"]


@dataclass(frozen=True)
class Prediction:
    """Answers to one prompt: masks bool CxHxW in image pixels, and per candidate two scores 0..1 (float32 C)."""

    masks: NDArray[np.bool_]
    iou_predictions: NDArray[np.float32]
    stability_scores: NDArray[np.float32]
    model: str = ""  # digest of the model version that answered


class Segmenter(Protocol):
    """What the engine provides."""

    def readiness(self, image_ids: Sequence[int]) -> dict[int, Readiness]:
        """Whether each image has an embedding for the model that serves its dataset; one query for all."""
        ...

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
        """Decode one prompt. points Nx2 (x, y), labels N (1 inside, 0 outside), box (x0, y0, x1, y1), all in image
        pixels; mask_input is a previous mask HxW; model the digest of a version other than the serving one. Raises
        NotReady while the embedding is being made, Missing for a version that is not the dataset's."""
        ...


class NoSegmenter:
    """Stands in where no engine is installed: nothing is ready, nothing is predicted."""

    def readiness(self, image_ids: Sequence[int]) -> dict[int, Readiness]:
        """Every image is absent."""
        return dict.fromkeys(image_ids, "absent")

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
        """Always NotReady."""
        raise NotReady("model_absent", "No model serves this dataset yet.")


class FakeSegmenter:
    """For tests: fills a disc round the first point, or the box; three sizes of it as candidates. Always ready."""

    def __init__(self, size_of: Callable[[int], tuple[int, int]], radius: float = 20.0) -> None:
        """`size_of` maps an image id to its (height, width) in pixels; `radius` is in pixels."""
        self.size_of = size_of
        self.radius = radius

    def readiness(self, image_ids: Sequence[int]) -> dict[int, Readiness]:
        """Every image is ready."""
        return dict.fromkeys(image_ids, "ready")

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
        """Discs of half, one and two radii round the first point, or boxes shrunk in the same way."""
        height, width = self.size_of(image_id)
        rows, columns = np.mgrid[:height, :width]
        shapes = []
        for factor in (0.5, 1.0, 2.0) if multimask else (1.0,):
            if box is not None:
                x0, y0, x1, y1 = (float(v) for v in box)
                shapes.append(
                    (columns >= x0) & (columns < x1) & (rows >= y0) & (rows < y0 + (y1 - y0) * min(factor, 1))
                )
            else:
                x, y = (width / 2, height / 2) if points is None else (float(points[0][0]), float(points[0][1]))
                shapes.append((columns - x) ** 2 + (rows - y) ** 2 <= (self.radius * factor) ** 2)
        scores = np.linspace(0.9, 0.7, len(shapes), dtype=np.float32)
        return Prediction(np.stack(shapes), scores, scores, model="fake")


_segmenter: Segmenter = NoSegmenter()
_quality: Callable[[int], dict[str, Any]] = lambda _dataset_id: {}  # noqa: E731  until the engine answers
_audited: Callable[[int], list[int]] = lambda _dataset_id: []  # noqa: E731  the same
_health_parts: dict[str, Callable[[], dict[str, Any]]] = {}


def provide(segmenter: Segmenter) -> None:
    """Install the answer to the question; called once by the engine's AppConfig, and by tests."""
    global _segmenter
    _segmenter = segmenter


def segmenter() -> Segmenter:
    """Whoever answers in this process."""
    return _segmenter


def provide_health_part(name: str, look: Callable[[], dict[str, Any]]) -> None:
    """Add a part to GET /healthz; `look` returns {"status": "ok" | "degraded" | "starting", ...} and must be quick."""
    _health_parts[name] = look


def provide_quality(look: Callable[[int], dict[str, Any]]) -> None:
    """Install what an export says of the quality of its masks; `look` takes a dataset id, {} if nothing is known."""
    global _quality
    _quality = look


def quality_of(dataset_id: int) -> dict[str, Any]:
    """What is known of the quality of a dataset's masks, JSON-able."""
    return _quality(dataset_id)


def provide_audited(look: Callable[[int], list[int]]) -> None:
    """Install the answer to which images (ids) of a dataset people corrected in an audit."""
    global _audited
    _audited = look


def audited_images(dataset_id: int) -> list[int]:
    """Ids of the images of a dataset on which an audit was measured."""
    return _audited(dataset_id)


def health_parts() -> dict[str, Callable[[], dict[str, Any]]]:
    """The parts that were added."""
    return dict(_health_parts)
