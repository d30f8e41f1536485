"""Supervise one long child process from a worker: follow its progress file, stop it on demand. No Django, no torch."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

POLL_SECONDS = 0.5
GRACE_SECONDS = 5.0
LOG_TAIL_BYTES = 4000


class ChildFailed(Exception):
    """The child ended with an error; the message is the last line it wrote."""


class ChildTimedOut(ChildFailed):
    """The child was stopped because it ran past its limit."""


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
    environment: Mapping[str, str] | None = None,
) -> None:
    """Run ``python -m ARGUMENTS`` guarded, in its own session, until it ends.

    ``folder`` holds its lock, its process id and its ``child.log`` (standard output and errors). ``on_tick`` is called
    about twice a second and once after the end; whatever it raises (cancelled, lease lost) stops the child and goes on
    to the caller. Raises ChildTimedOut past the limit, ChildFailed on a non-zero exit.
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


def last_line(log: Path) -> str:
    """The last line with text of a log file, at most 500 characters; empty if there is none."""
    try:
        with log.open("rb") as file:
            file.seek(max(0, log.stat().st_size - LOG_TAIL_BYTES))
            lines = [line.strip() for line in file.read().decode("utf-8", "replace").splitlines()]
    except FileNotFoundError:
        return ""
    return next((line for line in reversed(lines) if line), "")[:500]
