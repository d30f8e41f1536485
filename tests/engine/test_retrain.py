"""A whole retraining on a small real model: from masks to a decision; killed, cancelled, resumed."""

from __future__ import annotations

import json
import os
import signal
import threading
import time
from io import StringIO
from pathlib import Path

import pytest
from django.core.management import call_command
from django.db import connection

from annotation import jobkit, storage
from annotation.models import Job
from engine import jobs  # noqa: F401  binds the functions of the jobs
from engine.models import Detector, Evaluation, ModelVersion, Promotion, ServingModel, TrainingRun
from engine.retraining import run_start
from engine.serving import serving_version
from tests.cast import add_image, add_mask, ellipse
from tests.engine.test_child_process import gone

ROOT = Path(__file__).resolve().parents[2]

# Trainers of their own, each importing torch: patience for a busy machine.
pytestmark = [pytest.mark.slow, pytest.mark.django_db(transaction=True), pytest.mark.timeout(1200)]


@pytest.fixture(autouse=True)
def quick(settings, monkeypatch):
    """A few steps, one thread, few masks."""
    settings.ANYMASK_TRAIN_STEPS = 4
    settings.ANYMASK_TRAIN_THREADS = 1
    settings.ANYMASK_PROPOSAL_MINUTES = 0  # tests/engine/test_detector.py trains one
    settings.ANYMASK_TRAIN_MIN_MASKS = settings.ANYMASK_GATE_MIN_MASKS = 4
    monkeypatch.setattr(jobkit, "RETRY_SECONDS", 0)


@pytest.fixture(name="dataset")
def dataset_to_train(cast, real_base):
    """Four images and eight masks on both sides that count."""
    for seed in range(8):
        image = add_image(cast.dataset, seed=seed, width=96, height=64, split="train" if seed < 4 else "held_out")
        add_mask(image, ellipse(image))
        add_mask(image, ellipse(image, x=0.2, y=0.3, size=0.15))
    return cast.dataset


def folder_of(run: TrainingRun) -> Path:
    run.refresh_from_db()
    return storage.full(storage.path_for("runs", f"{run.pk}-{run.snapshot.digest[:12]}"))


def wait_for(condition, seconds: float = 600) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, "it did not happen in time"
        time.sleep(0.05)


def parent_of(stat: Path) -> int:
    """The parent's id as /proc/PID/stat tells it; 0 if the process has ended."""
    try:
        return int(stat.read_text().rsplit(")", 1)[1].split()[1])
    except OSError:
        return 0


def in_thread(job: Job) -> threading.Thread:
    """Run the job as a worker would, beside the test."""

    def work():
        try:
            jobkit.run(job.pk)
        finally:
            connection.close()

    thread = threading.Thread(target=work)
    thread.start()
    return thread


def progress_of(run: TrainingRun) -> list[dict]:
    run.refresh_from_db()
    if run.snapshot is None:
        return []
    path = folder_of(run) / "progress.jsonl"
    return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []


def test_from_masks_to_a_decision(dataset, cast, real_base, settings):
    settings.ANYMASK_PROPOSAL_MINUTES, settings.ANYMASK_PROPOSAL_STEPS = 1, 2
    run = run_start(dataset=dataset, trigger="person", by=cast.ana)
    jobkit.run_pending()
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("finished", ""), Job.objects.get(pk=run.job_id).log
    assert run.snapshot.counts["train"] == {"images": 4, "masks": 8}
    assert run.candidate.parent == real_base
    assert run.candidate.digest != real_base.digest
    assert storage.sha256_of(storage.full(run.candidate.checkpoint_path)) == run.candidate.digest
    assert storage.full(run.candidate.decoder_path).exists()
    assert [point["step"] for point in run.curve if "score" not in point] == [1, 2, 3, 4]
    rows = {e.role: e for e in run.evaluations.all()}
    assert rows["serving"].version == real_base
    assert rows["candidate"].version == run.candidate
    assert [r["id"] for r in rows["serving"].rows] == [r["id"] for r in rows["candidate"].rows]
    assert rows["candidate"].summary["masks"] == 8
    decision = Promotion.objects.get(run=run)
    assert decision.numbers["masks"] == 8
    assert decision.reason == run.message
    assert run.candidate.state == {"promote": "promoted", "refuse": "refused"}[decision.kind]
    assert serving_version(dataset.pk) == (run.candidate if decision.kind == "promote" else real_base)
    assert Detector.objects.get(run=run).version == serving_version(dataset.pk)
    assert not (folder_of(run) / "state.pt").exists()
    job = Job.objects.get(pk=run.job_id)
    assert (job.state, job.result["decision"], job.attempts) == ("succeeded", decision.kind, 1)
    # Killed between the decision and the end of the job: doing it again changes nothing, whatever serves by now.
    ServingModel.objects.update_or_create(dataset=dataset, defaults={"version": run.candidate})
    Job.objects.filter(pk=job.pk).update(state="queued")
    jobkit.run_pending()
    run.refresh_from_db()
    assert (run.state, run.evaluations.get(role="serving").version) == ("finished", real_base)
    job.refresh_from_db()
    assert (job.state, job.result["decision"]) == ("succeeded", decision.kind)
    assert (Promotion.objects.count(), Evaluation.objects.count(), ModelVersion.objects.count()) == (1, 2, 2)


def test_a_killed_trainer_goes_on_from_its_checkpoint(dataset, settings):
    settings.ANYMASK_TRAIN_STEPS = 30
    run = run_start(dataset=dataset, trigger="person")
    worker = in_thread(run.job)
    wait_for(lambda: any(line["step"] >= 5 for line in progress_of(run)) and (folder_of(run) / "state.pt").exists())
    os.kill(int((folder_of(run) / "pid").read_text()), signal.SIGKILL)
    worker.join(120)
    job = Job.objects.get(pk=run.job_id)
    assert (job.state, job.attempts, job.error_code) == ("queued", 1, "unexpected")
    run.refresh_from_db()
    assert run.is_open
    jobkit.run_pending()
    run.refresh_from_db()
    assert run.state == "finished"
    starts = [line["step"] for line in progress_of(run) if line["event"] == "start"]
    assert len(starts) == 2
    assert starts[1] >= 3
    steps = [point["step"] for point in run.curve if "score" not in point]
    assert steps == sorted(set(steps))
    assert Promotion.objects.filter(run=run).count() == 1
    assert Job.objects.get(pk=run.job_id).attempts == 2


def test_two_processes_train_one_candidate_and_end_with_the_one_that_started_them(dataset, settings):
    """What a machine with two GPUs does, on processors."""
    settings.ANYMASK_TRAIN_PROCESSES = 2
    settings.ANYMASK_TRAIN_STEPS = 20
    run = run_start(dataset=dataset, trigger="person")
    worker = in_thread(run.job)
    wait_for(lambda: any(line["step"] >= 3 for line in progress_of(run)) and (folder_of(run) / "state.pt").exists())
    first = int((folder_of(run) / "pid").read_text())
    helpers = [int(path.parent.name) for path in Path("/proc").glob("[0-9]*/stat") if parent_of(path) == first]
    assert len(helpers) >= 2
    os.kill(first, signal.SIGKILL)
    worker.join(120)
    assert all(gone(pid, seconds=20) for pid in helpers)
    jobkit.run_pending()
    run.refresh_from_db()
    assert (run.state, Job.objects.get(pk=run.job_id).attempts) == ("finished", 2)
    assert [line["step"] for line in progress_of(run) if line["event"] == "start"][1] >= 1


def test_cancelling_ends_the_trainer_and_frees_the_slot(dataset, settings):
    settings.ANYMASK_TRAIN_STEPS = 2000
    run = run_start(dataset=dataset, trigger="person")
    worker = in_thread(run.job)
    wait_for(lambda: len(progress_of(run)) > 1)
    pid = int((folder_of(run) / "pid").read_text())
    jobkit.cancel(Job.objects.get(pk=run.job_id))
    worker.join(120)
    assert not worker.is_alive()
    assert not Path(f"/proc/{pid}").exists()
    run.refresh_from_db()
    assert run.state == "cancelled"
    assert run_start(dataset=dataset, trigger="person").is_open


def test_a_trainer_that_cannot_work_says_why_and_is_set_aside(dataset, real_base):
    storage.write_atomic(real_base.checkpoint_path, b"no model")
    run = run_start(dataset=dataset, trigger="person")
    jobkit.run_pending()
    run.refresh_from_db()
    assert (run.state, run.error_code) == ("failed", "unexpected")
    job = Job.objects.get(pk=run.job_id)
    assert (job.state, job.attempts) == ("failed", job.max_attempts)
    assert "neither a safetensors nor a PyTorch file" in job.log
    assert serving_version(dataset.pk) == real_base


def test_the_command_does_it_without_workers(dataset):
    out = StringIO()
    call_command("retrain", dataset.name, stdout=out)
    said = out.getvalue()
    assert "Training: step" in said
    assert said.strip().splitlines()[-1].startswith(("Promoted:", "Refused:"))
    assert TrainingRun.objects.get().state == "finished"
