"""Django's SQLite backend, with writers who wait in a line.

SQLite has one writer at a time, and one that waits sleeps longer after every look, up to 100 ms: whoever comes last
looks most often and goes first, so that a few wait for seconds while the lock is never held for more than milliseconds.
Here one thread of a process looks, every two milliseconds; the others stand behind it in the order in which they came.
Reads never wait (write-ahead log).
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from sqlite3 import SQLITE_BUSY, SQLITE_BUSY_SNAPSHOT, OperationalError
from typing import Any

from django.db.backends.sqlite3 import base

LOOK_SECONDS = 0.002
READS = ("SELECT", "WITH", "VALUES", "PRAGMA", "EXPLAI", "ROLLBA", "COMMIT")  # and what ends a transaction
# Somebody wrote between a look's two steps; or this connection reads yet, and then no look will ever do.
STALE_LOOKS = 5


class Line:
    """Threads that are served in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._waiting: deque[threading.Event] = deque()

    @contextmanager
    def place(self, seconds: float) -> Iterator[None]:
        """Be the first of the line inside; after `seconds` of waiting, go on beside the one that is."""
        turn = threading.Event()
        with self._lock:
            self._waiting.append(turn)
            if self._waiting[0] is turn:
                turn.set()
        try:
            turn.wait(seconds)
            yield
        finally:
            with self._lock:
                self._waiting.remove(turn)
                if self._waiting:
                    self._waiting[0].set()


_line = Line()


def _new_line() -> None:
    """A fork may come while threads of the parent stand in line; the child has none of them."""
    global _line
    _line = Line()


os.register_at_fork(after_in_child=_new_line)


class Cursor(base.SQLiteCursorWrapper):
    """A cursor whose writes wait in line, unless they are inside a transaction, which has the write lock already."""

    def execute(self, query: str, params: Any = None) -> Any:
        """Run a statement.

        Raises:
            sqlite3.OperationalError: "database is locked", after the `timeout` of OPTIONS.
        """
        if self.connection.in_transaction or query.lstrip()[:6].upper().startswith(READS):
            return super().execute(query, params)
        milliseconds = self.connection.execute("PRAGMA busy_timeout").fetchone()[0]
        until = time.monotonic() + milliseconds / 1000
        with _line.place(milliseconds / 1000):
            try:
                self.connection.execute("PRAGMA busy_timeout = 0")
                return self._look_until(until, partial(super().execute, query, params))
            finally:
                self.connection.execute(f"PRAGMA busy_timeout = {milliseconds}")

    def _look_until(self, until: float, run: Callable[[], Any]) -> Any:
        stale = 0
        while True:
            try:
                return run()
            except OperationalError as problem:
                stale += problem.sqlite_errorcode == SQLITE_BUSY_SNAPSHOT
                away = problem.sqlite_errorcode & 0xFF != SQLITE_BUSY
                if away or stale > STALE_LOOKS or time.monotonic() > until:
                    raise
            time.sleep(LOOK_SECONDS)


class DatabaseWrapper(base.DatabaseWrapper):
    """The connection that `ENGINE = "config.sqlite"` makes."""

    def create_cursor(self, name: str | None = None) -> Any:
        """Django's cursor, in line."""
        return self.connection.cursor(factory=Cursor)
