"""kill -9 of the trainer and of its worker in mid-run: the run goes on, one model comes of it, the ledger is true."""

from __future__ import annotations

import json
import os
import signal
import time
from pathlib import Path

import pytest

from tests.journeys.conftest import label_everything

pytestmark = [pytest.mark.journey, pytest.mark.timeout(1200)]
PATIENCE = 500  # seconds; a trainer imports torch first, and the machine may be busy


@pytest.fixture
def run(product, dataset):
    """A run of thirty steps, under way."""
    label_everything(product, dataset)
    base = f"/api/datasets/{dataset['id']}"
    product.send("PATCH", f"{base}/retraining/", {"steps": 30, "minutes": 30})
    return product.send("POST", f"{base}/training-runs/")


def lines(product, run) -> list[dict]:
    """What the trainer has written so far."""
    found = list((product.folder / "data" / "runs").glob(f"{run['id']}-*/progress.jsonl"))
    return [json.loads(line) for line in found[0].read_text().splitlines() if line.endswith("}")] if found else []


def starts(product, run) -> list[int]:
    return [line["step"] for line in lines(product, run) if line["event"] == "start"]


def trainer(product, run) -> int:
    [folder] = (product.folder / "data" / "runs").glob(f"{run['id']}-*/")
    return int((folder / "pid").read_text())


def worker(product) -> int:
    """The process that works off the training queue."""
    found = []
    for pid in product.processes():
        try:
            words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        except OSError:  # it has ended meanwhile
            continue
        if b"--queues" in words and words[words.index(b"--queues") + 1] == b"training":
            found.append(pid)
    [pid] = found
    return pid


def reached(product, run, step: int, after: int) -> None:
    """Wait until the trainer has done a step since it was started for the `after`-th time."""
    product.wait(
        f"step {step}",
        lambda: len(starts(product, run)) == after and lines(product, run)[-1]["step"] >= step,
        PATIENCE,
    )


def killed(pid: int) -> float:
    os.kill(pid, signal.SIGKILL)
    return time.monotonic()


def test_a_killed_trainer_and_a_killed_worker_cost_steps_but_no_run(product, dataset, run, record_property):
    job = f"/api/jobs/{run['job']}/"
    reached(product, run, 2, after=1)
    since = killed(trainer(product, run))
    product.wait("the second attempt", lambda: product.get(job)["attempts"] == 2, PATIENCE)
    record_property("seconds from the trainer's death to the next attempt", time.monotonic() - since)
    reached(product, run, 6, after=2)
    first = trainer(product, run)
    since = killed(worker(product))
    product.wait("the third attempt", lambda: product.get(job)["attempts"] == 3, PATIENCE)
    record_property("seconds from the worker's death to the next attempt", time.monotonic() - since)
    product.wait("the end of the orphaned trainer", lambda: not Path(f"/proc/{first}").exists(), PATIENCE)

    def decided():
        found = product.get(f"/api/training-runs/{run['id']}/")
        assert found["state"] not in ("failed", "cancelled"), found["error"]
        return found if found["decision"] else None

    found = product.wait("a decision", decided, PATIENCE)
    # Twice it went on behind where it had begun, and no step is told twice.
    again = starts(product, run)
    assert len(again) == 3
    assert 0 == again[0] < again[1] < again[2] <= 30
    steps = [point["step"] for point in found["curve"] if point.get("score") is None]
    assert steps == sorted(set(steps))
    assert steps[-1] == 30
    ledger = product.wait("the end of the job", lambda: (row := product.get(job))["state"] == "succeeded" and row, 60)
    assert (ledger["attempts"], ledger["result"]["decision"]) == (3, found["decision"]["kind"])
    versions = product.get(f"/api/datasets/{dataset['id']}/models/")
    assert [one["digest"] for one in versions if one["name"].endswith(f"run {run['id']}")] == [found["candidate"]]
    decisions = [one["decision"] for one in product.get(f"/api/datasets/{dataset['id']}/training-runs/")["results"]]
    assert len([one for one in decisions if one and one["at"] == found["decision"]["at"]]) == 1
