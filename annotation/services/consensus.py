"""Two people's masks of one image become one: a reviewer takes, for each object, either's, both together, or none.

What is taken over becomes a mask like any other: a correction of the first person's, or a new one where they had none.
Both people's masks stay as they were, and each decision names them (ConsensusItem). Undoing one brings back what was.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import transaction
from django.utils import timezone

from annotation.errors import Conflict, Missing, UserError
from annotation.matching import boundary_iou, match
from annotation.models import Consensus, ConsensusItem, Image, Mask, Task
from annotation.services.masks import mask_delete, mask_restore, mask_save
from annotation.signals import mask_saved, send_on_commit
from modelzoo import rle

Choice = ConsensusItem.Choice


@dataclass(frozen=True)
class Pair:
    """One object: whose mask is there, how far both agree (0..1, null where only one has it), and what was decided."""

    first: Mask | None
    second: Mask | None
    iou: float | None
    boundary_iou: float | None
    settled: ConsensusItem | None


def objects_of(task: Task) -> list[Pair]:
    """Every object of a doubly masked image as it stands now: those of both first, the least agreement first."""
    first, second = _sides(task)
    settled = _settled(task)
    matching = match([mask.segmentation for mask in first], [mask.segmentation for mask in second])
    pairs = [
        Pair(a, b, iou, boundary_iou(a.segmentation, b.segmentation), _said(settled, a, b))
        for i, j, iou in matching.pairs
        for a, b in [(first[i], second[j])]
    ]
    pairs.sort(key=lambda pair: pair.iou or 0.0)
    alone = [Pair(first[i], None, None, None, _said(settled, first[i], None)) for i in matching.only_a]
    alone += [Pair(None, second[j], None, None, _said(settled, None, second[j])) for j in matching.only_b]
    return pairs + alone


def consensus_make(*, task: Task, by: Any, decisions: Sequence[dict[str, Any]]) -> Consensus:
    """Decide about objects: each of `decisions` has first and second (uuids or None, as `objects_of` pairs them) and
    choice. All of them or none; UserError for a choice that the object does not offer, Conflict `consensus_changed` if
    the masks are not what they were.
    """
    _is_ready(task)
    known = {_key(pair.first, pair.second): pair for pair in objects_of(task)}
    with transaction.atomic():
        # Matching is slow, so it is done before; two people at once must not both decide about an object.
        Task.objects.select_for_update().get(pk=task.pk)
        settled = _settled(task)
        row = Consensus.objects.create(task=task, by=by)
        for one in decisions:
            pair = known.pop((one["first"], one["second"]), None)
            if pair is None:
                raise _changed()
            if _said(settled, pair.first, pair.second) is not None:
                raise Conflict("consensus_settled", "This object was decided already. Undo that first.")
            result = _take(task.image, pair, one["choice"], by)
            ConsensusItem.objects.create(
                consensus=row, first=pair.first, second=pair.second, choice=one["choice"], result=result
            )
    return row


def consensus_undo(*, consensus: Consensus, by: Any) -> Consensus:
    """Bring back what was before; undoing twice is undoing once. Conflict `consensus_changed` if a mask that came of it
    was corrected or deleted since: then nothing is undone."""
    with transaction.atomic():
        row = Consensus.objects.select_for_update().get(pk=consensus.pk)
        if row.undone_at is not None:
            return row
        for item in row.items.select_related("first", "second", "result").order_by("-id"):
            _bring_back(item, by)
        row.undone_at, row.undone_by = timezone.now(), by
        row.save(update_fields=["undone_at", "undone_by"])
    return row


def merged(first: rle.RLE, second: rle.RLE, choice: str) -> rle.RLE:
    """Union or intersection of two masks of one image (compressed RLE of one size)."""
    a, b = rle.decode(first), rle.decode(second)
    return rle.encode(a | b if choice == Choice.UNION else a & b)


def _changed() -> Conflict:
    return Conflict("consensus_changed", "These masks were changed meanwhile. Look again, then decide.")


def _is_ready(task: Task) -> None:
    if task.kind != Task.Kind.OVERLAP:
        raise Missing("not_found", "This image was not masked by a second person.")
    if task.state != Task.State.SUBMITTED:
        raise UserError("overlap_open", "The second person is not done with this image yet.")


def _sides(task: Task) -> tuple[list[Mask], list[Mask]]:
    masks = Mask.objects.filter(image=task.image_id).select_related("created_by").order_by("serial")
    first = masks.filter(status=Mask.Status.ACCEPTED, crowd=False)
    return list(first), list(masks.filter(task=task, status=Mask.Status.COMPARED))


def _settled(task: Task) -> list[ConsensusItem]:
    standing = ConsensusItem.objects.filter(consensus__task=task, consensus__undone_at=None)
    return list(standing.select_related("consensus__by"))


def _said(settled: Iterable[ConsensusItem], first: Mask | None, second: Mask | None) -> ConsensusItem | None:
    """The decision that stands on this object: known by the second person's mask, else by the first's."""
    for item in settled:
        if second is not None and item.second_id == second.pk:
            return item
        if first is not None and first.pk in (item.first_id, item.result_id):
            return item
    return None


def _key(first: Mask | None, second: Mask | None) -> tuple[uuid.UUID | None, uuid.UUID | None]:
    return (first.uuid if first else None, second.uuid if second else None)


def _take(image: Image, pair: Pair, choice: str, by: Any) -> Mask | None:
    """Do what was chosen; the mask that stands for the object now."""
    first, second = pair.first, pair.second
    if choice == Choice.FIRST and first is not None:
        return first
    if choice == Choice.NEITHER:
        if first is not None and mask_delete(mask=first, user=by).status != Mask.Status.DELETED:
            raise _changed()
        return None
    if choice == Choice.SECOND and second is not None:
        shape, source = second.segmentation, second.source
    elif choice in (Choice.UNION, Choice.INTERSECTION) and first is not None and second is not None:
        shape = merged(first.segmentation, second.segmentation, choice)
        by_model = {first.source, second.source} & {Mask.Source.MODEL, Mask.Source.MODEL_EDITED}
        source = Mask.Source.MODEL_EDITED if by_model else Mask.Source.HAND
    else:
        raise UserError("choice_impossible", "One of the two people has no mask of this object.")
    kept = first or second
    assert kept is not None
    body = {
        "segmentation": shape,
        "source": source,
        "stage": kept.stage,
        "category": (first.category if first else "") or (second.category if second else ""),
        "model": second.model if choice == Choice.SECOND and second else kept.model,
        "parent": first.uuid if first else None,
    }
    mask, _ = mask_save(image=image, mask_uuid=uuid.uuid4(), user=by, body=body)
    return mask


def _bring_back(item: ConsensusItem, by: Any) -> None:
    if item.choice == Choice.FIRST:
        return
    if item.result is not None:
        _delete_unchanged(item.result, by)
        if item.first is not None:
            _revive(item.first, by)
    elif item.first is not None and Mask.objects.filter(pk=item.first.pk, status=Mask.Status.DELETED).exists():
        mask_restore(mask=item.first, user=by)  # else somebody took it out of the bin already


def _delete_unchanged(mask: Mask, by: Any) -> None:
    if not Mask.objects.filter(pk=mask.pk, status=Mask.Status.ACCEPTED).exists():
        raise _changed()
    mask_delete(mask=mask, user=by)


def _revive(mask: Mask, by: Any) -> None:
    """The mask that the merge superseded counts again."""
    changed = Mask.objects.filter(pk=mask.pk, status=Mask.Status.SUPERSEDED).update(
        status=Mask.Status.ACCEPTED, status_changed_at=timezone.now(), status_changed_by=by
    )
    if not changed:
        raise _changed()
    send_on_commit(mask_saved, mask_id=mask.serial)
