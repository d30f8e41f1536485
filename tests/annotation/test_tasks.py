"""Tasks: one image, one live lease; leases end; late ones are fenced."""

from __future__ import annotations

import threading
import uuid
from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.db import connection
from django.utils import timezone

from annotation.models import Member, Task
from annotation.services import tasks
from annotation.services.datasets import member_update
from tests.cast import add_image, add_mask, make_cast


@pytest.fixture
def pictures(cast):
    return [add_image(cast.dataset, seed=seed) for seed in range(4)]


def next_of(client, cast):
    return client.post(f"/api/datasets/{cast.dataset.pk}/tasks/next/")


def end_lease(task_id):
    Task.objects.filter(pk=task_id).update(lease_expires_at=timezone.now() - timedelta(seconds=1))


def test_the_next_image_comes_with_a_lease_and_what_to_prefetch(cast, as_, pictures):
    told = next_of(as_(cast.ben), cast).json()
    assert told["image"]["id"] == pictures[0].pk
    assert told["image"]["task_state"] == told["state"] == "claimed"
    assert uuid.UUID(told["lease"])
    assert told["upcoming"] == [image.pk for image in pictures[1:4]]


def test_asking_again_gives_the_same_image_and_others_get_others(cast, as_, pictures):
    ben, rae = as_(cast.ben), as_(cast.rae)
    first = next_of(ben, cast).json()
    again = next_of(ben, cast).json()
    assert (again["id"], again["lease"]) == (first["id"], first["lease"])
    assert next_of(rae, cast).json()["image"]["id"] == pictures[1].pk


def test_priority_comes_first(cast, as_, pictures):
    Task.objects.filter(image=pictures[2]).update(priority=5)
    assert next_of(as_(cast.ben), cast).json()["image"]["id"] == pictures[2].pk


def test_when_nothing_is_left(cast, as_):
    assert next_of(as_(cast.ben), cast).status_code == 204


def test_submit_counts_once_however_often_it_is_sent(cast, as_, image):
    ben = as_(cast.ben)
    task = next_of(ben, cast).json()
    body = {"lease": task["lease"], "seconds": 12.5, "answer": "nothing_left"}
    for _ in range(3):
        answer = ben.post(f"/api/tasks/{task['id']}/submit/", body)
        assert answer.status_code == 200
        told = answer.json()
        assert (told["state"], told["seconds"], told["answer"]) == ("submitted", 12.5, "nothing_left")
    assert next_of(ben, cast).status_code == 204


@pytest.mark.parametrize(
    ("verb", "said"),
    [("submit", {"answer": "nothing_left", "seconds": 1}), ("skip", {"reason": "blurred", "seconds": 1})],
)
def test_finishing_hands_out_the_next_image_where_asked(cast, as_, pictures, verb, said):
    ben = as_(cast.ben)
    task = next_of(ben, cast).json()
    url = f"/api/tasks/{task['id']}/{verb}/"
    body = said | {"lease": task["lease"], "next_kind": "annotate"}
    told = ben.post(url, body, format="json").json()
    assert told["id"] == task["id"]
    assert told["state"] != "claimed"
    assert told["next"]["image"]["id"] == pictures[1].pk
    assert uuid.UUID(told["next"]["lease"])
    assert told["next"]["upcoming"] == [image.pk for image in pictures[2:4]]
    again = ben.post(url, body, format="json").json()
    assert (again["next"]["id"], again["next"]["lease"]) == (told["next"]["id"], told["next"]["lease"])
    assert Task.objects.filter(state=Task.State.CLAIMED).count() == 1


def test_finishing_counts_where_nothing_comes_next(cast, as_, image):
    ben = as_(cast.ben)
    task = next_of(ben, cast).json()
    url = f"/api/tasks/{task['id']}/submit/"
    body = {"lease": task["lease"], "seconds": 1, "answer": "nothing_left"}
    # Reviews are not for annotators: asking for one is refused elsewhere, and the image is finished all the same.
    for kind in ("review", "annotate", None):
        answer = ben.post(url, body | {"next_kind": kind}, format="json")
        assert answer.status_code == 200
        assert answer.json()["next"] is None
    assert Task.objects.get(pk=task["id"]).state == Task.State.SUBMITTED
    refused = ben.post(url, body | {"next_kind": "holiday"}, format="json")
    assert refused.status_code == 400


def test_skip_needs_a_reason_and_release_gives_back(cast, as_, image):
    ben = as_(cast.ben)
    task = next_of(ben, cast).json()
    url = f"/api/tasks/{task['id']}"
    assert ben.post(f"{url}/skip/", {"lease": task["lease"]}).status_code == 400
    assert ben.post(f"{url}/release/", {"lease": task["lease"]}).json()["state"] == "open"
    task = next_of(ben, cast).json()
    told = ben.post(f"{url}/skip/", {"lease": task["lease"], "reason": "blurred"}).json()
    assert (told["state"], told["skip_reason"]) == ("skipped", "blurred")
    assert next_of(ben, cast).status_code == 204


def test_a_skip_counts_once_however_often_it_is_sent(cast, as_, image):
    ben = as_(cast.ben)
    task = next_of(ben, cast).json()
    body = {"lease": task["lease"], "reason": "blurred", "seconds": 4.5}
    for _ in range(3):
        answer = ben.post(f"/api/tasks/{task['id']}/skip/", body)
        assert answer.status_code == 200
        told = answer.json()
        assert (told["state"], told["seconds"], told["skip_reason"]) == ("skipped", 4.5, "blurred")


def test_time_spent_counts_however_the_image_is_left(cast, as_, image):
    ben, rae = as_(cast.ben), as_(cast.rae)
    first = next_of(ben, cast).json()
    given_back = ben.post(f"/api/tasks/{first['id']}/release/", {"lease": first["lease"], "seconds": 2})
    assert given_back.json()["seconds"] == 2
    second = next_of(rae, cast).json()
    body = {"lease": second["lease"], "seconds": 5, "answer": "done"}
    assert rae.post(f"/api/tasks/{second['id']}/submit/", body).json()["seconds"] == 7


@pytest.mark.parametrize("verb", ["renew", "submit", "skip", "release"])
def test_a_lease_that_was_lost_is_refused(cast, as_, image, verb):
    ben, rae = as_(cast.ben), as_(cast.rae)
    mine = next_of(ben, cast).json()
    end_lease(mine["id"])
    theirs = next_of(rae, cast).json()
    assert theirs["id"] == mine["id"], "an ended lease is free at once, without a sweep"
    body = {"lease": mine["lease"], "seconds": 1, "answer": "done", "reason": "x"}
    answer = ben.post(f"/api/tasks/{mine['id']}/{verb}/", body)
    assert (answer.status_code, answer.json()["code"]) == (409, "lease_lost")
    assert answer.json()["details"]["assignee"] == "rae"
    assert rae.post(f"/api/tasks/{mine['id']}/renew/", {"lease": theirs["lease"]}).status_code == 200


def test_an_ended_lease_is_over_even_if_nobody_took_the_image(cast, as_, image):
    ben = as_(cast.ben)
    task = next_of(ben, cast).json()
    end_lease(task["id"])
    answer = ben.post(f"/api/tasks/{task['id']}/submit/", {"lease": task["lease"], "seconds": 1, "answer": "done"})
    assert answer.status_code == 409
    taken = ben.post(f"/api/images/{image.pk}/task/").json()
    body = {"lease": taken["lease"], "seconds": 1, "answer": "done"}
    assert ben.post(f"/api/tasks/{task['id']}/submit/", body).status_code == 200


@pytest.mark.parametrize("path", ["/api/images/{image}/task/", "/api/datasets/{dataset}/tasks/next/"])
def test_a_page_loaded_anew_takes_up_what_the_old_one_gives_back_meanwhile(cast, as_, image, monkeypatch, path):
    ben = as_(cast.ben)
    first = next_of(ben, cast).json()
    renew = tasks.task_renew

    def given_back_just_before(*, task, lease):
        monkeypatch.setattr(tasks, "task_renew", renew)
        tasks.task_release(task=task, lease=lease)
        return renew(task=task, lease=lease)

    monkeypatch.setattr(tasks, "task_renew", given_back_just_before)
    answer = ben.post(path.format(image=image.pk, dataset=cast.dataset.pk))
    assert (answer.status_code, answer.json()["state"]) == (200, "claimed")
    assert answer.json()["lease"] != first["lease"]


def test_ended_leases_are_given_back(cast, as_, image):
    task = next_of(as_(cast.ben), cast).json()
    assert tasks.tasks_expire() == 0
    end_lease(task["id"])
    assert tasks.tasks_expire() == 1
    row = Task.objects.get()
    assert (row.state, row.assignee, row.lease) == ("open", None, None)


def test_renewing_moves_the_end(cast, as_, image):
    ben = as_(cast.ben)
    task = next_of(ben, cast).json()
    Task.objects.update(lease_expires_at=timezone.now() + timedelta(seconds=5))
    ben.post(f"/api/tasks/{task['id']}/renew/", {"lease": task["lease"]})
    assert Task.objects.get().lease_expires_at > timezone.now() + timedelta(seconds=300)


def test_an_image_somebody_works_on_is_taken_with_a_name(cast, as_, image):
    as_(cast.rae).post(f"/api/images/{image.pk}/task/")
    answer = as_(cast.ben).post(f"/api/images/{image.pk}/task/")
    assert (answer.status_code, answer.json()["code"]) == (409, "task_taken")
    assert answer.json()["details"]["assignee"] == "rae"


def test_a_submitted_image_can_be_taken_up_again_and_falls_back(cast, as_, image):
    ben, rae = as_(cast.ben), as_(cast.rae)
    task = next_of(ben, cast).json()
    ben.post(f"/api/tasks/{task['id']}/submit/", {"lease": task["lease"], "seconds": 1, "answer": "done"})
    again = rae.post(f"/api/images/{image.pk}/task/").json()
    assert (again["id"], again["state"]) == (task["id"], "claimed")
    end_lease(task["id"])
    tasks.tasks_expire()
    assert Task.objects.get().state == "submitted"


def test_looking_at_what_is_done_changes_nothing_of_it(cast, as_, image):
    """Stepping back to an image takes it up and gives it back: it stays who finished it, and with what answer."""
    ben, rae = as_(cast.ben), as_(cast.rae)
    task = next_of(ben, cast).json()
    url = f"/api/tasks/{task['id']}"
    ben.post(f"{url}/submit/", {"lease": task["lease"], "seconds": 1, "answer": "nothing_left"})
    again = rae.post(f"/api/images/{image.pk}/task/").json()
    rae.post(f"{url}/release/", {"lease": again["lease"]})
    row = Task.objects.get()
    assert (row.state, row.answer, row.submitted_by) == ("submitted", "nothing_left", cast.ben)
    # The second look at an image is for somebody else than its first person, also then.
    Task.objects.create(image=image, kind=Task.Kind.OVERLAP)
    assert tasks.task_claim_next(dataset=cast.dataset, user=cast.ben) is None
    assert tasks.task_claim_next(dataset=cast.dataset, user=cast.rae).kind == Task.Kind.OVERLAP


@pytest.mark.parametrize("leave", ["release", "lease ends", "made a viewer"])
def test_a_skipped_image_that_was_looked_at_stays_skipped(cast, as_, image, leave):
    ben = as_(cast.ben)
    task = next_of(ben, cast).json()
    url = f"/api/tasks/{task['id']}"
    ben.post(f"{url}/skip/", {"lease": task["lease"], "reason": "blurred"})
    again = ben.post(f"/api/images/{image.pk}/task/").json()
    assert again["state"] == "claimed"
    if leave == "release":
        ben.post(f"{url}/release/", {"lease": again["lease"]})
    elif leave == "lease ends":
        end_lease(task["id"])
        tasks.tasks_expire()
    else:
        member_update(member=Member.objects.get(user=cast.ben), role="viewer")
    row = Task.objects.get()
    assert (row.state, row.skip_reason, row.assignee) == ("skipped", "blurred", None)
    assert tasks.task_claim_next(dataset=cast.dataset, user=cast.rae) is None


def test_a_viewer_holds_nothing(cast, as_, image):
    task = next_of(as_(cast.ben), cast).json()
    member_update(member=Member.objects.get(user=cast.ben), role="viewer")
    row = Task.objects.get(pk=task["id"])
    assert (row.state, row.assignee, row.lease) == ("open", None, None)


def test_what_comes_next_is_of_the_same_work(cast, as_, pictures):
    """Whoever reviews prefetches reviews, not images that others will label."""
    reviews = [Task.objects.create(image=image, kind=Task.Kind.REVIEW) for image in pictures[1:]]
    told = as_(cast.rae).post(f"/api/datasets/{cast.dataset.pk}/tasks/next/", {"kind": "review"}).json()
    assert told["id"] == reviews[0].pk
    assert told["upcoming"] == [pictures[2].pk, pictures[3].pk]


def test_the_lease_is_told_to_its_holder_only(cast, as_, image):
    task = next_of(as_(cast.ben), cast).json()
    assert as_(cast.rae).get(f"/api/tasks/{task['id']}/").json()["lease"] is None
    assert as_(cast.ben).get(f"/api/tasks/{task['id']}/").json()["lease"] == task["lease"]


@pytest.mark.django_db(transaction=True)
def test_many_annotators_never_hold_the_same_image():
    """16 threads, each with its own user, until nothing is left: every image is held by exactly one of them."""
    cast = make_cast()
    images = [add_image(cast.dataset, seed=seed) for seed in range(48)]
    users = [get_user_model().objects.create(username=f"annotator-{number}") for number in range(16)]
    held: list[int] = []
    barrier = threading.Barrier(len(users))

    def work(user):
        barrier.wait()
        try:
            while (task := tasks.task_claim_next(dataset=cast.dataset, user=user)) is not None:
                held.append(task.image_id)
                assert task.lease is not None
                tasks.task_submit(task=task, lease=task.lease, seconds=1, answer="done")
        finally:
            connection.close()

    threads = [threading.Thread(target=work, args=(user,)) for user in users]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(held) == sorted(image.pk for image in images)
    assert set(Task.objects.values_list("state", "seconds")) == {("submitted", 1.0)}


def test_a_touched_task_is_not_taken_away(image, cast):
    task = Task.objects.get()
    mask = add_mask(image, task=task, created_by=cast.ben)
    assert tasks.task_withdraw(image=image) is False
    mask.delete()
    assert tasks.task_withdraw(image=image) is True
