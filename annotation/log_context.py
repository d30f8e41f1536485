"""What every log line of a request or a job says about where it comes from."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_fields: ContextVar[dict[str, str]] = ContextVar("log_fields", default={})  # noqa: B039  never changed in place


@contextmanager
def log_fields(**fields: str) -> Iterator[None]:
    """Lines that this thread logs inside the block carry these fields, beside those of blocks round it."""
    token = _fields.set({**_fields.get(), **fields})
    try:
        yield
    finally:
        _fields.reset(token)


def log_fields_now() -> dict[str, str]:
    """The fields of the blocks that this thread is in."""
    return _fields.get()
