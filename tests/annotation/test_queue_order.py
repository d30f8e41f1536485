"""The order of the queue is the lead's: oldest, newest, random by a seed, or where the model is least sure."""

from __future__ import annotations

import pytest
from django.utils import timezone

from annotation.models import Figures, Image, Task
from annotation.services import queue, shortlist
from annotation.services.tasks import task_claim_next, task_skip, tasks_upcoming
from tests.cast import add_image


@pytest.fixture
def pictures(cast):
    return [add_image(cast.dataset, seed=seed) for seed in range(5)]


def change(client, dataset, **fields):
    return client.patch(f"/api/datasets/{dataset.pk}/", fields, format="json")


def offered(cast):
    """Every image in the order in which Ben gets them."""
    cast.dataset.refresh_from_db()
    got = []
    while (task := task_claim_next(dataset=cast.dataset, user=cast.ben)) is not None:
        got.append(task.image_id)
        task_skip(task=task, lease=task.lease, reason="next")
    Task.objects.update(state="open", assignee=None, lease=None)
    return got


def test_oldest_and_newest(cast, as_, pictures):
    ids = [image.pk for image in pictures]
    assert offered(cast) == ids
    assert change(as_(cast.ana), cast.dataset, queue_order="newest").json()["queue_order"] == "newest"
    assert offered(cast) == ids[::-1]
    cast.dataset.refresh_from_db()
    assert tasks_upcoming(dataset=cast.dataset) == ids[::-1][:3]


def test_random_is_the_same_for_a_seed_and_another_for_others(cast, as_, pictures):
    orders = set()
    for seed in (0, 1, 2, 47):
        change(as_(cast.ana), cast.dataset, queue_order="random", queue_seed=seed)
        first = offered(cast)
        assert sorted(first) == [image.pk for image in pictures]
        assert offered(cast) == first
        orders.add(tuple(first))
    assert len(orders) > 1


def test_a_new_picture_does_not_shuffle_the_others(cast, as_, pictures):
    change(as_(cast.ana), cast.dataset, queue_order="random", queue_seed=3)
    before = offered(cast)
    late = add_image(cast.dataset, seed=9)
    assert [pk for pk in offered(cast) if pk != late.pk] == before


def test_where_the_model_is_least_sure_comes_first_and_the_unknown_last(cast, as_, pictures):
    for image, value in zip(pictures, (0.2, None, 0.9, 0.5, None), strict=True):
        Image.objects.filter(pk=image.pk).update(uncertainty=value)
    change(as_(cast.ana), cast.dataset, queue_order="uncertainty")
    ids = [image.pk for image in pictures]
    assert offered(cast) == [ids[2], ids[3], ids[0], ids[1], ids[4]]


@pytest.fixture
def large(cast, monkeypatch):
    """The dataset counts as large, whose first tasks are kept: two of them."""
    Figures.objects.create(dataset=cast.dataset, counted_at=timezone.now())
    monkeypatch.setattr(queue, "LENGTH", 2)
    shortlist.forget()
    yield
    shortlist.forget()


def test_the_first_of_a_large_dataset_are_kept_and_none_is_left_out(cast, as_, pictures, large):
    for image, value in zip(pictures, (0.2, 0.1, 0.9, 0.5, 0.3), strict=True):
        Image.objects.filter(pk=image.pk).update(uncertainty=value)
    change(as_(cast.ana), cast.dataset, queue_order="uncertainty")
    cast.dataset.refresh_from_db()
    ids = [image.pk for image in pictures]
    assert tasks_upcoming(dataset=cast.dataset) == [ids[2], ids[3]]
    Image.objects.filter(pk=ids[1]).update(uncertainty=1.0)
    assert tasks_upcoming(dataset=cast.dataset) == [ids[2], ids[3]]  # what came first a moment ago
    assert offered(cast) == [ids[2], ids[3], ids[1], ids[4], ids[0]]


def test_who_may_do_none_of_those_that_are_kept_gets_another(cast, as_, pictures, large):
    change(as_(cast.ana), cast.dataset, queue_order="random")
    cast.dataset.refresh_from_db()
    first = task_claim_next(dataset=cast.dataset, user=cast.rae)
    second = task_claim_next(dataset=cast.dataset, user=cast.ana)
    third = task_claim_next(dataset=cast.dataset, user=cast.ben)
    assert len({first.pk, second.pk, third.pk}) == 3
    cast.dataset.queue_order = "oldest"  # not a slow order: nothing is kept
    assert len(tasks_upcoming(dataset=cast.dataset)) == 2


def test_priority_stands_above_every_order(cast, as_, pictures):
    Task.objects.filter(image=pictures[1]).update(priority=1)
    for order in ("oldest", "newest", "random", "uncertainty"):
        change(as_(cast.ana), cast.dataset, queue_order=order)
        assert offered(cast)[0] == pictures[1].pk


@pytest.mark.parametrize("wrong", [{"queue_order": "magic"}, {"queue_seed": 48}, {"overlap_share": 1.5}])
def test_an_impossible_order_is_refused(cast, as_, wrong):
    assert change(as_(cast.ana), cast.dataset, **wrong).status_code == 400
