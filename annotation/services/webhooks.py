"""Webhooks: other programs are told of masks and of jobs, signed, in order, at least once.

A fact becomes a row first, one per webhook, and a job sends the rows that wait. Mask events are written by
annotation.receivers when a mask is saved or deleted; jobs that ended are looked up in the ledger every few seconds, so
that none is missed however it ended. Messages are signed as Standard Webhooks says (standardwebhooks.com): HMAC-SHA256
over "id.timestamp.body" in base64, with the secret whose text begins with whsec_.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import hmac
import json
import secrets
import time
from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from django.db.models import Q
from django.utils import timezone

from annotation import jobkit, outbound
from annotation.errors import Missing, UserError
from annotation.jobkit import JobContext
from annotation.models import Dataset, Delivery, Job, Mask, Webhook

# The longer lease: a name that is looked up lets no heartbeat in meanwhile on some systems.
DELIVER = jobkit.declare(
    "deliver_webhook", queue="webhooks", title="Tell a webhook", lease=30, max_attempts=1, time_limit=120
)
MASK_SAVED, MASK_DELETED, JOB_ENDED, TEST = "mask.saved", "mask.deleted", "job.ended", "test"
EVENTS = (MASK_SAVED, MASK_DELETED, JOB_ENDED)
MAX_WEBHOOKS = 5  # of a dataset
BACK_OFF = (10, 60, 300, 1800, 7200, 21600)  # seconds after each failure; the next one switches it off
ANSWER_SECONDS = 10  # for connecting, sending and the head of the answer, whose body nobody reads
RUN_SECONDS = 5  # of one job, and the answer that it waits for then; the next one goes on
OVERLAP = timedelta(seconds=60)  # a job that ended may become visible a little later
KEPT = timedelta(days=7)
BATCH = 200


def webhook_create(*, dataset: Dataset, url: str, events: Iterable[str], user: Any) -> Webhook:
    """A new one, with a secret made here. Raises UserError for a bad address or too many of them."""
    outbound.url_split(url)
    if dataset.webhooks.count() >= MAX_WEBHOOKS:
        raise UserError("webhooks_full", f"A dataset has {MAX_WEBHOOKS} webhooks at the most.")
    told = sorted(set(events))
    return Webhook.objects.create(dataset=dataset, url=url.strip(), events=told, secret=_secret(), created_by=user)


def webhook_update(
    *,
    webhook: Webhook,
    url: str | None = None,
    events: Iterable[str] | None = None,
    active: bool | None = None,
    new_secret: bool = False,
) -> Webhook:
    """Change one. Switching it on, or another address, makes it try again at once. Raises UserError, Missing.

    Jobs that ended before it was switched on, or was to hear of them, are the past and not told, but for OVERLAP.
    """
    told: dict[str, Any] = {}
    if url is not None:
        outbound.url_split(url)
        told["url"] = url.strip()
    if events is not None:
        told["events"] = sorted(set(events))
    if new_secret:
        told["secret"] = _secret()
    if active is not None:
        told["active"] = active
    hears_anew = JOB_ENDED in told.get("events", ()) and JOB_ENDED not in webhook.events
    if hears_anew or (active and not webhook.active):
        told["jobs_since"] = timezone.now()
    if active or url is not None:
        told |= {"failures": 0, "retry_at": None, "problem": ""}
    # These columns alone: a delivery under way writes its own at this moment.
    if told and not Webhook.objects.filter(pk=webhook.pk).update(**told):
        raise Missing("webhook_gone", "This webhook was removed meanwhile.")
    webhook.refresh_from_db()
    if webhook.active and webhook.deliveries.filter(delivered_at=None).exists():
        _queue(webhook.pk)
    return webhook


def webhook_test(*, webhook: Webhook) -> Delivery:
    """Send a message that tells nothing. Raises UserError while it is switched off."""
    if not webhook.active:
        raise UserError("webhook_inactive", "Switch this webhook on first.")
    body = _body(TEST, webhook.dataset_id, {})
    row = Delivery.objects.create(webhook=webhook, event=TEST, key=f"test:{secrets.token_hex(8)}", body=body)
    Webhook.objects.filter(pk=webhook.pk).update(retry_at=None)
    _queue(webhook.pk)
    return row


def mask_tell(*, mask_id: int, event: str) -> None:
    """A mask was saved or deleted by a person: a message to every webhook that wants to know."""
    wanted = Webhook.objects.filter(active=True, dataset__images__masks=mask_id)
    webhooks = [one for one in wanted if event in one.events]
    mask = (
        Mask.objects.select_related("image", "parent", "created_by", "track").filter(pk=mask_id).first()
        if webhooks
        else None
    )
    if mask is None or mask.source == Mask.Source.IMPORTED:  # the job of an import tells of all its masks together
        return
    key = f"{event}:{mask.uuid}:{mask.status_changed_at.timestamp()}"
    for webhook in webhooks:
        body = _body(event, webhook.dataset_id, {"mask": _mask(mask)})
        Delivery.objects.bulk_create(
            [Delivery(webhook=webhook, event=event, key=key, body=body)], ignore_conflicts=True
        )
        _queue(webhook.pk)


def webhooks_tend() -> None:
    """Write down jobs that ended, and wake what is due. Cheap where there is no webhook."""
    now = timezone.now()
    for webhook in Webhook.objects.filter(active=True):
        if JOB_ENDED in webhook.events:
            _tell_jobs(webhook)
    due = Webhook.objects.filter(Q(retry_at=None) | Q(retry_at__lte=now), active=True)
    for key in (
        due.filter(deliveries__delivered_at=None, deliveries__isnull=False).values_list("pk", flat=True).distinct()
    ):
        _queue(key)


def deliveries_expire() -> None:
    """Forget what was delivered a week ago."""
    Delivery.objects.filter(delivered_at__lt=timezone.now() - KEPT).delete()


def webhook_deliver(*, ctx: JobContext, webhook_id: int) -> dict[str, Any]:
    """Send what waits, oldest first, until something fails or the time is over; the job's result."""
    sent = 0
    ends = time.monotonic() + RUN_SECONDS
    while time.monotonic() < ends:
        webhook = Webhook.objects.filter(pk=webhook_id, active=True).first()
        if webhook is None or (webhook.retry_at is not None and webhook.retry_at > timezone.now()):
            break
        delivery = webhook.deliveries.filter(delivered_at=None).order_by("id").first()
        if delivery is None:
            break
        ctx.check_cancelled()
        if not _deliver(webhook, delivery):
            return {"sent": sent, "failed": 1}
        sent += 1
    return {"sent": sent}


def _deliver(webhook: Webhook, delivery: Delivery) -> bool:
    """One attempt, written down. Nothing but the status of the answer counts; redirects are not followed."""
    now = timezone.now()
    status, problem = _post(webhook, delivery)
    delivery.attempts += 1
    delivery.tried_at, delivery.status_code, delivery.problem = now, status, problem
    delivery.delivered_at = None if problem else now
    delivery.save(update_fields=["attempts", "tried_at", "status_code", "problem", "delivered_at"])
    same = Webhook.objects.filter(pk=webhook.pk, url=webhook.url)  # not if somebody named another address meanwhile
    if not problem:
        if webhook.failures:
            same.update(failures=0, retry_at=None, problem="")
        return True
    failures = webhook.failures + 1
    if failures > len(BACK_OFF):
        problem = f"Switched off after {failures} attempts. {problem}"[:300]
        same.update(failures=failures, retry_at=None, problem=problem, active=False)
    else:
        same.update(failures=failures, retry_at=now + timedelta(seconds=BACK_OFF[failures - 1]), problem=problem)
    return False


def _post(webhook: Webhook, delivery: Delivery) -> tuple[int | None, str]:
    """(status of the answer or None, what went wrong or "")."""
    body = delivery.body.encode()
    sent_at = str(int(time.time()))
    headers = {
        "Content-Type": "application/json",
        "Accept": "*/*",
        "webhook-id": f"msg_{delivery.pk}",
        "webhook-timestamp": sent_at,
        "webhook-signature": signature(webhook.secret, f"msg_{delivery.pk}", sent_at, body),
    }
    try:
        with outbound.Deadline(ANSWER_SECONDS) as deadline:
            connection, answer = outbound.request("POST", webhook.url, deadline=deadline, body=body, headers=headers)
            with contextlib.closing(connection):
                status = answer.status
            if deadline.over:  # a head that was cut off reads as a whole one
                raise UserError("url_too_slow", "The server takes too long.")
    except UserError as error:
        return None, error.message
    return status, "" if 200 <= status < 300 else f"The server answers {status}."


def signature(secret: str, message_id: str, timestamp: str, body: bytes) -> str:
    """The header webhook-signature: version 1, HMAC-SHA256 in base64."""
    key = base64.b64decode(secret.removeprefix("whsec_"))
    signed = f"{message_id}.{timestamp}.".encode() + body
    return "v1," + base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()


def _secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(32)).decode()


def _queue(webhook_id: int) -> None:
    """One open job per webhook; it belongs to no dataset, so that the page of jobs shows what people care for."""
    jobkit.enqueue(DELIVER.name, {"webhook_id": webhook_id}, dedupe_key=str(webhook_id))


def _tell_jobs(webhook: Webhook) -> None:
    """Messages about jobs that ended: those that somebody asked for, trainings, and whatever failed."""
    now = timezone.now()
    told = Q(created_by__isnull=False) | Q(queue=Job.Queue.TRAINING) | Q(state=Job.State.FAILED)
    since = webhook.jobs_since - OVERLAP
    known = webhook.deliveries.filter(event=JOB_ENDED, created_at__gte=since - OVERLAP).values_list("key", flat=True)
    ended = Job.objects.filter(
        told, dataset=webhook.dataset_id, finished_at__gte=max(since, webhook.created_at), state__in=Job.ENDED
    )
    keys = set(known)
    rows = []
    for job in ended.select_related("created_by").defer("log", "payload").order_by("finished_at").iterator(BATCH):
        assert job.finished_at is not None
        key = f"{job.pk}:{job.finished_at.timestamp()}"
        if key not in keys:
            body = _body(JOB_ENDED, webhook.dataset_id, {"job": _job(job)})
            rows.append(Delivery(webhook=webhook, event=JOB_ENDED, key=key, body=body))
    Delivery.objects.bulk_create(rows, ignore_conflicts=True, batch_size=BATCH)
    Webhook.objects.filter(pk=webhook.pk).update(jobs_since=now)


def _body(event: str, dataset_id: int, data: dict[str, Any]) -> str:
    told = {"type": event, "timestamp": timezone.now().isoformat(), "data": {"dataset": dataset_id, **data}}
    return json.dumps(told, separators=(",", ":"))


def _mask(mask: Mask) -> dict[str, Any]:
    """What a receiver needs to decide; the pixels are one GET /api/masks/{id}/ away."""
    return {
        "id": str(mask.uuid),
        "image": mask.image_id,
        "file_name": mask.image.file_name,
        "category": mask.category,
        "status": mask.status,
        "source": mask.source,
        "stage": mask.stage,
        "bbox": mask.bbox,
        "area": mask.area,
        "parent": str(mask.parent.uuid) if mask.parent else None,
        "track": str(mask.track.uuid) if mask.track else None,
        "created_by": mask.created_by.get_username() if mask.created_by else None,
    }


def _job(job: Job) -> dict[str, Any]:
    return {
        "id": str(job.pk),
        "kind": job.kind,
        "title": job.title,
        "state": job.state,
        "error_code": job.error_code,
        "error_message": job.error_message,
        "result": job.result,
        "created_by": job.created_by.get_username() if job.created_by else None,
        "finished_at": job.finished_at.isoformat() if job.finished_at else None,
    }
