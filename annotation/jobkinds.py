"""Kinds of jobs: what each is called, where it runs, how often and how long. Declared everywhere, bound in workers."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

from celery import current_app

from annotation.models import Job, Member

JobFunction = Callable[..., dict[str, Any] | None]
LEASE_SECONDS = 12.0


@dataclass(frozen=True)
class JobKind:
    """Policy of one kind of job. `lease` and `time_limit` in seconds; `role` is what it takes to have one run again.

    A lease is renewed three times in its length, by a thread: it must be longer than any one call that lets no other
    thread run (reading a JSON document of hundreds of megabytes is one). With the sweeper's period it bounds how long
    the job of a lost machine waits.
    """

    name: str
    queue: str
    title: str
    lease: float = LEASE_SECONDS
    max_attempts: int = 3
    time_limit: float | None = None
    role: str = Member.Role.LEAD


kinds: dict[str, JobKind] = {}
functions: dict[str, JobFunction] = {}
_schedule: dict[str, dict[str, Any]] = {}


def declare(
    name: str,
    *,
    queue: str,
    title: str = "",
    lease: float = LEASE_SECONDS,
    max_attempts: int = 3,
    time_limit: float | None = None,
    role: str = Member.Role.LEAD,
) -> JobKind:
    """Make a kind of job known to this process. Call it where every process comes by: a service module or apps.py."""
    if queue not in Job.Queue.values:
        raise ValueError(f"unknown queue {queue!r}")
    title = title or name.replace("_", " ").capitalize()
    kind = JobKind(name, queue, title, lease, max_attempts, time_limit, role)
    if kinds.setdefault(name, kind) != kind:
        raise ValueError(f"job kind {name!r} is declared twice, differently")
    return kind


def job(name: str, **policy: Any) -> Callable[[JobFunction], JobFunction]:
    """Bind a function to a kind; with `policy` (as in `declare`) it declares the kind too.

    The function gets a JobContext and the payload as keyword arguments and returns the result, a JSON object or None.
    It raises UserError for the user's fault (the job fails at once, code and sentence are shown); any other exception
    counts as unexpected and is tried again up to `max_attempts` times.
    """
    if policy:
        declare(name, **policy)

    def bind(function: JobFunction) -> JobFunction:
        if name not in kinds:
            raise LookupError(f"declare job kind {name!r} first")
        functions[name] = function
        return function

    return bind


def periodic(*, seconds: float, queue: str = "interactive") -> Callable[[Callable[[], Any]], Callable[[], Any]]:
    """Have beat call a function without arguments every so often. It must be cheap, idempotent and safe in parallel.

    Its queue is the one in which nothing takes long: taking back lost work must not wait behind an import of hours.
    """

    def bind(function: Callable[[], Any]) -> Callable[[], Any]:
        name = f"{function.__module__}.{function.__name__}"
        scheduled(name)(function)
        # What is not started before the next tick is dropped, so that an outage is not followed by a burst.
        options = {"queue": queue, "expires": seconds}
        _schedule[name] = {"task": name, "schedule": timedelta(seconds=seconds), "options": options}
        return function

    return bind


def scheduled(name: str) -> Callable[[Callable[..., Any]], Callable[..., Any]]:
    """Have rows of django-celery-beat call a function by this name, with their keyword arguments.

    As for `periodic`: it must be cheap, and may come twice at once.
    """

    def bind(function: Callable[..., Any]) -> Callable[..., Any]:
        current_app.task(name=name, ignore_result=True)(function)
        return function

    return bind


def beat_schedule() -> dict[str, dict[str, Any]]:
    """Entries for Celery's beat, once the jobs modules are imported."""
    return dict(_schedule)
