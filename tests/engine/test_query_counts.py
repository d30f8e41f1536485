"""Pages cost the same number of queries for ten rows as for a hundred."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.models import Comparison, Consensus, Dataset, Event, Group, Job, Mask, Member, ReviewItem, Task
from annotation.services.people import invitation_create
from engine.models import Evaluation, Promotion, Snapshot, TrainingRun
from tests.cast import add_image, add_mask, add_video
from tests.engine.conftest import version_row

LISTS = (
    "/api/datasets/",
    "/api/datasets/{dataset}/members/",
    "/api/datasets/{dataset}/images/",
    "/api/datasets/{dataset}/videos/",
    "/api/datasets/{dataset}/jobs/",
    "/api/datasets/{dataset}/training-runs/",
    "/api/datasets/{dataset}/models/",
    "/api/datasets/{dataset}/reviews/",
    "/api/datasets/{dataset}/feedback/",
    "/api/datasets/{dataset}/invitations/",
    "/api/datasets/{dataset}/events/",
    "/api/datasets/{dataset}/proof/",
    "/api/waiting/",
    "/api/groups/",
    "/api/datasets/{dataset}/",
    "/api/datasets/{dataset}/images/?state=open",
    "/api/datasets/{dataset}/groups/",
    "/api/datasets/{dataset}/overlaps/",
    "/api/datasets/{dataset}/agreement/",
    "/api/datasets/{dataset}/audits/",
    "/api/datasets/{dataset}/stages/",
    "/api/datasets/{dataset}/loop/",
    "/api/datasets/{dataset}/retraining/",
    "/api/datasets/{dataset}/statistics/",
    "/api/datasets/{dataset}/categories/",
    "/api/datasets/{dataset}/export-choices/",
    "/api/datasets/{dataset}/versions/",
    "/api/tasks/{overlap}/consensus/",
    "/api/tasks/{review}/review/",
    "/api/images/{image}/masks/",
    "/api/images/{image}/masks/?history=1",
    "/api/masks/{mask}/history/",
)


def grow(cast, image, base, users, numbers) -> None:
    """One more row in every list for each number; masks of an image are corrections of the one before."""
    for n in numbers:
        dataset = Dataset.objects.create(name=f"more {n}")
        Member.objects.create(dataset=dataset, user=cast.ana, role="lead")
        Member.objects.create(dataset=cast.dataset, user=users.create(username=f"more{n}"), role="viewer")
        add_image(cast.dataset, seed=100 + n)
        add_video(cast.dataset, seed=n, frames=0)
        add_mask(image, created_by=cast.ben)
        task, _ = Task.objects.get_or_create(image=image, kind="review", state="submitted")
        said = {"verdict": "returned", "author": cast.ana, "decided_by": cast.rae, "decided_at": timezone.now()}
        ReviewItem.objects.create(task=task, mask=add_mask(image, created_by=cast.ana), after=None, **said)
        Task.objects.create(image=add_image(dataset, seed=300 + n), kind="returned", assignee=cast.ana)
        annotator = users.create(username=f"annotator{n}")
        Member.objects.create(dataset=cast.dataset, user=annotator, role="annotator")
        ReviewItem.objects.create(
            task=task, mask=add_mask(image, created_by=annotator), **{**said, "author": annotator}
        )
        Group.objects.create(name=f"group {n}", owner=cast.ana).roles.create(dataset=cast.dataset, role="viewer")
        second = add_image(cast.dataset, seed=500 + n)
        overlap = Task.objects.create(image=second, kind="overlap", state="submitted", assignee=cast.ben)
        Comparison.objects.create(task=overlap, mean_iou=0.5, pairs=[{"iou": 0.5}])
        twice = Task.objects.filter(kind="overlap").order_by("pk")[0]
        add_mask(twice.image, created_by=cast.ana)
        add_mask(twice.image, created_by=cast.ben, task=twice, status="compared")
        decided = Consensus.objects.create(task=twice, by=cast.ana)
        decided.items.create(choice="neither", second=add_mask(twice.image, status="deleted", created_by=cast.vic))
        invitation_create(dataset=cast.dataset, by=cast.ana, role="viewer")
        Event.objects.create(dataset=cast.dataset, actor=cast.ben, action="mask:put", subject="mask")
        parent = Mask.objects.filter(category="corrected").order_by("serial").last()
        add_mask(image, created_by=cast.ben, parent=parent, category="corrected", status="superseded")
        job = Job.objects.create(kind="probe", title="Probe", queue="io", dataset=cast.dataset, created_by=cast.ana)
        version = version_row(f"v{n}", dataset=cast.dataset, parent=base)
        snapshot = Snapshot.objects.create(dataset=cast.dataset, digest=f"{n:064x}", path="snapshots/1/d", counts={})
        run = TrainingRun.objects.create(
            dataset=cast.dataset,
            trigger="person",
            state="finished",
            base=base,
            candidate=version,
            snapshot=snapshot,
            seed=n,
            job=job,
        )
        for role in ("serving", "candidate"):
            Evaluation.objects.create(run=run, version=version, role=role, summary={}, rows=[], images=1)
        Promotion.objects.create(
            dataset=cast.dataset, run=run, kind="refuse", from_version=base, to_version=version, reason="-"
        )


@pytest.mark.django_db
def test_pages_cost_the_same_for_ten_rows_as_for_a_hundred(cast, image, as_, base, django_user_model):
    client = as_(cast.ana)

    def cost() -> dict[str, int]:
        mask = Mask.objects.filter(category="corrected").order_by("serial").last()
        spent = {}
        for address in LISTS:
            review = Task.objects.filter(kind="review").values_list("pk", flat=True).first()
            names = {"dataset": cast.dataset.pk, "image": image.pk, "mask": mask.uuid, "review": review}
            url = address.format(**names, overlap=Task.objects.filter(kind="overlap").order_by("pk")[0].pk)
            with CaptureQueriesContext(connection) as queries:
                assert client.get(url).status_code == 200
            spent[address] = len(queries)
        return spent

    grow(cast, image, base, django_user_model.objects, range(10))
    few = cost()
    grow(cast, image, base, django_user_model.objects, range(10, 100))
    assert cost() == few
    assert max(few.values()) <= 25
