"""Who did what: every change through the API leaves a line, for leads to read; secrets and pixels leave none."""

from __future__ import annotations

import uuid

from annotation.models import Event, Member
from tests.cast import mask_body


def lines(client, dataset, **asked) -> list[tuple]:
    rows = client.get(f"/api/datasets/{dataset.pk}/events/", asked).json()["results"]
    return [(row["actor"], row["action"], row["subject"], row["subject_id"]) for row in rows]


def test_a_mask_from_made_to_restored(cast, as_, image):
    ben, key = as_(cast.ben), str(uuid.uuid4())
    ben.put(f"/api/masks/{key}/", mask_body(image))
    ben.delete(f"/api/masks/{key}/")
    as_(cast.rae).post(f"/api/masks/{key}/restore/")
    assert lines(as_(cast.ana), cast.dataset, id=key) == [
        ("rae", "mask-restore:post", "mask", key),
        ("ben", "mask:delete", "mask", key),
        ("ben", "mask:put", "mask", key),
    ]
    assert "counts" not in str(list(Event.objects.values()))


def test_people_tasks_and_exports(cast, as_, image):
    ana, ben = as_(cast.ana), as_(cast.ben)
    member = Member.objects.get(user=cast.vic)
    ana.patch(f"/api/datasets/{cast.dataset.pk}/members/{member.pk}/", {"role": "annotator"})
    task = ben.post(f"/api/images/{image.pk}/task/").json()
    ben.post(f"/api/tasks/{task['id']}/submit/", {"lease": task["lease"], "seconds": 1, "answer": "nothing_left"})
    ana.post(f"/api/datasets/{cast.dataset.pk}/exports/", {"format": "coco"})
    assert [line[:3] for line in lines(ana, cast.dataset)] == [
        ("ana", "exports:post", "export"),
        ("ben", "task-submit:post", "task"),
        ("ana", "member:patch", "member"),
    ]
    change = Event.objects.get(action="member:patch")
    assert change.details == {"member": "vic", "was": "viewer", "role": "annotator"}


def test_filters(cast, as_, image):
    for user in (cast.ben, cast.rae):
        as_(user).put(f"/api/masks/{uuid.uuid4()}/", mask_body(image))
    as_(cast.ana).patch(f"/api/datasets/{cast.dataset.pk}/", {"description": "x"})
    ana = as_(cast.ana)
    assert [line[0] for line in lines(ana, cast.dataset, subject="mask")] == ["rae", "ben"]
    assert [line[0] for line in lines(ana, cast.dataset, actor="ben")] == ["ben"]
    assert lines(ana, cast.dataset, actor="nobody\x00") != []
    assert ana.get(f"/api/datasets/{cast.dataset.pk}/events/", {"subject": "nonsense"}).status_code == 400


def test_what_is_refused_and_what_changes_nothing_leaves_no_line(cast, as_, image):
    as_(cast.vic).put(f"/api/masks/{uuid.uuid4()}/", mask_body(image))
    as_(cast.ben).post(f"/api/images/{image.pk}/task/")
    as_(cast.ben).get(f"/api/images/{image.pk}/")
    assert not Event.objects.exists()


def test_no_secret_is_kept(cast, as_):
    told = as_(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/invitations/", {"role": "viewer"}).json()
    as_(cast.cyd).post(f"/api/invitations/{told['secret']}/")
    key = as_(cast.ben).post("/api/tokens/", {"name": "script"}).json()["key"]
    stored = str(list(Event.objects.values()))
    assert Event.objects.count() == 3
    assert told["secret"] not in stored
    assert key not in stored
    assert Event.objects.get(action="invitation:post").dataset == cast.dataset


def test_a_dataset_takes_its_log_along_and_its_end_is_told(cast, as_, image):
    as_(cast.ben).put(f"/api/masks/{uuid.uuid4()}/", mask_body(image))
    assert as_(cast.ana).delete(f"/api/datasets/{cast.dataset.pk}/").status_code == 204
    [event] = Event.objects.all()
    assert (event.action, event.dataset, event.actor) == ("dataset:delete", None, cast.ana)
