"""Everything like these, measured: average precision from 1, 5 and 20 example masks of other pictures.

COCO's own rules (pycocotools, segm), but for 500 masks a picture: nuclei come by the hundred. Exemplars know the
examples alone, words also masks of the other categories. Beside both, in the same run: segment everything, ranked by
predicted IoU and by likeness. Nuclei are measured on pictures that the weights have not seen; of the fruit they have
seen all but one picture, without its categories. The constants of modelzoo.exemplars were chosen on SETTINGS, which are
never measured here. About ten minutes of one core; without the sets (docs/training.md) there are no rows.

    python -m benchmarks exemplars
"""

from __future__ import annotations

import contextlib
import io
import json
import statistics
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

import numpy as np
from pycocotools.coco import COCO
from pycocotools.cocoeval import COCOeval

from benchmarks.measure import Row
from benchmarks.quality import labelled_sets
from modelzoo import rle
from modelzoo.automatic import AutomaticMaskGenerator
from modelzoo.candidates import Floats
from modelzoo.catalogue import SHIPPED
from modelzoo.checkpoint import load_checkpoint
from modelzoo.comparison.sets import SetFolder, trained_on
from modelzoo.embedding import Embedding
from modelzoo.exemplars import Concept, ExemplarFinder, Ground, finest
from modelzoo.pooling import pooled
from modelzoo.predictor import Predictor
from modelzoo.training.config import read_stages
from modelzoo.training.data import Record, load_picture, read_coco

MODEL = "anymask_compact"
EXAMPLES = (1, 5, 20)
DRAWS = 2  # of examples, each for all pictures
MOST = 500  # masks of a picture that are judged
EVERYTHING: dict[str, Any] = {
    "points_per_side": 16,
    "pred_iou_thresh": 0.38,
    "stability_score_thresh": 0.38,
    "box_nms_thresh": 0.6,
}
SETTINGS = {"dsb2018_nuclei": 1, "dried_fruit": 2}  # every so many of the pictures trained on are for choosing
MEASURED = {"dsb2018_nuclei": 12, "dried_fruit": 4}  # pictures, unseen ones first

Found = tuple[rle.RLE, float]


@dataclass(frozen=True)
class Labelled:
    """A picture with a category for each mask."""

    record: Record
    names: list[str]

    @property
    def long_side(self) -> int:
        return max(self.record.width, self.record.height)


@dataclass(frozen=True)
class Bench:
    """One set: what is measured, what examples are drawn from beside it, and the model."""

    name: str
    measured: list[Labelled]
    others: list[Labelled]
    predictor: Predictor

    def __hash__(self) -> int:
        return hash(self.name)

    @cache  # noqa: B019  lives as long as the run
    def look(self, place: str) -> Embedding:
        [one] = [one for one in (*self.measured, *self.others) if one.record.image_path.name == place]
        return self.predictor.encode(load_picture(one.record.image_path))

    def vector(self, one: Labelled, mask: rle.RLE) -> Floats:
        """Of a mask: the part of the finest map."""
        embedding = self.look(one.record.image_path.name)
        _, part = finest([(name, tensor.shape) for name, tensor in embedding.tensors.items()])
        return pooled(embedding, mask)[part]

    def drawn(self, one: Labelled, name: str, count: int, random: np.random.Generator) -> list[tuple[Labelled, int]]:
        """`count` masks of a category from other pictures, pictures drawn evenly; fewer where there are no more."""
        rest = [other for other in (*self.others, *self.measured) if other is not one and name in other.names]
        free = {other.record.image_path.name: [i for i, n in enumerate(other.names) if n == name] for other in rest}
        chosen: list[tuple[Labelled, int]] = []
        while rest and len(chosen) < count:
            other = rest[int(random.integers(len(rest)))]
            left = free[other.record.image_path.name]
            chosen.append((other, left.pop(int(random.integers(len(left))))))
            if not left:
                rest.remove(other)
        return chosen

    def concept(self, examples: Sequence[tuple[Labelled, int]], unlike: Sequence[tuple[Labelled, int]]) -> Concept:
        """Of masks of other pictures; `unlike`: of other categories."""
        masks = [one.record.masks[i] for one, i in examples]
        vectors = np.array([self.vector(one, one.record.masks[i]) for one, i in examples])
        others = np.array([self.vector(one, one.record.masks[i]) for one, i in unlike]) if unlike else None
        sizes = [one.long_side for one, _ in examples]
        return Concept.of(vectors, [rle.area(mask) for mask in masks], sizes, others)


def rows() -> Iterator[Row]:
    """Of the free weights, set by set."""
    described = SHIPPED / f"{MODEL}.toml"
    configs = read_stages(described)
    predictor = Predictor(load_checkpoint(described.with_suffix(".safetensors")))
    for folder in labelled_sets(configs):
        if folder.name in SETTINGS:
            yield from set_rows(bench_of(folder, configs, predictor))


def bench_of(folder: SetFolder, configs: Sequence[Any], predictor: Predictor) -> Bench:
    """The set's pictures, parted: settings were chosen on some that the weights have seen."""
    document = json.loads(folder.annotations.read_text(encoding="utf-8"))
    labels = {str(one["id"]): str(one.get("source_label", "")) for one in document["annotations"]}
    records = read_coco(folder.images, folder.annotations)
    seen = {one.image_path for config in configs for one in trained_on(folder.name, records, config)}
    pictures = [Labelled(one, [labels[name] for name in one.ids]) for one in records]
    known = [one for one in pictures if one.record.image_path in seen]
    chosen_on = known[:: SETTINGS[folder.name]]
    open_to_all = [one for one in pictures if one.record.image_path not in seen]
    open_to_all += [one for one in known if one not in chosen_on]
    measured = open_to_all[: MEASURED[folder.name]]
    return Bench(folder.name, measured, [one for one in pictures if one not in measured], predictor)


def set_rows(bench: Bench) -> Iterator[Row]:
    """Baseline, then each number of examples by each way."""
    everything = {one.record.image_path.name: segmented(bench, one) for one in bench.measured}
    names = sorted({name for one in bench.measured for name in one.names})
    by_iou = precision(bench, names, {(place, name): everything[place] for place in everything for name in names})
    note = f"{len(bench.measured)} pictures"
    for figure, value in by_iou.items():
        yield row_of(bench, f"segment everything by predicted IoU, {figure}", [value], note)
    for count in EXAMPLES:
        values: dict[tuple[str, str], list[float]] = {}
        for draw in range(DRAWS):
            for way, found in searched(bench, names, count, draw, everything).items():
                for figure, value in precision(bench, names, found).items():
                    values.setdefault((way, figure), []).append(value)
        for (way, figure), several in values.items():
            examples = "1 example" if count == 1 else f"{count} examples"
            yield row_of(bench, f"{way}, {examples}, {figure}", several, note, by_iou[figure])


def searched(
    bench: Bench, names: list[str], count: int, draw: int, everything: dict[str, list[Found]]
) -> dict[str, dict[tuple[str, str], list[Found]]]:
    """What each way finds on each picture for each category, from one draw of examples."""
    random = np.random.default_rng([draw, count])
    finder = ExemplarFinder(bench.predictor)
    ways: dict[str, dict[tuple[str, str], list[Found]]] = {"exemplars": {}, "segment everything by likeness": {}}
    for one in bench.measured:
        place = one.record.image_path.name
        examples = {name: bench.drawn(one, name, count, random) for name in names}
        for name in names:
            concept = bench.concept(examples[name], [])
            ways["exemplars"][place, name] = told(finder.find(bench.look(place), concept))
            ways["segment everything by likeness"][place, name] = ranked(bench, one, everything[place], concept)
            unlike = [example for other in names if other != name for example in examples[other]]
            if unlike:
                word = bench.concept(examples[name], unlike)
                ways.setdefault("words", {})[place, name] = told(finder.find(bench.look(place), word))
    return ways


def told(records: Sequence[dict[str, Any]]) -> list[Found]:
    return [(record["segmentation"], record["score"]) for record in records]


def segmented(bench: Bench, one: Labelled) -> list[Found]:
    """Segment everything, ranked by predicted IoU."""
    records = AutomaticMaskGenerator(bench.predictor, **EVERYTHING).generate(load_picture(one.record.image_path))
    return [(record["segmentation"], record["predicted_iou"]) for record in records]


def ranked(bench: Bench, one: Labelled, found: Sequence[Found], concept: Concept) -> list[Found]:
    """The same masks, ranked by how alike their vectors are."""
    if not found:
        return []
    embedding = bench.look(one.record.image_path.name)
    mean = Ground.of(embedding, concept).mean
    alike = concept.likeness(np.array([bench.vector(one, mask) for mask, _ in found]), mean)
    return [(mask, float(value)) for (mask, _), value in zip(found, alike, strict=True)]


def precision(bench: Bench, names: list[str], found: dict[tuple[str, str], list[Found]]) -> dict[str, float]:
    """AP at IoU 0.5 and COCO's mean of 0.50 to 0.95, mean over the categories."""
    images: list[dict[str, Any]] = []
    truth: list[dict[str, Any]] = []
    answers: list[dict[str, Any]] = []
    for number, one in enumerate(bench.measured, 1):
        record = one.record
        images.append({"id": number, "height": record.height, "width": record.width})
        for mask, name in zip(record.masks, one.names, strict=True):
            about = {"id": len(truth) + 1, "image_id": number, "category_id": names.index(name) + 1, "iscrowd": 0}
            truth.append({**about, "segmentation": mask, "area": rle.area(mask), "bbox": rle.bbox(mask)})
        for place, name in enumerate(names, 1):
            for mask, score in found.get((record.image_path.name, name), []):
                answers.append({"image_id": number, "category_id": place, "segmentation": mask, "score": score})
    if not answers:
        return {"AP50": 0.0, "AP": 0.0}
    categories = [{"id": place, "name": name} for place, name in enumerate(names, 1)]
    with contextlib.redirect_stdout(io.StringIO()):
        coco = COCO()
        coco.dataset = {"images": images, "annotations": truth, "categories": categories}
        coco.createIndex()
        judge = COCOeval(coco, coco.loadRes(answers), "segm")
        judge.params.maxDets = [1, 100, MOST]
        judge.evaluate()
        judge.accumulate()
    table = judge.eval["precision"][:, :, :, 0, 2]  # IoU x recall x category, all sizes, most masks
    kinds = [place for place in range(len(names)) if (table[:, :, place] > -1).any()]
    return {"AP50": float(table[0][:, kinds].mean()), "AP": float(table[:, :, kinds].mean())}


def row_of(bench: Bench, name: str, values: list[float], note: str, baseline: float | None = None) -> Row:
    """A figure: the mean of several draws, with the least and the most of them, times the baseline."""
    mean = round(statistics.mean(values), 4)
    spread = f", {min(values):.3f} to {max(values):.3f} over {len(values)} draws" if len(values) > 1 else ""
    ratio = None if not baseline else round(mean / baseline, 2)
    against = "; against segment everything by predicted IoU" if ratio else ""
    return Row(
        f"{bench.name}: {name}", mean, "AP", round(min(values), 4), len(values), f"{note}{spread}{against}", ratio
    )
