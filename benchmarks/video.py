"""Following a mask through video: J and F from one corrected first frame, and clicks per frame to reach J 0.85.

Propagation stands beside copying the mask and beside warping it by optical flow (OpenCV's DIS), on the same frames in
the same run. Two sets: the frames of DAVIS 2016 that lie beside the training data (three of a sequence, far apart;
whole sequences that no shipped weights were trained on), and generated clips (benchmarks/video_scenes.py). The settings
of modelzoo.propagation were chosen on the other sequences and on clips with seeds below REPORTED. Without the labelled
sets there are clips of sample photographs alone.

    python -m benchmarks.video [--clips N] [--all-sequences] [MODEL ...]     the rows, and those of every clip
"""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from functools import cache
from itertools import pairwise
from pathlib import Path

import cv2
import numpy as np

from benchmarks.measure import Row
from benchmarks.video_measures import contour_accuracy, region_similarity
from benchmarks.video_scenes import Clip, Thing, clip, cut_out
from modelzoo import rle
from modelzoo.catalogue import SHIPPED
from modelzoo.checkpoint import load_checkpoint
from modelzoo.comparison.sets import trained_on
from modelzoo.predictor import Predictor
from modelzoo.propagation import Propagator, View
from modelzoo.training import clicks
from modelzoo.training.config import TrainConfig, read_stages
from modelzoo.training.data import Record, load_picture, read_coco
from modelzoo.training.metrics import rank_correlation

DATA = Path("build/training-data")
MODELS = ("anymask_compact", "anymask_compact_all")
REPORTED = 100  # the first seed that is reported on
CLIPS = 6
EVERY = 2  # of a clip's frames is looked at, as where a few frames of a second are annotated
GOAL = 0.85
MOST_CLICKS = 10  # on one frame
THINGS = ("davis2016", "coco_tiny", "dried_fruit")
BINS = (0.0, 0.3, 0.5, 0.7, 0.8, 0.9, 1.0)


@dataclass
class Tally:
    """Figures of one method: J and F of each frame after the first, by clip."""

    region: list[float] = field(default_factory=list)
    contour: list[float] = field(default_factory=list)

    def add(self, found: np.ndarray, true: np.ndarray) -> None:
        """One frame."""
        self.region.append(region_similarity(found, true))
        self.contour.append(contour_accuracy(found, true))


@dataclass
class Figures:
    """What was measured on a set. clicks: with propagation and without, one number for each frame but the first."""

    methods: dict[str, list[Tally]] = field(default_factory=dict)
    clicks: dict[str, list[int]] = field(default_factory=lambda: {"propagated": [], "alone": []})
    confidence: list[tuple[float, float]] = field(default_factory=list)
    seconds: dict[str, list[float]] = field(default_factory=lambda: {"encode": [], "step": [], "flow": []})


def rows() -> Iterator[Row]:
    """J&F of every method, clicks per frame and times, for every shipped file."""
    for model in MODELS:
        for name, clips in sets():
            yield from set_rows(model, name, measure(model, clips))


def sets(count: int = CLIPS, every_sequence: bool = False) -> Iterator[tuple[str, list[Clip]]]:
    """(name, clips) of what is reported on; a set that is empty here is left out."""
    found = {
        "DAVIS": sequences(every_sequence),
        "generated": [generated(REPORTED + place) for place in range(count)],
    }
    yield from ((name, clips) for name, clips in found.items() if clips)


# --- What is followed ---------------------------------------------------------------------------------------------


@cache
def runs() -> tuple[TrainConfig, ...]:
    """Every run that made the shipped files."""
    return tuple(config for model in MODELS for config in read_stages(SHIPPED / f"{model}.toml"))


def unseen(name: str) -> list[Record]:
    """The pictures of a labelled set on which no shipped file was trained, none where the set is not there."""
    if not (DATA / name / "annotations.json").exists():
        return []
    records = read_coco(DATA / name / "images", DATA / name / "annotations.json")
    seen = {record.image_path for config in runs() for record in trained_on(name, records, config)}
    return [record for record in records if record.image_path not in seen]


def sequences(every: bool = False) -> list[Clip]:
    """The sequences of DAVIS that were not trained on, or all of them."""
    folder = DATA / "davis2016"
    if not (folder / "annotations.json").exists():
        return []
    groups = {record.group for record in unseen("davis2016")}
    found: dict[str, list[Record]] = {}
    for record in sorted(
        read_coco(folder / "images", folder / "annotations.json"), key=lambda one: one.image_path.name
    ):
        if every or record.group in groups:
            found.setdefault(str(record.group), []).append(record)
    return [
        Clip(name, [load_picture(one.image_path) for one in frames], [rle.decode(one.masks[0]) for one in frames])
        for name, frames in found.items()
    ]


@cache
def material() -> tuple[list[Thing], list[np.ndarray]]:
    """Things to cut out and grounds to move over, from pictures that no shipped file was trained on."""
    things = []
    for name in THINGS:
        for record in unseen(name):
            picture = load_picture(record.image_path)
            for mask in sorted(record.masks, key=rle.area, reverse=True)[:3]:
                if is_whole(mask, record):
                    things.append(cut_out(picture, rle.decode(mask)))
    return things, [load_picture(record.image_path) for record in unseen("bsds500")[:30]]


def is_whole(mask: rle.RLE, record: Record) -> bool:
    """Compact, of a middling size and not cut by the picture's border."""
    x, y, width, height = rle.bbox(mask)
    inside = x > 1 and y > 1 and x + width < record.width - 1 and y + height < record.height - 1
    share = rle.area(mask) / (record.width * record.height)
    return inside and 0.015 < share < 0.4 and rle.area(mask) > 0.3 * width * height


def generated(seed: int) -> Clip:
    """Every fourth clip is made of sample photographs alone, the others of cut-outs where there are any."""
    things, grounds = material() if seed % 4 != 3 else ([], [])
    whole = clip(seed, things, grounds)
    return Clip(whole.name, whole.frames[::EVERY], whole.masks[::EVERY], whole.about)


# --- How it is followed -------------------------------------------------------------------------------------------


def measure(model: str, clips: Sequence[Clip]) -> Figures:
    """Follow every clip with every method."""
    cv2.setNumThreads(1)
    predictor = Predictor(load_checkpoint(SHIPPED / f"{model}.safetensors"))
    figures = Figures()
    for one in clips:
        views = []
        for picture in one.frames:
            started = time.perf_counter()
            views.append(View(predictor.encode(picture), picture))
            figures.seconds["encode"].append(time.perf_counter() - started)
        tallies = {"propagation": propagated(predictor, views, one, figures)}
        tallies["copying"], tallies["flow"] = copied(one), warped(one, figures)
        for method, tally in tallies.items():
            figures.methods.setdefault(method, []).append(tally)
        figures.clicks["propagated"] += clicks_with(predictor, views, one)
        figures.clicks["alone"] += clicks_without(predictor, views, one)
        told = {method: f"{np.mean(tally.region):.3f}" for method, tally in tallies.items()}
        print(model, one.name, *one.about, told, file=sys.stderr, flush=True)
    return figures


def propagated(predictor: Predictor, views: Sequence[View], one: Clip, figures: Figures) -> Tally:
    """From the first frame on, nobody correcting anything."""
    tally, propagator = Tally(), Propagator(predictor)
    propagator.begin(views[0], one.masks[0])
    for view, true in zip(views[1:], one.masks[1:], strict=True):
        started = time.perf_counter()
        found = propagator.step(view)
        figures.seconds["step"].append(time.perf_counter() - started)
        tally.add(found.mask, true)
        if found.seen:
            figures.confidence.append((found.confidence, tally.region[-1]))
    return tally


def copied(one: Clip) -> Tally:
    """The first mask on every frame."""
    tally = Tally()
    for true in one.masks[1:]:
        tally.add(one.masks[0], true)
    return tally


def warped(one: Clip, figures: Figures) -> Tally:
    """The mask of the frame before, moved by dense optical flow from each frame to the one before it."""
    tally, flow = Tally(), cv2.DISOpticalFlow_create(cv2.DISOPTICAL_FLOW_PRESET_MEDIUM)  # type: ignore[attr-defined]  # its stubs lag
    cover: np.ndarray = one.masks[0].astype(np.float32)
    columns, rows = np.meshgrid(*(np.arange(side, dtype=np.float32) for side in cover.shape[::-1]))
    grey = [cv2.cvtColor(picture, cv2.COLOR_RGB2GRAY) for picture in one.frames]
    for before, now, true in zip(grey, grey[1:], one.masks[1:], strict=False):
        started = time.perf_counter()
        moved = flow.calc(now, before, None)
        figures.seconds["flow"].append(time.perf_counter() - started)
        cover = cv2.remap(cover, columns + moved[..., 0], rows + moved[..., 1], cv2.INTER_LINEAR)
        tally.add(cover > 0.5, true)
    return tally


# --- What it saves people -----------------------------------------------------------------------------------------


def clicks_with(predictor: Predictor, views: Sequence[View], one: Clip) -> list[int]:
    """Clicks on each frame after the first: none where the proposal is good enough, else on top of it.

    What was clicked until it was good is what people say from then on: it is remembered, and following begins there
    again. A frame without the thing costs nothing, and one click where a mask was proposed (to take it away).
    """
    spent, propagator = [], Propagator(predictor)
    propagator.begin(views[0], one.masks[0])
    for view, true in zip(views[1:], one.masks[1:], strict=True):
        found = propagator.step(view).mask
        if not true.any():
            spent.append(int(found.any()))
            continue
        count, mask = clicked(predictor, view, true, found)
        spent.append(count)
        if count:
            propagator.begin(view, mask)
    return spent


def clicks_without(predictor: Predictor, views: Sequence[View], one: Clip) -> list[int]:
    """Clicks on each frame after the first when every frame begins empty."""
    return [
        clicked(predictor, view, true, np.zeros_like(true))[0] if true.any() else 0
        for view, true in zip(views[1:], one.masks[1:], strict=True)
    ]


def clicked(predictor: Predictor, view: View, true: np.ndarray, begun: np.ndarray) -> tuple[int, np.ndarray]:
    """(how many simulated clicks until GOAL, at most MOST_CLICKS; the mask then), on top of a mask or of nothing.

    A mask that is corrected goes to the decoder with every click, and with a positive one in its middle, as in the
    editor (docs/decisions/0013-corrections-begin-with-a-click.md). Where no click reaches the goal, the last mask is
    the true one: somebody painted it.
    """
    mask, points, labels, feedback = begun, [], [], None
    if begun.any():
        feedback = drawn(predictor, view, begun)
        points, labels = [clicks.innermost_point(begun)], [1]
    for count in range(MOST_CLICKS + 1):
        if region_similarity(mask, true) >= GOAL:
            return count, mask
        click = clicks.corrective_click(true, mask, "centre", np.random.default_rng(0))
        if click is None or count == MOST_CLICKS:
            break
        points, labels = [*points, click[:2]], [*labels, click[2]]
        answer = predictor.decode(
            view.embedding, np.array(points) + 0.5, np.array(labels), None, feedback, multimask=len(points) == 1
        )
        best = int(answer.iou_predictions.argmax())
        mask = answer.masks[best]
        if not begun.any():
            feedback = answer.low_res_logits[best : best + 1]
    return MOST_CLICKS, true


def drawn(predictor: Predictor, view: View, mask: np.ndarray) -> np.ndarray:
    """A mask as logits of -12 and 12 over the padded frame, 1 x h x w."""
    frame, stride = view.embedding.frame, predictor.model.mask_stride
    size = frame.padded_size[0] // stride, frame.padded_size[1] // stride
    rows, columns = frame.picture_in(size)
    logits = np.full((1, *size), -12.0, np.float32)
    small = cv2.resize(mask.astype(np.float32), (columns.stop, rows.stop), interpolation=cv2.INTER_AREA)
    logits[0, rows, columns] = np.where(small > 0.5, 12, -12)
    return logits


# --- What is told -------------------------------------------------------------------------------------------------


def set_rows(model: str, name: str, figures: Figures) -> Iterator[Row]:
    """The rows of one set: the mean over clips of the mean over frames, as DAVIS counts."""
    title, clips = f"{model}, {name}", len(figures.methods["propagation"])
    note = f"{clips} clips, {len(figures.clicks['alone'])} frames"
    for method, tallies in figures.methods.items():
        region = float(np.mean([np.mean(tally.region) for tally in tallies]))
        contour = float(np.mean([np.mean(tally.contour) for tally in tallies]))
        for figure, value in (("J", region), ("F", contour), ("J&F", (region + contour) / 2)):
            yield plain(f"{title}: {method}, {figure}", value, "", clips, note)
    alone, ours = (float(np.mean(figures.clicks[way])) for way in ("alone", "propagated"))
    yield plain(f"{title}: clicks per frame to J {GOAL}, every frame alone", alone, "clicks", clips, note)
    other = f"{title}: clicks per frame to J {GOAL}, every frame alone"
    saved = round(alone / ours, 1) if ours else None
    yield Row(
        f"{title}: clicks per frame to J {GOAL}, propagated",
        round(ours, 2),
        "clicks",
        round(ours, 2),
        clips,
        other,
        saved,
    )
    said, true = np.array(figures.confidence, np.float64).reshape(-1, 2).T
    rank = rank_correlation(said, true)
    if rank is not None:
        yield plain(f"{title}: rank correlation of confidence and J", rank, "", len(said), trust(said, true))
    for part, times in figures.seconds.items():
        middle = float(np.median(times)) * 1000
        yield Row(f"{title}: {part} of a frame", round(middle, 1), "ms", round(min(times) * 1000, 1), len(times))


def plain(name: str, value: float, unit: str, count: int, note: str) -> Row:
    return Row(name, round(value, 3), unit, round(value, 3), count, note)


def trust(said: np.ndarray, true: np.ndarray) -> str:
    """Mean J of the frames by what the confidence said."""
    parts = []
    for low, high in pairwise(BINS):
        there = (said >= low) & (said < high)
        if there.any():
            parts.append(f"{low:.1f}-{high:.1f}: {true[there].mean():.2f} ({there.sum()})")
    return "J by confidence " + ", ".join(parts)


def main() -> None:
    """Rows to the terminal."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="*", default=list(MODELS))
    parser.add_argument("--clips", type=int, default=CLIPS)
    parser.add_argument("--all-sequences", action="store_true")
    asked = parser.parse_args()
    for model in asked.models:
        for name, clips in sets(asked.clips, asked.all_sequences):
            for row in set_rows(model, name, measure(model, clips)):
                print(f"{row.name:76} {row.value:>8} {row.unit:7} {row.ratio or '':>5} {row.note}", flush=True)


if __name__ == "__main__":
    main()
