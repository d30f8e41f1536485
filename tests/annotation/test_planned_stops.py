"""Who stops the product, for a new release or a reboot, costs no job and no file one of its attempts."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
import threading
from datetime import timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from celery.signals import worker_shutting_down
from django.utils import timezone

from annotation import holders, jobcontext, jobkit, pulses
from annotation.models import Job, Upload, WorkerPulse
from annotation.services.uploads import MAX_ATTEMPTS, TAKE_IN
from config import celery

ROOT = Path(__file__).resolve().parents[2]
named = pytest.mark.skipif(not holders.place(), reason="this system does not tell which processes live")


def running(holder: str, **fields) -> Job:
    """A job in its last attempt."""
    ends = timezone.now() + timedelta(minutes=1)
    about = {"kind": "probe", "title": "Probe", "queue": "io"} | fields
    return Job.objects.create(state="running", attempts=3, lease_expires_at=ends, holder=holder, **about)


def lost() -> dict[str, int]:
    """What the sweeper does once leases have run out."""
    Job.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    return jobkit.sweep()


@named
def test_a_job_that_a_stop_cuts_off_has_its_attempt_again(db, sent):
    mine, others = running(holders.myself()), running("another-boot pid:[1] 4194999 1")
    assert jobkit.worker_stopping() == [mine]
    assert lost() == {"set_aside": 1, "taken_back": 1, "sent": 1}
    mine.refresh_from_db()
    others.refresh_from_db()
    assert (mine.state, others.state, others.error_code) == ("queued", "failed", "worker_lost")


def test_a_process_without_a_name_gives_no_attempt_to_those_of_others(db, monkeypatch):
    monkeypatch.setattr(holders, "myself", lambda: "")
    running("")
    assert jobkit.worker_stopping() == []
    assert lost()["set_aside"] == 1


@named
@pytest.mark.django_db(transaction=True)
def test_a_worker_that_is_told_to_stop_lets_go_of_its_job_and_its_file(cast, monkeypatch):
    monkeypatch.setattr(pulses, "_stop", threading.Event())
    monkeypatch.setattr(jobcontext, "_worker", threading.Event())
    fields = {"dataset": cast.dataset, "created_by": cast.ana, "byte_size": 1, "state": Upload.State.ARRIVED}
    upload = Upload.objects.create(file_name="long.zip", attempts=MAX_ATTEMPTS, **fields)
    later = Upload.objects.create(file_name="later.zip", **fields)
    job = running(holders.myself(), kind=TAKE_IN.name, dataset=cast.dataset)
    consumer = SimpleNamespace(queues=[SimpleNamespace(name="io")])
    before = set(threading.enumerate())
    celery._worker_ready(SimpleNamespace(hostname="io@here", task_consumer=consumer))
    (thread,) = [one for one in threading.enumerate() if one.name == "pulse" and one not in before]
    worker_shutting_down.send(sender="io@here", sig="TERM", how="Warm", exitcode=0)
    thread.join()
    for row in (job, upload, later):
        row.refresh_from_db()
    assert (job.max_attempts, upload.attempts, later.attempts) == (4, MAX_ATTEMPTS - 1, 0)
    assert not WorkerPulse.objects.exists()


def test_processes_get_the_time_that_was_asked_for(tmp_path):
    """The one that is done at once starts the clock; six seconds are more than honcho gives by itself."""
    slow = tmp_path / "slow.sh"
    slow.write_text("trap 'sleep 6; echo done in time; exit 0' TERM\necho ready\nwhile :; do sleep 0.1; done\n")
    procfile = tmp_path / "Procfile"
    procfile.write_text(f"slow: exec sh {slow}\nquick: exec sleep 600\n")
    command = [sys.executable, "docker/start/processes.py", "60", "start", "--no-prefix", "--procfile", str(procfile)]
    process = subprocess.Popen(
        command, cwd=ROOT, env={**os.environ, "PYTHONUNBUFFERED": "1"}, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    awaited = {"slow.1 started", "quick.1 started", "ready"}
    while awaited:
        line = process.stdout.readline()
        assert line, "it has ended"
        awaited -= {word for word in awaited if word in line}
    process.send_signal(signal.SIGTERM)
    assert "done in time" in process.communicate(timeout=120)[0]


def test_a_container_waits_longer_than_what_runs_in_it():
    start = (ROOT / "docker/start/workers.sh").read_text()
    (patience,) = re.findall(r"processes\.py (\d+) ", start)
    workers = (ROOT / "docker/compose.yaml").read_text().split("\n  workers:\n")[1].split("\n\n")[0]
    (grace,) = re.findall(r"stop_grace_period: (\d+)s", workers)
    assert int(patience) < int(grace)
