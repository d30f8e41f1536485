"""Everything like these: the instances in a picture that look like example masks, each with a score.

An example is known by what the finest map of the encoder says inside of it (`modelzoo.pooling`). How alike two places
are is the cosine of their vectors once the mean of the picture that is searched is taken from both: what all of that
picture shares says nothing. Cells that are alike become prompts, the decoder answers with masks, and a mask is worth
predicted IoU x stability x likeness x how well its size fits. Why so: docs/decisions/0016-exemplars.md.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from modelzoo.candidates import INSIDE, SAME, Candidate, Floats, Progress, Source, distinct
from modelzoo.embedding import Embedding

if TYPE_CHECKING:
    from modelzoo.predictor import Predictor


MOST_PROMPTS = 256  # cells of a picture that are asked
MOST_BOXES = 128  # best masks of these that are asked for again by their box, which gives a better outline
SPACING = 0.4  # between prompts, in sides of the examples
SMOOTHING = 0.2  # of the map of likeness, in sides of the examples
SIZE_SPREAD = 0.7  # of the logarithm of a side: twice as long counts 0.61
FAINTEST = 0.02  # score below which nothing is told
APART = 0.05  # difference of likeness at which a mask counts 0.73 as one kind and not the other
PROTOTYPES = 8  # vectors that stand for more examples than that


def finest(layout: Sequence[tuple[str, Sequence[int]]]) -> tuple[str, slice]:
    """(name of the map with the most cells, its part of a vector of `modelzoo.pooling`); layout: (name, [C, H, W])."""
    best = max(range(len(layout)), key=lambda place: math.prod(layout[place][1][1:]))
    start = sum(shape[0] for _, shape in layout[:best])
    return layout[best][0], slice(start, start + layout[best][1][0])


@dataclass(frozen=True)
class Concept:
    """What is looked for.

    likes N x C and unlikes M x C: vectors of masks, of the finest map's channels, unit length. sides N: square root of
    each example's area as a share of the long side of its picture.
    """

    likes: Floats
    sides: NDArray[np.float64]
    unlikes: Floats = field(default_factory=lambda: np.zeros((0, 0), np.float32))

    @classmethod
    def of(
        cls, vectors: Floats, areas: Sequence[float], long_sides: Sequence[int], unlike: Floats | None = None
    ) -> Concept:
        """From vectors N x C and areas of examples in pixels of their pictures, whose long sides are given."""
        sides = np.sqrt(np.asarray(areas, np.float64)) / np.asarray(long_sides, np.float64)
        other = np.zeros((0, vectors.shape[1]), np.float32) if unlike is None else unit(unlike)
        return cls(prototypes(unit(vectors)), sides, prototypes(other))

    def likeness(self, vectors: Floats, mean: Floats) -> Floats:
        """How alike vectors K x C are (K, at most 1, below 0 for what is not), on a picture with this mean cell C.

        The mean over the more similar half of the examples: one odd example neither decides nor spoils.
        """
        alike = _closest(vectors, self.likes, mean)
        if len(self.unlikes) == 0:
            return alike
        margin = (alike - _closest(vectors, self.unlikes, mean)) / APART
        return np.asarray(alike / (1 + np.exp(-np.clip(margin, -50, 50))), np.float32)


def unit(vectors: Floats) -> Floats:
    """The same directions, length 1."""
    lengths = np.linalg.norm(vectors, axis=-1, keepdims=True)
    return np.asarray(vectors / np.maximum(lengths, 1e-12), np.float32)


def prototypes(vectors: Floats, most: int = PROTOTYPES) -> Floats:
    """At most `most` vectors that stand for N x C of unit length: themselves, or the means that k-means finds."""
    if len(vectors) <= most:
        return vectors
    from scipy.cluster.vq import kmeans2

    centres, labels = kmeans2(vectors.astype(np.float64), most, minit="++", rng=0)
    return unit(centres[np.unique(labels)].astype(np.float32))


def _closest(vectors: Floats, examples: Floats, mean: Floats) -> Floats:
    cosines = np.sort(unit(vectors - mean) @ unit(examples - mean).T, axis=1)
    half = -(-cosines.shape[1] // 2)
    return np.asarray(cosines[:, -half:].mean(axis=1), np.float32)


@dataclass(frozen=True, eq=False)
class Ground:
    """The picture that is searched.

    tensor: its finest map C x h x w; mean: the mean cell C of what is not padding, cells of unit length; likeness: how
    alike each cell of the picture is, rows x columns; stride: padded pixels of a cell.
    """

    embedding: Embedding
    tensor: Floats
    mean: Floats
    likeness: Floats
    stride: float

    @classmethod
    def of(cls, embedding: Embedding, concept: Concept) -> Ground:
        """The picture of a stored embedding."""
        name, _ = finest([(name, tensor.shape) for name, tensor in embedding.tensors.items()])
        tensor, frame = np.asarray(embedding.tensors[name], np.float32), embedding.frame
        rows, columns = frame.picture_in(tensor.shape[1:])
        inside = unit(np.moveaxis(tensor[:, rows, columns], 0, -1))
        cells = inside.reshape(-1, len(tensor))
        mean = cells.mean(axis=0)
        stride = frame.padded_size[0] / tensor.shape[1]
        likeness = concept.likeness(cells, mean).reshape(inside.shape[:2])
        return cls(embedding, tensor, mean, likeness, stride)

    def points(self, concept: Concept, most: int) -> NDArray[np.float64]:
        """Where to prompt, N x 2 (x, y) in original pixels, the most alike first."""
        frame = self.embedding.frame
        side = float(np.median(concept.sides)) * max(frame.input_size) / self.stride
        return frame.to_original(seeds(self.likeness, side, most) * self.stride)

    def scores(self, found: Sequence[Candidate], concept: Concept) -> NDArray[np.float64]:
        """What each candidate is worth, 0..1."""
        vectors, sides = self._pooled(found)
        alike = np.maximum(concept.likeness(vectors, self.mean), 0)
        off = np.abs(np.log(sides[:, None] / concept.sides[None])).min(axis=1)
        trust = np.array([one.trust for one in found])
        return np.asarray(trust * alike * np.exp(-0.5 * (off / SIZE_SPREAD) ** 2), np.float64)

    def _pooled(self, found: Sequence[Candidate]) -> tuple[Floats, NDArray[np.float64]]:
        """(vectors N x C of unit length, sides N as in Concept): what the finest map says inside each mask."""
        channels, height, width = self.tensor.shape
        flat = self.tensor.reshape(channels, -1).T
        vectors, sides = [], []
        for one in found:
            down, across = one.low.shape[0] // height, one.low.shape[1] // width
            weights = one.low.reshape(height, down, width, across).sum(axis=(1, 3)).ravel()
            used = np.flatnonzero(weights)
            vectors.append(weights[used].astype(np.float32) @ flat[used])
            sides.append(math.sqrt(np.count_nonzero(one.low)) * self.stride / down)
        return unit(np.array(vectors, np.float32)), np.array(sides) / max(self.embedding.frame.input_size)


@dataclass(frozen=True)
class ExemplarFinder:
    """Finds instances of a concept on a stored embedding. `most_prompts`: cells of a picture that are asked."""

    predictor: Predictor
    most_prompts: int = MOST_PROMPTS

    def find(self, embedding: Embedding, concept: Concept, progress: Progress | None = None) -> list[dict[str, Any]]:
        """Records as of `modelzoo.candidates.Source.records`, best first; the score orders and is no probability.

        `progress` gets the share done, 0..1, and may raise to stop.
        """
        ground, source = Ground.of(embedding, concept), Source.of(self.predictor, embedding)
        tell = progress or (lambda share: None)
        points = ground.points(concept, self.most_prompts)
        found = list(source.clicked(points, lambda share: tell(0.75 * share)))
        if not found:
            return []
        scores = ground.scores(found, concept)
        best = [found[place] for place in distinct(found, scores, SAME + 0.2)[:MOST_BOXES]]
        found += list(source.boxed(best, lambda share: tell(0.75 + 0.2 * share)))
        scores = ground.scores(found, concept)
        kept = [place for place in distinct(found, scores, SAME, INSIDE) if scores[place] >= FAINTEST]
        records = source.records([found[place] for place in kept], [float(scores[place]) for place in kept])
        tell(1.0)
        return records


def seeds(likeness: Floats, side: float, most: int) -> NDArray[np.float64]:
    """Places to prompt at, N x 2 as (x, y) in cells of the map (its first cell's centre is 0.5, 0.5).

    From the most alike on, at most `most`, none nearer to another than SPACING times the examples' `side` (in cells),
    none where the map is not above 0.
    """
    smooth = ndimage.gaussian_filter(likeness, max(0.5, SMOOTHING * side))
    height, width = smooth.shape
    radius = max(1, round(SPACING * side))
    rows, columns = np.mgrid[-radius : radius + 1, -radius : radius + 1]
    near = rows**2 + columns**2 <= radius**2
    free = np.ones((height + 2 * radius, width + 2 * radius), bool)
    found: list[tuple[float, float]] = []
    for place in np.argsort(-smooth, axis=None, kind="stable"):
        y, x = divmod(int(place), width)
        if smooth[y, x] <= 0 or len(found) == most:
            break
        if free[y + radius, x + radius]:
            found.append((x + 0.5, y + 0.5))
            free[y : y + 2 * radius + 1, x : x + 2 * radius + 1] &= ~near
    return np.array(found, np.float64).reshape(-1, 2)
