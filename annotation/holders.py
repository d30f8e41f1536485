"""Who holds a job: a name for this process by which others on the same machine can tell that it is gone.

A lease has to run out before a lost worker is given up; on its own machine nobody needs to wait for that. Where the
system does not tell (/proc is Linux), names are empty and the lease decides alone.
"""

from __future__ import annotations

import os
from functools import cache
from pathlib import Path


@cache
def place() -> str:
    """This boot of this machine and this process namespace: where a process id means something. May be empty."""
    try:
        boot = Path("/proc/sys/kernel/random/boot_id").read_text("ascii").strip()
        return f"{boot} {Path('/proc/self/ns/pid').readlink()}"
    except OSError:
        return ""


def myself() -> str:
    """The name of this process: its place, its id and its start, since ids are used again. Empty if unknown."""
    started = _started(os.getpid())
    return f"{place()} {os.getpid()} {started}" if place() and started else ""


def is_gone(holder: str) -> bool:
    """Whether a process of this place has ended for certain. False for every other place."""
    there, _, rest = holder.rpartition(" ")[0].rpartition(" ")
    if not there or there != place():
        return False
    return _started(int(rest)) != holder.rpartition(" ")[2]


def _started(pid: int) -> str:
    """When a process started, in the kernel's ticks; empty if there is none, or if only its entry is left."""
    try:
        # The name in parentheses may hold anything; state is the first field behind it, the start the 20th.
        fields = Path(f"/proc/{pid}/stat").read_text("utf-8", "replace").rpartition(")")[2].split()
    except OSError:
        return ""
    return "" if fields[0] in "ZX" else fields[19]
