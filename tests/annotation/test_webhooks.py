"""Webhooks: told once, signed, in order, again after failures; and nothing that an endpoint does holds a worker."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import threading
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
from django.db import connection
from django.utils import timezone

from annotation import jobkit
from annotation import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from annotation.errors import Missing
from annotation.models import Delivery, Event, Job, Webhook
from annotation.services import webhooks
from tests.cast import add_image, add_mask, client_of, mask_body

pytestmark = pytest.mark.django_db(transaction=True)


class Receiver(ThreadingHTTPServer):
    """A program that is told; `answer` decides what it says to each message."""

    daemon_threads = True

    def __init__(self):
        super().__init__(("127.0.0.1", 0), Handler)
        self.heard = []
        self.answer = lambda handler: handler.send_error(204)
        self.url = f"http://127.0.0.1:{self.server_port}/told"


class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.heard.append((dict(self.headers), body))
        self.server.answer(self)

    def do_GET(self):
        self.server.heard.append(("redirected here", b""))

    def log_message(self, *args):
        pass


@pytest.fixture
def receiver(settings):
    settings.ANYMASK_URL_NETWORKS = ["127.0.0.0/8"]
    server = Receiver()
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()


@pytest.fixture
def hook(cast, receiver):
    """A webhook that Ana made on the page, with its secret."""
    made = client_of(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/webhooks/", {"url": receiver.url}).json()
    row = Webhook.objects.get(pk=made["id"])
    row.told_secret = made["secret"]
    return row


def run():
    """What the worker and the clock do in a few seconds."""
    webhooks.webhooks_tend()
    jobkit.run_pending()


def save(cast, image):
    key = uuid.uuid4()
    assert client_of(cast.ben).put(f"/api/masks/{key}/", mask_body(image)).status_code == 201
    return key


def told(receiver):
    return [json.loads(body) for _, body in receiver.heard]


def test_saving_and_deleting_a_mask_is_told_with_a_signature_that_holds(cast, hook, receiver):
    image = add_image(cast.dataset)
    key = save(cast, image)
    client_of(cast.ben).delete(f"/api/masks/{key}/")
    run()
    first, second = told(receiver)
    assert (first["type"], second["type"]) == ("mask.saved", "mask.deleted")
    assert first["data"]["dataset"] == cast.dataset.pk
    assert first["data"]["mask"]["id"] == str(key)
    assert first["data"]["mask"]["created_by"] == "ben"
    headers, body = receiver.heard[0]
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    expected = hmac.new(base64.b64decode(hook.told_secret.removeprefix("whsec_")), signed, hashlib.sha256).digest()
    assert headers["webhook-signature"] == "v1," + base64.b64encode(expected).decode()
    assert abs(time.time() - int(headers["webhook-timestamp"])) < 300
    run()
    assert len(receiver.heard) == 2, "each once"


def test_a_mask_that_is_a_proposal_again_is_told_as_deleted(cast, hook, receiver):
    image = add_image(cast.dataset)
    proposal = add_mask(image, source="model", created_by=None, status="proposed")
    kept = uuid.uuid4()
    for key, about in ((kept, {"parent": str(proposal.uuid)}), (uuid.uuid4(), {"parent": str(kept), "proposed": True})):
        assert client_of(cast.ben).put(f"/api/masks/{key}/", mask_body(image, **about)).status_code == 201
    run()
    assert [(one["type"], one["data"]["mask"]["id"]) for one in told(receiver)] == [
        ("mask.saved", str(kept)),
        ("mask.deleted", str(kept)),
    ]


def test_jobs_that_people_asked_for_are_told_when_they_end(cast, hook, receiver):
    add_image(cast.dataset)
    client_of(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/exports/", {"format": "coco"})
    jobkit.run_pending()
    ended = {"state": "succeeded", "finished_at": timezone.now(), "dataset": cast.dataset, "queue": "io"}
    Job.objects.create(kind="embed", title="by the machine", **ended)
    Job.objects.create(kind="embed", title="broken", **{**ended, "state": "failed"})
    Job.objects.create(kind="export", title="old", **{**ended, "finished_at": timezone.now() - timedelta(days=1)})
    run()
    run()
    jobs = {one["data"]["job"]["title"]: one["data"]["job"] for one in told(receiver)}
    assert len(receiver.heard) == len(jobs) == 2
    assert jobs["broken"]["state"] == "failed"
    assert jobs["Export as COCO"]["result"]["verified"]
    assert jobs["Export as COCO"]["created_by"] == "ana"


def test_what_failed_is_tried_again_later_in_order_and_given_up_in_the_end(cast, hook, receiver):
    receiver.answer = lambda handler: handler.send_error(500)
    image = add_image(cast.dataset)
    keys = [str(save(cast, image)), str(save(cast, image))]
    run()
    hook.refresh_from_db()
    assert (hook.failures, hook.problem) == (1, "The server answers 500.")
    assert hook.retry_at > timezone.now()
    run()
    assert len(receiver.heard) == 1, "not before its time"
    for attempt in range(len(webhooks.BACK_OFF)):
        hook.refresh_from_db()
        assert hook.active, attempt
        Webhook.objects.update(retry_at=timezone.now())
        run()
    hook.refresh_from_db()
    assert not hook.active
    assert hook.problem.startswith("Switched off after 7 attempts.")
    assert len(receiver.heard) == 7
    assert len({headers["webhook-id"] for headers, _ in receiver.heard}) == 1, "the same message again and again"
    receiver.answer = lambda handler: handler.send_error(204)
    save_while_off = save(cast, image)
    answer = client_of(cast.ana).patch(f"/api/datasets/{cast.dataset.pk}/webhooks/{hook.pk}/", {"active": True}).json()
    assert (answer["failures"], answer["problem"], answer["secret"]) == (0, "", None)
    run()
    delivered = [one["data"]["mask"]["id"] for one in told(receiver)[7:]]
    assert delivered == keys, "both, in order; what happened while it was off is not told"
    assert str(save_while_off) not in delivered


def test_private_addresses_are_refused_unless_the_operator_allows_them(cast, receiver, settings):
    settings.ANYMASK_URL_NETWORKS = []
    row = webhooks.webhook_create(dataset=cast.dataset, url=receiver.url, events=webhooks.EVENTS, user=cast.ana)
    webhooks.webhook_test(webhook=row)
    run()
    assert receiver.heard == []
    delivery = Delivery.objects.get()
    assert (delivery.attempts, delivery.status_code) == (1, None)
    assert "not a public one" in delivery.problem


def test_redirects_are_not_followed(hook, receiver):
    def elsewhere(handler):
        handler.send_response(302)
        handler.send_header("Location", receiver.url)
        handler.end_headers()

    receiver.answer = elsewhere
    webhooks.webhook_test(webhook=hook)
    run()
    assert len(receiver.heard) == 1
    assert Delivery.objects.get().problem == "The server answers 302."


def test_a_huge_or_endless_answer_is_not_read(hook, receiver):
    sent = []

    def huge(handler):
        handler.send_response(200)
        handler.send_header("Content-Length", str(10**12))
        handler.end_headers()
        for _ in range(200):
            handler.wfile.write(b"x" * (1 << 20))
            sent.append(1)

    receiver.answer = huge
    webhooks.webhook_test(webhook=hook)
    run()
    assert Delivery.objects.get().delivered_at is not None
    assert len(sent) < 200


def test_an_endpoint_that_never_answers_holds_a_worker_for_its_seconds_only(hook, receiver, monkeypatch):
    monkeypatch.setattr(webhooks, "ANSWER_SECONDS", 0.5)
    release = threading.Event()

    def drip(handler):
        handler.wfile.write(b"HTTP/1.1 200 OK\r\n")
        while not release.wait(0.05):
            handler.wfile.write(b"X-Slow: yes\r\n")

    receiver.answer = drip
    webhooks.webhook_test(webhook=hook)
    run()
    release.set()
    assert Delivery.objects.get().problem == "The server takes too long."


def test_an_address_that_is_slow_holds_up_no_other_and_hears_in_order(cast, hook, receiver, monkeypatch):
    """In two threads, as this queue's worker has them: nobody is answered before both were called."""
    monkeypatch.setattr(webhooks, "ANSWER_SECONDS", 60)
    other = webhooks.webhook_create(dataset=cast.dataset, url=receiver.url, events=webhooks.EVENTS, user=cast.ana)
    both = threading.Barrier(2, timeout=30)

    def together(handler):
        if len(receiver.heard) <= 2:
            both.wait()
        handler.send_error(204)

    def work(key):
        try:
            return jobkit.run(key)
        finally:
            connection.close()

    receiver.answer = together
    messages = [f"msg_{webhooks.webhook_test(webhook=one).pk}" for one in (hook, other, hook)]
    keys = list(Job.objects.filter(kind=webhooks.DELIVER.name).values_list("pk", flat=True))
    assert len(keys) == 2, "one at a time for each address, whatever waits for it"
    with ThreadPoolExecutor(2) as pool:
        assert all(pool.map(work, keys))
    assert not Delivery.objects.filter(delivered_at=None).exists()
    heard = [headers["webhook-id"] for headers, _ in receiver.heard]
    assert set(heard[:2]) == set(messages[:2])
    assert heard[2:] == messages[2:]


def test_who_is_to_hear_of_jobs_from_now_on_is_not_told_of_the_past(cast, hook, receiver):
    url = f"/api/datasets/{cast.dataset.pk}/webhooks/{hook.pk}/"
    long_ago = timezone.now() - timedelta(days=1)
    Webhook.objects.update(events=["mask.saved"], created_at=long_ago, jobs_since=long_ago)
    ended = {"kind": "embed", "state": "failed", "dataset": cast.dataset, "queue": "io"}
    Job.objects.create(title="before", finished_at=timezone.now() - timedelta(hours=1), **ended)
    assert client_of(cast.ana).patch(url, {"events": ["mask.saved", "job.ended"]}).status_code == 200
    Job.objects.create(title="after", finished_at=timezone.now(), **ended)
    run()
    assert [one["data"]["job"]["title"] for one in told(receiver)] == ["after"]
    since = Webhook.objects.get().jobs_since
    assert client_of(cast.ana).patch(url, {"events": ["job.ended"]}).status_code == 200
    assert Webhook.objects.get().jobs_since == since, "who heard of them before goes on hearing"


def test_an_edit_changes_what_it_names_alone(cast, hook):
    """Between the two looks of an edit a delivery fails, or somebody removes the webhook."""
    Webhook.objects.update(failures=2, problem="The server answers 500.")
    webhooks.webhook_update(webhook=hook, events=["mask.deleted"])
    row = Webhook.objects.get()
    assert (row.events, row.failures, row.problem) == (["mask.deleted"], 2, "The server answers 500.")
    Webhook.objects.all().delete()
    with pytest.raises(Missing, match="removed meanwhile"):
        webhooks.webhook_update(webhook=hook, new_secret=True)


def test_a_lead_edits_it_and_the_secret_is_shown_once(cast, hook, receiver):
    ana, base = client_of(cast.ana), f"/api/datasets/{cast.dataset.pk}/webhooks/"
    assert "secret" not in ana.get(base).json()[0]
    again = ana.patch(f"{base}{hook.pk}/", {"new_secret": True, "events": ["job.ended"]}).json()
    assert again["secret"].startswith("whsec_")
    assert again["secret"] != hook.told_secret
    save(cast, add_image(cast.dataset))
    assert ana.post(f"{base}{hook.pk}/deliveries/").status_code == 202
    run()
    assert [one["type"] for one in told(receiver)] == ["test"]
    (row,) = ana.get(f"{base}{hook.pk}/deliveries/").json()
    assert (row["event"], row["status_code"], row["attempts"]) == ("test", 204, 1)
    assert not [one for one in Event.objects.filter(subject="webhook") if "whsec_" in json.dumps(one.details)]
    assert ana.delete(f"{base}{hook.pk}/").status_code == 204
    assert ana.get(base).json() == []


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"url": "ftp://example.org/"}, "url_scheme"),
        ({"url": "https://ana:secret@example.org/"}, "url_credentials"),
        ({"url": "nonsense"}, "url_scheme"),
        ({"url": "https://example.org/", "events": ["mask.seen"]}, "invalid"),
        ({"url": "https://example.org/", "events": []}, "invalid"),
        ({}, "invalid"),
    ],
)
def test_what_cannot_be_told_is_refused(cast, body, code):
    answer = client_of(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/webhooks/", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)


def test_there_is_a_limit_and_old_messages_are_forgotten(cast, hook):
    base = f"/api/datasets/{cast.dataset.pk}/webhooks/"
    codes = [client_of(cast.ana).post(base, {"url": "https://example.org/"}).status_code for _ in range(5)]
    assert codes == [201] * 4 + [400]
    old = timezone.now() - timedelta(days=8)
    for number, at in enumerate((old, timezone.now(), None)):
        Delivery.objects.create(webhook=hook, event="test", key=str(number), body="{}", delivered_at=at)
    webhooks.deliveries_expire()
    assert set(Delivery.objects.values_list("key", flat=True)) == {"1", "2"}


def test_webhooks_wait_for_nothing_else(cast, hook):
    """An import of hours keeps its worker: a webhook's message goes out by another one, which no other kind keeps."""
    save(cast, add_image(cast.dataset))
    assert Job.objects.get(kind=webhooks.DELIVER.name).queue == "webhooks"
    assert [kind.name for kind in jobkit.kinds.values() if kind.queue == "webhooks"] == [webhooks.DELIVER.name]
