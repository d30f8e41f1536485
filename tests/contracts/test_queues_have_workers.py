"""Every queue has a worker, however an installation is started: a queue without one is work that is never done."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

import pytest

from annotation.models import Job
from config.celery import app

ROOT = Path(__file__).parents[2]
QUEUES = set(Job.Queue.values)


def test_every_queue_is_served_by_what_make_run_and_containers_start():
    procfile = (ROOT / "docker/start/Procfile").read_text()
    assert set(re.findall(r"worker\.sh (\w+)", procfile)) == QUEUES
    workers = (ROOT / "docker/start/workers.sh").read_text()
    (started,) = re.findall(r"\$\{WORKERS:-([^}]*)\}", workers)
    assert set(started.split()) == QUEUES | {"beat"}


def test_every_queue_is_known_to_celery_and_told_of_in_the_docs():
    assert {queue.name for queue in app.conf.task_queues} == QUEUES
    operations = (ROOT / "docs/operations.md").read_text()
    assert {name for name in QUEUES if f"`worker.sh {name}`" in operations} == QUEUES


@pytest.mark.parametrize(
    ("queues", "pool"),
    [("webhooks", "--pool threads --concurrency 16"), ("io", "--pool solo"), ("webhooks,io", "--pool solo")],
)
def test_one_job_at_a_time_but_where_a_worker_only_waits_for_other_servers(tmp_path, queues, pool):
    celery = tmp_path / "celery"
    celery.write_text('#!/bin/sh\necho "$@"\n')
    celery.chmod(0o755)
    environment = {"PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    script = [ROOT / "docker/start/worker.sh", queues]
    told = subprocess.run(script, env=environment, capture_output=True, text=True, timeout=60, check=True).stdout
    assert f"{pool} --queues {queues} " in told
