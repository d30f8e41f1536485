"""Of a large dataset pages tell what a job counted; of a small one they count."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation import counts, jobkit
from annotation.models import Figures, Job
from annotation.services import figures
from tests.cast import add_image, add_mask


@pytest.fixture
def large(cast, monkeypatch):
    """A dataset of six masks, which counts as large."""
    monkeypatch.setattr(counts, "LARGE", 5)
    image = add_image(cast.dataset)
    for _ in range(6):
        add_mask(image, category="leaf")
    return cast.dataset


def told(client, dataset) -> dict:
    return client.get(f"/api/datasets/{dataset.pk}/").json()


def count_now() -> None:
    """What the worker would do."""
    from annotation import jobs  # noqa: F401  binds the job

    for job in Job.objects.filter(kind=counts.COUNT.name, state="queued"):
        jobkit.run(job.pk)


def grow_old() -> None:
    for row in Figures.objects.all():
        Figures.objects.filter(pk=row.pk).update(counted_at=row.counted_at - timedelta(hours=1))


@pytest.mark.django_db
def test_a_small_dataset_is_counted_at_every_look(cast, as_):
    image = add_image(cast.dataset)
    assert told(as_(cast.ana), cast.dataset)["mask_count"] == 0
    add_mask(image)
    body = told(as_(cast.ana), cast.dataset)
    assert (body["mask_count"], body["counted_at"]) == (1, None)
    assert not Figures.objects.exists()


@pytest.mark.django_db(transaction=True)
def test_a_large_one_says_when_it_was_counted_and_is_counted_anew_once_that_is_old(cast, as_, large):
    client = as_(cast.ana)
    assert told(client, large)["mask_count"] == 6
    count_now()
    add_mask(large.images.get())
    body = told(client, large)
    assert body["mask_count"] == 6
    assert body["counted_at"] is not None
    grow_old()
    assert told(client, large)["mask_count"] == 6  # this look queues the count and does not wait for it
    assert told(client, large)["mask_count"] == 6
    assert Job.objects.filter(kind=counts.COUNT.name, state="queued").count() == 1
    count_now()
    assert told(client, large)["mask_count"] == 7


@pytest.mark.django_db(transaction=True)
def test_every_figure_of_a_large_one_is_counted_by_the_job_alone(cast, as_, large, monkeypatch):
    client = as_(cast.ana)
    told(client, large)
    count_now()
    add_mask(large.images.get(), category="new")
    names = client.get(f"/api/datasets/{large.pk}/categories/").json()
    assert names == [{"name": "leaf", "masks": 6}]
    assert client.post(f"/api/datasets/{large.pk}/export-choices/", {}).json()["masks"] == 6
    assert client.post(f"/api/datasets/{large.pk}/export-choices/", {"categories": ["new"]}).json()["masks"] == 1
    with CaptureQueriesContext(connection) as queries:
        figures.choices(large.pk)
    assert not [one for one in queries if "annotation_mask" in one["sql"]]


@pytest.mark.django_db(transaction=True)
def test_one_that_became_small_is_counted_at_every_look_again(cast, as_, large, monkeypatch):
    told(as_(cast.ana), large)
    count_now()
    monkeypatch.setattr(counts, "LARGE", 100)
    grow_old()
    told(as_(cast.ana), large)
    count_now()
    assert not Figures.objects.exists()
    assert told(as_(cast.ana), large)["counted_at"] is None


@pytest.mark.django_db(transaction=True)
def test_a_count_that_fails_is_not_asked_for_at_every_look(cast, as_, large):
    told(as_(cast.ana), large)
    Job.objects.update(state="failed", finished_at=Figures.objects.get().counted_at)
    grow_old()
    told(as_(cast.ana), large)
    assert not Job.objects.filter(state="queued").exists()
