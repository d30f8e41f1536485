"""A lead makes a webhook on the page and sees that its messages arrive."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import re
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from playwright.sync_api import expect

from tests.browser.test_server_away import come_back_to


@pytest.fixture
def receiver():
    """(address, what it was told)."""
    heard = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self):
            heard.append((dict(self.headers), self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_error(204)

        def log_message(self, *args):
            pass

    server = HTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}/told", heard
    server.shutdown()
    server.server_close()


def test_a_webhook_is_made_tested_and_removed(page, receiver):
    url, heard = receiver
    page.goto("/datasets/1/log")
    page.get_by_label("Address").fill(url)
    page.get_by_role("button", name="Add the webhook").click()
    secret = page.get_by_role("textbox", name="Secret").input_value()
    card = page.get_by_role("article", name=f"Webhook to {url}")
    card.get_by_role("button", name="Send a test").click()
    # The site's one worker may still be at what other tests left.
    expect(card.get_by_text("delivered, answer 204")).to_be_visible(timeout=120_000)
    ((headers, body),) = heard
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    assert json.loads(body)["type"] == "test"
    card.get_by_role("button", name="Switch off").click()
    expect(card.get_by_text("Off", exact=True)).to_be_visible()
    card.get_by_role("button", name="Remove this webhook").click()
    question = page.get_by_role("dialog", name="Remove this webhook?")
    question.get_by_role("button", name="Keep it").click()
    expect(card).to_be_visible()
    card.get_by_role("button", name="Remove this webhook").click()
    question.get_by_role("button", name="Remove", exact=True).click()
    expect(card).to_be_hidden()
    expect(page.get_by_text(re.compile("made a webhook"))).to_be_visible()


def test_a_secret_that_is_shown_once_stays_when_the_page_cannot_be_asked_for_again(page, receiver):
    url, _ = receiver
    page.goto("/datasets/1/log")
    page.get_by_label("Address").fill(url)
    page.get_by_role("button", name="Add the webhook").click()
    secret = page.get_by_role("textbox", name="Secret")
    shown = secret.input_value()
    page.route("**/webhooks/", lambda route: route.abort())
    come_back_to(page)
    expect(page.get_by_text("This page shows what the server said last.")).to_be_visible()
    expect(secret).to_have_value(shown)
    page.unroute_all()
    page.get_by_role("button", name="Ask again").click()
    card = page.get_by_role("article", name=f"Webhook to {url}")
    card.get_by_role("button", name="Remove this webhook").click()
    page.get_by_role("dialog").get_by_role("button", name="Remove", exact=True).click()
    expect(card).to_be_hidden()
