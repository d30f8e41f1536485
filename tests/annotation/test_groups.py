"""Groups: people who get a role in a dataset together. Everybody has the strongest role that they are given."""

from __future__ import annotations

import pytest

from annotation.models import Event, Member, Task


@pytest.fixture
def url(cast):
    return f"/api/datasets/{cast.dataset.pk}"


@pytest.fixture
def ana(cast, as_):
    return as_(cast.ana)


@pytest.fixture
def lab(ana):
    """Ana's group of Ben, Vic and Cyd."""
    answer = ana.post("/api/groups/", {"name": "Lab", "people": ["ben", "vic", "cyd"]})
    assert answer.status_code == 201
    return answer.json()["id"]


def give(client, url, group, role):
    answer = client.post(f"{url}/groups/", {"group": group, "role": role})
    assert answer.status_code == 201, answer.content
    return answer.json()


def roles(cast) -> dict[str, str]:
    return dict(cast.dataset.members.order_by("user").values_list("user__username", "role"))


def test_everybody_of_the_group_has_the_strongest_role_they_are_given(cast, ana, lab, url):
    shown = give(ana, url, lab, "annotator")
    assert (shown["name"], shown["people"], shown["role"]) == ("Lab", 3, "annotator")
    assert roles(cast) == {
        **{"ana": "lead", "rae": "reviewer"},
        **{"ben": "annotator", "vic": "annotator", "cyd": "annotator"},
    }
    give(ana, url, lab, "reviewer")
    assert (roles(cast)["ben"], roles(cast)["cyd"]) == ("reviewer", "reviewer")
    give(ana, url, lab, "viewer")
    assert (roles(cast)["ben"], roles(cast)["vic"], roles(cast)["cyd"]) == ("annotator", "viewer", "viewer")


def test_the_role_opens_the_dataset_and_taking_it_away_closes_it(cast, as_, ana, lab, url, image):
    assert as_(cast.cyd).get(f"{url}/").status_code == 404
    give(ana, url, lab, "annotator")
    assert as_(cast.cyd).post(f"{url}/tasks/next/").status_code == 200
    assert ana.delete(f"{url}/groups/{lab}/").status_code == 204
    assert as_(cast.cyd).get(f"{url}/").status_code == 404
    assert Task.objects.get(image=image).state == "open"  # what Cyd held is given back
    assert (roles(cast)["ben"], roles(cast)["vic"]) == ("annotator", "viewer")
    assert not Member.objects.exclude(own_role=None).exists()


def test_who_joins_or_leaves_the_group_gains_or_loses_its_role_everywhere(cast, ana, lab, url):
    give(ana, url, lab, "reviewer")
    assert ana.patch(f"/api/groups/{lab}/", {"people": ["rae", "cyd"]}).json()["people"] == ["cyd", "rae"]
    assert roles(cast) == {"ana": "lead", "rae": "reviewer", "ben": "annotator", "vic": "viewer", "cyd": "reviewer"}
    assert ana.delete(f"/api/groups/{lab}/").status_code == 204
    assert "cyd" not in roles(cast)


def test_a_role_of_ones_own_stays_beside_the_group(cast, ana, lab, url):
    give(ana, url, lab, "reviewer")
    ben = cast.dataset.members.get(user=cast.ben)
    changed = ana.patch(f"{url}/members/{ben.pk}/", {"role": "viewer"}).json()
    assert (changed["role"], changed["own_role"]) == ("reviewer", "viewer")
    assert ana.delete(f"{url}/members/{ben.pk}/").json()["code"] == "role_by_group"
    added = ana.post(f"{url}/members/", {"username": "cyd", "role": "lead"}).json()
    assert (added["role"], added["own_role"]) == ("lead", "lead")
    ana.delete(f"{url}/groups/{lab}/")
    assert (roles(cast)["ben"], roles(cast)["cyd"]) == ("viewer", "lead")


def test_who_is_locked_out_stays_locked_out(cast, as_, ana, lab, url):
    ben = cast.dataset.members.get(user=cast.ben)
    ana.patch(f"{url}/members/{ben.pk}/", {"active": False})
    give(ana, url, lab, "lead")
    assert as_(cast.ben).get(f"{url}/").status_code == 404


def test_who_is_locked_out_stays_so_when_the_group_lets_go_and_takes_them_in_again(cast, as_, ana, lab, url, image):
    give(ana, url, lab, "annotator")
    cyd = cast.dataset.members.get(user=cast.cyd)  # who has no role of their own
    ana.patch(f"{url}/members/{cyd.pk}/", {"active": False})
    link = ana.post(f"{url}/invitations/", {"role": "annotator"}).json()["secret"]
    ana.patch(f"/api/groups/{lab}/", {"people": ["ben"]})
    refused = as_(cast.cyd).post(f"/api/invitations/{link}/")
    assert (refused.status_code, refused.json()["code"]) == (409, "member_deactivated")
    ana.patch(f"/api/groups/{lab}/", {"people": ["ben", "cyd"]})
    ana.delete(f"{url}/groups/{lab}/")
    give(ana, url, lab, "reviewer")
    assert as_(cast.cyd).get(f"{url}/").status_code == 404
    ana.patch(f"{url}/members/{cyd.pk}/", {"active": True})
    assert as_(cast.cyd).get(f"{url}/").json()["role"] == "reviewer"


def test_an_account_that_an_operator_closed_keeps_nobody_from_changing_the_group(cast, ana, lab):
    cast.ben.is_active = False
    cast.ben.save()
    body = {"name": "Laboratory", "people": ["ben", "vic"]}
    assert ana.patch(f"/api/groups/{lab}/", body).status_code == 200
    ana.patch(f"/api/groups/{lab}/", {"people": ["vic"]})
    assert ana.patch(f"/api/groups/{lab}/", body).json()["code"] == "user_unknown"


def test_the_last_lead_stays(cast, as_, ana, lab, url):
    give(ana, url, lab, "lead")
    ana_row = cast.dataset.members.get(user=cast.ana)
    assert ana.patch(f"{url}/members/{ana_row.pk}/", {"role": "viewer"}).status_code == 200
    for call in (
        lambda: as_(cast.ben).delete(f"{url}/groups/{lab}/"),
        lambda: ana.patch(f"/api/groups/{lab}/", {"people": []}),
        lambda: ana.delete(f"/api/groups/{lab}/"),
    ):
        assert call().json()["code"] == "last_lead"
    assert roles(cast)["ben"] == "lead"


def test_only_the_owner_says_who_is_in_it_and_only_its_people_may_use_it(cast, as_, ana, lab, url):
    assert [group["mine"] for group in as_(cast.ben).get("/api/groups/").json()] == [False]
    assert as_(cast.ben).patch(f"/api/groups/{lab}/", {"people": []}).json()["code"] == "not_owner"
    assert as_(cast.rae).get("/api/groups/").json() == []
    Member.objects.filter(user=cast.rae).update(role="lead")
    assert as_(cast.rae).post(f"{url}/groups/", {"group": lab, "role": "viewer"}).status_code == 404


def test_unknown_people_and_names_that_are_taken_are_refused_and_change_nothing(ana, lab):
    answer = ana.patch(f"/api/groups/{lab}/", {"people": ["ben", "nobody"]})
    assert (answer.status_code, answer.json()["code"]) == (400, "user_unknown")
    assert len(ana.get("/api/groups/").json()[0]["people"]) == 3
    assert ana.post("/api/groups/", {"name": "Lab"}).json()["code"] == "name_taken"


def test_the_log_of_every_dataset_tells_who_came_in_by_a_group(cast, ana, lab, url):
    give(ana, url, lab, "annotator")
    ana.patch(f"/api/groups/{lab}/", {"people": ["cyd"]})
    told = Event.objects.filter(dataset=cast.dataset).order_by("id").values_list("action", "details")
    assert list(told) == [
        ("dataset-groups:post", {"group": lab, "role": "annotator"}),
        ("group:patch", {"group": "Lab", "people": "cyd"}),
    ]
