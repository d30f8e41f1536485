"""Several processes train one model: the same weights in each, one of them writes."""

import contextlib
import json
import os
import signal
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from torch import distributed, multiprocessing, nn

from modelzoo.training.devices import join
from tests.modelzoo.scenes import write_coco

ROOT = Path(__file__).parents[2]


def one_of_two(rank: int, folder: str) -> None:
    os.environ |= {"RANK": str(rank), "WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "0"}
    store = distributed.FileStore(f"{folder}/store", 2)
    distributed.init_process_group("gloo", store=store, rank=rank, world_size=2)
    os.environ["WORLD_SIZE"] = "1"  # the group exists already
    devices = type(join())(torch.device("cpu"), rank, 2)
    model = nn.Linear(2, 1)
    model.weight.grad = torch.full_like(model.weight, float(rank + 1))  # the bias has none here
    if rank == 1:
        model.bias.grad = torch.full_like(model.bias, 8.0)
    devices.average_gradients(model)
    told = devices.of_first(rank == 0), devices.of_first(0.1 + rank)
    torch.save([model.weight.grad, model.bias.grad, *told], f"{folder}/{rank}.pt")
    devices.leave()


@pytest.mark.slow
def test_gradients_become_their_mean_and_the_first_process_has_the_clock_and_the_last_word(tmp_path):
    multiprocessing.spawn(one_of_two, (str(tmp_path),), nprocs=2)
    for rank in range(2):
        weight, bias, stops, seconds = torch.load(tmp_path / f"{rank}.pt", weights_only=True)  # noqa: TID251  tensors of the test itself
        assert weight.tolist() == [[1.5, 1.5]]
        assert bias.tolist() == [4.0]
        assert (stops, seconds) == (1.0, 0.1)


def one_machine() -> list[list[str]]:
    return [["--standalone", "--nproc-per-node", "2"]]


def two_machines() -> list[list[str]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    there = ["--nnodes", "2", "--nproc-per-node", "1", "--master-addr", "127.0.0.1", "--master-port", str(port)]
    return [[*there, "--node-rank", str(rank)] for rank in range(2)]


@pytest.mark.slow
@pytest.mark.parametrize("machines", [one_machine, two_machines])
def test_two_processes_make_one_run(tmp_path, machines):
    data = write_coco(tmp_path / "set", count=6)
    file = tmp_path / "train.toml"
    file.write_text(
        f'out = "run"\nsteps = 4\nbatch = 2\nprompts = 3\nlong_sides = [64]\nreport_every = 2\nvalidation_every = 100\n'
        f'validation_masks = 2\nloaders = 0\n[[data]]\npath = "{data}"\n'
    )
    torchrun, train = [sys.executable, "-m", "torch.distributed.run"], ["-m", "modelzoo", "train", str(file)]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    running = [
        subprocess.Popen([*torchrun, *options, *train], cwd=ROOT, env=environment, start_new_session=True)
        for options in machines()
    ]
    try:
        assert [process.wait(timeout=240) for process in running] == [0] * len(running)
    finally:
        for process in running:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(process.pid, signal.SIGKILL)
    events = [json.loads(line)["event"] for line in (tmp_path / "run/progress.jsonl").read_text().splitlines()]
    assert events == ["start", "step", "step", "end"]
    assert json.loads((tmp_path / "run/result.json").read_text())["steps"] == 4
