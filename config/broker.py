"""Celery's filesystem transport, made safe for several producers and workers.

The stock transport creates a message file and then fills it, and rewrites its queue table in place: a reader that comes
between the two gets half a JSON text and the worker exits. Here every file appears by rename, whole or not at all, and
a file that is garbage all the same is set aside instead of stopping the worker. A message is only a wake-up: if one is
lost with its worker, the sweeper of annotation.jobkit sends another.
"""

from __future__ import annotations

import fcntl
import json
import logging
import time
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from queue import Empty
from typing import Any

from kombu.transport import filesystem
from kombu.utils.json import dumps

logger = logging.getLogger(__name__)


def _write(file: Path, text: str) -> None:
    partial = file.with_name(f".{uuid.uuid4().hex}.partial")
    partial.write_text(text, "utf-8")
    partial.replace(file)


class Channel(filesystem.Channel):
    """Messages and queue tables that are written whole."""

    @contextmanager
    def _table_lock(self) -> Iterator[None]:
        self.control_folder.mkdir(parents=True, exist_ok=True)
        with (self.control_folder / ".lock").open("a") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _table_file(self, exchange: str) -> Path:
        # Refuses names that would be paths.
        return Path(self._exchange_file(exchange))  # type: ignore[no-untyped-call]  # inherited from a library

    def get_table(self, exchange: str) -> list[filesystem.exchange_queue_t]:
        """Queues bound to an exchange; an unreadable table counts as empty and is written anew by the next bind."""
        try:
            rows = json.loads(self._table_file(exchange).read_text("utf-8"))
            return [filesystem.exchange_queue_t(*row) for row in rows]
        except FileNotFoundError:
            return []
        except (ValueError, TypeError):
            logger.warning("The queue table of exchange %r is unreadable and will be rebuilt.", exchange)
            return []

    def _queue_bind(self, exchange: str, routing_key: str, pattern: str, queue: str) -> None:
        row = filesystem.exchange_queue_t(routing_key or "", pattern or "", queue or "")
        with self._table_lock():
            rows = self.get_table(exchange)
            if row not in rows:
                _write(self._table_file(exchange), json.dumps([row, *rows]))

    def _put(self, queue: str, payload: Any, **kwargs: Any) -> None:  # type: ignore[override]  # theirs says message
        name = f"{time.time_ns():020d}_{uuid.uuid4()}.{queue}.msg"
        folder = Path(self.data_folder_out)
        folder.mkdir(parents=True, exist_ok=True)  # somebody tidied up
        _write(folder / name, dumps(payload))

    def _size(self, queue: str) -> int:
        return len(self._of(queue))

    def _purge(self, queue: str) -> int:
        names = self._of(queue)
        for name in names:
            (Path(self.data_folder_in) / name).unlink(missing_ok=True)
        return len(names)

    def _get(self, queue: str, timeout: float | None = None) -> Any:
        taken_folder = Path(self.processed_folder)
        for name in self._of(queue):
            taken = taken_folder / name
            taken_folder.mkdir(parents=True, exist_ok=True)
            try:
                (Path(self.data_folder_in) / name).rename(taken)
            except FileNotFoundError:
                continue  # another worker was quicker
            try:
                payload = json.loads(taken.read_text("utf-8"))
                if not isinstance(payload, dict):
                    raise ValueError("not a message")
            except ValueError:
                logger.warning("A message file that is no message was set aside: %s", name)
                taken.rename(taken.with_suffix(".garbage"))
                continue
            taken.unlink()
            return payload
        raise Empty

    def _of(self, queue: str) -> list[str]:
        """Names of a queue's messages, oldest first; none while the folder is away, so that a worker lives on."""
        try:
            names = [file.name for file in Path(self.data_folder_in).iterdir()]
        except (FileNotFoundError, NotADirectoryError):
            return []
        return sorted(name for name in names if name.partition(".")[2] == f"{queue}.msg")


class Transport(filesystem.Transport):
    """`filesystem://` with the channel above."""

    Channel = Channel
