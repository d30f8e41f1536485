"""People come in by a link: with a new account or their own, as often and as long as the link says."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.contrib.auth import get_user_model
from django.utils import timezone

from annotation.models import Invitation, Member
from tests.cast import client_of

STRONG = "correct horse battery"


@pytest.fixture
def invite(cast, as_):
    """`invite(role="annotator", uses=2)` is the address of a link that Ana made."""

    def make(**body) -> str:
        body = {"role": "annotator", **body}
        answer = as_(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/invitations/", body)
        assert answer.status_code == 201, answer.json()
        return f"/api/invitations/{answer.json()['secret']}/"

    return make


def test_a_stranger_makes_an_account_and_is_in(cast, invite):
    url, client = invite(), client_of(None)
    assert client.get(url).json() | {"expires_at": ""} == {
        "dataset_name": "Fruit",
        "role": "annotator",
        "invited_by": "ana",
        "expires_at": "",
    }
    joined = client.post(url, {"username": "nina", "password": STRONG, "name": "Nina"})
    assert (joined.status_code, joined.json()) == (200, {"dataset": cast.dataset.pk, "role": "annotator"})
    assert client.get("/api/session/").json()["user"]["username"] == "nina"
    assert client.get(f"/api/datasets/{cast.dataset.pk}/").json()["role"] == "annotator"


def test_somebody_with_an_account_joins_as_themselves(cast, invite, as_):
    assert as_(cast.cyd).post(invite(role="viewer")).json()["role"] == "viewer"
    assert Member.objects.get(user=cast.cyd).role == "viewer"


def test_a_new_account_is_not_made_in_the_name_of_whoever_signed_in_meanwhile(cast, invite, as_):
    answer = as_(cast.cyd).post(invite(), {"username": "nina", "password": STRONG})
    assert (answer.status_code, answer.json()["code"]) == (409, "signed_in")
    assert not Member.objects.filter(user=cast.cyd).exists()
    assert as_(cast.cyd).post(invite(), 5, format="json").status_code == 200


def test_a_link_works_as_often_as_it_says(cast, invite):
    url = invite(uses=2)
    for name in ("one", "two"):
        assert client_of(None).post(url, {"username": name, "password": STRONG}).status_code == 200
    refused = client_of(None).post(url, {"username": "three", "password": STRONG})
    assert (refused.status_code, refused.json()["code"]) == (404, "invitation_closed")
    assert not get_user_model().objects.filter(username="three").exists()


def test_a_member_keeps_their_role_and_costs_no_use(cast, invite, as_):
    url = invite(role="lead")
    assert as_(cast.ben).post(url).json()["role"] == "annotator"
    assert Invitation.objects.get().uses_left == 1


@pytest.mark.parametrize("how", ["revoked", "ended", "unknown"])
def test_a_closed_link_says_only_that(cast, invite, as_, how):
    url = invite()
    if how == "revoked":
        row = Invitation.objects.get()
        assert as_(cast.ana).delete(f"/api/datasets/{cast.dataset.pk}/invitations/{row.pk}/").status_code == 204
    elif how == "ended":
        Invitation.objects.update(expires_at=timezone.now() - timedelta(seconds=1))
    else:
        url = "/api/invitations/nonsense%00/"
    for answer in (client_of(None).get(url), as_(cast.cyd).post(url)):
        assert (answer.status_code, answer.json()["code"]) == (404, "invitation_closed")


def test_passwords_and_names_are_checked_and_nothing_is_half_made(cast, invite):
    url, client = invite(), client_of(None)
    weak = client.post(url, {"username": "nina", "password": "12345"})
    assert weak.json()["code"] == "password_weak"
    assert len(weak.json()["details"]["reasons"]) > 1
    assert client.post(url, {"username": "nina nina", "password": STRONG}).json()["code"] == "username_invalid"
    taken = client.post(url, {"username": "Ben", "password": STRONG})
    assert (taken.status_code, taken.json()["code"]) == (409, "username_taken")
    assert client.post(url, {"username": "nina"}).status_code == 400
    assert Invitation.objects.get().uses_left == 1
    assert get_user_model().objects.count() == 5


def test_the_secret_is_not_stored_and_not_listed(cast, invite, as_):
    secret = invite(note="For Nina").split("/")[-2]
    [row] = as_(cast.ana).get(f"/api/datasets/{cast.dataset.pk}/invitations/").json()
    assert (row["note"], row["open"], row["uses_left"]) == ("For Nina", True, 1)
    assert secret not in str(row)
    assert secret not in str(Invitation.objects.values().get())


def test_a_dataset_that_was_closed_to_somebody_is_not_there_for_them(cast, invite, as_, image):
    url = f"/api/datasets/{cast.dataset.pk}/members/{Member.objects.get(user=cast.ben).pk}/"
    as_(cast.ben).post(f"/api/images/{image.pk}/task/")
    assert as_(cast.ana).patch(url, {"active": False}).json()["active"] is False
    ben = as_(cast.ben)
    for address in (f"/api/datasets/{cast.dataset.pk}/", f"/api/images/{image.pk}/", f"/api/images/{image.pk}/file/"):
        assert ben.get(address).status_code == 404
    assert ben.get("/api/datasets/").json()["results"] == []
    refused = ben.post(invite())
    assert (refused.status_code, refused.json()["code"]) == (409, "member_deactivated")
    assert as_(cast.ana).patch(url, {"active": True}).json()["active"] is True
    assert ben.post(f"/api/images/{image.pk}/task/").status_code == 200


def test_the_last_active_lead_stays(cast, as_):
    other = Member.objects.get(user=cast.rae)
    Member.objects.filter(pk=other.pk).update(role="lead", deactivated_at=timezone.now())
    url = f"/api/datasets/{cast.dataset.pk}/members/{Member.objects.get(user=cast.ana).pk}/"
    assert as_(cast.ana).patch(url, {"active": False}).json()["code"] == "last_lead"


@pytest.mark.parametrize("how", ["removed", "closed", "demoted", "group", "account"])
def test_the_links_of_a_lead_end_with_the_lead(cast, as_, how):
    dataset = f"/api/datasets/{cast.dataset.pk}"
    cast.dataset.members.filter(user=cast.ben).delete()
    if how == "group":
        lab = as_(cast.ana).post("/api/groups/", {"name": "Lab", "people": ["ben"]}).json()["id"]
        as_(cast.ana).post(f"{dataset}/groups/", {"group": lab, "role": "lead"})
    else:
        as_(cast.ana).post(f"{dataset}/members/", {"username": "ben", "role": "lead"})
    member = cast.dataset.members.get(user=cast.ben)
    secret = as_(cast.ben).post(f"{dataset}/invitations/", {"role": "lead", "uses": 5}).json()["secret"]
    ana = as_(cast.ana)
    {
        "removed": lambda: ana.delete(f"{dataset}/members/{member.pk}/"),
        "closed": lambda: ana.patch(f"{dataset}/members/{member.pk}/", {"active": False}),
        "demoted": lambda: ana.patch(f"{dataset}/members/{member.pk}/", {"role": "viewer"}),
        "group": lambda: ana.delete(f"{dataset}/groups/{lab}/"),
        "account": lambda: get_user_model().objects.filter(pk=cast.ben.pk).update(is_active=False),
    }[how]()
    answer = client_of(None).post(f"/api/invitations/{secret}/", {"username": "benny", "password": STRONG})
    assert (answer.status_code, answer.json()["code"]) == (404, "invitation_closed")
