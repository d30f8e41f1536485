"""Another site in the same browser changes nothing: every unsafe route refuses it, and none changes anything by GET."""

from __future__ import annotations

import pytest
from django.apps import apps
from rest_framework.test import APIClient

from tests.annotation.test_permissions import Stage, methods_of, routes

FOREIGN = {"Origin": "https://evil.example", "Referer": "https://evil.example/page"}
UNSAFE = [
    pytest.param(pattern, method, id=f"{method} {pattern.name}")
    for pattern in routes()
    for method in methods_of(pattern)
    if method != "GET"
]
FORMS = {("POST", "images"), ("POST", "imports")}


def counts() -> dict[str, int]:
    """Rows of every table of ours."""
    models = [model for label in ("annotation", "engine", "auth") for model in apps.get_app_config(label).get_models()]
    return {model._meta.label: model.objects.count() for model in models}


@pytest.mark.django_db
@pytest.mark.parametrize(("pattern", "method"), UNSAFE)
def test_a_lead_whose_browser_is_on_another_site_is_refused(pattern, method):
    stage = Stage()
    client = APIClient(enforce_csrf_checks=True)
    client.force_login(stage.cast.ana)
    token = client.get("/api/session/").cookies["csrftoken"].value
    before = counts()
    kind = "multipart" if (method, pattern.name) in FORMS else "json"
    body = stage.body(method, str(pattern.name))
    for headers in (FOREIGN, FOREIGN | {"X-CSRFToken": token}):
        send = getattr(client, method.lower())
        answer = send(stage.address(pattern), data=body, format=kind, headers=headers)
        assert answer.status_code == 403, f"{answer.status_code} {answer.content[:200]!r}"
    assert counts() == before


@pytest.mark.django_db
def test_what_has_no_reading_refuses_to_be_read():
    stage = Stage()
    client = APIClient()
    client.force_login(stage.cast.ana)
    before = counts()
    writing = [pattern for pattern in routes() if "GET" not in methods_of(pattern)]
    assert len(writing) > 10
    for pattern in writing:
        assert client.get(stage.address(pattern)).status_code == 405, pattern.name
    assert counts() == before
