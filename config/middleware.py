"""What Django leaves to others: response headers, answers to HEAD, a name for every request and how long it took."""

from __future__ import annotations

import logging
import re
import time
import uuid
from collections.abc import Callable

from django.conf import settings
from django.http import HttpRequest, HttpResponse, HttpResponseBase, StreamingHttpResponse

from annotation.log_context import log_fields
from config import metrics

logger = logging.getLogger(__name__)

Answer = Callable[[HttpRequest], HttpResponseBase]
_GIVEN_ID = re.compile(r"\A[A-Za-z0-9-]{8,64}\Z")
_QUIET = {"/healthz", "/readyz", "/metrics"}  # asked every few seconds by machines


def security_headers(get_response: Answer) -> Answer:
    """Content Security Policy, and the embedder policy without which onnxruntime-web gets no threads."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        response.headers.setdefault("Content-Security-Policy", settings.CONTENT_SECURITY_POLICY)
        response.headers.setdefault("Cross-Origin-Embedder-Policy", "require-corp")
        response.headers.setdefault("Cross-Origin-Resource-Policy", "same-origin")
        response.headers.setdefault("Permissions-Policy", "camera=(), microphone=(), geolocation=()")
        return response

    return middleware


def head_without_body(get_response: Answer) -> Answer:
    """The answer to HEAD is that to GET without its body. Views leave that to the server, and gunicorn warns of it."""

    def middleware(request: HttpRequest) -> HttpResponseBase:
        response = get_response(request)
        if request.method == "HEAD":
            if isinstance(response, StreamingHttpResponse):
                response.streaming_content = ()
            elif isinstance(response, HttpResponse):
                length = response.headers.get("Content-Length", str(len(response.content)))
                response.content = b""
                response.headers["Content-Length"] = length
        return response

    return middleware


def observed(get_response: Answer) -> Answer:
    """Every log line of a request carries its id, which the answer tells too; one line and one measurement at its end.

    A proxy may give the id in X-Request-ID.
    """

    def middleware(request: HttpRequest) -> HttpResponseBase:
        given = request.headers.get("X-Request-ID", "")
        name = given if _GIVEN_ID.match(given) else uuid.uuid4().hex
        started = time.monotonic()
        with log_fields(request=name):
            response = get_response(request)
            seconds = time.monotonic() - started
            response.headers["X-Request-ID"] = name
            route = request.resolver_match.route if request.resolver_match else ""
            metrics.observe(request.method or "", route, response.status_code, seconds)
            if request.path not in _QUIET:
                told = {"method": request.method, "path": request.path, "status_code": response.status_code}
                logger.info("request", extra={**told, "milliseconds": round(seconds * 1000, 1)})
        return response

    return middleware
