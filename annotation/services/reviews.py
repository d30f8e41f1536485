"""Review: a share of what annotators submit is looked at by a reviewer, mask by mask.

A reviewer accepts a mask, corrects it in the editor, or returns it with a reason from a short list, a comment pinned to
a place, and the mask as it should be. What was returned becomes a task of its maker's, and then goes back to review;
each round has its own rows, so that every step stays.

How much is reviewed follows each annotator's record (`share_for`): until 20 of a person's masks were judged everything,
then the dataset's share, larger or smaller in proportion to how many of their latest 50 judged masks were wrong: 10 %
wrong is the share itself. It never falls below a quarter of the share. Which images are due follows from their digest.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from django.db import IntegrityError, transaction
from django.db.models import Count, F, OuterRef, QuerySet, Subquery, Window
from django.db.models.functions import RowNumber
from django.utils import timezone

from annotation.counts import figure
from annotation.errors import Conflict, UserError
from annotation.intervals import wilson
from annotation.models import Dataset, Image, Mask, Member, ReviewItem, Task
from annotation.services.masks import current_of, mask_history
from annotation.signals import review_opened, send_on_commit
from modelzoo import rle

Verdict = ReviewItem.Verdict
FIRST = 20  # masks of a person that are judged before their record says anything
RECORD = 50  # latest judged masks that make the record
TOLERATED = 0.10  # share of wrong masks at which the dataset's share of images is reviewed
LEAST = 0.25  # of the dataset's share, however good the record
RETURNED_FIRST = 1_000_000  # priority: what came back is offered before everything else


@dataclass(frozen=True)
class Record:
    """Of a person's latest judged masks: how many, how many of them were wrong, and the share of images due now."""

    judged: int
    wrong: int
    share: float


def share_for(dataset: Dataset, judged: int, wrong: int) -> float:
    """Share (0..1) of a person's images that are reviewed. The record counts by the upper end of its 95 % interval."""
    if dataset.review_share <= 0:
        return 0.0
    if not dataset.review_adapts:
        return dataset.review_share
    if judged < FIRST:
        return 1.0
    factor = max(LEAST, wilson(wrong, judged)[1] / TOLERATED)
    return float(min(1.0, dataset.review_share * factor))


def records_of(dataset: Dataset, users: Iterable[int]) -> dict[int, Record]:
    """The record of each of these people (ids) in a dataset; one query however many they are."""
    users = list(users)
    judged = ReviewItem.objects.filter(author__in=users, task__image__dataset=dataset, mask__isnull=False)
    judged = judged.filter(task__state=Task.State.SUBMITTED)
    newest = Window(RowNumber(), partition_by="author", order_by=F("decided_at").desc())
    latest = judged.exclude(verdict="").filter(decided_at__isnull=False).annotate(place=newest).order_by()
    verdicts: dict[int, list[str]] = {user: [] for user in users}
    for author, verdict in latest.filter(place__lte=RECORD).values_list("author", "verdict"):
        verdicts[author].append(verdict)
    wrong = {user: sum(verdict in ReviewItem.WRONG for verdict in said) for user, said in verdicts.items()}
    return {
        user: Record(len(said), wrong[user], share_for(dataset, len(said), wrong[user]))
        for user, said in verdicts.items()
    }


@figure("review")
def review_figures(dataset_id: int) -> dict[str, Any]:
    """What reviewers found: {"verdicts": {verdict: masks}, "reasons": {reason: masks}, "people": [record of each]}."""
    judged = ReviewItem.objects.filter(task__image__dataset=dataset_id, task__state=Task.State.SUBMITTED).order_by()
    wrong = judged.filter(verdict__in=ReviewItem.WRONG).exclude(reason="")
    annotators = Member.objects.filter(dataset=dataset_id, role=Member.Role.ANNOTATOR, deactivated_at=None)
    names = dict(annotators.order_by("pk").values_list("user", "user__username"))
    records = records_of(Dataset.objects.get(pk=dataset_id), names)
    return {
        "verdicts": dict(judged.exclude(verdict="").values_list("verdict").annotate(n=Count("pk"))),
        "reasons": dict(wrong.values_list("reason").annotate(n=Count("pk"))),
        "people": [{"username": names[user], **vars(record)} for user, record in records.items()],
    }


def review_due(dataset: Dataset, sha256: str, author: int) -> bool:
    """Whether this image of an annotator goes to review: by other digits of its digest than split and second person."""
    if dataset.review_share <= 0:
        return False
    annotators = Member.objects.filter(dataset=dataset, user=author, role=Member.Role.ANNOTATOR)
    if not annotators.exists():
        return False
    return int(sha256[16:24], 16) / 2**32 < records_of(dataset, [author])[author].share


def review_consider(*, task: Task) -> Task | None:
    """After labelling or answering a return was submitted: the review that is open for the image now, if one is."""
    if task.kind == Task.Kind.RETURNED:
        return _open_round(task, _answer(task), author=_author(task))
    dataset = task.image.dataset
    if task.assignee_id is None or not review_due(dataset, task.image.sha256, task.assignee_id):
        return None
    return _open_round(task, list(masks_unseen(task.image)), author=task.assignee_id)


def masks_unseen(image: Image) -> QuerySet[Mask]:
    """Accepted masks of an image that no reviewer has accepted or made as they stand."""
    accepted = ReviewItem.objects.filter(task__image=image, verdict=Verdict.ACCEPTED, mask__isnull=False)
    made = ReviewItem.objects.filter(task__image=image, verdict=Verdict.CORRECTED, after__isnull=False)
    masks = Mask.objects.filter(image=image, status=Mask.Status.ACCEPTED, crowd=False)
    return masks.exclude(pk__in=accepted.values("mask")).exclude(pk__in=made.values("after")).order_by("serial")


def _open_round(task: Task, masks: list[Mask], *, author: int | None) -> Task | None:
    """An open review with these masks; one that nobody looks at yet takes up what is new.

    One that somebody is at takes up what corrects a mask of it, and what is new follows when it ends; as it does where
    work was returned. A mask is its maker's; `author` answers for what the machine made.
    """
    if not masks:
        return None
    makers = set(_annotators(task.image.dataset_id).values_list("user", flat=True))
    try:
        with transaction.atomic():
            live = Task.objects.filter(image=task.image_id, state__in=[Task.State.OPEN, Task.State.CLAIMED])
            kinds = [Task.Kind.REVIEW, Task.Kind.RETURNED]
            waiting = live.select_for_update(no_key=True, of=("self",)).filter(kind__in=kinds).first()
            if waiting and waiting.kind == Task.Kind.RETURNED:
                return None
            if waiting and waiting.state == Task.State.CLAIMED:
                masks = _corrections(waiting, masks)
            review = waiting or Task.objects.create(image=task.image, kind=Task.Kind.REVIEW, origin=task)
            made_by = {mask.pk: mask.created_by_id if mask.created_by_id in makers else author for mask in masks}
            rows = [ReviewItem(task=review, mask=mask, author_id=made_by[mask.pk]) for mask in masks]
            ReviewItem.objects.bulk_create(rows, ignore_conflicts=True)
    except IntegrityError:  # two submits at once: the other one opened it
        return None
    send_on_commit(review_opened, task_id=review.pk)
    return review


def _corrections(review: Task, masks: list[Mask]) -> list[Mask]:
    """Those of the masks that are later versions of masks that the review looks at."""
    looked_at = set(review.review_items.values_list("mask", flat=True))
    return [mask for mask in masks if any(one.pk in looked_at for one in mask_history(mask=mask))]


def _annotators(dataset_id: int) -> QuerySet[Member]:
    return Member.objects.filter(dataset=dataset_id, role=Member.Role.ANNOTATOR)


def _author(task: Task) -> int | None:
    """Who labelled what a returned task is about."""
    first = task.origin.review_items.exclude(author=None).first() if task.origin else None
    return first.author_id if first else task.assignee_id


def _answer(task: Task) -> list[Mask]:
    """Write down what became of each returned mask; the masks that the reviewer has to see again, and the new ones.

    New are those that were made since the return, by ordinary labelling too.
    """
    returned = ReviewItem.objects.filter(task=task.origin_id, verdict=Verdict.RETURNED).select_related("mask")
    seen: list[Mask] = []
    for item in returned:
        after = current_of(item.mask) if item.mask else None
        ReviewItem.objects.filter(pk=item.pk).update(after=after, answered_at=timezone.now())
        if after is not None:
            seen.append(after)
    new = masks_unseen(task.image).filter(created_at__gte=task.created_at).exclude(pk__in=[one.pk for one in seen])
    return [*seen, *new]


def round_of(task: Task) -> Task | None:
    """The review that a task is about: itself, or the one that returned the work."""
    if task.kind == Task.Kind.REVIEW:
        return task
    return task.origin if task.kind == Task.Kind.RETURNED else None


def items_of(task: Task) -> QuerySet[ReviewItem]:
    """What is to be looked at: all items of a review, the doubtful ones first; of a return those that came back."""
    rows = ReviewItem.objects.select_related("mask", "after", "author", "decided_by")
    if task.kind == Task.Kind.RETURNED:
        return rows.filter(task=task.origin_id, verdict=Verdict.RETURNED).order_by("id")
    return rows.filter(task=task).order_by(F("disagreement").desc(nulls_last=True), "id")


def earlier_items(task: Task) -> QuerySet[ReviewItem]:
    """What earlier rounds said of the image, newest first: only what was not simply accepted."""
    review = round_of(task)
    rows = ReviewItem.objects.filter(task__image=task.image_id, verdict__in=ReviewItem.WRONG)
    rows = rows.exclude(task=review.pk) if review else rows
    return rows.select_related("mask", "after", "author", "decided_by").order_by("-id")


@transaction.atomic
def item_decide(*, task: Task, item_id: int, by: Any, verdict: str, **said: Any) -> ReviewItem:
    """Say something of one mask; what was said before in the same round is replaced. Empty takes it back.

    `said`: reason, comment, x, y, suggestion. A return needs a reason. Conflict `lease_lost` for whoever does not hold
    the review, UserError for a suggestion that is no mask of this image.
    """
    _held(task, by)
    item = ReviewItem.objects.filter(task=task, pk=item_id).select_related("mask").first()
    if item is None:
        raise UserError("item_missing", "This mask is not part of the review.")
    if item.mask is None and not verdict:
        item.delete()
        return item
    fields = _said(task.image, verdict, said)
    ReviewItem.objects.filter(pk=item.pk).update(
        verdict=verdict, decided_by=by if verdict else None, decided_at=timezone.now() if verdict else None, **fields
    )
    return ReviewItem.objects.select_related("mask", "after", "author", "decided_by").get(pk=item.pk)


@transaction.atomic
def remark_add(*, task: Task, by: Any, **said: Any) -> ReviewItem:
    """Return the image for something that has no mask: `said` has x and y, perhaps comment and suggestion."""
    _held(task, by)
    first = task.review_items.exclude(author=None).first()
    said = {"reason": ReviewItem.Reason.MISSING_OBJECT, **said}
    if said.get("x") is None or said.get("y") is None:
        raise UserError("place_missing", "Say where something is missing: point at it in the picture.")
    fields = _said(task.image, Verdict.RETURNED, said)
    return ReviewItem.objects.create(
        task=task,
        author_id=first.author_id if first else None,
        verdict=Verdict.RETURNED,
        decided_by=by,
        decided_at=timezone.now(),
        **fields,
    )


def _held(task: Task, by: Any) -> None:
    # Locked: nothing is said of a review that is being submitted, where nobody would read it any more.
    row = Task.objects.select_for_update(no_key=True).filter(pk=task.pk, kind=Task.Kind.REVIEW).first()
    if row is None or not row.is_held_by(by.pk, timezone.now()):
        raise Conflict("lease_lost", "Your hold on this review has ended. Take it up again to go on.")


def _said(image: Image, verdict: str, said: dict[str, Any]) -> dict[str, Any]:
    """The columns of what was said, checked against the image."""
    reason = said.get("reason") or ""
    if verdict == Verdict.RETURNED and not reason:
        raise UserError("reason_missing", "Say what is wrong: a returned mask needs a reason.")
    x, y = said.get("x"), said.get("y")
    placed = x is not None and y is not None and 0 <= x <= image.width and 0 <= y <= image.height
    if not placed and (x is not None or y is not None):
        raise UserError("place_outside", "The place of the comment is outside of the picture.")
    suggestion = said.get("suggestion")
    if suggestion is not None:
        try:
            suggestion = dict(rle.validate(suggestion, image.height, image.width))
        except rle.RLEError as problem:
            raise UserError(problem.code, str(problem)) from None
    comment = said.get("comment") or ""
    return {"reason": reason, "comment": comment, "x": x, "y": y, "suggestion": suggestion}


def review_finish(*, task: Task) -> Task | None:
    """After a review was submitted: what nobody spoke of is accepted as it stands.

    The task of what was returned, or the review of what was submitted while somebody was at this one.

    A mask that its own maker changed meanwhile is no finding: it drops out, and comes back with what they submit.
    """
    now = timezone.now()
    for item in task.review_items.select_related("mask").filter(verdict__in=["", Verdict.ACCEPTED, Verdict.CORRECTED]):
        if item.mask is None:
            continue
        if not item.mask.is_current and item.mask.status_changed_by_id in (item.author_id, None):  # None: the machine
            item.delete()
            continue
        after = current_of(item.mask)
        if after is None:
            verdict = Verdict.DELETED
        else:
            verdict = Verdict.ACCEPTED if after.pk == item.mask.pk else Verdict.CORRECTED
        ReviewItem.objects.filter(pk=item.pk).update(
            verdict=verdict,
            after=after if verdict == Verdict.CORRECTED else None,
            decided_by=task.assignee_id,
            decided_at=item.decided_at or now,
        )
    if not task.review_items.filter(verdict=Verdict.RETURNED).exists():
        return _follow_up(task)
    return Task.objects.create(
        image=task.image,
        kind=Task.Kind.RETURNED,
        origin=task,
        assignee_id=_still_here(task),
        priority=RETURNED_FIRST,
    )


def _follow_up(task: Task) -> Task | None:
    labelled = Task.objects.filter(image=task.image, kind=Task.Kind.ANNOTATE, state=Task.State.SUBMITTED)
    newest = labelled.filter(submitted_at__gt=task.created_at).order_by("-submitted_at").first()
    if newest is None or newest.submitted_by_id is None:
        return None
    if not review_due(task.image.dataset, task.image.sha256, newest.submitted_by_id):
        return None
    new = masks_unseen(task.image).exclude(created_by=task.assignee_id)
    return _open_round(newest, list(new), author=newest.submitted_by_id)


def _still_here(task: Task) -> int | None:
    """The maker of what was returned, if they may still label here; else anybody may take it."""
    first = task.review_items.filter(verdict=Verdict.RETURNED).exclude(author=None).first()
    members = Member.objects.filter(dataset=task.image.dataset_id, deactivated_at=None).exclude(role=Member.Role.VIEWER)
    return first.author_id if first and members.filter(user=first.author_id).exists() else None


def disagreement_set(*, task: Task, values: dict[int, float], worst: int = 3) -> None:
    """Store 1 - IoU by mask serial, and the mean of the image's `worst` as its place in the queue."""
    with transaction.atomic():
        for serial, value in values.items():
            ReviewItem.objects.filter(task=task, mask=serial).update(disagreement=value)
        top = sorted(values.values(), reverse=True)[:worst]
        Task.objects.filter(pk=task.pk).update(disagreement=sum(top) / len(top) if top else None)


def feedback_items(dataset: Dataset, user: Any) -> QuerySet[ReviewItem]:
    """What reviewers found wrong in a person's masks."""
    rows = ReviewItem.objects.filter(author=user, task__image__dataset=dataset, verdict__in=ReviewItem.WRONG)
    rows = rows.filter(task__state=Task.State.SUBMITTED)
    name = Image.objects.filter(pk=OuterRef("task__image")).values("file_name")
    return rows.select_related("mask", "after", "author", "decided_by", "task").annotate(file_name=Subquery(name))
