"""The page for every address that is not the API's, its headers, and /healthz."""

from __future__ import annotations

from datetime import timedelta

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone

from annotation import ports, pulses
from annotation.api import health
from annotation.models import WorkerPulse


@pytest.fixture
def dist(settings, tmp_path):
    settings.FRONTEND_DIST = tmp_path / "dist"
    settings.FRONTEND_DIST.mkdir()
    (settings.FRONTEND_DIST / "index.html").write_text("<!doctype html><title>Anymask</title>")
    return settings.FRONTEND_DIST


@pytest.mark.parametrize("path", ["/", "/datasets/3", "/images/7/edit", "/anything/at/all"])
def test_every_page_is_the_page(dist, path):
    answer = Client().get(path)
    assert answer.status_code == 200
    assert b"Anymask" in answer.content
    assert "csrftoken" in answer.cookies
    assert answer["Cache-Control"] == "no-cache"


def test_the_headers_that_keep_scripts_out_and_give_threads(dist):
    answer = Client().get("/")
    policy = answer["Content-Security-Policy"]
    assert "script-src 'self' 'wasm-unsafe-eval';" in policy
    assert "worker-src 'self' blob:" in policy
    assert "unsafe-inline" not in policy
    assert "'unsafe-eval'" not in policy
    assert answer["Cross-Origin-Opener-Policy"] == "same-origin"
    assert answer["Cross-Origin-Embedder-Policy"] == "require-corp"
    assert answer["X-Content-Type-Options"] == "nosniff"
    assert answer["X-Frame-Options"] == "DENY"


def test_missing_assets_are_no_page(dist):
    assert Client().get("/assets/none.js").status_code == 404
    assert Client().get("/static/none.js").status_code == 404
    assert Client().post("/").status_code in (403, 405)


def test_without_a_build_it_says_what_to_do(settings, tmp_path):
    settings.FRONTEND_DIST = tmp_path / "none"
    answer = Client().get("/")
    assert answer.status_code == 503
    assert b"make setup" in answer.content


def test_the_admin_pages_work_under_the_policy(cast):
    cast.ana.is_staff = cast.ana.is_superuser = True
    cast.ana.save()
    client = Client()
    client.force_login(cast.ana)
    for name in ("dataset", "image", "mask", "task", "job", "workerpulse"):
        assert client.get(f"/admin/annotation/{name}/").status_code == 200
    assert client.get(f"/admin/auth/user/{cast.ben.pk}/change/").status_code == 200
    assert client.get(f"/admin/auth/user/{cast.ben.pk}/delete/").status_code == 403, "closed, not deleted"


def alive(name, queues, seconds=0):
    WorkerPulse.objects.create(name=name, queues=queues, seen_at=timezone.now() - timedelta(seconds=seconds))


def test_health_with_everything_up(db):
    alive("w1", list(pulses.QUEUES))
    pulses.pulse(pulses.SCHEDULER, [])
    answer = Client().get("/healthz")
    told = answer.json()
    assert answer.status_code == 200
    for part in ("database", "storage", "workers", "scheduler"):
        assert told[part]["status"] == "ok", told
    assert told["workers"]["count"] == 1


@pytest.mark.parametrize(("age", "status"), [(0, "starting"), (600, "degraded")])
def test_health_without_workers(db, monkeypatch, age, status):
    monkeypatch.setattr(health, "_started", health.time.monotonic() - age)
    alive("old", list(pulses.QUEUES), seconds=300)
    told = Client().get("/healthz").json()
    assert (told["status"], told["workers"]["status"], told["scheduler"]["status"]) == (status,) * 3


def test_health_without_a_database(db, monkeypatch):
    class Away:
        def cursor(self):
            raise DatabaseError("away")

    monkeypatch.setattr(health, "connection", Away())
    answer = Client().get("/healthz")
    assert answer.status_code == 503
    assert answer.json()["status"] == "degraded"


def test_a_part_that_fails_does_not_take_health_down(db, monkeypatch):
    def fail():
        raise RuntimeError("secret")

    monkeypatch.setattr(ports, "_health_parts", {"model": fail})
    answer = Client().get("/healthz")
    assert answer.status_code == 200
    assert answer.json()["model"] == {"status": "degraded"}
    assert b"secret" not in answer.content
