"""What a running job may do: tell how far it is, hold its lease, and write only while it is still the one."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.db.models import F, QuerySet, Value
from django.db.models.functions import Concat, Right
from django.utils import timezone

from annotation.jobkinds import JobKind
from annotation.models import Job

logger = logging.getLogger(__name__)

GRACE_SECONDS = 60  # past its time limit: first the job is taken away, then it has this long to notice
LOG_CHARACTERS = 64_000
EXIT_STUCK = 75

_worker = threading.Event()  # set in a worker, which is started again when it ends


def this_is_a_worker() -> None:
    """A job that ignores its end ends this process from now on."""
    _worker.set()


class JobCancelled(Exception):
    """Somebody cancelled the job. Let it pass through: the ledger says so already."""


class JobLost(Exception):
    """This attempt was given up (lease ended, or past its time limit). Let it pass through; write nothing more."""


class JobContext:
    """What a running job may say about itself. Every write is conditional on this attempt still being the one."""

    def __init__(self, row: Job, kind: JobKind) -> None:
        self.job = row
        self.kind = kind
        self.attempt = row.attempts
        self._afterwards: list[Callable[[], None]] = []
        self._ended = threading.Event()
        self._given_up = threading.Event()

    def mine(self) -> QuerySet[Job]:
        """The row, if this attempt still holds it."""
        return Job.objects.filter(pk=self.job.pk, state=Job.State.RUNNING, attempts=self.attempt)

    def afterwards(self, function: Callable[[], None]) -> None:
        """Call it once the job's success is written down: for removing what another attempt would need."""
        self._afterwards.append(function)

    def end(self, outcome: dict[str, Any]) -> None:
        """Write the outcome down, if this attempt still holds the job; then what was to come afterwards."""
        if self.mine().update(**outcome) and outcome["state"] == Job.State.SUCCEEDED:
            for function in self._afterwards:
                function()

    def progress(self, fraction: float, message: str = "") -> None:
        """Show how far it is (0..1) and what is being done. Raises JobCancelled or JobLost."""
        self._write(progress=min(max(float(fraction), 0.0), 1.0), message=message[:500])

    def log(self, text: str) -> None:
        """Add a line to the job's log, of which the last 64 000 characters are kept. Raises JobCancelled or JobLost."""
        line = text.replace("\x00", "") + "\n"
        self._write(log=Right(Concat(F("log"), Value(line)), LOG_CHARACTERS))

    def check_cancelled(self) -> None:
        """Raise JobCancelled or JobLost if the job is no longer this attempt's. Cheap; call it in every loop."""
        if self._given_up.is_set() or not self.mine().exists():
            self._raise_ended()

    @contextmanager
    def fenced(self) -> Iterator[None]:
        """A transaction for the job's effects that only commits if this attempt still holds the job."""
        with transaction.atomic():
            # The UPDATE locks the row: nobody can take the job back between here and the commit.
            self._write(lease_expires_at=timezone.now() + timedelta(seconds=self.kind.lease))
            yield

    def _write(self, **fields: Any) -> None:
        if self._given_up.is_set() or not self.mine().update(**fields):
            self._raise_ended()

    def _raise_ended(self) -> None:
        state = Job.objects.filter(pk=self.job.pk).values_list("state", flat=True).first()
        if state == Job.State.CANCELLED or state is None:
            raise JobCancelled
        raise JobLost

    @contextmanager
    def heartbeat(self) -> Iterator[None]:
        """Renew the lease from a thread until the block ends, the job is given up or its time limit is over."""
        thread = threading.Thread(target=self._beat, name=f"lease of {self.job.pk}", daemon=True)
        thread.start()
        try:
            yield
        finally:
            self._ended.set()
            thread.join()

    def _beat(self) -> None:
        stop_at = timezone.now() + timedelta(seconds=self.kind.time_limit) if self.kind.time_limit else None
        try:
            while not self._ended.wait(self.kind.lease / 3):
                now = timezone.now()
                if stop_at and now > stop_at:
                    logger.warning("job is past its time limit", extra={"job": self.job.pk, "kind": self.kind.name})
                    break
                try:
                    if not self.mine().update(lease_expires_at=now + timedelta(seconds=self.kind.lease)):
                        break
                except Exception:  # a database that is away for a moment: the lease is longer than one beat
                    logger.exception("lease not renewed", extra={"job": self.job.pk})
                    connection.close()
            else:
                return
            self._given_up.set()
        finally:
            connection.close()
        if _worker.is_set() and stop_at and timezone.now() > stop_at and not self._ended.wait(GRACE_SECONDS):
            logger.critical("job ignores its end: the worker starts anew", extra={"job": self.job.pk})
            os._exit(EXIT_STUCK)
