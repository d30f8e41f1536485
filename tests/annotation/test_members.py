"""Datasets and the people in them."""

from __future__ import annotations

import pytest

from annotation.models import Dataset, Job, Member, Task


def test_whoever_makes_a_dataset_leads_it(cast, as_):
    told = as_(cast.cyd).post("/api/datasets/", {"name": "Mine", "licence": "CC0-1.0"}).json()
    assert (told["role"], told["licence"], told["stage"], told["image_count"]) == ("lead", "CC0-1.0", "assisted", 0)
    assert told["progress"] == {"open": 0, "claimed": 0, "submitted": 0, "skipped": 0}
    assert [row["name"] for row in as_(cast.cyd).get("/api/datasets/").json()["results"]] == ["Mine"]


def test_a_name_is_taken_once(cast, as_):
    answer = as_(cast.cyd).post("/api/datasets/", {"name": "Fruit"})
    assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")
    other = as_(cast.cyd).post("/api/datasets/", {"name": "Other"}).json()
    answer = as_(cast.cyd).patch(f"/api/datasets/{other['id']}/", {"name": "Fruit"})
    assert (answer.status_code, answer.json()["code"]) == (409, "name_taken")


def test_settings_are_changed(cast, as_):
    url = f"/api/datasets/{cast.dataset.pk}/"
    told = as_(cast.ana).patch(url, {"auto_retrain": False, "retrain_after": 3}).json()
    assert (told["auto_retrain"], told["retrain_after"]) == (False, 3)
    assert as_(cast.ana).patch(url, {"retrain_after": 0}).status_code == 400


def test_people_come_change_and_go(cast, as_):
    client, url = as_(cast.ana), f"/api/datasets/{cast.dataset.pk}/members/"
    added = client.post(url, {"username": "cyd", "role": "annotator"})
    assert (added.status_code, added.json()["role"]) == (201, "annotator")
    assert client.post(url, {"username": "cyd", "role": "viewer"}).json()["code"] == "member_exists"
    assert client.post(url, {"username": "nobody", "role": "viewer"}).json()["code"] == "user_unknown"
    one = f"{url}{added.json()['id']}/"
    assert client.patch(one, {"role": "reviewer"}).json()["role"] == "reviewer"
    assert [row["username"] for row in client.get(url).json()] == ["ana", "rae", "ben", "vic", "cyd"]
    assert client.delete(one).status_code == 204
    assert as_(cast.cyd).get(url).status_code == 404


@pytest.mark.parametrize("change", ["remove", "demote"])
def test_the_last_lead_stays(cast, as_, change):
    member = Member.objects.get(user=cast.ana)
    url = f"/api/datasets/{cast.dataset.pk}/members/{member.pk}/"
    client = as_(cast.ana)
    answer = client.delete(url) if change == "remove" else client.patch(url, {"role": "viewer"})
    assert (answer.status_code, answer.json()["code"]) == (409, "last_lead")


def test_who_goes_gives_images_back(cast, as_, image):
    as_(cast.ben).post(f"/api/images/{image.pk}/task/")
    member = Member.objects.get(user=cast.ben)
    as_(cast.ana).delete(f"/api/datasets/{cast.dataset.pk}/members/{member.pk}/")
    assert Task.objects.get().state == "open"


def test_a_dataset_goes_with_its_files(cast, as_, image, data_folder, django_capture_on_commit_callbacks):
    url = f"/api/datasets/{cast.dataset.pk}/"
    job = Job.objects.create(kind="x", title="x", queue="io", dataset=cast.dataset, state="running")
    assert as_(cast.ana).delete(url).json()["code"] == "jobs_running"
    job.delete()
    with django_capture_on_commit_callbacks(execute=True):
        assert as_(cast.ana).delete(url).status_code == 204
    assert not Dataset.objects.exists()
    assert not [path for path in data_folder.rglob("*") if path.is_file()]
