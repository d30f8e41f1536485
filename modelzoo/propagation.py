"""A mask goes through a video, frame by frame, by the promptable model itself: no weights of its own.

For each next frame two cues (modelzoo.propagation_cues) say where the thing is likely to be: what the cells of the
frames just before carry over, and what looks like the remembered masks rather than like what was round them. The
decoder is then asked with points deep inside that region and with the region itself as the mask to improve; the answer
and the region are averaged, since they make different mistakes. Frames that people have masked are remembered for as
long as the propagator lives, of the others the last confident ones. A thing that is not seen has no mask; the second
cue looks for it over the whole picture, so that it is found again wherever it comes back.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import torch
from scipy import ndimage
from torch import Tensor

from modelzoo.embedding import Embedding
from modelzoo.geometry import resize_bilinear, upscale_masks
from modelzoo.predictor import Predictor
from modelzoo.propagation_cues import Grid, Look, Whitening, carried, likeness, look_at, recognised, sampled
from modelzoo.training.clicks import deepest

CORNERS_TOO = np.ones((3, 3), int)
POINTS = 3  # asked inside a region
SMALL_PART = 0.15  # of the largest part of a region: smaller parts are dropped
MOST_LOGIT = 8.0  # of the decoder's answer, where it is averaged with the region
# The confidence is a logistic function of the evidence, fitted on training clips (docs/video.md).
CONFIDENCE = {"alike": 1.3, "agreement": 1.3, "predicted_iou": 4.0, "shrunk": -0.45, "constant": -3.5}
SEEN = 0.2  # confidence below which there is no mask
SURE = 0.6  # and from which a mask is remembered


@dataclass(frozen=True)
class Settings:
    """How the cues are weighed. Chosen on training sequences and generated clips (benchmarks/video.py)."""

    reach: int = 8  # cells by which a thing moves between two frames, at the most, for the first cue
    near_weight: float = 0.5
    far_weight: float = 1.0
    sharpness: float = 20.0  # of cosines, in the second cue
    smoothing: float = 0.7  # cells
    gain: float = 6.0  # logits of a cell that both cues are sure of
    novel: float = 0.8  # cosine below which a cell is like nothing of a frame before, in the first cue
    trust: float = 0.4  # of the decoder's answer in the mean with the region
    recent: int = 2  # frames
    people_cells: int = 1500  # of each side of people's masks, together
    recent_cells: int = 500  # of each side of the recent frames, together
    judging_cells: int = 400  # of people's masks, by which cells of recent frames are judged


@dataclass(frozen=True)
class View:
    """A frame as the model sees it: its embedding, and the picture, H x W x 3 uint8 RGB."""

    embedding: Embedding
    picture: np.ndarray


@dataclass(frozen=True)
class Asked:
    """What the decoder was asked on a frame, beside the region: points N x 2 (x, y), original pixels, all positive."""

    points: np.ndarray

    def as_json(self) -> list[dict[str, Any]]:
        """As the `prompts` of a mask record."""
        points = [{"type": "point", "x": round(x, 1), "y": round(y, 1), "label": 1} for x, y in self.points.tolist()]
        return [*points, {"type": "mask"}]


@dataclass(frozen=True)
class Evidence:
    """What speaks for a mask.

    alike: mean of the second cue inside the region, a cosine. agreement: IoU of the region and the decoder's answer.
    predicted_iou: the decoder's word. shrunk: how much smaller than people's masks, as a logarithm, at least 0.
    """

    alike: float
    agreement: float
    predicted_iou: float
    shrunk: float

    @property
    def confidence(self) -> float:
        """0..1, about the IoU with what a person would say."""
        total = CONFIDENCE["constant"] + sum(CONFIDENCE[name] * value for name, value in vars(self).items())
        return float(1 / (1 + np.exp(-total)))


@dataclass(frozen=True)
class Followed:
    """One frame's answer. mask: bool H x W, empty where the thing is not seen. confidence: 0..1."""

    mask: np.ndarray
    confidence: float
    prompts: Asked
    evidence: Evidence | None = None

    @property
    def seen(self) -> bool:
        """Whether there is a mask."""
        return bool(self.mask.any())


class Sides(NamedTuple):
    """Whitened cells, N x C, inside masks and outside."""

    inside: Tensor
    outside: Tensor


@dataclass(frozen=True)
class Recent:
    """A frame of a moment ago: its near description, the label of its cells, and its cells by side, whitened."""

    near: Tensor
    label: Tensor
    sides: Sides


@dataclass
class Propagator:
    """Follows one thing: `keep` what people have masked, `begin` on a frame with its mask, `step` through the next.

    Frames come in their order, forward or backward, all of one size and encoded by one model. Not for several threads.
    """

    predictor: Predictor
    settings: Settings = field(default_factory=Settings)
    _whitening: Whitening | None = None
    _begun: View | None = None
    _people: list[Sides] = field(default_factory=list)
    _areas: list[float] = field(default_factory=list)
    _recent: deque[Recent] = field(default_factory=deque)

    def keep(self, view: View, mask: np.ndarray) -> None:
        """Remember for ever what people say of a frame: bool H x W, not empty."""
        look = self._look(view)
        self._said(self._cells(look), look.grid.share(mask))

    def begin(self, view: View, mask: np.ndarray) -> None:
        """Start on a frame with its mask, bool H x W, not empty: it is remembered for ever, what was recent is not.

        Beginning with the same view again, to go the other way, remembers it once.
        """
        look = self._look(view)
        cells, label = self._cells(look), look.grid.share(mask)
        if view is not self._begun:
            self._said(cells, label)
            self._begun = view
        self._recent.clear()
        self._remember(look, cells, label)

    def recall(self, view: View, mask: np.ndarray, confidence: float) -> None:
        """Take a frame's mask, bool H x W, as it was found before, instead of finding it again."""
        if confidence >= SURE:
            look = self._look(view)
            self._remember(look, self._cells(look), look.grid.share(mask))

    @torch.inference_mode()
    def step(self, view: View) -> Followed:
        """Find it on the next frame. RuntimeError before `begin`."""
        if not self._recent:
            raise RuntimeError("begin() first: there is nothing to follow.")
        look = self._look(view)
        cells = self._cells(look)
        alike = self._alike(look, cells)
        score, before = self._score(look, alike)
        part = main_parts(score > 0, before, float(np.median(self._areas)))
        if not part.any():
            return nothing(view)
        mask, asked, predicted, agreement = self._asked(view, look.grid, score, part)
        label = look.grid.share(mask)
        shrunk = np.log(np.median(self._areas) / max(float(label.sum()), 0.1))
        evidence = Evidence(float(alike[part].mean()), agreement, predicted, max(float(shrunk), 0.0))
        confidence = evidence.confidence
        if confidence < SEEN or not mask.any():
            return nothing(view, evidence)
        if confidence >= SURE:
            self._remember(look, cells, label)
        return Followed(mask, confidence, asked, evidence)

    def follow(self, views: Iterable[View]) -> Iterator[Followed]:
        """`step` through frames, one answer each; stop by asking for no more."""
        for view in views:
            yield self.step(view)

    @property
    def memory(self) -> int:
        """How many frames of people are remembered."""
        return len(self._people)

    def _look(self, view: View) -> Look:
        return look_at(view.embedding, view.picture, self.predictor.model.mask_stride)

    def _cells(self, look: Look) -> Tensor:
        """Its cells, (h w) x C, whitened as the first frame says."""
        cells = look.far.flatten(1).T
        if self._whitening is None:
            self._whitening = Whitening.of(cells)
        return self._whitening(cells)

    def _said(self, cells: Tensor, label: Tensor) -> None:
        self._people.append(sides(cells, label))
        self._areas.append(float(label.sum()))

    def _remember(self, look: Look, cells: Tensor, label: Tensor) -> None:
        """As a recent frame. Of its cells only those count that what people said agrees with: errors do not spread."""
        own, said = sides(cells, label), self._said_sides(self.settings.judging_cells)
        inside = own.inside[likeness(own.inside, said.inside, said.outside) > 0]
        outside = own.outside[likeness(own.outside, said.inside, said.outside) < 0]
        self._recent.append(Recent(look.near, label, Sides(inside, outside)))
        while len(self._recent) > self.settings.recent:
            self._recent.popleft()

    def _said_sides(self, cells: int) -> Sides:
        """At most so many cells of each side of what people have said."""
        most = max(1, cells // len(self._people))
        return Sides(*(torch.cat([sampled(part, most) for part in side]) for side in zip(*self._people, strict=True)))

    def _alike(self, look: Look, cells: Tensor) -> np.ndarray:
        """The second cue, h x w, in cosines."""
        said, most = self._said_sides(self.settings.people_cells), self.settings.recent_cells // len(self._recent)
        inside = torch.cat([said.inside, *(sampled(one.sides.inside, most) for one in self._recent)])
        outside = torch.cat([said.outside, *(sampled(one.sides.outside, most) for one in self._recent)])
        found = recognised(cells, inside, outside).reshape(look.grid.size)
        smooth: np.ndarray = ndimage.gaussian_filter(found.numpy(), self.settings.smoothing)
        return smooth

    def _score(self, look: Look, alike: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Both cues together, h x w, -1..1, and bool h x w, which cells the first one says it was on.

        Where nothing of a frame before looks like a cell, the second decides.
        """
        settings = self.settings
        before = np.zeros(alike.shape, bool)
        total = settings.far_weight * np.tanh(settings.sharpness * alike)
        weights = np.full_like(total, settings.far_weight)
        for one in self._recent:
            label, found = (cue.numpy() for cue in carried(one.near, one.label, look.near, settings.reach))
            sure = np.clip((found - settings.novel) / (1 - settings.novel), 0, 1)
            before |= (label > 0.5) & (sure > 0)
            weight = settings.near_weight / len(self._recent) * sure
            total, weights = total + weight * (2 * label - 1), weights + weight
        return total / weights, before

    def _asked(
        self, view: View, grid: Grid, score: np.ndarray, part: np.ndarray
    ) -> tuple[np.ndarray, Asked, float, float]:
        """(mask bool H x W, prompts, predicted IoU, IoU of region and answer) from the decoder and the region."""
        frame, stride = view.embedding.frame, self.predictor.model.mask_stride
        size = frame.padded_size[0] // stride, frame.padded_size[1] // stride
        rows, columns = frame.picture_in(size)
        region = np.full(size, -self.settings.gain, np.float32)
        region[rows, columns] = resize_bilinear(self.settings.gain * score, (rows.stop, columns.stop))
        points = grid.to_original(inner_points(part, POINTS))
        labels = np.ones(len(points))
        answer = self.predictor.decode(view.embedding, points, labels, mask_input=region[None], multimask=False)
        logits = np.clip(answer.low_res_logits[0], -MOST_LOGIT, MOST_LOGIT)
        trust = self.settings.trust
        mixed = trust * logits + (1 - trust) * region
        near = ndimage.binary_dilation(part, CORNERS_TOO, 2).astype(np.float32)
        mixed[rows, columns][resize_bilinear(near, (rows.stop, columns.stop)) == 0] = -self.settings.gain
        mask = upscale_masks(mixed, frame)
        either = np.count_nonzero((logits > 0) | (region > 0))
        agreement = float(np.count_nonzero((logits > 0) & (region > 0))) / max(float(either), 1.0)
        return mask, Asked(points), float(np.clip(answer.iou_predictions[0], 0, 1)), agreement


def sides(cells: Tensor, label: Tensor) -> Sides:
    """Cells (h w) x C by the label h x w of their frame. A mask smaller than half a cell has the one it covers most."""
    flat = label.flatten()
    inside = flat > min(0.5, float(flat.max()) * 0.99)
    return Sides(cells[inside], cells[~inside])


def main_parts(region: np.ndarray, before: np.ndarray, usual: float) -> np.ndarray:
    """Bool h x w without the parts that are small beside the largest one, nor look-alikes away from where it was
    `before`, as long as half of its `usual` area, in cells, is there: one that moved far or comes back may be anywhere.
    """
    parts, count = ndimage.label(region, CORNERS_TOO)
    if count < 2:
        return region
    sizes = np.bincount(parts.ravel())
    sizes[0] = 0
    large = sizes >= SMALL_PART * sizes.max()
    there = large & (np.bincount(parts[before & region].ravel(), minlength=len(sizes)) > 0)
    return (there if sizes[there].sum() >= usual / 2 else large)[parts]


def inner_points(region: np.ndarray, most: int) -> np.ndarray:
    """At most so many cells of a bool h x w region that is not empty, N x 2 (x, y) centres: deepest first, apart."""
    left = region.copy()
    found: list[tuple[float, float]] = []
    rows, columns = np.mgrid[: region.shape[0], : region.shape[1]]
    while len(found) < most and left.any():
        x, y, depth = deepest(left)
        found.append((x + 0.5, y + 0.5))
        left &= (rows - y) ** 2 + (columns - x) ** 2 > (1.5 * depth) ** 2
    return np.array(found)


def nothing(view: View, evidence: Evidence | None = None) -> Followed:
    """It is not seen."""
    confidence = evidence.confidence if evidence else 0.0
    return Followed(np.zeros(view.embedding.frame.original_size, bool), confidence, Asked(np.zeros((0, 2))), evidence)
