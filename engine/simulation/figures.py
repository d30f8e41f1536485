"""The figures of a simulated round: what people did, and what came of the retraining after it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from engine.models import Evaluation, TrainingRun
from engine.paired import Resampling
from engine.simulation.people import GOOD_ENOUGH, ImageWork, Refused

CONFIDENCE, RESAMPLES = 0.95, 2000

Json = dict[str, Any]


def figures(works: Sequence[ImageWork]) -> Json:
    """What people did in a round. Clicks count where people clicked; shares are of the objects named beside them."""
    objects = [one for work in works for one in work.objects]
    clicked = [one for one in objects if one.start != "untouched"]
    prompted = [one for one in objects if one.start == "prompt"]
    corrected = [one for one in objects if one.start == "corrected"]
    proposed = sum(work.proposed for work in works)
    untouched = sum(one.start == "untouched" for one in objects)
    return {
        "images": len(works),
        "masks": len(objects),
        "masks_per_image": _mean([len(work.objects) for work in works]),
        "clicks": sum(one.clicks for one in objects),
        "clicks_per_mask": _mean([one.clicks for one in objects]),
        "clicks_per_clicked_mask": _mean([one.clicks for one in clicked]),
        "one_click_share": _mean([one.clicks == 1 and one.iou >= GOOD_ENOUGH for one in prompted]),
        "not_reached_share": _mean([one.iou < GOOD_ENOUGH for one in clicked]),
        "painted_share": _mean([one.painted for one in clicked]),
        "accepted_iou": _mean([1.0 if one.painted else one.iou for one in objects]),
        "prefilled": {
            "proposed": proposed,
            "untouched": untouched,
            "corrected": len(corrected),
            "clicks_per_corrected_mask": _mean([one.clicks for one in corrected]),
            "clicks_per_prompted_mask": _mean([one.clicks for one in prompted]),
            "discarded": sum(work.discarded for work in works),
            "untouched_share": round(untouched / proposed, 4) if proposed else None,
            "share_of_objects": round(untouched / len(objects), 4) if proposed and objects else None,
            "actions": _actions(works) if proposed else None,
        },
    }


def _actions(works: Sequence[ImageWork]) -> Json:
    """What people did per picture beside what the same pictures would have taken without any proposal.

    An action is a click, the key that accepts a mask or discards a proposal, and the one that keeps all which are left
    at the end. Strokes of a brush are not counted, but the masks that needed it are. ``saved``: share of the actions,
    and its 95 % interval over pictures.
    """
    took = np.array([_took(work) for work in works], float)
    bare = [[one.otherwise or one for one in work.objects] for work in works]
    otherwise = np.array([sum(one.clicks + 1 for one in objects) for objects in bare], float)
    resampling = Resampling(None, len(works), CONFIDENCE, RESAMPLES, seed=0)
    sums = resampling.sums(np.stack([took, otherwise], 1))
    low, high = resampling.interval(sums, lambda drawn: 1 - drawn[:, 0] / np.maximum(drawn[:, 1], 1))
    return {
        "per_image": _mean(took.tolist()),
        "per_image_otherwise": _mean(otherwise.tolist()),
        "saved": round(1 - took.sum() / max(otherwise.sum(), 1), 4),
        "saved_low": round(low, 4),
        "saved_high": round(high, 4),
        "painted": sum(one.painted for work in works for one in work.objects),
        "painted_otherwise": sum(one.painted for objects in bare for one in objects),
    }


def _took(work: ImageWork) -> int:
    made = [one.clicks + 1 for one in work.objects if one.start != "untouched"]
    return sum(made) + work.discarded + (len(made) < len(work.objects))


def training_figures(run: TrainingRun) -> Json:
    """The run as the gate saw it: both models on the masks that people accepted on held-out pictures."""
    decision = run.decisions.first()
    if decision is None:
        raise Refused(f"The retraining came to no decision: {run.message or run.state}")
    summaries = {one.role: one.summary for one in run.evaluations.all()}
    told = {
        f"{role}_miou_1": summaries[role]["miou_1"] for role in (Evaluation.Role.SERVING, Evaluation.Role.CANDIDATE)
    }
    numbers = decision.numbers.get("combined", {})
    return {
        "run": run.pk,
        "decision": decision.kind,
        "code": decision.numbers.get("code", ""),
        "reason": decision.reason,
        "gate": numbers,
        **told,
        "candidate": run.candidate.digest if run.candidate else None,
    }


def _mean(values: Sequence[float]) -> float | None:
    return round(float(np.mean(values)), 4) if values else None
