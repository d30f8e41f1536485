"""Supervise one long child process from a worker: follow its progress file, bound it, stop it. No Django, no torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.5
GRACE_SECONDS = 5.0
LOG_TAIL_BYTES = 4000


class ChildFailed(Exception):
    """The child ended with an error; the message is the last line it wrote."""


class ChildTimedOut(ChildFailed):
    """The child was stopped because it ran past its limit."""


class ChildOutOfMemory(ChildFailed):
    """The child was stopped because it and what it started held more memory than it may."""


class LineReader:
    """Complete JSON lines appended to a file since the last look. A half-written last line waits for its end."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._offset = 0
        self._rest = b""

    def new(self) -> Iterator[dict[str, Any]]:
        """Yield every object written since the last call; lines that are no JSON object are passed over."""
        try:
            with self.path.open("rb") as file:
                file.seek(self._offset)
                data = file.read()
        except FileNotFoundError:
            return
        self._offset += len(data)
        *lines, self._rest = (self._rest + data).split(b"\n")
        for line in lines:
            try:
                value = json.loads(line)
            except ValueError:
                continue
            if isinstance(value, dict):
                yield value


def run_child(
    arguments: list[str],
    *,
    folder: Path,
    limit_seconds: float,
    on_tick: Callable[[], None],
    memory_limit: int = 0,
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run ``python -m ARGUMENTS`` guarded, in its own session, until it ends.

    ``folder`` holds its lock, its process id and its ``child.log`` (standard output and errors). ``on_tick`` is called
    about twice a second and once after the end; whatever it raises (cancelled, lease lost) stops the child and goes on
    to the caller. ``memory_limit`` is in bytes, 0 for none; it counts the child and all that descends from it. Raises
    ChildTimedOut or ChildOutOfMemory past a limit, ChildFailed on a non-zero exit.
    """
    folder.mkdir(parents=True, exist_ok=True)
    log = folder / "child.log"
    command = [sys.executable, "-m", "engine.guarded", str(os.getpid()), str(folder / "lock"), *arguments]
    with log.open("ab") as output:
        process = subprocess.Popen(  # noqa: S603 - our own interpreter and module, no shell, no user text
            command,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            start_new_session=True,
            cwd=Path(__file__).resolve().parent.parent,
            # Unbuffered: what is written last must be last in the log, since it is the reason of a failure.
            env={**os.environ, "PYTHONUNBUFFERED": "1", **(environment or {})},
        )
    (folder / "pid").write_text(str(process.pid))  # for people who look
    deadline = time.monotonic() + limit_seconds
    try:
        while process.poll() is None:
            on_tick()
            if time.monotonic() > deadline:
                raise ChildTimedOut(f"It ran longer than {limit_seconds / 60:.0f} minutes and was stopped.")
            # A watcher, not RLIMIT_AS: torch reserves many times the address space that it ever fills.
            if memory_limit and (held := memory_over(process.pid, memory_limit)):
                sizes = f"{held >> 20} MiB of memory where {memory_limit >> 20} MiB are allowed"
                raise ChildOutOfMemory(f"It held {sizes} and was stopped.")
            time.sleep(POLL_SECONDS)
    finally:
        stop(process)
    on_tick()
    if process.returncode != 0:
        raise ChildFailed(last_line(log) or f"It ended with exit code {process.returncode}.")


def stop(process: subprocess.Popen[bytes]) -> None:
    """End the child's whole session: politely first, then for certain. Nothing to do for one that has ended."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.poll() is not None:
            return
        try:
            os.killpg(process.pid, number)
            process.wait(GRACE_SECONDS)
        except (ProcessLookupError, subprocess.TimeoutExpired):
            continue


def memory_over(pid: int, limit: int) -> int:
    """Bytes that a process and all its descendants hold, if they are more than ``limit``, else 0; 0 without /proc.

    Shared pages count once, which is costly to find out; so it is asked only where they are too many counted for each.
    """
    family = _family(pid)
    if sum(map(_resident, family)) <= limit:
        return 0
    held = sum(map(_proportional, family))
    return held if held > limit else 0


def _family(pid: int) -> list[int]:
    """A process and all that descends from it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):  # it has ended meanwhile
            parent = int(entry.read_text("utf-8", "replace").rpartition(")")[2].split()[1])
            children.setdefault(parent, []).append(int(entry.parent.name))
    family = [pid]
    for one in family:  # grows while it is walked
        family += children.get(one, [])
    return family


def _resident(pid: int) -> int:
    """Bytes of one process with all pages that it shares (RSS)."""
    with suppress(OSError):
        return int(Path(f"/proc/{pid}/statm").read_text("ascii").split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def _proportional(pid: int) -> int:
    """Bytes of one process: its own pages and its share of those that it shares (PSS)."""
    with suppress(OSError):
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text("ascii").splitlines()
        return next((int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:")), 0)
    return 0


def memory_here() -> int:
    """Bytes of memory that this machine, or the container round it, has. 0 if nobody tells."""
    sizes = []
    for limit in ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"):
        with suppress(OSError, ValueError):  # absent, or "max"
            sizes.append(int(Path(limit).read_text("ascii")))
    with suppress(OSError, ValueError, AttributeError):
        sizes.append(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES"))
    return min(sizes, default=0)


def result_in(report: Path, weights: Path) -> dict[str, Any] | None:
    """The JSON object that a child writes beside its weights at its end; None while either is missing."""
    try:
        result: dict[str, Any] = json.loads(report.read_text("utf-8"))
    except (FileNotFoundError, ValueError):
        return None
    return result if weights.is_file() else None


def last_line(log: Path) -> str:
    """The last line with text of a log file, at most 500 characters; empty if there is none."""
    lines = [line.strip() for line in tail(log).splitlines()]
    return next((line for line in reversed(lines) if line), "")[:500]


def tail(log: Path) -> str:
    """The last few thousand characters of a log file; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            return file.read().decode("utf-8", "replace").strip()
    except FileNotFoundError:
        return ""
