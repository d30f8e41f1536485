"""Machine work: the job table is the record, the broker only a wake-up. All policy of background work is here.

    EXPORT = declare("export", queue="io", title="Export dataset")     in a module that every process imports
    @job("export")                                                     in jobs.py, which only workers import
    def run_export(ctx: JobContext, *, export_format: str) -> dict: ...
    enqueue("export", {"export_format": "coco"}, dataset=dataset)      in a service

Row first, message after commit; a job is claimed by conditional UPDATE; a heartbeat renews its lease; the attempt
number is the fence, so that a worker that was given up writes nothing any more; the sweeper re-sends what was never
started, takes back what was lost, and sets aside what keeps killing its worker. Jobs run at least once: make them
idempotent.
"""

from __future__ import annotations

import logging
import os
import traceback
import uuid
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from celery import current_app
from django.db import IntegrityError, connection, transaction
from django.db.models import F, Q
from django.utils import timezone

from annotation import holders, room
from annotation.broker_line import Line
from annotation.errors import Conflict, Missing, TooLarge, UserError
from annotation.jobcontext import GRACE_SECONDS, LOG_CHARACTERS, JobCancelled, JobContext, JobLost, this_is_a_worker
from annotation.jobkinds import JobKind, beat_schedule, declare, functions, job, kinds, periodic, scheduled
from annotation.log_context import log_fields
from annotation.models import Dataset, Job, Member
from annotation.object_store import StoreAway

__all__ = [
    "JobCancelled",
    "JobContext",
    "JobKind",
    "JobLost",
    "beat_schedule",
    "cancel",
    "declare",
    "enqueue",
    "job",
    "periodic",
    "retry",
    "role_for",
    "run",
    "run_pending",
    "scheduled",
    "sweep",
    "worker_started",
    "worker_stopping",
]

logger = logging.getLogger(__name__)

RUN_TASK = "annotation.jobkit.run"
RETRY_SECONDS = 5  # before the second attempt, twice that before the third
RESEND_SECONDS = 15  # a queued job whose message is older was perhaps never delivered
OUTAGE_SECONDS = 30  # until a job is tried again that met an object store that was away, or a full disk
SWEEP_LIMIT = 20  # of each queue, oldest first: a backlog of thousands must not double its messages every few seconds
_line = Line()
UNEXPECTED = "Something unexpected went wrong. The log of the job has the details."


def enqueue(
    name: str,
    payload: dict[str, Any],
    *,
    dataset: Dataset | None = None,
    created_by: Any = None,
    dedupe_key: str = "",
    title: str = "",
    pk: uuid.UUID | None = None,
) -> Job:
    """Write the row now and send its wake-up message when the surrounding transaction commits.

    An open job of the same kind with the same (non-empty) `dedupe_key` is returned instead. `created_by` is a user or
    None; `pk` its id, where files were put in place for it before. Raises LookupError for a kind that this process does
    not know: declare it; Missing if the dataset is gone.
    """
    kind = kinds.get(name)
    if kind is None:
        raise LookupError(f"unknown job kind {name!r}: declare() it where every process comes by, e.g. in apps.py")
    fields = {
        "title": title or kind.title,
        "queue": kind.queue,
        "dataset": dataset,
        "payload": payload,
        "max_attempts": kind.max_attempts,
        "created_by": created_by,
        **({"pk": pk} if pk else {}),
    }
    row, created = _create_or_find(kind.name, dedupe_key, fields)
    if created:
        transaction.on_commit(lambda: _send(row), robust=True)
    return row


def _create_or_find(kind: str, dedupe_key: str, fields: dict[str, Any]) -> tuple[Job, bool]:
    """(a new row, True), or (the open one that stands in its way, False)."""
    for _ in range(3 if dedupe_key else 1):  # the like of it may end between two looks
        try:
            with transaction.atomic():
                return Job.objects.create(kind=kind, dedupe_key=dedupe_key, **fields), True
        except IntegrityError as problem:
            refused = problem
        like = Job.objects.filter(kind=kind, dedupe_key=dedupe_key, state__in=Job.OPEN)
        if dedupe_key and (existing := like.first()):
            return existing, False
    dataset = fields["dataset"]
    if dataset is not None and not Dataset.objects.filter(pk=dataset.pk).exists():
        raise Missing("dataset_gone", "The dataset was deleted meanwhile.") from None
    raise refused


def role_for(name: str) -> str:
    """What it takes in a dataset to have a job of this kind run again; lead for one that this release does not know."""
    return kinds[name].role if name in kinds else Member.Role.LEAD


def cancel(row: Job) -> Job:
    """Cancel an open job; a running one stops at its next check. Raises Conflict if it has ended."""
    changed = Job.objects.filter(pk=row.pk, state__in=Job.OPEN).update(
        state=Job.State.CANCELLED, finished_at=timezone.now(), lease_expires_at=None
    )
    row.refresh_from_db()
    if not changed:
        raise Conflict("job_ended", "This job has already ended.", {"state": row.state})
    return row


def retry(row: Job) -> Job:
    """Queue a failed or cancelled job again. Raises Conflict if it has not, or if its like is open already.

    Attempts are counted on, since they are the fence; the limit moves instead.
    """
    kind = kinds.get(row.kind)
    try:
        with transaction.atomic():
            changed = Job.objects.filter(pk=row.pk, state__in=[Job.State.FAILED, Job.State.CANCELLED]).update(
                **_queued(),
                max_attempts=F("attempts") + (kind.max_attempts if kind else 1),
                progress=0,
                message="",
                error_code="",
                error_message="",
                finished_at=None,
            )
            row.refresh_from_db()
            if not changed:
                raise Conflict(
                    "job_not_failed", "Only a failed or cancelled job can be tried again.", {"state": row.state}
                )
            transaction.on_commit(lambda: _send(row), robust=True)
    except IntegrityError:
        raise Conflict("job_open", "The same work is already waiting or running.") from None
    return row


def run(job_id: str | uuid.UUID) -> bool:
    """Claim and run one job; what a wake-up message does. False if there was nothing to claim (a repeated message)."""
    now = timezone.now()
    due = Q(lease_expires_at=None) | Q(lease_expires_at__lte=now)
    waiting = Job.objects.filter(due, pk=job_id, state=Job.State.QUEUED)
    row = waiting.first()
    if row is None:
        return False
    kind = kinds.get(row.kind) or JobKind(row.kind, row.queue, row.title)
    claimed = waiting.update(
        state=Job.State.RUNNING,
        attempts=F("attempts") + 1,
        started_at=now,
        lease_expires_at=now + timedelta(seconds=kind.lease),
        holder=holders.myself(),
        message="",
    )
    if not claimed:
        return False
    row.refresh_from_db()
    context = JobContext(row, kind)
    with context.heartbeat(), log_fields(job=str(row.pk), kind=row.kind):
        outcome = _call(context)
    _fresh_connection()
    if outcome:
        context.end({"lease_expires_at": None, **outcome})
    return True


def _call(context: JobContext) -> dict[str, Any]:
    """Run the function; the fields to write for its outcome, none if the job is no longer ours."""
    row = context.job
    extra = {"attempt": context.attempt}  # the job and its kind are on every line of this block
    function = functions.get(row.kind)
    try:
        if function is None:
            raise UserError("unknown_job", "No worker knows this kind of job.")
        result = function(context, **row.payload)
    except (JobCancelled, JobLost):
        logger.info("job was taken away", extra=extra)
        return {}
    except UserError as error:
        return _after_refusal(row, error, extra)
    except StoreAway as problem:
        logger.warning("job waits: %s", problem, extra=extra)
        return _after_outage("The store with the files does not answer just now. This is tried again.")
    except Exception as problem:
        if room.is_full(problem):
            told = "The disk of the server is full. Tell whoever runs the server."
            return _after_refusal(row, TooLarge(room.FULL, told), extra)
        logger.exception("job failed unexpectedly", extra=extra)
        return _after_unexpected(context, traceback.format_exc())
    done = {"state": Job.State.SUCCEEDED, "progress": 1.0, "result": result, "finished_at": timezone.now()}
    return {**done, "error_code": "", "error_message": ""}


def _after_refusal(row: Job, error: UserError, extra: dict[str, Any]) -> dict[str, Any]:
    """It ends with its sentence. Who asked for it sees that; what nobody asked for waits until the disk has room."""
    if error.code == room.FULL and row.created_by_id is None:
        logger.warning("job waits: the disk is full", extra=extra)
        return _after_outage("The disk of the server is full. This is tried again.")
    logger.info("job failed: %s", error.message, extra={**extra, "code": error.code})
    return {
        "state": Job.State.FAILED,
        "error_code": error.code,
        "error_message": error.message,
        "result": {"details": error.details} if error.details else None,
        "finished_at": timezone.now(),
    }


def _queued(seconds: float = 0) -> dict[str, Any]:
    """Of a row that is in the queue again from now on, and may start after so many seconds; 0: at once."""
    now = timezone.now()
    start = now + timedelta(seconds=seconds) if seconds else None
    return {"state": Job.State.QUEUED, "queued_at": now, "lease_expires_at": start}


def _after_outage(message: str) -> dict[str, Any]:
    """Queue it again a little later; an attempt that the job could do nothing about does not count."""
    return {
        **_queued(OUTAGE_SECONDS),
        "sent_at": None,
        "max_attempts": F("max_attempts") + 1,
        "message": message,
    }


def _after_unexpected(context: JobContext, trace: str) -> dict[str, Any]:
    """Queue it again a little later, or set it aside when it has had its attempts. The trace goes to the log."""
    row = context.job
    try:
        row.refresh_from_db(fields=["log", "max_attempts"])
    except Job.DoesNotExist:  # its dataset was deleted under it, which is probably what it ran into
        return {}
    here = os.getcwd().rstrip("/") + "/"  # noqa: PTH109  plain text is wanted
    fields: dict[str, Any] = {
        "log": (row.log + trace.replace(here, ""))[-LOG_CHARACTERS:],
        "error_code": "unexpected",
        "error_message": UNEXPECTED,
    }
    if context.attempt < row.max_attempts:
        return {**fields, **_queued(RETRY_SECONDS * 2 ** (context.attempt - 1)), "sent_at": None}
    return {**fields, "state": Job.State.FAILED, "finished_at": timezone.now()}


def worker_started() -> None:
    """This process is a worker from now on: it ends itself if a job hangs. What was lost before is taken back."""
    this_is_a_worker()
    sweep()


def worker_stopping() -> list[Job]:
    """This process is ended on purpose: the attempts that it has in hand do not count if they are cut off. Those jobs.

    Otherwise three releases in the course of one long job would set it aside as one that kills its worker.
    """
    if not holders.myself():
        return []
    held = Job.objects.filter(state=Job.State.RUNNING, holder=holders.myself())
    held.update(max_attempts=F("max_attempts") + 1)
    return list(held.select_related("dataset"))


def sweep() -> dict[str, int]:
    """Take back jobs whose worker is lost, set aside those that keep losing it, re-send what was not started."""
    now = timezone.now()
    _line.look_again()
    poison, taken_back = _take_back(now)
    due = Q(lease_expires_at=None) | Q(lease_expires_at__lte=now)
    unsent = Q(sent_at=None, created_at__lt=now - timedelta(seconds=2)) | Q(sent_at=None, attempts__gt=0)
    stale = Q(sent_at__lt=now - timedelta(seconds=RESEND_SECONDS))
    waiting = Job.objects.filter(due, unsent | stale, state=Job.State.QUEUED).order_by("created_at")
    sent = sum(_send(row) for queue in Job.Queue.values for row in waiting.filter(queue=queue)[:SWEEP_LIMIT])
    if poison or taken_back:
        logger.warning("sweep: %d jobs taken back, %d set aside", taken_back, poison)
    return {"set_aside": poison, "taken_back": taken_back, "sent": sent}


def _take_back(now: datetime) -> tuple[int, int]:
    """(jobs set aside, jobs queued again) of those whose lease has run out or whose process on this machine is gone."""
    running = Job.objects.filter(state=Job.State.RUNNING)
    gone = [name for name in running.order_by().values_list("holder", flat=True).distinct() if holders.is_gone(name)]
    # A name belongs to one process for ever: what somebody else claims meanwhile has another one.
    lost = running.filter(Q(lease_expires_at__lt=now) | Q(holder__in=gone))
    if not lost.exists():  # a look costs nobody anything, a write waits for its turn
        return 0, 0
    poison = lost.filter(attempts__gte=F("max_attempts")).update(
        state=Job.State.FAILED,
        finished_at=now,
        lease_expires_at=None,
        error_code="worker_lost",
        error_message="The worker stopped every time it did this job, so the job was set aside.",
    )
    taken_back = lost.filter(attempts__lt=F("max_attempts")).update(**_queued(), sent_at=None)
    return poison, taken_back


def run_pending(*, dataset: Dataset | None = None, limit: int = 1000) -> int:
    """Run the queued jobs that are due in this process, in order, and those they queue: for commands and tests."""
    done = 0
    while done < limit:
        due = Q(lease_expires_at=None) | Q(lease_expires_at__lte=timezone.now())
        rows = Job.objects.filter(due, state=Job.State.QUEUED)
        if dataset is not None:
            rows = rows.filter(dataset=dataset)
        row = rows.order_by("created_at").first()
        if row is None:
            break
        run(row.pk)
        done += 1
    return done


def _send(row: Job) -> bool:
    """Send the wake-up message; if the broker is away the job stays queued and the sweeper tries again."""
    kind = kinds.get(row.kind)
    # For pools of child processes, which kill what ignores its limit; a worker of one process ends itself (_beat).
    limit = kind.time_limit + GRACE_SECONDS if kind and kind.time_limit else None
    task = partial(current_app.send_task, RUN_TASK, args=[str(row.pk)], queue=row.queue, retry=False, time_limit=limit)
    if not _line.send(task, job=row.pk, kind=row.kind):
        return False
    Job.objects.filter(pk=row.pk).update(sent_at=timezone.now())
    return True


def _fresh_connection() -> None:
    """After long work the database may have hung up; start anew unless a test's transaction is open."""
    if not connection.in_atomic_block:
        connection.close()


# --- Worker side -------------------------------------------------------------------------------------------------


current_app.task(name=RUN_TASK, ignore_result=True)(run)
