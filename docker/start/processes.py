"""honcho with more patience: python docker/start/processes.py SECONDS start ...

SECONDS is what its processes get to end by themselves once they are told to stop; honcho has 5 and no option for it,
and then kills workers in the middle of jobs.
"""

from __future__ import annotations

import sys

import honcho.command
import honcho.manager

if __name__ == "__main__":
    honcho.manager.KILL_WAIT = int(sys.argv[1])
    honcho.command.main(sys.argv[2:])
