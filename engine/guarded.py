"""Run a module as a guarded child process: ``python -m engine.guarded PARENT LOCK MODULE [ARG...]``.

It dies with its parent, gives way to the web process, and never works in a folder in which another child still
works: a worker that was taken for dead may have left one running, and two trainers would spoil one checkpoint.
A helper that such a child has started is guarded as ``- -``: it dies with whoever started it, who holds the lock.
No Django and no torch here; what the module imports is its own affair.
"""

from __future__ import annotations

import fcntl
import os
import runpy
import sys
import threading
import time
from pathlib import Path

CHECK_SECONDS = 0.5
NICENESS = 5


def die_with(parent: int) -> None:
    """Leave as soon as ``parent`` (a process id) is no longer the parent.

    A thread that looks, rather than prctl(PR_SET_PDEATHSIG): that one fires when the starting *thread* ends, and
    exists on Linux only. Torch releases the interpreter lock in its kernels, so the thread gets its turn.
    """

    def watch() -> None:
        while os.getppid() == parent:
            time.sleep(CHECK_SECONDS)
        os._exit(1)

    threading.Thread(target=watch, name="die-with-parent", daemon=True).start()


def main(argv: list[str]) -> None:
    """Wait for the lock file, then become ``python -m MODULE ARG...``."""
    parent, lock, module, *arguments = argv
    sys.argv = [module, *arguments]
    if (parent, lock) == ("-", "-"):
        die_with(os.getppid())
        runpy.run_module(module, run_name="__main__", alter_sys=True)
        return
    die_with(int(parent))
    os.nice(NICENESS)
    # The kernel drops the lock when the process ends, however it ends.
    with Path(lock).open("w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        runpy.run_module(module, run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main(sys.argv[1:])
