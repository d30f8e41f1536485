"""What an operator sees: metrics behind a token, readiness, and log lines that name their request or job."""

from __future__ import annotations

import json
import logging
import os
import subprocess
import threading
from datetime import timedelta
from pathlib import Path

import pytest
from django.db import DatabaseError
from django.test import Client
from django.utils import timezone
from prometheus_client.parser import text_string_to_metric_families

from annotation import jobkit
from annotation.api import health
from annotation.models import Job, Task
from annotation.object_store import StoreAway
from annotation.services import statistics
from config.logs import JsonFormatter
from tests import cast as people

ROOT = Path(__file__).resolve().parents[2]
TOKEN = "known to the collector"


@pytest.fixture
def scraped(settings):
    """`scraped()` is {(name, labels): value} of what a collector reads."""
    settings.ANYMASK_METRICS_TOKEN = TOKEN

    def read() -> dict[tuple[str, frozenset[tuple[str, str]]], float]:
        answer = Client().get("/metrics", headers={"Authorization": f"Bearer {TOKEN}"})
        assert answer.status_code == 200
        families = text_string_to_metric_families(answer.content.decode())
        return {(one.name, frozenset(one.labels.items())): one.value for family in families for one in family.samples}

    return read


def labelled(**labels: str) -> frozenset[tuple[str, str]]:
    return frozenset(labels.items())


def test_requests_are_counted_by_route_and_never_by_address(scraped, cast, as_):
    labels = labelled(method="GET", route="api/datasets/<row:dataset_id>/", status="2xx")
    key = ("anymask_request_seconds_count", labels)
    before = scraped().get(key, 0)
    for _ in range(3):
        assert as_(cast.ben).get(f"/api/datasets/{cast.dataset.pk}/").status_code == 200
    as_(cast.ben).get("/api/datasets/987654/")
    as_(cast.ben).generic("PROPFIND", "/whatever/it/is")
    after = scraped()
    assert after[key] == before + 3
    seen = {value for _, told in after for value in dict(told).values()}
    assert not {"/whatever/it/is", "PROPFIND"} & seen
    assert not any("987654" in value for value in seen)


def test_waiting_work_and_held_images_are_told(scraped, cast, as_):
    people.add_image(cast.dataset)
    jobkit.enqueue("statistics", {"dataset_id": cast.dataset.pk}, dataset=cast.dataset)
    assert as_(cast.ben).post(f"/api/datasets/{cast.dataset.pk}/tasks/next/", {"kind": "annotate"}).status_code == 200
    told = scraped()
    assert told["anymask_jobs", labelled(queue="batch", state="queued")] == 1
    assert told["anymask_jobs", labelled(queue="batch", state="failed")] == 0
    assert told["anymask_job_wait_seconds", labelled(queue="batch")] > 0
    assert told["anymask_job_wait_seconds", labelled(queue="training")] == 0
    assert told["anymask_tasks_held", labelled()] == 1 == Task.objects.filter(state="claimed").count()
    assert told["anymask_workers", labelled(queue="io")] == 0
    assert told["anymask_storage_free_bytes", labelled()] > 0


def test_what_is_tried_again_waits_since_then_and_not_since_it_was_made(scraped, cast):
    """As after a retry of last week's job, a worker that was lost, an error and an outage."""
    wait = ("anymask_job_wait_seconds", labelled(queue="batch"))
    job = jobkit.enqueue(statistics.COUNT.name, {"dataset_id": cast.dataset.pk}, dataset=cast.dataset)
    week = timezone.now() - timedelta(days=7)
    Job.objects.update(created_at=week)
    assert scraped()[wait] > 6 * 86400
    Job.objects.update(state="failed")
    jobkit.retry(Job.objects.get())
    assert scraped()[wait] < 86400
    Job.objects.update(state="running", attempts=1, queued_at=None, lease_expires_at=week)
    jobkit.sweep()
    assert scraped()[wait] < 86400
    for problem in (ZeroDivisionError(), StoreAway()):
        Job.objects.update(queued_at=None)

        def fail(ctx, problem=problem, **_payload):
            raise problem

        with pytest.MonkeyPatch.context() as patch:
            patch.setitem(jobkit.functions, statistics.COUNT.name, fail)
            assert jobkit.run(job.pk)
        assert scraped()[wait] < 86400
        Job.objects.update(lease_expires_at=None)


def test_a_second_web_process_of_a_machine_leaves_the_counts_of_the_first_alone(tmp_path):
    gunicorn = tmp_path / "gunicorn"
    gunicorn.write_text('#!/bin/sh\necho count > "$PROMETHEUS_MULTIPROC_DIR/one.db"\n')
    gunicorn.chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}", "ANYMASK_DATA": str(tmp_path / "data")}
    for port in ("8000", "8001"):
        told = environment | {"PORT": port, "ANYMASK_METRICS_TOKEN": "x"}
        subprocess.run([ROOT / "docker/start/web.sh"], env=told, check=True, timeout=60)
    assert len(list((tmp_path / "data").glob("metrics-*/one.db"))) == 2


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer wrong", "Bearer käse", TOKEN[:-1]])
def test_without_the_token_there_is_no_such_page(settings, db, given):
    settings.ANYMASK_METRICS_TOKEN = TOKEN
    assert Client().get("/metrics", headers={"Authorization": given}).status_code == 404
    settings.ANYMASK_METRICS_TOKEN = ""
    assert Client().get("/metrics", headers={"Authorization": given}).status_code == 404


def test_a_process_is_ready_when_its_tables_are_there(db, monkeypatch):
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["status"]) == (200, "ok")

    class Older:
        loader = type("Loader", (), {"graph": type("Graph", (), {"leaf_nodes": staticmethod(list)})})

        def __init__(self, _connection):
            pass

        def migration_plan(self, _targets):
            return ["one to come"]

    monkeypatch.setattr(health, "_up_to_date", threading.Event())
    monkeypatch.setattr(health, "MigrationExecutor", Older)
    answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["migrations"]) == (503, {"status": "starting"})

    def away(*_args):
        raise DatabaseError

    with monkeypatch.context() as patched:
        patched.setattr(health.connection, "cursor", away)
        answer = Client().get("/readyz")
    assert (answer.status_code, answer.json()["database"]) == (503, {"status": "degraded"})


def test_log_lines_name_their_request_and_the_answer_does_too(cast, as_, caplog):
    caplog.set_level(logging.INFO, "config.middleware")
    caplog.handler.setFormatter(JsonFormatter())
    answer = as_(cast.ben).get(f"/api/datasets/{cast.dataset.pk}/", headers={"X-Request-ID": "from-the-proxy-1"})
    assert answer["X-Request-ID"] == "from-the-proxy-1"
    line = json.loads(caplog.text.splitlines()[-1])
    path = f"/api/datasets/{cast.dataset.pk}/"
    assert (line["request"], line["path"], line["status_code"]) == ("from-the-proxy-1", path, 200)
    assert line["milliseconds"] > 0
    forged = as_(cast.ben).get("/api/session/", headers={"X-Request-ID": 'x"\n{"level": "critical"}'})
    assert len(forged["X-Request-ID"]) == 32


def test_the_secret_of_an_invitation_is_in_no_log_line(cast, as_, caplog):
    caplog.set_level(logging.DEBUG)
    caplog.handler.setFormatter(JsonFormatter())
    answer = as_(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/invitations/", {"role": "lead"})
    secret = answer.json()["secret"]
    for path in (f"/api/invitations/{secret}/", f"/api/invitations/{secret}/no", f"/join/{secret}"):
        people.client_of(None).get(path)
    people.client_of(None).post(f"/api/invitations/{secret}/", {"username": "/"})  # Django tells of it, too
    assert "/api/invitations/***/" in caplog.text
    assert "/join/***" in caplog.text
    assert secret not in caplog.text


def test_log_lines_of_a_job_name_the_job(cast, caplog, monkeypatch):
    caplog.set_level(logging.INFO)
    caplog.handler.setFormatter(JsonFormatter())

    def speak(ctx, **_payload):
        logging.getLogger("somewhere.below").warning("hello")

    monkeypatch.setitem(jobkit.functions, "statistics", speak)
    row = jobkit.enqueue("statistics", {"dataset_id": cast.dataset.pk}, dataset=cast.dataset)
    jobkit.run(row.pk)
    line = next(json.loads(line) for line in caplog.text.splitlines() if "hello" in line)
    assert (line["job"], line["kind"]) == (str(row.pk), "statistics")
