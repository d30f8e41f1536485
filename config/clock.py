"""The clock of an installation: Celery's beat with the rows of django-celery-beat, one at a time.

Two that are started, on two machines or beside one another while one is exchanged, do not call everything twice: the
second one waits until the first has let go, or has been silent for HOLD_SECONDS.
"""

from __future__ import annotations

import logging
import uuid
from typing import Any

from django.db import DatabaseError, InterfaceError, close_old_connections
from django_celery_beat.schedulers import DatabaseScheduler

logger = logging.getLogger(__name__)

NAME = "clock"
HOLD_SECONDS = 15.0
LOOK_SECONDS = 2.0  # between two looks of one that waits
LONGEST_SLEEP = 3.0  # of one that ticks: it must be back well before its hold ends


class SingleScheduler(DatabaseScheduler):  # type: ignore[misc]  # django-celery-beat publishes no types
    """Ticks while it holds the clock."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self.me = uuid.uuid4()
        self.ticking = False
        super().__init__(*args, **kwargs)
        self.max_interval: float = min(self.max_interval, LONGEST_SLEEP)

    def tick(self, *args: Any, **kwargs: Any) -> float:
        """One look at what is due; seconds until the next."""
        before, self.ticking = self.ticking, self._is_mine()
        if not self.ticking:
            self._dirty.clear()  # what another clock has called since is not overwritten
            return LOOK_SECONDS
        if not before:
            self._read_anew()
        seconds: float = super().tick(*args, **kwargs)
        return seconds

    def reserve(self, entry: Any) -> Any:
        """What comes after a row is called, noted before it is.

        Here, since the library builds its heap anew from what it has noted, when rows change beside it. In the
        database, since sending may take longer than the hold lasts, and who takes over must not send it too.
        """
        reserved = super().reserve(entry)
        self._schedule[reserved.name] = reserved
        self.sync()
        return reserved

    def close(self) -> None:
        """What was called is written down, and the next clock may go on at once."""
        super().close()
        if self.ticking:
            from annotation.holds import hold_leave

            self.ticking = False
            hold_leave(name=NAME, holder=self.me)

    def _is_mine(self) -> bool:
        from annotation.holds import hold_take

        close_old_connections()
        try:
            return hold_take(name=NAME, holder=self.me, seconds=HOLD_SECONDS)
        except (DatabaseError, InterfaceError):
            logger.warning("the clock stands still until the database is back")
            return False

    def _read_anew(self) -> None:
        """From the rows, whatever this process knew of them."""
        self._initial_read = True
        self._heap = None
