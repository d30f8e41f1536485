"""HTTP as the client speaks it: with the token, never to another host, again where that is harmless."""

from __future__ import annotations

import http.client
import json
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

AGAIN = (429, 502, 503, 504)  # the server is busy, starting, or not ready with this picture yet
WAITS = (0.5, 1, 2, 4, 8)  # seconds before the next attempt
FOUND = 302
SAFE = ("GET", "HEAD", "PUT", "DELETE")  # twice is once


class ApiError(Exception):
    """A refusal: `status` of HTTP, stable `code`, `message` for people, `details`."""

    def __init__(self, status: int, code: str, message: str, details: Mapping[str, Any]) -> None:
        super().__init__(f"{status} {code}: {message}")
        self.status, self.code, self.message, self.details = status, code, message, details


@dataclass(frozen=True)
class Answer:
    """What came back, read."""

    body: bytes
    headers: Any


class _StayHere(urllib.request.HTTPRedirectHandler):
    """A redirect is an answer like others: the token goes to nobody else."""

    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        """Not followed."""


class Wire:
    """One installation and one person's token."""

    def __init__(self, url: str, token: str, timeout: float) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ValueError("the address of an installation begins with https:// or http://")
        self.url = url.rstrip("/")
        self.timeout = timeout
        self._headers = {"Authorization": f"Token {token}", "Accept": "application/json"}
        self._opener = urllib.request.build_opener(_StayHere)

    def pages(self, address: str) -> Iterator[dict[str, Any]]:
        """The rows of a list that comes in pages, one by one."""
        following: str | None = address
        while following:
            page = self.ask("GET", following)
            yield from page["results"]
            following = page["next"]

    def ask(self, method: str, address: str, body: Any = None, *, again: bool = False) -> Any:
        """JSON out, JSON back."""
        content = None if body is None else json.dumps(body).encode()
        headers = {} if body is None else {"Content-Type": "application/json"}
        return json.loads(self.send(method, address, content, headers, again=again).body or b"null")

    def send(
        self,
        method: str,
        address: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        again: bool = False,
    ) -> Answer:
        """The whole answer."""
        with self.open(method, address, body, headers, again=again) as answer:
            return Answer(answer.read(), answer.headers)

    def open(
        self,
        method: str,
        address: str,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        *,
        again: bool = False,
        elsewhere: bool = False,
    ) -> Any:
        """The answer, open. What may be sent twice (`again`, or by its method) is, after a pause.

        With `elsewhere` a file that an object store keeps is asked for there, without the token.
        """
        url = self.url + _path_of(address)
        for wait in (*WAITS, None):
            request = urllib.request.Request(  # noqa: S310  http or https: looked at when it was made
                url, body, {**self._headers, **(headers or {})}, method=method
            )
            try:
                return self._opened(request, elsewhere)
            except urllib.error.HTTPError as refusal:
                if wait is None or refusal.code not in AGAIN or not (again or method in SAFE):
                    raise _refused(refusal) from None
                wait = max(wait, _seconds(refusal.headers.get("Retry-After")))
            except (OSError, http.client.HTTPException):
                if wait is None or method not in SAFE:
                    raise
            time.sleep(wait)
        raise AssertionError

    def _opened(self, request: urllib.request.Request, elsewhere: bool) -> Any:
        try:
            return self._opener.open(request, timeout=self.timeout)
        except urllib.error.HTTPError as refusal:
            if not elsewhere or refusal.code != FOUND:
                raise
            url = str(refusal.headers["Location"])
        if urlsplit(url).scheme not in ("https", urlsplit(self.url).scheme):
            raise ApiError(FOUND, "unexpected", "The server names a place that is less safe than itself.", {})
        return self._opener.open(urllib.request.Request(url), timeout=self.timeout)  # noqa: S310  its scheme is looked at above


def _refused(refusal: urllib.error.HTTPError) -> ApiError:
    try:
        told = json.loads(refusal.read())
        return ApiError(refusal.code, told["code"], told["message"], told.get("details") or {})
    except (ValueError, KeyError, TypeError):
        return ApiError(refusal.code, "unexpected", "The server answers something else than expected.", {})


def _seconds(text: str | None) -> float:
    return min(30.0, float(text)) if text and text.isdigit() else 0.0


def _path_of(link: str) -> str:
    """Path and query, so that the name by which a proxy knows the server does not matter."""
    parts = urlsplit(link)
    return "/" + parts.path.lstrip("/") + (f"?{parts.query}" if parts.query else "")
