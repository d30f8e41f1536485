"""Sign-in: by cookie with a CSRF token, by token for scripts; attempts are limited; the demo account stays at home."""

from __future__ import annotations

import pytest
from django.core.cache import cache
from django.core.management import call_command
from rest_framework.test import APIClient

from annotation import demo
from annotation.models import ApiToken, Event
from tests.cast import PASSWORD


@pytest.fixture
def person(cast):
    cast.ben.set_password(PASSWORD)
    cast.ben.save()
    cache.clear()
    return cast.ben


def sign_in(client, password=PASSWORD):
    token = client.get("/api/session/").cookies["csrftoken"].value
    body = {"username": "ben", "password": password}
    return client.post("/api/session/", body, headers={"X-CSRFToken": token})


def test_sign_in_and_out(person):
    client = APIClient(enforce_csrf_checks=True)
    assert client.get("/api/session/").json()["user"] is None
    assert client.get("/api/datasets/").status_code == 401
    answer = sign_in(client)
    assert answer.status_code == 200, answer.json()
    assert answer.json()["user"]["username"] == "ben"
    assert client.get("/api/datasets/").status_code == 200
    token = client.cookies["csrftoken"].value
    assert client.delete("/api/session/", headers={"X-CSRFToken": token}).status_code == 204
    assert client.get("/api/datasets/").status_code == 401


def test_a_wrong_password_says_no_more_than_that(person):
    answer = sign_in(APIClient(enforce_csrf_checks=True), "wrong")
    assert (answer.status_code, answer.json()["code"]) == (400, "sign_in_failed")


def test_another_site_cannot_sign_a_visitor_in(person):
    client = APIClient(enforce_csrf_checks=True)
    answer = client.post("/api/session/", {"username": "ben", "password": PASSWORD})
    assert answer.status_code == 403


def test_attempts_are_limited(person, monkeypatch):
    from annotation.api.session import SignInThrottle

    monkeypatch.setattr(SignInThrottle, "rate", "3/min", raising=False)
    codes = [APIClient().post("/api/session/", {"username": "ben", "password": "x"}).status_code for _ in range(5)]
    assert codes == [400, 400, 400, 429, 429]


def test_attempts_at_the_admins_own_form_are_limited_as_well(person, monkeypatch):
    from annotation.api.session import SignInThrottle

    monkeypatch.setattr(SignInThrottle, "rate", "2/min", raising=False)
    person.is_staff = True
    person.save()
    body = {"username": "ben", "password": "x", "next": "/admin/"}
    answers = [APIClient().post("/admin/login/", body, format="multipart") for _ in range(3)]
    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert int(answers[-1]["Retry-After"]) > 0
    cache.clear()
    assert APIClient().post("/admin/login/", body | {"password": PASSWORD}, format="multipart").url == "/admin/"
    assert APIClient().get("/admin/").url == "/admin/login/?next=/admin/"
    told = Event.objects.filter(action="session:post").values_list("actor__username", "details")
    assert list(told) == [("ben", {"how": "admin"})]


def test_scripts_use_a_token(person, capsys):
    call_command("token", "ben")
    key = capsys.readouterr().out.strip()
    assert key not in str(ApiToken.objects.values().get())
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    assert client.get("/api/session/").json()["user"]["username"] == "ben"
    client.credentials(HTTP_AUTHORIZATION="Token nonsense")
    answer = client.get("/api/datasets/")
    assert answer.status_code == 401
    assert answer["WWW-Authenticate"] == "Token"
    client.credentials(HTTP_AUTHORIZATION=f"Token {key}")
    call_command("token", "ben", "--new")
    assert capsys.readouterr().out.strip() != key
    assert client.get("/api/datasets/").status_code == 401


def test_people_make_name_and_revoke_their_own_tokens(person):
    signed_in = APIClient()
    signed_in.force_login(person)
    made = signed_in.post("/api/tokens/", {"name": "laptop"}, format="json").json()
    script = APIClient()
    script.credentials(HTTP_AUTHORIZATION=f"Token {made['key']}")
    assert script.get("/api/session/").json()["user"]["username"] == "ben"
    [row] = signed_in.get("/api/tokens/").json()
    assert (row["name"], row["hint"]) == ("laptop", made["key"][:8])
    assert row["last_used_at"] is not None
    assert "key" not in row
    assert signed_in.delete(f"/api/tokens/{made['id']}/").status_code == 204
    assert script.get("/api/session/").status_code == 401
    assert signed_in.get("/api/tokens/").json() == []
    assert signed_in.delete("/api/tokens/99999/").status_code == 404


def test_the_demo_account_is_told_on_this_machine_only(person, data_folder):
    assert APIClient().get("/api/session/").json()["demo"] is None
    account = demo.ensure()
    assert demo.ensure() == account
    assert (data_folder / "demo-account.json").stat().st_mode & 0o077 == 0
    assert APIClient().get("/api/session/").json()["demo"] == account
    assert APIClient().get("/api/session/", REMOTE_ADDR="10.0.0.8").json()["demo"] is None
    assert APIClient().get("/api/session/", HTTP_X_FORWARDED_FOR="10.0.0.8").json()["demo"] is None


def test_a_page_of_one_person_does_nothing_in_the_name_of_another(person, cast):
    client = APIClient()
    client.force_login(person)
    assert client.get("/api/datasets/", headers={"X-Anymask-User": str(person.pk)}).status_code == 200
    for other in (str(cast.ana.pk), "", "ben", "-1", "9" * 500):
        answer = client.delete("/api/session/", headers={"X-Anymask-User": other})
        assert (answer.status_code, answer.json()["code"]) == (401, "signed_in_as_another")
    assert client.get("/api/session/").json()["user"]["username"] == "ben"
