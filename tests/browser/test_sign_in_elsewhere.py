"""People come in through an OpenID Connect provider, and go on where they wanted to be."""

from __future__ import annotations

import re

import pytest
from playwright.sync_api import expect

from tests.oidc_provider import CLIENT, SECRET, Provider

INVITE = """
from annotation.models import Dataset
from annotation.services.people import invitation_create
dataset = Dataset.objects.first()
print(invitation_create(dataset=dataset, by=dataset.created_by, role="annotator")[1])
"""


@pytest.fixture(scope="module")
def provider(site):
    """The site knows this provider for as long as the tests of this file."""
    one, before = Provider(), dict(site.environment)
    site.environment |= {
        "ANYMASK_OIDC_ISSUER": one.issuer,
        "ANYMASK_OIDC_CLIENT_ID": CLIENT,
        "ANYMASK_OIDC_CLIENT_SECRET": SECRET,
        "ANYMASK_OIDC_NAME": "Keycloak",
    }
    site.stop_web()
    site.start_web()
    yield one
    one.stop()
    site.environment = before
    site.stop_web()
    site.start_web()


def test_an_account_is_found_and_the_page_that_was_wanted_opens(site, provider, guest):
    site.add_people(mia="annotator")
    site.manage("shell", "-c", "User.objects.filter(username='mia').update(email='mia@example.org')")
    provider.claims = {"sub": "mia-1", "email": "mia@example.org", "email_verified": True}
    guest.goto("/datasets/1/statistics")
    guest.get_by_role("button", name="Sign in with Keycloak").click()
    guest.wait_for_url("**/datasets/1/statistics")
    expect(guest.get_by_text("mia", exact=True).first).to_be_visible()


def test_whoever_says_no_is_told_so_once(site, provider, guest):
    provider.error = "access_denied"
    guest.goto("/sign-in")
    guest.get_by_role("button", name="Sign in with Keycloak").click()
    told = guest.get_by_text("You did not let Keycloak tell us who you are")
    expect(told).to_be_visible()
    provider.error = ""
    guest.reload()
    expect(guest.get_by_role("button", name="Sign in with Keycloak")).to_be_visible()
    expect(told).to_be_hidden()


def test_an_invited_person_joins_without_a_password(site, provider, guest):
    secret = site.manage("shell", "-c", INVITE).split()[-1]
    provider.claims = {"sub": "new-1", "email": "noa@example.org", "email_verified": True, "preferred_username": "noa"}
    guest.goto(f"/join/{secret}")
    guest.get_by_role("button", name="Join with Keycloak").click()
    guest.wait_for_url(re.compile(r"/datasets/\d+$"))
    expect(guest.get_by_text("noa", exact=True).first).to_be_visible()
