"""Timing and memory of one call, and the name of the machine that all figures belong to."""

from __future__ import annotations

import json
import os
import platform
import resource
import statistics
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from modelzoo.commands.common import cores


@dataclass(frozen=True)
class Row:
    """One figure: the median of several runs, in `unit`, beside what it is compared with (if anything)."""

    name: str
    value: float
    unit: str
    lowest: float
    runs: int
    note: str = ""
    ratio: float | None = None  # to the row named in `note`, measured in the same run
    memory: float | None = None  # peak resident MiB of the process that measured it, where it had one of its own

    def as_dict(self) -> dict[str, Any]:
        return asdict(self)


def timed(name: str, call: Callable[[], Any], runs: int = 10, warm_up: int = 2, note: str = "") -> Row:
    """Milliseconds of `call`: median and minimum of `runs`, after `warm_up` calls that do not count."""
    for _ in range(warm_up):
        call()
    times = []
    for _ in range(runs):
        started = time.perf_counter()
        call()
        times.append((time.perf_counter() - started) * 1000)
    return Row(name, round(statistics.median(times), 2), "ms", round(min(times), 2), runs, note)


def rate(name: str, call: Callable[[], Any], items: int, unit: str, runs: int = 5) -> Row:
    """Items per second of `call`, which handles `items` of them."""
    row = timed(name, call, runs=runs, warm_up=1)
    return Row(name, round(items / row.value * 1000), unit, round(items / row.lowest * 1000), runs)


def own_peak_mib() -> float:
    """Largest resident size of this program so far, MiB. That of getrusage begins with its parent's."""
    status = Path("/proc/self/status")
    for line in status.read_text().splitlines() if status.exists() else ():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def peak_mib() -> float:
    """The same, or of the largest process that it has waited for, if that was larger."""
    return max(own_peak_mib(), resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024)


def child(module: str, *arguments: str) -> Any:
    """What `python -m module arguments` prints as its last line, from JSON. RuntimeError with its words if it fails."""
    command = [sys.executable, "-m", module, *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise RuntimeError(f"{' '.join(command[1:])}: {done.stderr[-2000:]}")
    return json.loads(done.stdout.splitlines()[-1])


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    cpu = platform.processor() or platform.machine()
    described = Path("/proc/cpuinfo")
    if described.exists():
        names = [line.split(":", 1)[1].strip() for line in described.read_text().splitlines() if "model name" in line]
        cpu = names[0] if names else cpu
    threads = int(os.environ.get("OMP_NUM_THREADS", 0)) or cores()  # as torch takes it; it is not loaded for this
    return {
        "cpu": cpu,
        "cores": cores(),
        "system": f"{platform.system()} {platform.machine()}",
        "python": platform.python_version(),
        "torch": version("torch"),
        "threads": threads,
    }
