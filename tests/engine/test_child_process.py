"""A child process is followed, stopped on demand, ends with its parent, and never shares its folder."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from engine.child import ChildFailed, ChildOutOfMemory, ChildTimedOut, LineReader, memory_over, run_child

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture
def module(tmp_path, monkeypatch):
    """Write a module that the child can run, and return a function that does so."""

    def write(body: str) -> str:
        (tmp_path / "spoken.py").write_text("import sys, time, os, pathlib\n" + body)
        return "spoken"

    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    return write


def gone(pid: int, seconds: float = 10) -> bool:
    """Whether the process ends within the time (a zombie counts as ended)."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        try:
            if Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] == "Z":
                return True
        except FileNotFoundError:
            return True
        time.sleep(0.05)
    return False


def test_lines_arrive_while_it_runs(tmp_path, module):
    folder = tmp_path / "run"
    name = module(
        "for step in range(3):\n"
        "    with open(sys.argv[1], 'a') as f: f.write('{\"step\": %d}\\n' % step)\n"
        "    time.sleep(0.1)\n"
    )
    folder.mkdir()
    reader, seen = LineReader(folder / "progress.jsonl"), []
    run_child(
        [name, str(folder / "progress.jsonl")],
        folder=folder,
        limit_seconds=30,
        on_tick=lambda: seen.extend(line["step"] for line in reader.new()),
    )
    assert seen == [0, 1, 2]


def test_a_half_written_line_waits_for_its_end(tmp_path):
    path = tmp_path / "progress.jsonl"
    path.write_text('{"step": 1}\n{"st')
    reader = LineReader(path)
    assert [line["step"] for line in reader.new()] == [1]
    with path.open("a") as file:
        file.write('ep": 2}\nnot json\n[1]\n')
    assert [line["step"] for line in reader.new()] == [2]


def test_the_last_line_is_the_reason(tmp_path, module):
    name = module("print('loading'); print('The checkpoint is damaged.', file=sys.stderr); sys.exit(3)\n")
    with pytest.raises(ChildFailed, match=r"The checkpoint is damaged\."):
        run_child([name], folder=tmp_path / "run", limit_seconds=30, on_tick=lambda: None)


def test_the_limit_stops_it(tmp_path, module):
    pid = tmp_path / "pid"
    name = module(f"pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(60)\n")
    with pytest.raises(ChildTimedOut):
        run_child([name], folder=tmp_path / "run", limit_seconds=1.5, on_tick=lambda: None)
    assert gone(int(pid.read_text()))


needs_proc = pytest.mark.skipif(
    memory_over(os.getpid(), 0) == 0, reason="this system does not tell what processes hold"
)


@needs_proc
def test_more_memory_than_allowed_stops_it_with_what_it_started(tmp_path, module):
    """The memory is held by a process of another session, as those that torchrun starts."""
    pids = tmp_path / "pids"
    name = module(
        "import subprocess\n"
        "hungry = [sys.executable, '-m', 'engine.guarded', '-', '-', 'hungry']\n"
        "other = subprocess.Popen(hungry, start_new_session=True)\n"
        f"pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{other.pid}}')\n"
        "time.sleep(60)\n"
    )
    (tmp_path / "hungry.py").write_text("import time; held = b'x' * (300 << 20); time.sleep(60)\n")
    with pytest.raises(ChildOutOfMemory, match="where 200 MiB are allowed"):
        run_child([name], folder=tmp_path / "run", limit_seconds=60, memory_limit=200 << 20, on_tick=lambda: None)
    assert all(gone(int(pid)) for pid in pids.read_text().split())


@needs_proc
def test_within_its_memory_it_ends_in_peace(tmp_path, module):
    name = module("time.sleep(1)\n")
    run_child([name], folder=tmp_path / "run", limit_seconds=60, memory_limit=1 << 30, on_tick=lambda: None)


def test_a_cancel_stops_the_whole_session(tmp_path, module):
    pids = tmp_path / "pids"
    name = module(
        "import subprocess\n"
        "other = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        f"pathlib.Path({str(pids)!r}).write_text(f'{{os.getpid()}} {{other.pid}}')\n"
        "time.sleep(60)\n"
    )

    class Cancelled(Exception):
        pass

    def tick():
        if pids.exists() and pids.read_text():
            raise Cancelled

    with pytest.raises(Cancelled):
        run_child([name], folder=tmp_path / "run", limit_seconds=30, on_tick=tick)
    assert all(gone(int(pid)) for pid in pids.read_text().split())


def test_it_ends_with_its_killed_parent(tmp_path, module):
    pid = tmp_path / "pid"
    name = module(f"pathlib.Path({str(pid)!r}).write_text(str(os.getpid())); time.sleep(60)\n")
    parent = subprocess.Popen(
        [
            sys.executable,
            "-c",
            "from pathlib import Path; from engine.child import run_child;"
            f"run_child([{name!r}], folder=Path({str(tmp_path / 'run')!r}), limit_seconds=60, on_tick=lambda: None)",
        ],
        cwd=ROOT,
    )
    end = time.monotonic() + 20
    while not (pid.exists() and pid.read_text()) and time.monotonic() < end:
        time.sleep(0.05)
    os.kill(parent.pid, signal.SIGKILL)
    parent.wait()
    assert gone(int(pid.read_text()))


def test_two_children_never_work_in_one_folder(tmp_path, module):
    """A worker taken for dead left its child running: the next one waits until it has ended."""
    marks = tmp_path / "marks.jsonl"
    name = module(
        f"marks = open({str(marks)!r}, 'a')\n"
        "print('{\"start\": %f}' % time.time(), file=marks, flush=True); time.sleep(1)\n"
        "print('{\"end\": %f}' % time.time(), file=marks, flush=True)\n"
    )
    folder = tmp_path / "run"
    folder.mkdir()
    first = subprocess.Popen(
        [sys.executable, "-m", "engine.guarded", str(os.getpid()), str(folder / "lock"), name], cwd=ROOT
    )
    run_child([name], folder=folder, limit_seconds=30, on_tick=lambda: None)
    first.wait(30)
    kinds = [next(iter(json.loads(line))) for line in marks.read_text().splitlines()]
    assert kinds == ["start", "end", "start", "end"]
