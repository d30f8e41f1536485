"""When a dataset goes on to the next stage: the lead's rules, today's values, and every move that was made.

A rule is a checklist of targets. When all are met the dataset moves by itself, unless the lead wants it to stay; a
lead may move it at any time, also back. A move back switches the rule of that stage off: a person's word stands.
"""

from __future__ import annotations

import logging
from dataclasses import asdict, dataclass
from typing import Any

from django.db import transaction

from annotation.counts import figure
from annotation.errors import Conflict, NotReady, UserError
from annotation.models import Dataset, Job, Mask, Stage
from annotation.services.tasks import tasks_open_missing
from engine.models import Evaluation, StageMove, StageRule
from engine.serving import serving_version
from engine.snapshots import masks_by_people
from engine.stages import STAGES, stage_named
from engine.stages.running import part_consider, part_request

logger = logging.getLogger(__name__)

NEXT: dict[str, str] = {
    str(Stage.ASSISTED): str(Stage.SEMI_AUTOMATIC),
    str(Stage.SEMI_AUTOMATIC): str(Stage.FULLY_AUTOMATIC),
}
# What holds until a lead says otherwise. Masks that no person sees are a decision, so the last step waits for one.
DEFAULTS: dict[str, dict[str, Any]] = {
    str(Stage.ASSISTED): {"masks": 100, "clicks": 1, "iou": 0.7, "kept": None, "by_rule": True},
    str(Stage.SEMI_AUTOMATIC): {"masks": 500, "clicks": 1, "iou": 0.8, "kept": 0.8, "by_rule": False},
}
LATEST_DECIDED = 200  # of the prefilled masks: what people do with today's, not with those of the first model
FEWEST_DECIDED = 20  # a share of fewer says little


@dataclass(frozen=True)
class Check:
    """One line of the checklist. ``value`` is null where nothing was measured yet, ``of`` counts the masks behind it.

    A null ``target`` is not asked for and counts as met.
    """

    key: str  # masks, iou or kept
    value: float | None
    target: float | None
    of: int | None = None

    @property
    def met(self) -> bool:
        """Whether this line stands in nobody's way."""
        return self.target is None or (self.value is not None and self.value >= self.target)


@dataclass(frozen=True)
class Step:
    """The way from one stage to the next: the rule, and today's values beside it."""

    rule: StageRule
    next: str
    checks: list[Check]

    @property
    def met(self) -> bool:
        """Whether everything is met that is asked for; a rule that asks for nothing never is."""
        return any(check.target is not None for check in self.checks) and all(check.met for check in self.checks)


def rule_of(dataset: Dataset, stage: str) -> StageRule:
    """The lead's rule for leaving a stage, or the default one (unsaved). UserError for a stage that is never left."""
    if stage not in DEFAULTS:
        stage_named(stage)
        raise UserError("last_stage", "No stage follows this one, so it has no rule.")
    row = StageRule.objects.filter(dataset=dataset, stage=stage).first()
    return row or StageRule(dataset=dataset, stage=stage, **DEFAULTS[stage])


def rule_update(*, dataset: Dataset, stage: str, **targets: Any) -> StageRule:
    """Change some of masks, clicks, iou, kept, by_rule of the rule for leaving ``stage``."""
    rule_of(dataset, stage)
    defaults = {**DEFAULTS[stage], **targets}
    rule, _ = StageRule.objects.update_or_create(
        dataset=dataset, stage=stage, defaults=targets, create_defaults=defaults
    )
    return rule


@figure("stage-values")
def stage_values(dataset_id: int) -> dict[str, Any]:
    """{"masks": those that people have seen, "kept": share of prefilled ones, or null, of "decided" ones}."""
    share, decided = share_kept(Dataset.objects.get(pk=dataset_id))
    return {"masks": masks_by_people(dataset_id).count(), "kept": share, "decided": decided}


def step_of(dataset: Dataset, stage: str) -> Step:
    """The checklist for leaving ``stage`` with today's values."""
    rule = rule_of(dataset, stage)
    values = stage_values(dataset.pk)
    masks, share, decided = values["masks"], values["kept"], values["decided"]
    iou, judged = held_out_iou(dataset, rule.clicks)
    checks = [
        Check("masks", masks, rule.masks),
        Check("iou", iou, rule.iou, of=judged),
        Check("kept", share, rule.kept, of=decided),
    ]
    return Step(rule, NEXT[stage], checks)


def held_out_iou(dataset: Dataset, clicks: int) -> tuple[float | None, int]:
    """(mean IoU of the serving version after so many clicks, masks it was measured on), newest; (None, 0) before."""
    try:
        version = serving_version(dataset.pk)
    except NotReady:
        return None, 0
    rows = Evaluation.objects.filter(run__dataset=dataset, version=version).order_by("-pk")
    summary = rows.values_list("summary", flat=True).first() or {}
    return summary.get(f"miou_{clicks}"), int(summary.get("masks") or 0)


def share_kept(dataset: Dataset) -> tuple[float | None, int]:
    """(share of prefilled masks that people kept untouched, how many were decided), of the latest that were.

    Kept untouched: a person took it over with the very same pixels. The share is None below ``FEWEST_DECIDED``.
    """
    prefilled = Mask.objects.filter(
        image__dataset=dataset, stage=Stage.SEMI_AUTOMATIC, source=Mask.Source.MODEL, created_by=None
    )
    decided = prefilled.filter(
        status__in=[Mask.Status.SUPERSEDED, Mask.Status.DELETED], status_changed_by__isnull=False
    ).order_by("-status_changed_at")
    pixels = dict(decided.values_list("serial", "segmentation__counts")[:LATEST_DECIDED])
    if len(pixels) < FEWEST_DECIDED:
        return None, len(pixels)
    successors = Mask.objects.filter(parent__in=list(pixels)).values_list("parent", "segmentation__counts")
    kept = {parent for parent, counts in successors if parent is not None and counts == pixels[parent]}
    return len(kept) / len(pixels), len(pixels)


def stage_move(*, dataset: Dataset, to: str, by: Any = None, note: str = "") -> StageMove:
    """A person moves a dataset to another stage; the machine's part follows by a job.

    Conflict ``already_there``, or ``stage_changed`` if it was moved meanwhile; NotReady without a model.
    """
    stage_named(to)
    if dataset.stage == to:
        raise Conflict("already_there", f"The dataset is in the {STAGES[to].title.lower()} stage already.")
    with transaction.atomic():
        move = _move_by_hand(dataset, to, by, note)
        part_request(dataset=dataset, by=by)
    return move


def stage_start(*, dataset: Dataset, stage: str, by: Any = None) -> Job:
    """Put a dataset into a stage if it is not there, and queue the machine's part on every image, also on those done.

    One at a time per dataset and stage. NotReady without a model.
    """
    stage_named(stage)
    with transaction.atomic():
        if dataset.stage != stage:
            _move_by_hand(dataset, stage, by)
        job = part_request(dataset=dataset, every=True, by=by)
    assert job is not None
    return job


def _move_by_hand(dataset: Dataset, to: str, by: Any, note: str = "") -> StageMove:
    values = step_of(dataset, dataset.stage).checks if dataset.stage in DEFAULTS else []
    order = list(STAGES)
    move = _move(dataset, to, StageMove.Kind.PERSON, values, by=by, note=note)
    if order.index(to) < order.index(move.from_stage):
        rule_update(dataset=dataset, stage=to, by_rule=False)
    return move


def stage_consider(*, dataset: Dataset) -> StageMove | None:
    """Move a dataset whose rule is met; None if it stays."""
    if dataset.stage not in DEFAULTS or not rule_of(dataset, dataset.stage).by_rule:
        return None
    step = step_of(dataset, dataset.stage)
    if not step.met:
        return None
    try:
        with transaction.atomic():
            move = _move(dataset, step.next, StageMove.Kind.RULE, step.checks)
            part_request(dataset=dataset)
            return move
    except Conflict:  # somebody was quicker
        return None


def datasets_consider() -> None:
    """Every dataset once: move it if its rule is met, queue what images wait for. One that fails is logged."""
    for dataset in list(Dataset.objects.order_by("id")):
        try:
            stage_consider(dataset=dataset)
            if dataset.stage != Stage.ASSISTED:
                part_consider(dataset=dataset)
        except NotReady:
            return
        except Exception:
            logger.exception("stage not considered", extra={"dataset": dataset.pk})


def _move(dataset: Dataset, to: str, kind: str, values: list[Check], *, by: Any = None, note: str = "") -> StageMove:
    """One conditional UPDATE: of two moves at once, one is recorded. Conflict ``stage_changed``."""
    serving_version(dataset.pk)  # NotReady before anything is changed
    with transaction.atomic():
        changed = Dataset.objects.filter(pk=dataset.pk, stage=dataset.stage).update(stage=to)
        if not changed:
            raise Conflict(
                "stage_changed", "The dataset was moved to another stage meanwhile. Look again, then decide."
            )
        move = StageMove.objects.create(
            dataset=dataset,
            kind=kind,
            from_stage=dataset.stage,
            to_stage=to,
            values=[{**asdict(check), "met": check.met} for check in values],
            by=by,
            note=note,
        )
        dataset.stage = to
        if to != Stage.FULLY_AUTOMATIC:
            tasks_open_missing(dataset=dataset)
    return move
