"""Rows of a document, put on disk in the order they come and taken by image: memory does not grow with the document."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager

from annotation import storage

_BATCH = 1000


class Staging:
    """A temporary table of (key, number, text); made by `staging`."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self._database = connection
        self._waiting: list[tuple[str, int, str]] = []
        self._taken: set[str] = set()
        for statement in (
            "PRAGMA journal_mode=OFF",
            "PRAGMA synchronous=OFF",
            "PRAGMA cache_size=-16000",
            "CREATE TABLE row (key TEXT, number INTEGER, text TEXT)",
            "BEGIN",
        ):
            connection.execute(statement)

    def add(self, key: str, number: int, text: str) -> None:
        """Keep one row for `take(key)`."""
        self._waiting.append((key, number, text))
        if len(self._waiting) >= _BATCH:
            self._flush()

    def finish(self) -> None:
        """All rows are in: they can be taken from now on."""
        self._flush()
        self._database.execute("CREATE INDEX by_key ON row (key, number)")

    def take(self, key: str) -> Iterator[tuple[int, str]]:
        """(number, text) of the rows of a key in order; nothing when it was taken before."""
        if key in self._taken:
            return
        self._taken.add(key)
        yield from self._database.execute("SELECT number, text FROM row WHERE key = ? ORDER BY number", (key,))

    def left_over(self) -> Iterator[int]:
        """Numbers of the rows that nobody took."""
        for (key,) in self._database.execute("SELECT DISTINCT key FROM row"):
            if key not in self._taken:
                for (number,) in self._database.execute("SELECT number FROM row WHERE key = ? ORDER BY number", (key,)):
                    yield number

    def _flush(self) -> None:
        self._database.executemany("INSERT INTO row VALUES (?, ?, ?)", self._waiting)
        self._waiting.clear()


@contextmanager
def staging() -> Iterator[Staging]:
    """A fresh one on the disk of the installation, removed at the end."""
    with storage.work_folder() as folder:
        database = sqlite3.connect(folder / "rows.db", isolation_level=None)
        with closing(database):
            yield Staging(database)
