"""Train the detector of proposals: a head on a frozen model, in a minute or two on a processor.

Encode once (every picture as it is, then changed ones), train the head on the stored maps, fit on validation pictures
how far a proposal, and a mask of the automatic stage's grid, can be trusted, measure on held-out pictures. The model
itself is never changed.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from pathlib import Path
from typing import Any

import numpy as np
import torch

from modelzoo import rle
from modelzoo.checkpoint import checkpoint_digest, load_checkpoint, replacing
from modelzoo.embedding import Embedding
from modelzoo.model.box_head import BoxHead
from modelzoo.predictor import Predictor
from modelzoo.proposals import BoxMaskGenerator, Calibration, Detector, features, load_detector, save_detector
from modelzoo.training.box_targets import assign, detection_loss, flat
from modelzoo.training.data import DataError, Record, group_of, load_picture
from modelzoo.training.detection_metrics import Found, best_ious, detection_figures
from modelzoo.training.grid_gates import fit_gates
from modelzoo.training.proposal_views import (
    View,
    batch_of,
    changed_view,
    channel_statistics,
    map_layout,
    merged,
    whole_view,
)

DETECTOR_FILE, RESULT_FILE = "detector.safetensors", "detector.json"
AUTOMATIC_WEIGHT = 0.3  # of a mask that no person has seen, in the loss
AUTOMATIC_CHANCE = 0.1  # of a picture without a person's mask to be drawn, against one with
OWN_SHARE = 0.2  # of the training pictures, held back where there are no validation pictures
FEWEST_JUDGED = 20  # proposals needed to fit a calibration
LEAST_PRECISION = 0.5  # is promised where `precision` cannot be kept
FEWEST_PROPOSED = 3  # above a threshold; fewer right ones are luck
NOTHING = 2.0  # a threshold that no chance reaches
DRAWN_EACH = 4  # times a view is drawn on average, at the least; more views than that would not be worth encoding
PLAIN = (0.0, 1.0, 0.0, 0.0)  # weights of a calibration that takes the score as it is
DECAY = (0.01, 0.1, 0.1, 0.1)  # towards PLAIN: decides nothing where there are hundreds of proposals
NEWTON_STEPS = 50
ENCODING_SHARE = 0.4  # of the time at most
GATES_SHARE = 0.5  # of the time, on top of it, at most

Progress = Callable[[float, str], None]


@dataclass(frozen=True)
class ProposalConfig:
    """One training. `views`: encoded pictures kept in memory; `minutes`: limit for encoding and training together.

    precision: share of the proposals that shall be right, that is have IoU `right_iou` with an accepted
    mask, on validation pictures.
    """

    out: Path
    model: Path
    seed: int = 0
    steps: int = 300
    minutes: float = 2.0
    batch: int = 8
    views: int = 240
    learning_rate: float = 2e-3
    weight_decay: float = 0.02
    warm_up: int = 20
    threads: int = 1
    precision: float = 0.8
    right_iou: float = 0.75


@dataclass(frozen=True)
class Pictures:
    """By use. `people`: masks that a person has seen; `automatic`: of the machine alone, on training pictures."""

    people: Sequence[Record]
    automatic: Sequence[Record] = ()
    validation: Sequence[Record] = ()
    held_out: Sequence[Record] = ()


def train_proposals(config: ProposalConfig, pictures: Pictures, progress: Progress | None = None) -> dict[str, Any]:
    """Train, calibrate, measure, write detector.safetensors and detector.json into `config.out`; returns the latter.

    DataError when there is no mask to learn from. `progress` gets the share done (0..1) and a line for people; it may
    raise to stop.
    """
    told = progress or (lambda share, line: None)
    torch.set_num_threads(config.threads)
    torch.manual_seed(config.seed)
    started = time.monotonic()
    predictor = Predictor(load_checkpoint(config.model))
    training, validation = sides(pictures)
    if not any(record.masks for record in training):
        raise DataError("There is no mask to train a detector on.")
    views = make_views(config, predictor, training, lambda share: told(0.4 * share, "Encoding pictures"))
    encoded = time.monotonic() - started
    head = fit(config, predictor, training, views, started, lambda share, line: told(0.4 + 0.4 * share, line))
    trained = time.monotonic() - started - encoded
    told(0.8, "Choosing the threshold")
    digest = checkpoint_digest(config.model)
    loose = Detector(head, Calibration(precision=config.precision, right_iou=config.right_iou), {}, digest)
    calibration = calibrated(config, judged(predictor, loose, validation))
    detector = replace(loose, calibration=calibration)
    gates = fit_gates(
        predictor,
        validation,
        precision=config.precision,
        right_iou=config.right_iou,
        seconds=config.minutes * 60 * GATES_SHARE,
        progress=lambda share: told(0.84 + 0.1 * share, "Choosing the gates of the automatic stage"),
    )
    told(0.94, "Measuring the detector")
    metrics = measured(predictor, detector, list(pictures.held_out))
    metrics |= {
        "training_images": len(training),
        "training_masks": sum(len(record.masks) for record in training),
        "validation_masks": sum(len(record.masks) for record in validation),
        "encoding_seconds": round(encoded, 1),
        "training_seconds": round(trained, 1),
    }
    config.out.mkdir(parents=True, exist_ok=True)
    path = config.out / DETECTOR_FILE
    result: dict[str, Any] = {
        "digest": save_detector(head, path, model=digest, calibration=calibration, metrics=metrics)
    }
    result |= {"metrics": metrics, "calibration": vars(calibration), "gates": gates and vars(gates)}
    result["seconds"] = round(time.monotonic() - started, 1)
    with replacing(config.out / RESULT_FILE) as temporary:
        temporary.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    told(1.0, "The detector is trained")
    return result


def finished(out: Path) -> dict[str, Any] | None:
    """What an earlier call left in `out`; None if it did not come to its end."""
    try:
        result: dict[str, Any] = json.loads((out / RESULT_FILE).read_text("utf-8"))
        load_detector(out / DETECTOR_FILE)
    except (FileNotFoundError, ValueError):
        return None
    return result


def sides(pictures: Pictures) -> tuple[list[Record], list[Record]]:
    """(training, validation); training pictures are held back for validation where no others are there.

    What nobody has seen trains on no picture, and on no video, of which something is in validation.
    """
    people, validation = list(pictures.people), list(pictures.validation)
    if sum(len(record.masks) for record in validation) < FEWEST_JUDGED:
        people, held_back = _held_back(people)
        validation += held_back
    groups = {group_of(record) for record in validation}
    automatic = [record for record in pictures.automatic if group_of(record) not in groups]
    return merged([(people, 1.0), (automatic, AUTOMATIC_WEIGHT)]), merged([(validation, 1.0)])


def _held_back(records: Sequence[Record]) -> tuple[list[Record], list[Record]]:
    """(kept, held back): OWN_SHARE of the pictures, in whole groups, since frames of one video are no test of it.

    Where only longer videos are left it is the end of one of them, which touches what is kept at one place only.
    """
    groups: dict[str, list[Record]] = {}
    for record in sorted(records, key=_natural):
        groups.setdefault(group_of(record), []).append(record)
    # Not by the draw of `split_off`: pictures that it has sorted before would all fall on one side.
    drawn = sorted(groups, key=lambda group: sha256(f"calibration:{group}".encode()).hexdigest())
    kept: list[Record] = []
    held: list[Record] = []
    missing = round(OWN_SHARE * len(records))
    for group in drawn:
        whole = len(groups[group]) <= missing - len(held)
        (held if whole else kept).extend(groups[group])
    cut = len(kept) - (missing - len(held))
    return kept[:cut], held + kept[cut:]


def _natural(record: Record) -> list[str | int]:
    """A key that sorts frame 9 before frame 10."""
    parts = re.split(r"([0-9]+)", record.image_path.name)
    return [int(part) if place % 2 else part for place, part in enumerate(parts)]


# --- Views and the head ------------------------------------------------------------------------------------------


def make_views(
    config: ProposalConfig, predictor: Predictor, records: Sequence[Record], progress: Callable[[float], None]
) -> list[tuple[View, float]]:
    """Views with the chance of each to be drawn: every picture once as it is, then changed ones until the time or the
    memory meant for them is used up. More pictures than `config.views`: as many of them, drawn by chance.
    """
    random = np.random.default_rng([config.seed, 1])
    chances = [1.0 if max(record.weights) > AUTOMATIC_WEIGHT else AUTOMATIC_CHANCE for record in records]
    odds = np.array(chances) / sum(chances)
    most = min(config.views, max(config.batch, config.steps * config.batch // DRAWN_EACH))
    order = random.choice(len(records), min(len(records), most), replace=False, p=odds)
    until = time.monotonic() + config.minutes * 60 * ENCODING_SHARE
    views: list[tuple[View, float]] = []
    while len(views) < most:
        number = len(views)
        if number < len(order):
            views.append((whole_view(predictor, records[order[number]]), chances[order[number]]))
        elif time.monotonic() < until:
            index = int(random.choice(len(records), p=odds))
            views.append((changed_view(predictor, records[index], random), chances[index]))
        else:
            break
        if time.monotonic() >= until and len(views) >= min(len(order), config.batch):
            break
        progress(len(views) / most)
    return views


def fit(
    config: ProposalConfig,
    predictor: Predictor,
    records: Sequence[Record],
    drawn: Sequence[tuple[View, float]],
    started: float,
    progress: Progress,
) -> BoxHead:
    """The head, trained on the views until `config.steps` or `config.minutes` since `started` are over."""
    views = [view for view, _ in drawn]
    odds = np.array([chance for _, chance in drawn])
    head = BoxHead(map_layout(predictor.encode(load_picture(records[0].image_path))))
    means, spreads = channel_statistics(views)
    head.standardise(means, spreads)
    parameters = [one for one in head.parameters() if one.requires_grad]
    optimiser = torch.optim.AdamW(parameters, config.learning_rate, weight_decay=config.weight_decay)
    random, noise = np.random.default_rng([config.seed, 2]), torch.Generator().manual_seed(config.seed)
    begun, allowed = time.monotonic(), max(1.0, config.minutes * 60 - (time.monotonic() - started))
    head.train()
    for step in range(config.steps):
        share = max(step / config.steps, (time.monotonic() - begun) / allowed)
        if share >= 1:
            break
        for group in optimiser.param_groups:
            warm = min(1.0, (step + 1) / config.warm_up)
            group["lr"] = config.learning_rate * warm * (0.02 + 0.98 * 0.5 * (1 + np.cos(np.pi * share)))
        picked = random.choice(len(views), min(config.batch, len(views)), replace=False, p=odds / odds.sum())
        loss = train_step(head, optimiser, *batch_of([views[i] for i in picked], means, spreads, noise))
        if step % 10 == 0:
            progress(share, f"Training the detector: loss {loss:.2f}")
    return head.eval()


def train_step(head: BoxHead, optimiser: torch.optim.Optimizer, maps: dict[str, Any], labels: list[Any]) -> float:
    """One optimiser step; returns the loss."""
    answers = head(maps)
    sizes = [(int(scores.shape[-2]), int(scores.shape[-1])) for scores, _ in answers]
    targets = [assign(label, sizes, head.strides) for label in labels]
    loss = detection_loss(*flat(answers, head.strides), labels, targets)
    optimiser.zero_grad(set_to_none=True)
    loss.backward()
    torch.nn.utils.clip_grad_norm_([one for one in head.parameters() if one.requires_grad], 10.0)
    optimiser.step()
    return float(loss.detach())


# --- How far it can be trusted -----------------------------------------------------------------------------------


@dataclass(frozen=True)
class Judged:
    """Of all proposals on some pictures: N x 4 features, and the IoU of each with the best accepted mask."""

    features: np.ndarray
    iou: np.ndarray


def _encodings(predictor: Predictor, records: Sequence[Record]) -> Iterator[tuple[Record, Embedding]]:
    for record in records:
        yield record, predictor.encode(load_picture(record.image_path))


def judged(predictor: Predictor, detector: Detector, records: Sequence[Record]) -> Judged:
    """Every candidate, compared with the masks that people accepted."""
    rows, ious = [np.zeros((0, 4))], [0.0][:0]
    generator = BoxMaskGenerator(predictor, detector)
    for record, embedding in _encodings(predictor, records):
        found = generator.candidates(embedding)
        rows.append(features(found))
        size = (record.height, record.width)
        ious += best_ious([rle.encode(one.mask(size)) for one in found], record.masks)
    return Judged(np.concatenate(rows), np.array(ious))


def calibrated(config: ProposalConfig, found: Judged) -> Calibration:
    """A logistic fit of "right" on the features, and the lowest chance from which enough is right.

    Accepted masks are never all objects of a picture, so the precision is a lower bound. With fewer than FEWEST_JUDGED
    proposals, or where all or none are right, nothing can be fitted and the plain score decides.
    """
    plain = Calibration(precision=config.precision, right_iou=config.right_iou)
    right = found.iou >= config.right_iou
    if len(right) < FEWEST_JUDGED or right.all() or not right.any():
        return plain
    fitted = replace(plain, weights=logistic(found.features, right), measured=True)
    threshold, promise = threshold_for(fitted.chance(found.features), right, config.precision)
    return replace(fitted, threshold=threshold, precision=promise)


def logistic(values: np.ndarray, wanted: np.ndarray) -> tuple[float, float, float, float]:
    """Weights of a logistic regression, N x 4 and bool N, drawn towards the plain score by a little decay.

    More of a feature never means less chance: a feature that a few proposals would give a negative weight is left out.
    """
    used = list(range(values.shape[1]))
    while True:
        weights = _newton(values[:, used], wanted, np.array(PLAIN)[used], np.array(DECAY)[used])
        negative = [(weight, place) for place, weight in zip(used, weights, strict=True) if place > 0 and weight < 0]
        if not negative:
            break
        used.remove(min(negative)[1])
    result = np.zeros(values.shape[1])
    result[used] = weights
    return tuple(float(weight) for weight in result)  # type: ignore[return-value]  # as many as there are weights


def _newton(values: np.ndarray, wanted: np.ndarray, start: np.ndarray, decay: np.ndarray) -> np.ndarray:
    """Minimise the logistic loss plus decay * |weights - start|^2 / 2."""
    weights = start.copy()
    for _ in range(NEWTON_STEPS):
        chance = 1 / (1 + np.exp(-np.clip(values @ weights, -30, 30)))
        gradient = values.T @ (chance - wanted) + decay * (weights - start)
        curvature = (values * (chance * (1 - chance))[:, None]).T @ values + np.diag(decay)
        change = np.linalg.solve(curvature, gradient)
        weights = weights - change
        if np.abs(change).max() < 1e-6:
            break
    return weights


def threshold_for(chances: np.ndarray, right: np.ndarray, precision: float) -> tuple[float, float]:
    """(threshold, promise): the lowest chance such that at least `precision` of all at or above it are right.

    Where that is never so, half of them have to be: discarding one costs a key, and another object comes for it. Where
    that is never so either, the threshold is NOTHING, and people are spared rubbish.
    """
    order = np.argsort(-chances, kind="stable")
    share = np.cumsum(right[order]) / np.arange(1, len(order) + 1)
    for promise in (precision, min(precision, LEAST_PRECISION)):
        enough = np.flatnonzero(share >= promise)
        if len(enough) and enough[-1] + 1 >= FEWEST_PROPOSED:
            return float(chances[order][enough[-1]]), promise
    return NOTHING, precision


# --- Measuring ---------------------------------------------------------------------------------------------------


def measured(predictor: Predictor, detector: Detector, records: Sequence[Record]) -> dict[str, Any]:
    """Boxes by COCO's rules and what a person would find prefilled, on held-out pictures; empty without any.

    proposed: masks a picture; right_75, right_85: share of them with such an IoU to an accepted mask; covered_75:
    share of the accepted masks that some proposal meets with IoU 0.75; seconds: of one picture, embedding at hand.
    """
    if not records:
        return {}
    generator = BoxMaskGenerator(predictor, detector)
    found, ious, covered, seconds = [], [0.0][:0], 0, [0.0][:0]
    for record, embedding in _encodings(predictor, records):
        boxes, scores = detector.boxes(embedding)
        truth = np.array([_box(mask) for mask in record.masks]).reshape(-1, 4)
        found.append(Found(boxes, scores, truth))
        began = time.perf_counter()
        proposals = [one["segmentation"] for one in generator.generate(embedding)]
        seconds.append(time.perf_counter() - began)
        ious += best_ious(proposals, record.masks)
        covered += sum(iou >= 0.75 for iou in best_ious(record.masks, proposals))
    total = sum(len(record.masks) for record in records)
    figures: dict[str, Any] = {"held_out_images": len(records), "held_out_masks": total}
    figures |= detection_figures(found)
    figures["proposed"] = round(len(ious) / len(records), 2)
    for goal in (0.75, 0.85):
        right = float(np.mean(np.array(ious) >= goal)) if ious else None
        figures[f"right_{round(goal * 100)}"] = None if right is None else round(right, 4)
    figures["covered_75"] = round(covered / max(1, total), 4)
    figures["seconds"] = round(float(np.median(seconds)), 3)
    return figures


def _box(mask: rle.RLE) -> tuple[float, float, float, float]:
    x, y, width, height = rle.bbox(mask)
    return x, y, x + width, y + height
