"""Sign-in by an OpenID Connect provider: who comes in, as whom, and what people are told when they do not."""

from __future__ import annotations

import json
from urllib.parse import unquote, urlsplit

import pytest
import requests
from allauth.socialaccount.models import SocialAccount
from cryptography.hazmat.primitives.asymmetric import rsa
from django.contrib.auth import get_user_model
from django.contrib.sessions.models import Session
from django.core.cache import cache
from django.core.checks import run_checks
from rest_framework.test import APIClient

from annotation.models import Event, Invitation, Member
from annotation.services.people import invitation_create
from tests.oidc_provider import CLIENT, SECRET, Provider

User = get_user_model()


@pytest.fixture
def provider(settings, db):
    cache.clear()
    one = Provider()
    settings.ANYMASK_OIDC_ISSUER = one.issuer
    settings.ANYMASK_OIDC_CLIENT_ID, settings.ANYMASK_OIDC_CLIENT_SECRET = CLIENT, SECRET
    settings.ANYMASK_OIDC_NAME = "Keycloak"
    yield one
    one.stop()


@pytest.fixture
def anyone(settings):
    settings.ANYMASK_OIDC_NEW_PEOPLE = "anyone"


def begin(client, **body):
    token = client.get("/api/session/").cookies["csrftoken"].value
    return client.post("/api/session/oidc/", body, format="json", headers={"X-CSRFToken": token})


def walk(client, **body) -> str:
    """From the button to the provider and back; where the browser ends up."""
    begun = begin(client, **body)
    assert begun.status_code == 200, begun.json()
    at_provider = requests.get(begun.json()["url"], allow_redirects=False, timeout=10)
    return come_back(client, at_provider.headers["Location"])


def come_back(client, url: str) -> str:
    parts = urlsplit(url)
    assert (parts.netloc, parts.path) == ("testserver", "/sign-in/oidc/callback/")
    answer = client.get(f"{parts.path}?{parts.query}")
    assert answer.status_code == 302, answer.content[:300]
    assert "no-store" in answer["Cache-Control"]
    return answer["Location"]


def problem(client) -> str:
    """The code of the sentence that the sign-in page will show."""
    told = json.loads(unquote(client.cookies["sign_in_problem"].value))
    assert told["message"].endswith(".")
    return told["code"]


def who(client) -> str | None:
    user = client.get("/api/session/").json()["user"]
    return user["username"] if user else None


@pytest.fixture
def client():
    return APIClient(enforce_csrf_checks=True)


def test_a_new_person_gets_an_account_and_is_known_the_next_time(provider, anyone, client):
    provider.claims |= {"preferred_username": "nina", "name": "Nina Nowak"}
    assert walk(client) == "/sign-in"
    assert client.get("/api/session/").json()["user"] | {"id": 0} == {"id": 0, "username": "nina", "name": "Nina Nowak"}
    user = User.objects.get()
    assert (user.email, user.has_usable_password(), user.is_staff) == ("nina@example.org", False, False)
    provider.claims |= {"email": "moved@example.org", "preferred_username": "other"}
    again = APIClient()
    walk(again)
    assert (who(again), User.objects.count()) == ("nina", 1)
    row = SocialAccount.objects.get()
    assert (row.provider, row.uid, row.extra_data) == (provider.issuer, "s-1", {})


def test_nothing_is_there_without_an_issuer(db, client):
    assert client.get("/api/session/").json()["oidc"] is None
    refused = begin(client)
    assert (refused.status_code, refused.json()["code"]) == (404, "oidc_off")
    assert client.get("/sign-in/oidc/callback/?code=x&state=y")["Location"] == "/sign-in"


def test_the_page_is_told_the_name_for_its_button(provider, client):
    assert client.get("/api/session/").json()["oidc"] == {"name": "Keycloak"}


def test_another_site_cannot_begin(provider, client):
    assert client.post("/api/session/oidc/", {}, format="json").status_code == 403


def test_attempts_are_limited(provider, monkeypatch):
    from annotation.api.session import SignInThrottle

    monkeypatch.setattr(SignInThrottle, "rate", "3/min", raising=False)
    codes = [APIClient().post("/api/session/oidc/", {}, format="json").status_code for _ in range(5)]
    assert codes == [200, 200, 200, 429, 429]


def test_an_account_is_found_by_a_verified_address(provider, cast, client):
    cast.ben.email = "Nina@Example.org"
    cast.ben.set_password("kept as it is")
    cast.ben.save()
    walk(client)
    assert who(client) == "ben"
    assert User.objects.get(pk=cast.ben.pk).check_password("kept as it is")
    assert Event.objects.get(action="session-oidc:post").details == {"how": "linked"}
    walk(client)
    assert Event.objects.filter(action="session-oidc:post").first().details == {"how": "known"}


@pytest.mark.parametrize("verified", [False, "false", None, 1, "yes"])
def test_an_address_that_is_not_verified_opens_no_account(provider, cast, client, verified):
    User.objects.filter(pk=cast.ben.pk).update(email="nina@example.org")
    provider.claims["email_verified"] = verified
    assert walk(client) == "/sign-in"
    assert (who(client), problem(client)) == (None, "email_unverified")
    assert not SocialAccount.objects.exists()


def test_a_new_account_does_not_take_an_address_that_is_not_verified(provider, anyone, client, cast):
    """Else whoever claimed it first would be handed the account of its owner later."""
    User.objects.filter(pk=cast.ben.pk).update(email="nina@example.org")
    provider.claims |= {"email_verified": False, "preferred_username": "Ben"}
    walk(client)
    assert (who(client), User.objects.get(username="Ben2").email) == ("Ben2", "")


def test_letters_that_only_look_alike_are_other_addresses(provider, cast, client):
    User.objects.filter(pk=cast.ben.pk).update(email="mike@example.org")
    provider.claims["email"] = "m\u0131ke@example.org"
    walk(client)
    assert who(client) is None


def test_two_accounts_of_one_address(provider, cast, client):
    User.objects.filter(pk__in=[cast.ben.pk, cast.rae.pk]).update(email="nina@example.org")
    walk(client)
    assert (who(client), problem(client)) == (None, "email_shared")


def test_somebody_whom_nobody_invited(provider, client):
    assert walk(client) == "/sign-in"
    assert (who(client), problem(client), User.objects.count()) == (None, "not_invited", 0)


def test_an_invited_person_joins(provider, cast, client):
    _row, secret = invitation_create(dataset=cast.dataset, by=cast.ana, role="annotator")
    assert begin(client, invitation=secret).status_code == 200
    sessions = "".join(str(row.get_decoded()) for row in Session.objects.all())
    assert "invitation" in sessions
    assert secret not in sessions
    assert walk(client, invitation=secret) == f"/datasets/{cast.dataset.pk}"
    assert Member.objects.get(user__username="nina").role == "annotator"
    assert Invitation.objects.get().uses_left == 0
    assert Event.objects.get(action="invitation:post").dataset == cast.dataset
    refused = begin(APIClient(), invitation=secret)
    assert (refused.status_code, refused.json()["code"]) == (404, "invitation_closed")


def test_an_invitation_that_closes_on_the_way_leaves_no_half_account(provider, cast, client):
    _row, secret = invitation_create(dataset=cast.dataset, by=cast.ana, role="annotator")
    url = begin(client, invitation=secret).json()["url"]
    Invitation.objects.update(uses_left=0)
    come_back(client, requests.get(url, allow_redirects=False, timeout=10).headers["Location"])
    assert problem(client) == "invitation_closed"
    assert not User.objects.filter(username="nina").exists()
    assert not SocialAccount.objects.exists()


@pytest.mark.parametrize("known", [True, False])
def test_a_closed_account_stays_closed(provider, cast, client, known):
    User.objects.filter(pk=cast.ben.pk).update(email="nina@example.org", is_active=False)
    if known:
        SocialAccount.objects.create(user=cast.ben, provider=provider.issuer, uid="s-1")
    walk(client)
    assert (who(client), problem(client)) == (None, "account_closed")


def test_the_same_subject_of_another_provider_is_somebody_else(provider, cast, client):
    SocialAccount.objects.create(user=cast.ana, provider="https://former.example.org", uid="s-1")
    walk(client)
    assert who(client) is None


@pytest.mark.parametrize(("error", "code"), [("access_denied", "oidc_denied"), ("server_error", "oidc_refused")])
def test_the_provider_sends_somebody_back(provider, client, error, code):
    provider.error = error
    assert walk(client) == "/sign-in"
    assert (who(client), problem(client)) == (None, code)


def test_a_way_back_that_did_not_begin_here(provider, anyone, client):
    """Another's code, or one's own twice: nobody is signed in as somebody else."""
    begun = begin(APIClient()).json()["url"]
    back = requests.get(begun, allow_redirects=False, timeout=10).headers["Location"]
    come_back(client, back)
    assert (who(client), problem(client)) == (None, "oidc_expired")
    for query in ("", "?code=x", "?state=x", "?error=access_denied", "?state=%00&code=%00"):
        assert client.get(f"/sign-in/oidc/callback/{query}").status_code == 302
        assert problem(client) == "oidc_expired"


def test_a_provider_that_is_away(provider, client, settings):
    provider.stop()
    refused = begin(client)
    assert (refused.status_code, refused.json()["code"]) == (503, "oidc_unavailable")


def test_a_provider_that_goes_away_meanwhile(provider, client):
    url = begin(client).json()["url"]
    back = requests.get(url, allow_redirects=False, timeout=10).headers["Location"]
    provider.stop()
    come_back(client, back)
    assert (who(client), problem(client)) == (None, "oidc_unavailable")


@pytest.mark.parametrize("body", [b"", b"[]", b"<html>", b"{}", b'"x"', b'{"issuer": "https://other.example.org"}'])
def test_a_discovery_document_that_is_none(provider, client, body):
    provider.answers["openid-configuration"] = body
    refused = begin(client)
    assert (refused.status_code, refused.json()["code"]) == (503, "oidc_unavailable")


@pytest.mark.parametrize("name", ["token", "keys"])
@pytest.mark.parametrize("body", [b"", b"[]", b"{}", b'{"access_token": 1, "id_token": 2}', b'{"keys": [1]}'])
def test_answers_that_are_none(provider, anyone, client, name, body):
    provider.answers[name] = body
    walk(client)
    assert (who(client), problem(client)) == (None, "oidc_unavailable")


@pytest.mark.parametrize(
    "claims",
    [
        {"iss": "https://other.example.org"},
        {"aud": "another client"},
        {"exp": 1_000_000_000},
        {"iat": None},
        {"sub": None},
    ],
    ids=lambda claims: next(iter(claims)),
)
def test_claims_that_are_not_for_us(provider, anyone, client, claims):
    provider.override = claims
    walk(client)
    assert (who(client), problem(client)) == (None, "oidc_unavailable")


def test_a_token_that_somebody_else_signed(provider, anyone, client):
    provider.signing_key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    walk(client)
    assert (who(client), problem(client)) == (None, "oidc_unavailable")


@pytest.mark.parametrize(("subject", "name"), [("s-1", "nina"), ("somebody else", None)])
def test_userinfo_is_asked_where_the_token_has_no_address(provider, anyone, client, subject, name):
    provider.claims = {"sub": "s-1"}
    provider.userinfo = {"sub": subject, "email": "nina@example.org", "email_verified": True}
    walk(client)
    assert who(client) == name


@pytest.mark.parametrize("subject", ["", "x" * 192, "a\x00b"])
def test_a_subject_that_cannot_be_kept(provider, anyone, client, subject):
    provider.claims["sub"] = subject
    walk(client)
    assert (who(client), problem(client)) == (None, "oidc_subject")


@pytest.mark.parametrize(("proposed", "name"), [("a b\x00c!", "abc"), ("", "nina"), ("\u2603", "person"), (7, "nina")])
def test_user_names_are_made_from_what_the_provider_proposes(provider, anyone, client, proposed, name):
    provider.claims |= {"preferred_username": proposed, "name": "N\x00i\nna" + "x" * 500}
    walk(client)
    assert who(client) == name


def test_a_setup_that_cannot_work_is_told_at_the_start(settings):
    settings.ANYMASK_OIDC_ISSUER = "http://keycloak.example.org/realms/team"
    settings.ANYMASK_OIDC_NEW_PEOPLE = "everybody"
    told = [one.msg for one in run_checks() if one.id == "annotation.E005"]
    assert len(told) == 4
    settings.ANYMASK_OIDC_ISSUER = ""
    assert not [one for one in run_checks() if one.id == "annotation.E005"]
