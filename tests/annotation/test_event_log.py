"""Who did what: every change through the API leaves a line, for leads to read; secrets and pixels leave none."""

from __future__ import annotations

import uuid

from django.core.management import call_command
from django.test import Client

from annotation.models import Event, Member, Track
from tests.annotation.test_uploads import Browser
from tests.cast import add_video, mask_body


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


def test_settings_are_told_with_what_they_became(cast, as_):
    ana = as_(cast.ana)
    ana.patch(f"/api/datasets/{cast.dataset.pk}/", {"blur_faces": True, "description": "x" * 500})
    ana.patch(f"/api/datasets/{cast.dataset.pk}/retraining/", {"minutes": 9})
    newest, before = Event.objects.all()
    assert newest.details == {"minutes": 9}
    assert before.details == {"blur_faces": True, "description": "x" * 120}


def test_what_is_gone_is_told_by_its_name(cast, as_, image):
    ana, url = as_(cast.ana), f"/api/datasets/{cast.dataset.pk}/"
    invitation = ana.post(f"{url}invitations/", {"role": "viewer", "note": "For Nina"}).json()["id"]
    webhook = ana.post(f"{url}webhooks/", {"url": "https://x.test/secret-path"}).json()["id"]
    token = ana.post("/api/tokens/", {"name": "laptop"}).json()["id"]
    for one in (f"{url}invitations/{invitation}/", f"{url}webhooks/{webhook}/", f"/api/tokens/{token}/"):
        assert ana.delete(one).status_code == 204
    assert ana.delete(f"/api/images/{image.pk}/").status_code == 204
    video = add_video(cast.dataset)
    track = Track.objects.create(video=video, category="plum")
    for one in (f"/api/tracks/{track.uuid}/", f"/api/videos/{video.pk}/"):
        assert ana.delete(one).status_code == 204
    gone = {event.action: event.details for event in Event.objects.filter(action__endswith=":delete")}
    assert gone == {
        "invitation-revoke:delete": {"role": "viewer", "note": "For Nina"},
        "webhook:delete": {"host": "x.test"},
        "token:delete": {"name": "laptop"},
        "image:delete": {"file_name": "picture-0.jpg"},
        "track:delete": {"category": "plum"},
        "video:delete": {"file_name": video.file_name},
    }
    assert "secret-path" not in str(list(Event.objects.values()))


def test_files_are_told_when_they_are_whole_and_once(cast, as_):
    browser = Browser(as_(cast.ana), cast.dataset)
    url = browser.create(10, filename="a.jpg")["Location"]
    browser.patch(url, 0, b"12345")
    assert not Event.objects.exists()
    browser.patch(url, 5, b"67890")
    browser.patch(url, 10, b"")
    [event] = Event.objects.all()
    assert (event.action, event.actor, event.dataset) == ("upload:patch", cast.ana, cast.dataset)
    assert event.details == {"file_name": "a.jpg", "bytes": 10}


def test_how_many_images_lost_their_masks_for_good(cast, as_, image):
    url = f"/api/datasets/{cast.dataset.pk}/removals/"
    as_(cast.ana).post(url, {"images": [image.pk], "reason": "asked for"})
    assert Event.objects.get().details == {"reason": "asked for", "images": 1}


def test_an_operator_in_the_admin_leaves_a_line_too(cast):
    cast.cyd.is_staff = cast.cyd.is_superuser = True
    cast.cyd.save()
    client = Client()
    client.force_login(cast.cyd)
    url = f"/admin/annotation/dataset/{cast.dataset.pk}/change/"
    page = client.get(url).context
    forms = [page["adminform"].form, *page["inline_admin_formsets"][0].formset.forms]
    body = {form.add_prefix(name): form[name].value() for form in forms for name in form.fields}
    body = {name: "" if value is None else value for name, value in body.items() if value is not False}
    rows = {"members-TOTAL_FORMS": 4, "members-INITIAL_FORMS": 4, "members-3-role": "lead"}
    answer = client.post(url, {**body, "name": "Renamed", **rows})
    assert answer.status_code == 302, answer.context and answer.context["errors"]
    event = Event.objects.get(action="admin:patch")
    assert (event.actor, event.dataset) == (cast.cyd, cast.dataset)
    assert "Name" in event.details["note"]
    assert "vic is lead" in event.details["note"]
    assert client.get("/admin/annotation/event/").status_code == 200


def test_a_token_from_the_command_line_leaves_a_line(cast):
    call_command("token", "ben")
    event = Event.objects.get()
    assert (event.actor, event.details) == (None, {"name": "command line", "username": "ben"})


def test_a_dataset_takes_its_log_along_and_its_end_is_told(cast, as_, image):
    as_(cast.ben).put(f"/api/masks/{uuid.uuid4()}/", mask_body(image))
    assert as_(cast.ana).delete(f"/api/datasets/{cast.dataset.pk}/").status_code == 204
    [event] = Event.objects.all()
    assert (event.action, event.dataset, event.actor) == ("dataset:delete", None, cast.ana)
    assert event.details == {"name": "Fruit"}
