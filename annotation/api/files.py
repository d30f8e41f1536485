"""Files of a dataset as responses: private, never sniffed, cached by what they are."""

from __future__ import annotations

from datetime import datetime

from django.http import FileResponse, HttpRequest, HttpResponse
from django.http.response import HttpResponseBase

from annotation import storage
from annotation.errors import Missing

FOR_EVER = "private, max-age=31536000, immutable"
ASK_AGAIN = "private, no-cache"


def is_known(request: HttpRequest, tag: str) -> bool:
    """Whether the caller has this version already."""
    known = request.headers.get("If-None-Match", "")
    return tag in [part.strip().removeprefix("W/") for part in known.split(",")] or known == "*"


def tagged(response: HttpResponseBase, tag: str, cache: str) -> HttpResponseBase:
    """Add the strong ETag and how long the answer may be kept."""
    response.headers["ETag"] = tag
    response.headers["Cache-Control"] = cache
    return response


def stored_file(
    request: HttpRequest, relative: str, *, media_type: str, tag: str, since: datetime | None = None
) -> HttpResponseBase:
    """A stored file whose address names its content: kept for ever, 304 if it is known. `tag` is the digest.

    `since` is as in storage.found.
    """
    tag = f'"{tag}"'
    if is_known(request, tag):
        return tagged(HttpResponse(status=304), tag, FOR_EVER)
    try:
        response = FileResponse(storage.found(relative, since).open("rb"), content_type=media_type)
    except FileNotFoundError:
        raise Missing("file_missing", "The file is no longer in the store.") from None
    return tagged(response, tag, FOR_EVER)
