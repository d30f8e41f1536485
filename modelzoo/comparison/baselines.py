"""Simple methods that need no training, asked exactly like a model. Each gives the same answer every time.

A method says what it can use: how many clicks, and whether a box. `look` is called once for each picture and returns
what answers prompts on it (`modelzoo.training.evaluate.Ask`). To add one, write a class and put it into BASELINES.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from typing import Protocol

import numpy as np
from scipy import sparse

from modelzoo.training.evaluate import Answer, Ask, Box, Prompts

GRABCUT_ROUNDS = 5
WALKER_RADIUS = 2.0  # pixels at half size around a click that are taken for what was clicked
SUPERPIXELS = 400
MERGE_LIMIT = 10.0  # distance in CIE Lab; chosen on training pictures, see docs/evaluation.md


class MissingLibrary(RuntimeError):
    """A baseline needs a library that only requirements-dev.txt brings."""


def require_libraries() -> None:
    """MissingLibrary when a baseline could not run: better said before hours of work than after."""
    if find_spec("cv2") is None:
        raise MissingLibrary(
            "The GrabCut baseline needs OpenCV: pip install -r requirements-dev.txt, or leave out --baselines."
        )


class Baseline(Protocol):
    """name: in tables. most_clicks: how many clicks it makes use of (0: none)."""

    name: str
    most_clicks: int
    takes_box: bool

    def look(self, image: np.ndarray) -> Ask:
        """What answers prompts on a picture, H x W x 3 uint8 RGB."""


class FilledBox:
    """The box itself. Whatever does not beat it has not looked at the picture."""

    name, most_clicks, takes_box = "filled box", 0, True

    def look(self, image: np.ndarray) -> Ask:
        return boxed(lambda box: box_mask(image.shape[:2], box))


class GrabCut:
    """Rother et al. 2004 as OpenCV has it: colours inside the box against those outside, five iterations."""

    name, most_clicks, takes_box = "GrabCut", 0, True

    def look(self, image: np.ndarray) -> Ask:
        import cv2

        pixels = np.ascontiguousarray(image[:, :, ::-1])

        def cut(box: Box) -> np.ndarray:
            inside = box_mask(image.shape[:2], box)
            # Its colour models have five parts each; with less to learn from on one side there is nothing to cut.
            if min(np.count_nonzero(inside), np.count_nonzero(~inside)) < 5:
                return inside
            state = np.where(inside, cv2.GC_PR_FGD, cv2.GC_BGD).astype(np.uint8)
            models = np.zeros((1, 65)), np.zeros((1, 65))
            cv2.setNumThreads(1)
            cv2.setRNGSeed(0)  # the colour models start from a random clustering
            cv2.grabCut(pixels, state, (0, 0, 1, 1), *models, GRABCUT_ROUNDS, cv2.GC_INIT_WITH_MASK)
            return np.asarray((state == cv2.GC_FGD) | (state == cv2.GC_PR_FGD))

        return boxed(cut)


class RandomWalker:
    """Grady 2006 as scikit-image has it, at half size. The picture's border is background, as nobody clicks there."""

    name, most_clicks, takes_box = "random walker", 5, False

    def look(self, image: np.ndarray) -> Ask:
        from skimage.segmentation import random_walker
        from skimage.transform import resize

        full = image.shape[:2]
        size = max(3, full[0] // 2), max(3, full[1] // 2)
        half = resize(image, (*size, 3), anti_aliasing=True)
        rows, columns = np.mgrid[: size[0], : size[1]]
        scale = np.array([size[1] / full[1], size[0] / full[0]])

        def walk(points: np.ndarray, labels: np.ndarray) -> np.ndarray:
            seeds = np.zeros(size, np.int32)
            seeds[[0, -1]] = 2
            seeds[:, [0, -1]] = 2
            for (x, y), label in zip(points * scale, labels, strict=True):
                near = (columns + 0.5 - x) ** 2 + (rows + 0.5 - y) ** 2 <= WALKER_RADIUS**2
                near[int(y), int(x)] = True
                seeds[near] = 1 if label == 1 else 2
            chances = random_walker(half, seeds, mode="cg_j", channel_axis=-1, return_full_prob=True, prob_tol=0.1)
            return np.asarray(resize(chances[0], full, order=1) > 0.5)

        return clicked(walk)


class RegionMerge:
    """SLIC superpixels, joined to the clicked one along paths on which no step is larger than a limit in colour."""

    name, most_clicks, takes_box = "SLIC merge", 1, False

    def look(self, image: np.ndarray) -> Ask:
        merged = merged_regions(image, MERGE_LIMIT)

        def merge(points: np.ndarray, _: np.ndarray) -> np.ndarray:
            x, y = points[0].astype(int)
            return np.asarray(merged == merged[y, x])

        return clicked(merge)


BASELINES: tuple[Baseline, ...] = (FilledBox(), GrabCut(), RandomWalker(), RegionMerge())


def merged_regions(image: np.ndarray, limit: float) -> np.ndarray:
    """Number of its region for every pixel, int H x W.

    Two superpixels are in one region when a path leads from one to the other whose largest step between mean Lab
    colours is at most `limit`: the minimax path, and the same as being connected by steps up to the limit.
    """
    from skimage.color import rgb2lab
    from skimage.segmentation import slic

    parts = slic(image, n_segments=SUPERPIXELS, compactness=10, start_label=0, channel_axis=-1)
    count = int(parts.max()) + 1
    sizes = np.maximum(np.bincount(parts.ravel(), minlength=count), 1)
    lab = rgb2lab(image).reshape(-1, 3)
    means = np.stack([np.bincount(parts.ravel(), lab[:, axis], count) / sizes for axis in range(3)], 1)
    pairs = np.concatenate(
        [
            np.stack([parts[:, :-1].ravel(), parts[:, 1:].ravel()], 1),
            np.stack([parts[:-1].ravel(), parts[1:].ravel()], 1),
        ]
    )
    pairs = np.unique(pairs[pairs[:, 0] != pairs[:, 1]], axis=0)
    small = pairs[np.linalg.norm(means[pairs[:, 0]] - means[pairs[:, 1]], axis=1) <= limit]
    graph = sparse.coo_matrix((np.ones(len(small)), (small[:, 0], small[:, 1])), shape=(count, count))
    _, joined = sparse.csgraph.connected_components(graph, directed=False)
    return np.asarray(joined[parts])


def box_mask(size: tuple[int, ...], box: Box) -> np.ndarray:
    """The box x0, y0, x1, y1 as a bool H x W mask; its sides are rounded to whole pixels."""
    mask = np.zeros(size, bool)
    x0, y0, x1, y1 = box
    mask[round(y0) : round(y1), round(x0) : round(x1)] = True
    return mask


def boxed(method: Callable[[Box], np.ndarray]) -> Ask:
    """An `Ask` from what makes one mask from a box."""

    def ask(prompts: Prompts) -> Answer:
        if prompts.box is None:
            raise ValueError("This method needs a box.")
        return one_mask(method(prompts.box))

    return ask


def clicked(method: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> Ask:
    """An `Ask` from what makes one mask from points N x 2 (x, y) and labels N."""

    def ask(prompts: Prompts) -> Answer:
        if prompts.points is None or prompts.labels is None:
            raise ValueError("This method needs clicks.")
        return one_mask(method(prompts.points, prompts.labels))

    return ask


def one_mask(mask: np.ndarray) -> Answer:
    """An answer without an opinion on itself."""
    return Answer(mask[None], np.array([np.nan]))
