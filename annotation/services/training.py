"""The training queue: an annotator's first images are gold ones, and their masks are measured against the gold.

Who reaches the mean IoU that the lead asks for on the latest images of the training graduates by themselves; a lead
graduates anybody at any time. Leads and reviewers are never trainees.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from statistics import fmean
from typing import Any

from django.db import IntegrityError, transaction
from django.utils import timezone

from annotation.errors import NotAllowed
from annotation.models import Comparison, Dataset, Mask, Member, Task


@dataclass(frozen=True)
class Standing:
    """Where an annotator stands: gold images done, how many are asked for, and the mean IoU over the latest of them."""

    done: int
    asked: int
    mean_iou: float | None
    graduated: bool

    @property
    def passed(self) -> bool:
        """Whether there is nothing left to learn."""
        return self.graduated or self.asked == 0


def gold_images(dataset: Dataset) -> list[int]:
    """Ids of the gold images that have masks, oldest first."""
    masks = Mask.objects.filter(status=Mask.Status.ACCEPTED, crowd=False, image__dataset=dataset, image__gold=True)
    return sorted(set(masks.values_list("image", flat=True)))


def is_trainee(dataset: Dataset, user: Any) -> bool:
    """Whether this person's first images are still before them."""
    if dataset.training_images == 0:
        return False
    annotators = Member.objects.filter(dataset=dataset, user=user, role=Member.Role.ANNOTATOR, graduated_at=None)
    return annotators.exists() and bool(gold_images(dataset))


def standings_of(dataset: Dataset, members: Iterable[Member]) -> dict[int, Standing]:
    """How far members of a dataset are in the training, by member id; two queries however many they are.

    Of leads and reviewers nothing is asked.
    """
    members = list(members)
    gold = len(gold_images(dataset)) if dataset.training_images else 0
    results: dict[int, list[float]] = {}
    rows = Comparison.objects.filter(
        task__image__dataset=dataset,
        task__kind=Task.Kind.TRAINING,
        task__assignee__in=[member.user_id for member in members],
    )
    for user, value in rows.order_by("-task__submitted_at").values_list("task__assignee", "mean_iou"):
        results.setdefault(user, []).append(value or 0.0)
    standings = {}
    for member in members:
        asked = min(dataset.training_images, gold) if member.role == Member.Role.ANNOTATOR else 0
        done = results.get(member.user_id, [])
        latest = done[: max(asked, 1)]
        mean = fmean(latest) if latest else None
        standings[member.pk] = Standing(len(done), asked, mean, member.graduated_at is not None)
    return standings


def training_prepare(*, dataset: Dataset, user: Any) -> bool:
    """Whether this person is a trainee; then one of their training tasks is open.

    NotAllowed `training_done` when every gold image was done and the mean IoU is not reached: a lead decides.
    """
    if not is_trainee(dataset, user):
        return False
    mine = Task.objects.filter(image__dataset=dataset, kind=Task.Kind.TRAINING, assignee=user)
    if mine.filter(state__in=[Task.State.OPEN, Task.State.CLAIMED]).exists():
        return True
    known = set(mine.values_list("image", flat=True))
    image = next((pk for pk in gold_images(dataset) if pk not in known), None)
    if image is None:
        raise NotAllowed(
            "training_done", "You have done every training image. A lead of the dataset looks at the result now."
        )
    try:
        with transaction.atomic():
            Task.objects.create(image_id=image, kind=Task.Kind.TRAINING, assignee=user)
    except IntegrityError:  # asked twice at once: it is there
        pass
    return True


def trainee_graduate(*, task: Task) -> bool:
    """After a training task: whether the person has graduated by it."""
    members = Member.objects.select_related("dataset")
    member = members.filter(dataset=task.image.dataset_id, user=task.assignee_id).first()
    if member is None:
        return False
    standing = standings_of(member.dataset, [member])[member.pk]
    enough = standing.done >= standing.asked > 0
    if member.graduated_at is None and enough and (standing.mean_iou or 0) >= member.dataset.training_iou:
        return member_graduate(member=member)
    return False


def member_graduate(*, member: Member, graduated: bool = True) -> bool:
    """Let somebody label, or send them back to the training images; whether that changed anything."""
    now = timezone.now() if graduated else None
    rows = Member.objects.filter(pk=member.pk, graduated_at__isnull=graduated)
    changed = rows.update(graduated_at=now) > 0
    member.graduated_at = now if changed else member.graduated_at
    return changed


def members_excuse(*, dataset: Dataset) -> int:
    """Who has finished images here before the training queue was switched on needs none; their number."""
    finished = Task.objects.filter(image__dataset=dataset, kind=Task.Kind.ANNOTATE, submitted_by__isnull=False)
    experienced = Member.objects.filter(dataset=dataset, graduated_at=None, user__in=finished.values("submitted_by"))
    return experienced.update(graduated_at=timezone.now())


def feedback_for(*, task: Task, user: Any) -> Comparison | None:
    """What a trainee is told of an image they submitted; None for other work and other people."""
    if task.kind != Task.Kind.TRAINING or task.assignee_id != user.pk:
        return None
    return Comparison.objects.filter(task=task).first()
