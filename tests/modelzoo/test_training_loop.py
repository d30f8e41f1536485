"""Training learns, stops when told, and goes on after a kill as if nothing had happened."""

import dataclasses
import itertools
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
import torch

from modelzoo.build import build
from modelzoo.checkpoint import load_checkpoint, save_checkpoint
from modelzoo.training.config import ConfigError, DataSource, TrainConfig
from modelzoo.training.loop import train
from tests.modelzoo.scenes import write_coco

ROOT = Path(__file__).parents[2]


def config(tmp_path, **changes):
    source = DataSource(write_coco(tmp_path / "set", count=6))
    settings = {
        "out": tmp_path / "run",
        "data": (source,),
        "validation": (source,),
        "synthetic": 0.2,
        "steps": 12,
        "batch": 2,
        "prompts": 4,
        "long_sides": (64, 96),
        "warm_up": 5,
        "ema": 0.9,
        "report_every": 4,
        "validation_every": 6,
        "validation_masks": 4,
        "loaders": 0,
    }
    return TrainConfig(**(settings | changes))


def test_named_parts_learn_and_all_else_stays(tmp_path):
    start = tmp_path / "start.safetensors"
    torch.manual_seed(1)
    save_checkpoint(build("anymask_compact", long_side=96), start)
    head = ("decoder.iou_from_token", "decoder.iou_from_mask")
    train(config(tmp_path, init=start, train_only=head, steps=4, validation_every=4, learning_rate=0.01))
    before, after = (load_checkpoint(path).state_dict() for path in (start, tmp_path / "run" / "model.safetensors"))
    changed = {name for name, tensor in after.items() if not torch.equal(tensor, before[name])}
    assert changed == {name for name in before if name.startswith(head)}


def test_a_model_that_could_not_be_opened_again_is_not_trained(tmp_path):
    """Opening refuses models that take pictures of more than 2048 pixels: they cost gigabytes each."""
    largest = config(tmp_path, used_at=2048)
    with pytest.raises(ConfigError, match="2048"):
        dataclasses.replace(largest, used_at=2064)


def test_a_part_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConfigError, match="iou_head"):
        train(config(tmp_path, train_only=("decoder.iou_head",)))


@pytest.mark.slow
def test_a_model_learns_a_small_world(tmp_path):
    lines = []
    result = train(config(tmp_path, steps=160, report_every=20, validation_every=160, synthetic=0.0), lines.append)
    losses = [line["loss"] for line in lines if line["event"] == "step"]
    assert losses[-1] < 0.6 * losses[0]
    assert result["stopped"] == "steps"
    assert next(line for line in lines if line["event"] == "validation")["miou_3"] > 0.3


def test_what_it_leaves_behind_can_be_used(tmp_path):
    result = train(config(tmp_path))
    out = tmp_path / "run"
    assert {path.name for path in out.iterdir()} == {"model.safetensors", "progress.jsonl", "result.json", "state.pt"}
    assert load_checkpoint(out / "model.safetensors").variant == "anymask_compact"
    assert json.loads((out / "result.json").read_text()) == result
    events = [json.loads(line)["event"] for line in (out / "progress.jsonl").read_text().splitlines()]
    assert events[0] == "start"
    assert events[-1] == "end"


def test_time_and_patience_end_a_run(tmp_path):
    assert train(config(tmp_path, minutes=1e-6))["stopped"] == "time"
    other = tmp_path / "other"
    assert train(config(other, steps=40, validation_every=2, patience=1, learning_rate=0.0))["stopped"] == "patience"


def test_by_the_clock_it_reports_saves_and_judges_every_so_many_seconds(tmp_path, monkeypatch):
    ticks = itertools.count(0, 0.5)  # a step takes half a second
    monkeypatch.setattr("modelzoo.training.loop.time", SimpleNamespace(monotonic=lambda: next(ticks)))
    lines = []
    train(config(tmp_path, clock="seconds", report_every=2, validation_every=5, checkpoint_every=4), lines.append)
    assert [line["step"] for line in lines if line["event"] == "step"] == [4, 8, 12]
    assert [line["step"] for line in lines if line["event"] == "validation"] == [10, 12]  # and once at the end


def test_fine_tuning_starts_from_the_given_weights(tmp_path):
    train(config(tmp_path))
    start = tmp_path / "run" / "model.safetensors"
    train(config(tmp_path / "fine", init=start, learning_rate=0.0, weight_decay=0.0, freeze_norm=True, steps=2))
    before, after = (
        load_checkpoint(start).state_dict(),
        load_checkpoint(tmp_path / "fine/run/model.safetensors").state_dict(),
    )
    for name, tensor in before.items():
        if tensor.is_floating_point():
            assert tensor.allclose(after[name], atol=1e-6), name


def test_trained_further_on_larger_pictures_a_model_is_used_at_their_size(tmp_path):
    start = tmp_path / "start.safetensors"
    save_checkpoint(build("anymask_compact", long_side=64), start)
    train(config(tmp_path, init=start, long_sides=(64, 128), steps=1, validation_every=1))
    assert load_checkpoint(tmp_path / "run" / "model.safetensors").config["long_side"] == 128


@pytest.mark.slow
def test_a_killed_run_ends_with_the_weights_it_would_have_had(tmp_path):
    data = write_coco(tmp_path / "set", count=6)
    results = []
    for name in ("straight", "killed"):
        file = tmp_path / f"{name}.toml"
        file.write_text(
            f'out = "{name}"\nsteps = 24\nbatch = 2\nprompts = 3\nlong_sides = [64]\nreport_every = 2\n'
            f"checkpoint_every = 3\nvalidation_every = 100\nvalidation_masks = 2\nloaders = 1\n"
            f'[[data]]\npath = "{data}"\n'
        )
        command = [sys.executable, "-m", "modelzoo", "train", str(file)]
        environment = os.environ | {"OMP_NUM_THREADS": "1"}
        if name == "killed":
            process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL)
            deadline = time.monotonic() + 120
            while not (tmp_path / name / "state.pt").exists() and time.monotonic() < deadline:
                time.sleep(0.01)
            process.send_signal(signal.SIGKILL)
            process.wait()
            assert not (tmp_path / name / "result.json").exists(), "it was too late for the kill"
        subprocess.run(command, cwd=ROOT, env=environment, check=True, stdout=subprocess.DEVNULL)
        results.append(json.loads((tmp_path / name / "result.json").read_text())["digest"])
        curve = (tmp_path / name / "progress.jsonl").read_text()
        assert '"event": "end"' in curve
    straight, killed = (
        load_checkpoint(tmp_path / name / "model.safetensors").state_dict() for name in ("straight", "killed")
    )
    for key, tensor in straight.items():
        assert tensor.equal(killed[key]), key
