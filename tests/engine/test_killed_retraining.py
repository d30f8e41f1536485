"""kill -9 of the trainer and then of its worker, in one run: it goes on, one model comes of it, the ledger is true.

Real processes: a worker that sweeps and works off the queue as Celery's do, and below it the trainer.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from django.db import connection

from annotation.models import Job
from engine.models import Evaluation, ModelVersion, Promotion, RetrainingPlan
from engine.retraining import run_start
from engine.serving import serving_version
from tests.engine.test_child_process import gone
from tests.engine.test_retrain import dataset_to_train, folder_of, progress_of, quick, wait_for  # noqa: F401  fixtures

ROOT = Path(__file__).resolve().parents[2]
STEPS = 40
WORKER = """
import time, django
django.setup()
import engine.jobs
from annotation import jobkit
jobkit.RETRY_SECONDS = 0
jobkit.worker_started()
while True:
    jobkit.run_pending()
    jobkit.sweep()
    time.sleep(0.2)
"""

# Workers and trainers import torch first, on a machine that may be busy.
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1800)]


@pytest.fixture
def start_worker(data_folder):
    """Start a worker process on the test's database and data; what is left of them ends with the test."""
    if connection.vendor != "sqlite":
        pytest.skip("the other processes find the test database by its file")
    environment = {
        **os.environ,
        "ANYMASK_DATA": str(data_folder),
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "ANYMASK_TRAIN_THREADS": "1",
        "ANYMASK_GATE_MIN_MASKS": "4",
        "ANYMASK_TRAIN_MIN_MASKS": "4",
    }
    started: list[subprocess.Popen[bytes]] = []

    def start() -> subprocess.Popen[bytes]:
        started.append(subprocess.Popen([sys.executable, "-c", WORKER], cwd=ROOT, env=environment))
        return started[-1]

    yield start
    for process in started:
        process.kill()
        process.wait()


def starts_in(lines: list[dict]) -> list[int]:
    """The steps at which the trainer was started."""
    return [line["step"] for line in lines if line["event"] == "start"]


def trainer_of(run) -> int:
    return int((folder_of(run) / "pid").read_text())


def is_past(run, step: int, start: int) -> bool:
    """Whether the trainer has done a step since it was started for the `start`-th time."""
    lines = progress_of(run)
    return len(starts_in(lines)) == start and lines[-1]["step"] >= step and (folder_of(run) / "state.pt").exists()


def test_it_costs_steps_but_no_run(dataset, start_worker, capsys):
    RetrainingPlan.objects.create(dataset=dataset, steps=STEPS, minutes=60)
    run = run_start(dataset=dataset, trigger="person")
    job = Job.objects.filter(pk=run.job_id)
    before = serving_version(dataset.pk)
    worker = start_worker()
    wait_for(lambda: is_past(run, 3, start=1))

    os.kill(trainer_of(run), signal.SIGKILL)
    wait_for(lambda: is_past(run, 6, start=2))
    assert worker.poll() is None, "the worker lives on"
    assert job.get().attempts == 2

    orphan = trainer_of(run)
    worker.kill()
    worker.wait()
    killed = time.monotonic()
    start_worker()
    wait_for(lambda: job.get().attempts == 3)
    recovered = time.monotonic() - killed
    assert gone(orphan, seconds=60), "a trainer ends with its worker"
    wait_for(lambda: job.get().state not in Job.OPEN, seconds=1200)

    ledger, decision = job.get(), Promotion.objects.get(run=run)
    assert (ledger.state, ledger.attempts, ledger.error_code) == ("succeeded", 3, ""), ledger.log
    assert ledger.result["decision"] == decision.kind
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("finished", "")
    first, second, third = starts_in(progress_of(run))
    assert 0 == first < second < third <= STEPS
    steps = [point["step"] for point in run.curve if "score" not in point]
    assert steps == sorted(set(steps)), "no step is told twice"
    assert steps[-1] == STEPS
    assert ModelVersion.objects.filter(dataset=dataset).count() == 1
    assert Evaluation.objects.filter(run=run).count() == 2
    assert serving_version(dataset.pk) == (run.candidate if decision.kind == "promote" else before)
    with capsys.disabled():
        sys.stdout.write(f"\n  next attempt {recovered:.1f} s after kill -9 of the worker, a new one started at once\n")
