"""A killed worker is noticed at once on its own machine, by its lease everywhere else; a living one keeps its job."""

from __future__ import annotations

import signal
import subprocess
import sys
from datetime import timedelta
from pathlib import Path

import pytest
from django.utils import timezone

from annotation import holders, jobkit
from annotation.models import Job

pytestmark = [
    pytest.mark.django_db,
    pytest.mark.skipif(not holders.place(), reason="this system does not tell which processes live"),
]
ROOT = Path(__file__).parents[2]


@pytest.fixture
def worker():
    """(process, its name): another process of this machine, alive."""
    program = "from annotation import holders; print(holders.myself(), flush=True); input()"
    process = subprocess.Popen(
        [sys.executable, "-c", program], cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    yield process, process.stdout.readline().strip()
    process.kill()
    process.wait()


def running(holder: str, lease: float = 60) -> Job:
    ends = timezone.now() + timedelta(seconds=lease)
    fields = {"state": "running", "attempts": 1, "lease_expires_at": ends, "holder": holder}
    return Job.objects.create(kind="probe", title="Probe", queue="io", **fields)


def test_the_job_of_a_killed_process_is_taken_back_long_before_its_lease_ends(worker, sent):
    process, name = worker
    row = running(name)
    assert jobkit.sweep()["taken_back"] == 0
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert jobkit.sweep() == {"set_aside": 0, "taken_back": 1, "sent": 1}
    row.refresh_from_db()
    assert (row.state, row.lease_expires_at) == ("queued", None)


def test_a_process_that_nobody_has_buried_yet_is_gone_as_well(worker):
    process, name = worker
    process.send_signal(signal.SIGKILL)
    while Path(f"/proc/{process.pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z":
        pass
    assert holders.is_gone(name)


def test_another_process_under_the_same_number_is_another_one(worker):
    _, name = worker
    assert not holders.is_gone(name)
    place_and_number, _, started = name.rpartition(" ")
    assert holders.is_gone(f"{place_and_number} {int(started) - 1}")


def test_what_runs_elsewhere_is_left_to_its_lease(sent):
    row = running("another-boot pid:[1] 4194999 1")
    assert jobkit.sweep()["taken_back"] == 0
    Job.objects.update(lease_expires_at=timezone.now())
    assert jobkit.sweep()["taken_back"] == 1
    row.refresh_from_db()
    assert row.state == "queued"


def test_a_name_that_is_no_name_says_nothing():
    for name in ("", "x", "a b", " ", f"{holders.place()}"):
        assert not holders.is_gone(name)


def test_who_claims_a_job_is_written_into_it(monkeypatch):
    monkeypatch.setattr(jobkit, "functions", {"probe": lambda ctx: {"holder": Job.objects.get().holder}})
    row = Job.objects.create(kind="probe", title="Probe", queue="io")
    assert jobkit.run(row.pk)
    row.refresh_from_db()
    assert row.result == {"holder": holders.myself()}
    assert not holders.is_gone(row.holder)
