"""Hostile requests get 4xx in the one error shape, and what was refused poisons nothing."""

from __future__ import annotations

import json
import uuid

import pytest

from annotation.models import Dataset
from tests.cast import mask_body

BODIES = {
    "NaN": b'{"name": NaN}',
    "infinity": b'{"name": "x", "retrain_after": 1e999}',
    "minus infinity": b'{"name": -Infinity}',
    "5000 digits": b'{"retrain_after": ' + b"9" * 5000 + b"}",
    "100 000 brackets": b"[" * 100_000,
    "100 000 closed brackets": b"[" * 100_000 + b"]" * 100_000,
    "40 levels": b'{"a":' * 40 + b"1" + b"}" * 40,
    "lone surrogate": b'{"name": "\\ud800"}',
    "lone surrogate as key": b'{"\\ud800": 1, "name": "x"}',
    "NUL": b'{"name": "a\\u0000b"}',
    "NUL deep": b'{"name": "x", "description": [{"a": ["\\u0000"]}]}',
    "invalid UTF-8": b'{"name": "\xff\xfe"}',
    "UTF-16": '{"name": "x"}'.encode("utf-16"),
    "null": b"null",
    "number": b"12",
    "text": b'"x"',
    "list": b'[{"name": "x"}]',
    "half": b'{"name": "x"',
    "nothing": b"",
    "wrong types": b'{"name": {"x": 1}}',
    "too long": json.dumps({"name": "x" * 5000}).encode(),
    "2^40": b'{"name": "x", "retrain_after": 1099511627776}',
}


@pytest.mark.parametrize("name", BODIES)
@pytest.mark.parametrize("route", ["datasets", "dataset"])
def test_hostile_json_is_a_400(cast, as_, name, route):
    client = as_(cast.ana)
    before = list(Dataset.objects.values_list("name", "description", "retrain_after"))
    url = "/api/datasets/" if route == "datasets" else f"/api/datasets/{cast.dataset.pk}/"
    send = client.post if route == "datasets" else client.patch
    answer = send(url, BODIES[name], content_type="application/json")
    if (route, name) == ("dataset", "nothing"):
        assert answer.status_code in (200, 400)
    else:
        assert answer.status_code == 400, answer.content[:200]
        assert set(answer.json()) == {"code", "message", "details"}
    assert list(Dataset.objects.values_list("name", "description", "retrain_after")) == before
    assert client.get("/api/datasets/").status_code == 200, "the list still works for everyone"


@pytest.mark.parametrize("name", BODIES)
def test_hostile_json_for_a_mask(cast, as_, image, name):
    client = as_(cast.ben)
    answer = client.put(f"/api/masks/{uuid.uuid4()}/", BODIES[name], content_type="application/json")
    assert answer.status_code == 400
    assert client.get(f"/api/images/{image.pk}/masks/").json() == []


def test_a_large_honest_mask_is_taken(cast, as_, image):
    """Django's own limit of 2.5 MB would answer with an HTML page."""
    body = mask_body(image, prompts=[{"type": "text", "text": "x" * 500}] * 1000)
    body["padding"] = "y" * 3_000_000
    assert as_(cast.ben).put(f"/api/masks/{uuid.uuid4()}/", body).status_code == 201


def test_a_body_over_the_limit_is_a_413_in_json(cast, as_, settings):
    settings.DATA_UPLOAD_MAX_MEMORY_SIZE = 1000
    answer = as_(cast.ana).post("/api/datasets/", {"name": "x", "description": "y" * 2000})
    assert (answer.status_code, answer.json()["code"]) == (413, "body_too_large")


@pytest.mark.parametrize(
    "url",
    [
        "/api/nothing/",
        "/api/",
        "/api",
        "/api/datasets/99999999999999999999999999/",
        "/api/datasets/9999999999999999999/loop/",
        "/api/datasets/9999999999999999999/models/",
        "/api/datasets/9999999999999999999/training-runs/",
        "/api/training-runs/9999999999999999999/",
        "/api/images/9999999999999999999/embedding/",
        "/api/datasets/abc/",
        "/api/datasets/-1/",
        "/api/images/0/",
        "/api/masks/not-a-uuid/",
        "/api/masks/00000000-0000-0000-0000-000000000000/",
        "/api/tasks/%00/",
        "/api/../etc/passwd",
        "/api/images/1%2f..%2f2/file/",
    ],
)
def test_unknown_addresses_are_a_404_in_json(cast, as_, url):
    answer = as_(cast.ana).get(url)
    assert answer.status_code == 404
    assert set(answer.json()) == {"code", "message", "details"}


@pytest.mark.parametrize(
    "query",
    [
        "cursor=%00",
        "cursor=zzz",
        "cursor=cD14",
        "cursor=cD0yMDI2LTEzLTQ1VDAw",  # p=2026-13-45T00
        "limit=-1",
        "limit=x",
        "state=%00",
        "split=x",
    ],
)
@pytest.mark.parametrize("pages", ["images", "jobs", "training-runs"])
def test_hostile_queries(cast, as_, image, query, pages):
    answer = as_(cast.ana).get(f"/api/datasets/{cast.dataset.pk}/{pages}/?{query}")
    assert answer.status_code in (200, 400)
    assert answer["Content-Type"] == "application/json"


def test_a_refused_number_in_a_list_is_told_with_the_name_of_the_list(cast, as_, image):
    answer = as_(cast.ben).post(f"/api/images/{image.pk}/predict/", {"box": [1e308, 0, 1, 1]})
    assert (answer.status_code, answer.json()["code"]) == (400, "invalid")
    assert answer.json()["message"].startswith("box: ")


@pytest.mark.parametrize("content_type", ["text/plain", "application/xml", "multipart/form-data", "image/png", ""])
def test_other_kinds_of_bodies(cast, as_, content_type):
    answer = as_(cast.ana).generic("POST", "/api/datasets/", b"<x/>", content_type=content_type)
    assert answer.status_code in (400, 415)
    assert set(answer.json()) == {"code", "message", "details"}


def test_a_wrong_method_is_a_405_in_json(cast, as_):
    answer = as_(cast.ana).put("/api/datasets/", {})
    assert (answer.status_code, answer.json()["code"]) == (405, "method_not_allowed")


def test_changes_need_the_csrf_token(cast):
    from rest_framework.test import APIClient

    client = APIClient(enforce_csrf_checks=True)
    client.force_login(cast.ana)
    answer = client.post("/api/datasets/", {"name": "x"})
    assert (answer.status_code, answer.json()["code"]) == (403, "permission_denied")
    assert not Dataset.objects.filter(name="x").exists()


@pytest.mark.parametrize("text", ["<script>alert(1)</script>", "=cmd()", "\u202egpj.exe", "'; DROP TABLE x; --"])
def test_text_is_kept_as_it_is_and_served_as_json(cast, as_, text):
    client = as_(cast.ana)
    told = client.post("/api/datasets/", {"name": text}).json()
    assert told["name"] == text
    answer = client.get(f"/api/datasets/{told['id']}/")
    assert answer["Content-Type"] == "application/json"
    assert answer["X-Content-Type-Options"] == "nosniff"
