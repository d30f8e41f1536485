"""Human work: who holds which image until when. Every change is one conditional UPDATE; nothing is read and then saved.

A lease is an id that only its holder knows, with an end. Whoever comes with a lease that has ended, or was taken over,
gets Conflict `lease_lost`; masks are saved without a lease, so that work is never lost with it.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from typing import Any

from django.conf import settings
from django.db import IntegrityError, connection, transaction
from django.db.models import Case, Exists, F, IntegerField, OuterRef, Q, QuerySet, Value, When
from django.utils import timezone

from annotation.errors import Conflict, Missing, NotAllowed, UserError
from annotation.models import Dataset, Image, ReviewItem, Task
from annotation.services.comparing import comparison_make
from annotation.services.queue import any_of, first_of, open_to, overlap_due, ways_open_to
from annotation.services.reviews import review_consider, review_finish
from annotation.services.training import is_trainee, trainee_graduate, training_prepare
from annotation.signals import send_on_commit, task_claimed, task_submitted

State, Kind = Task.State, Task.Kind
# Work that was skipped or submitted before and taken up again falls back to that when it is given up.
_BACK = Case(
    When(~Q(skip_reason=""), then=Value(State.SKIPPED.value)),
    When(submitted_at__isnull=False, then=Value(State.SUBMITTED.value)),
    default=Value(State.OPEN.value),
)
# Some work is one person's, also while it is not being worked on: a trainee's, and what came back to its maker.
_MAKERS = Exists(ReviewItem.objects.filter(task=OuterRef("origin"), author=OuterRef("assignee")))
_NOBODY = Case(When(Q(kind=Kind.TRAINING) | (Q(kind=Kind.RETURNED) & _MAKERS), then=F("assignee")), default=None)
BATCH = 20
LABELLING: list[str] = [Kind.ANNOTATE, Kind.OVERLAP, Kind.RETURNED]


def task_claim_next(*, dataset: Dataset, user: Any, kind: str = Kind.ANNOTATE) -> Task | None:
    """The task that the person holds already in the dataset, else the next free one in the lead's order, else None.

    Labelling includes what a review returned, which comes first, and being the second person on an image. It comes
    after the training queue: NotAllowed
    `training_done` once a trainee has done every gold image and not graduated.
    """
    now = timezone.now()
    if kind != Kind.ANNOTATE:
        _refuse_trainees(dataset, user, kind)
    kinds = _kinds(dataset, user) if kind == Kind.ANNOTATE else [kind]
    ways = ways_open_to(user)
    may = {one: ways[one] for one in kinds}
    held = (
        Task.objects.filter(any_of(may), image__dataset=dataset)
        .filter(state=State.CLAIMED, assignee=user, lease_expires_at__gt=now)
        .order_by("id")
        .first()
    )
    if held is not None and (kept := _kept(held)) is not None:
        return kept
    while True:
        first = first_of(dataset, may, _ways_to_be_free(now), BATCH)
        if not first:
            return None
        claimable = Task.objects.filter(any_of(may), _free(now))
        task = _claim_first(claimable, first, user)
        if task is None and connection.features.has_select_for_update_skip_locked:
            # Some rows are being written now: wait for one of them, as it may yet be free.
            task = _claim(claimable.filter(pk=first[0].pk), user)
        if task is not None:
            return task


def _refuse_trainees(dataset: Dataset, user: Any, kind: str) -> None:
    """A trainee has the training queue and nothing else. Raises NotAllowed."""
    if kind != Kind.TRAINING and is_trainee(dataset, user):
        raise NotAllowed("in_training", "The training images come first: ask for the next image of the dataset.")


def _kinds(dataset: Dataset, user: Any) -> list[str]:
    """What labelling means for this person: a trainee has the training queue and nothing else."""
    return [Kind.TRAINING] if training_prepare(dataset=dataset, user=user) else LABELLING


def task_claim_image(*, image: Image, user: Any, kind: str = Kind.ANNOTATE) -> Task:
    """Take up this image, also one that was submitted or skipped. Raises Conflict `task_taken` if somebody has it.

    Work of another kind than annotating is asked for by the engine: it is there or not (Missing `no_task`), ends with
    its submit, and an audit is for those who made nothing on the image (NotAllowed `own_work`).
    """
    _refuse_trainees(image.dataset, user, kind)
    now = timezone.now()
    mine = Q(state=State.CLAIMED, assignee=user)
    again = Q(state__in=[State.SUBMITTED, State.SKIPPED]) if kind == Kind.ANNOTATE else Q(state=State.SKIPPED)
    for _ in range(3):  # a task may appear or end between two looks
        task = _latest(image, kind, user) or _create(image, kind, user)
        if task.is_held_by(user.pk, now) and (kept := _kept(task)) is not None:
            return kept
        if not Task.objects.filter(open_to(user), pk=task.pk).exists():
            raise NotAllowed("own_work", "You worked on this image: this part of it is for somebody else.")
        claimable = Task.objects.filter(_free(now) | mine | again, pk=task.pk)
        if (claimed := _claim(claimable, user)) is not None:
            return claimed
    holder = _latest(image, kind, user)
    if holder is not None and holder.state == State.SUBMITTED:
        raise Conflict("task_done", "This work is done already.")
    name = holder.assignee.get_username() if holder and holder.assignee else "somebody else"
    until = holder.lease_expires_at.isoformat() if holder and holder.lease_expires_at else None
    raise Conflict("task_taken", f"{name} is working on this image.", {"assignee": name, "until": until})


def task_renew(*, task: Task, lease: uuid.UUID) -> Task:
    """Hold on for another lease time. Raises Conflict `lease_lost`."""
    return _change(task, lease, lease_expires_at=_lease_end())


def task_submit(*, task: Task, lease: uuid.UUID, seconds: float, answer: str) -> Task:
    """Done with the image; `seconds` of active time are added. The same submit sent twice counts once.

    Raises Conflict `lease_lost`.
    """
    if (again := _done_before(task, lease, State.SUBMITTED)) is not None:
        return again
    with transaction.atomic():
        changed = _change(
            task,
            lease,
            state=State.SUBMITTED,
            seconds=F("seconds") + seconds,
            answer=answer,
            skip_reason="",
            submitted_at=timezone.now(),
            submitted_by=F("assignee"),
            lease_expires_at=None,
        )
        _after_submit(changed)
        send_on_commit(task_submitted, task_id=task.pk)
    return changed


def _after_submit(task: Task) -> None:
    """What follows: a second person, a review, a return, or a comparison with the masks of the dataset."""
    if task.kind == Kind.ANNOTATE and overlap_due(task.image.dataset, task.image.sha256):
        Task.objects.get_or_create(image=task.image, kind=Kind.OVERLAP)
    if task.kind in (Kind.ANNOTATE, Kind.RETURNED):
        review_consider(task=task)
    if task.kind == Kind.REVIEW:
        review_finish(task=task)
    if task.kind in Task.APART:
        comparison_make(task=task)
    if task.kind == Kind.TRAINING:
        trainee_graduate(task=task)


def task_skip(*, task: Task, lease: uuid.UUID, reason: str, seconds: float = 0) -> Task:
    """Leave the image to nobody, with a reason; it is not offered again by itself. `seconds` of active time are added.

    The same skip sent twice counts once. Raises Conflict `lease_lost`.
    """
    if (again := _done_before(task, lease, State.SKIPPED)) is not None:
        return again
    added = F("seconds") + seconds
    return _change(
        task, lease, state=State.SKIPPED, seconds=added, answer="", skip_reason=reason, lease_expires_at=None
    )


def task_release(*, task: Task, lease: uuid.UUID, seconds: float = 0) -> Task:
    """Give the image back for others; `seconds` of active time are added. Raises Conflict `lease_lost`."""
    added = F("seconds") + seconds
    return _change(task, lease, state=_BACK, seconds=added, assignee=_NOBODY, lease=None, lease_expires_at=None)


def tasks_expire() -> int:
    """Give back every image whose lease has ended; their number."""
    ended = Task.objects.filter(state=State.CLAIMED, lease_expires_at__lte=timezone.now())
    return ended.update(state=_BACK, assignee=_NOBODY, lease=None, lease_expires_at=None)


def tasks_give_back(*, dataset_id: int, user_id: int) -> None:
    """What a person holds, and what was returned to them, is for others now."""
    mine = Task.objects.filter(image__dataset=dataset_id, assignee=user_id)
    mine.filter(state=State.CLAIMED).update(state=_BACK, assignee=_NOBODY, lease=None, lease_expires_at=None)
    mine.filter(kind=Kind.RETURNED, state=State.OPEN).update(assignee=None)


def task_open(*, image: Image, kind: str) -> Task:
    """Ask for work on an image."""
    return Task.objects.create(image=image, kind=kind)


def tasks_withdraw(*, tasks: QuerySet[Task]) -> int:
    """Take back what was asked for and is not done; masks that were made under it stay. Their number."""
    return tasks.filter(state__in=[State.OPEN, State.CLAIMED]).delete()[1].get("annotation.Task", 0)


def task_withdraw(*, image: Image) -> bool:
    """Nobody has to label this image any more; whether there was a task to take away. Touched work stays."""
    untouched = Task.objects.filter(image=image, kind=Kind.ANNOTATE, state=State.OPEN, submitted_at=None, seconds=0)
    return untouched.filter(masks=None).delete()[0] > 0


def tasks_open_missing(*, dataset: Dataset) -> int:
    """Somebody has to look at every image again: an open task for each that has none; their number."""
    tasks = Task.objects.filter(image=OuterRef("pk"), kind=Kind.ANNOTATE)
    missing = Image.objects.filter(~Exists(tasks), dataset=dataset).order_by("id").values_list("pk", flat=True)
    rows = [Task(image_id=pk) for pk in list(missing)]
    return len(Task.objects.bulk_create(rows, ignore_conflicts=True, batch_size=500))


def tasks_left_for(*, dataset: Dataset, user: Any, kind: str) -> int:
    """How many tasks of a kind this person could take up now, those they hold included."""
    if kind != Kind.TRAINING and is_trainee(dataset, user):
        return 0
    tasks = Task.objects.filter(open_to(user), image__dataset=dataset, kind=kind)
    return tasks.filter(_free(timezone.now()) | Q(state=State.CLAIMED, assignee=user)).count()


def tasks_upcoming(*, dataset: Dataset, limit: int = 3, after: Task | None = None) -> list[int]:
    """Ids of the images that will be offered next, for prefetching: to whoever works on `after`, by the same kind.

    Of labelling only everybody's queue is looked at; what comes to one person first is little, and is asked for later.
    """
    may: dict[str, Q] = {Kind.ANNOTATE: Q()}
    if after is not None and after.kind not in LABELLING:
        may = {after.kind: ways_open_to(after.assignee)[after.kind]}
    return [task.image_id for task in first_of(dataset, may, _ways_to_be_free(timezone.now()), limit)]


def tasks_of_others(*, image: Image, user: Any) -> QuerySet[Task]:
    """The work on an image, on the masks of the dataset itself, that somebody else holds at this moment."""
    live = Task.objects.filter(image=image, state=State.CLAIMED, lease_expires_at__gt=timezone.now())
    return live.exclude(kind__in=Task.APART).exclude(assignee=user)


def _ways_to_be_free(now: datetime) -> list[Q]:
    return [Q(state=State.OPEN), Q(state=State.CLAIMED, lease_expires_at__lte=now)]


def _free(now: datetime) -> Q:
    is_open, has_ended = _ways_to_be_free(now)
    return is_open | has_ended


def _lease_end() -> datetime:
    return timezone.now() + timedelta(seconds=settings.ANYMASK_TASK_LEASE_SECONDS)


def _kept(task: Task) -> Task | None:
    """The task of its holder, held for longer; None if it was given back since we looked.

    A page that is loaded anew gives the image back and takes it up again in two requests that may pass each other.
    """
    try:
        return task_renew(task=task, lease=task.lease) if task.lease else None
    except Conflict:
        return None


def _claim_first(claimable: QuerySet[Task], tasks: list[Task], user: Any) -> Task | None:
    """The first of these tasks that is claimable yet, since nobody took it, and that nobody is taking.

    Chosen once it is our turn to write, not before: of many people who read the same tasks, everybody has one at once.
    """
    order = Case(*(When(pk=one.pk, then=place) for place, one in enumerate(tasks)), output_field=IntegerField())
    with transaction.atomic():
        left = claimable.select_for_update(skip_locked=True).filter(pk__in=[one.pk for one in tasks])
        first = left.order_by(order).only("pk").first()
        return _claim(claimable.filter(pk=first.pk), user) if first else None


def _claim(claimable: QuerySet[Task], user: Any) -> Task | None:
    """One UPDATE with the condition inside: of any number of people at once, one row changes for one of them."""
    lease = uuid.uuid4()
    try:
        with transaction.atomic():
            changed = claimable.update(state=State.CLAIMED, assignee=user, lease=lease, lease_expires_at=_lease_end())
            if not changed:
                return None
            task = Task.objects.select_related("image", "assignee").get(lease=lease)
            send_on_commit(task_claimed, task_id=task.pk)
    except IntegrityError:  # another task of this image went live meanwhile
        return None
    return task


def _latest(image: Image, kind: str, user: Any) -> Task | None:
    """The live task of this kind of an image, else its newest. A training is one person's: of several, theirs."""
    tasks = Task.objects.filter(image=image, kind=kind).select_related("assignee")
    if kind == Kind.TRAINING:
        tasks = tasks.filter(assignee=user)
    live = tasks.filter(state__in=[State.OPEN, State.CLAIMED]).first()
    return live or tasks.order_by("-id").first()


def _create(image: Image, kind: str, user: Any) -> Task:
    if kind != Kind.ANNOTATE:
        raise Missing("no_task", "There is no such work on this image.")
    try:
        with transaction.atomic():
            return Task.objects.create(image=image)
    except IntegrityError:
        task = _latest(image, kind, user)
        assert task is not None
        return task


def _done_before(task: Task, lease: uuid.UUID, state: str) -> Task | None:
    """The task, if this very lease has brought it into this state already: the answer was lost, not the request."""
    return Task.objects.select_related("image", "assignee").filter(pk=task.pk, lease=lease, state=state).first()


def _change(task: Task, held_with: uuid.UUID, /, **fields: Any) -> Task:
    held = Task.objects.filter(pk=task.pk, lease=held_with, state=State.CLAIMED, lease_expires_at__gt=timezone.now())
    if not held.update(**fields):
        row = Task.objects.filter(pk=task.pk).select_related("assignee").first()
        if row is None:
            raise UserError("task_gone", "This task no longer exists.")
        details = {"state": row.state, "assignee": row.assignee.get_username() if row.assignee else None}
        message = "Your hold on this image has ended. Your masks are saved; take the image up again to go on."
        raise Conflict("lease_lost", message, details)
    return Task.objects.select_related("image", "assignee").get(pk=task.pk)
