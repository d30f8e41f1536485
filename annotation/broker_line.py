"""The way to the broker: a message is only a wake-up, so nobody waits long for one to be taken.

After a failure the next one to try comes a few seconds later, and alone; what the others would have sent stays unsent
in the ledger, and the sweeper sends it. Otherwise a broker that takes connections and says nothing would cost every
request its time-out, and the sweeper one for each job.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable

logger = logging.getLogger(__name__)

PAUSE_SECONDS = 5.0


class Line:
    """One for a process, used by all its threads."""

    def __init__(self) -> None:
        self._turn = threading.Lock()
        self._broken = False
        self._again_at = 0.0  # of time.monotonic()

    def send(self, call: Callable[[], object], **about: object) -> bool:
        """Whether `call` came through; False without a try while the line is known to be broken."""
        if not self._broken:
            return self._try(call, about)
        if time.monotonic() < self._again_at or not self._turn.acquire(blocking=False):
            return False
        try:
            return self._try(call, about)
        finally:
            self._turn.release()

    def look_again(self) -> None:
        """Let the next one try, however short ago it failed."""
        self._again_at = 0.0

    def _try(self, call: Callable[[], object], about: dict[str, object]) -> bool:
        try:
            call()
        except Exception:
            logger.exception("wake-up not sent", extra=about)
            self._broken, self._again_at = True, time.monotonic() + PAUSE_SECONDS
            return False
        self._broken = False
        return True
