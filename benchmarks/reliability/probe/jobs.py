"""Jobs whose starts and effects are counted. They use the job kit as the product's own jobs do."""

from __future__ import annotations

import os
import signal
import time

from annotation import jobkit
from annotation.jobkit import JobContext
from benchmarks.reliability.probe.models import Effect, Start

STEP = 0.05  # seconds between two looks at the ledger


@jobkit.job("probe_work", queue="batch", max_attempts=50)
def work(ctx: JobContext, *, key: str, seconds: float) -> None:
    """Work for so long, then write one effect behind the fence.

    A worker may be killed between the effect's commit and the job's end. So a later attempt looks first, as every job
    of the product does; the first one never does, and shows an effect that comes too late.
    """
    Start.objects.create(key=key, attempt=ctx.attempt)
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        time.sleep(min(STEP, seconds))
        ctx.check_cancelled()
    with ctx.fenced():
        if ctx.attempt == 1 or not Effect.objects.filter(key=key).exists():
            Effect.objects.create(key=key, attempt=ctx.attempt)


@jobkit.job("probe_quick_lease", queue="batch", lease=3.0, max_attempts=50)
def quick_lease(ctx: JobContext, *, key: str, seconds: float) -> None:
    """Sleeps without a look, and writes at the end: what a frozen process does when it wakes."""
    Start.objects.create(key=key, attempt=ctx.attempt)
    time.sleep(seconds)
    with ctx.fenced():
        Effect.objects.create(key=key, attempt=ctx.attempt)


@jobkit.job("probe_poison", queue="batch")
def poison(ctx: JobContext, *, key: str) -> None:
    """Takes its process along, as a fault in native code does."""
    Start.objects.create(key=key, attempt=ctx.attempt)
    os.kill(os.getpid(), signal.SIGSEGV)


@jobkit.scheduled("probe.tick")
def tick(key: str) -> None:
    """What a clock counts with."""
    Effect.objects.create(key=key, attempt=0)
