"""Commands that do a job here and now: with or without workers running, the ledger stays true."""

from __future__ import annotations

import threading
import time

from django.core.management.base import CommandError, OutputWrapper
from django.db import connection

from annotation import jobkit
from annotation.models import Job

LOOK_SECONDS = 0.5


def job_finish(job: Job, out: OutputWrapper) -> Job:
    """Run the job in this process unless a worker was quicker, and print its progress until it has ended.

    Interrupting cancels it. CommandError with the job's own sentence when it fails.
    """
    from engine import jobs  # noqa: F401  binds the functions of the jobs to their kinds

    def work() -> None:
        # Again after an unexpected failure: without workers nobody else would make the next attempt.
        try:
            while Job.objects.filter(pk=job.pk, state__in=Job.OPEN).exists():
                if not jobkit.run(job.pk):
                    time.sleep(LOOK_SECONDS)
        finally:
            connection.close()

    # In a thread, so that this one can print what the job says of itself, whoever does it.
    threading.Thread(target=work, name="job", daemon=True).start()
    told = ""
    try:
        while True:
            job.refresh_from_db()
            line = f"{job.progress:4.0%}  {job.message}"
            if job.message and line != told:
                out.write(line)
                out.flush()
                told = line
            if not job.is_open:
                break
            time.sleep(LOOK_SECONDS)
    except KeyboardInterrupt:
        jobkit.cancel(job)
        raise CommandError("Cancelled.") from None
    if job.state != Job.State.SUCCEEDED:
        raise CommandError(f"{job.title}: {job.error_message or job.state}")
    return job
