"""What every route shares: strict JSON in, one error shape out, pages by cursor."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import IO, Any

from django.core.exceptions import (
    ObjectDoesNotExist,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    ValidationError,
)
from django.db import InterfaceError, OperationalError
from django.http import Http404, HttpRequest, HttpResponse, JsonResponse
from django.http.response import HttpResponseBase
from django.utils.dateparse import parse_datetime
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions, status
from rest_framework.pagination import CursorPagination
from rest_framework.parsers import JSONParser
from rest_framework.response import Response

from annotation.errors import TooLarge, UserError
from annotation.object_store import StoreAway

logger = logging.getLogger(__name__)

MAX_DEPTH = 32
MAX_DIGITS = 400


def error(code: str, message: str, details: Any = None, *, status_code: int) -> JsonResponse:
    """The one error shape, for places outside of the REST framework."""
    return JsonResponse({"code": code, "message": message, "details": details or {}}, status=status_code)


class StrictJSONParser(JSONParser):
    """JSON as the standard says, bounded, and without what databases or C code choke on.

    Refused with 400: NaN and infinities, nesting deeper than 32, lone surrogates, NUL, numbers of hundreds of digits.
    """

    def parse(
        self, stream: IO[Any], media_type: str | None = None, parser_context: Mapping[str, Any] | None = None
    ) -> Any:
        """Read the whole body (its size is limited by DATA_UPLOAD_MAX_MEMORY_SIZE) and decode it."""
        try:
            text = stream.read().decode("utf-8")
            value = json.loads(text, parse_constant=_refuse_constant, parse_float=_finite, parse_int=_bounded)
        except RequestDataTooBig:
            raise
        except RecursionError:
            raise exceptions.ParseError("The JSON is nested too deeply.") from None
        except (ValueError, UnicodeDecodeError) as problem:
            raise exceptions.ParseError(f"The JSON cannot be read: {str(problem)[:200]}") from None
        _check(value)
        return value


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError("a number is too large")
    return value


def _bounded(digits: str) -> int:
    if len(digits) > MAX_DIGITS:
        raise ValueError("a number is too long")
    return int(digits)


def _check(root: Any) -> None:
    """Depth and text of a decoded document, without recursion."""
    level = [root]
    for _ in range(MAX_DEPTH):
        below: list[Any] = []
        for value in level:
            if isinstance(value, str):
                _check_text(value)
            elif isinstance(value, dict):
                for key in value:
                    _check_text(key)
                below.extend(value.values())
            elif isinstance(value, list):
                below.extend(value)
        if not below:
            return
        level = below
    raise exceptions.ParseError("The JSON is nested too deeply.")


def _check_text(text: str) -> None:
    if "\x00" in text:
        raise exceptions.ParseError("The text holds a NUL character.")
    if not text.isascii():
        try:
            text.encode("utf-8")
        except UnicodeEncodeError:
            raise exceptions.ParseError("The text holds half a character (a lone surrogate).") from None


class CursorPages(CursorPagination):
    """Pages by key, so that the millionth page is as quick as the first: {next, previous, results}."""

    page_size = 60
    page_size_query_param = "limit"
    max_page_size = 500
    ordering = "id"

    def decode_cursor(self, request: Any) -> Any:
        """A cursor that we did not make is a 400, whatever is inside."""
        if "\x00" in request.query_params.get(self.cursor_query_param, ""):
            raise exceptions.ParseError("This cursor was not made here.")
        try:
            return super().decode_cursor(request)
        except exceptions.NotFound:
            raise exceptions.ParseError("This cursor was not made here.") from None

    def paginate_queryset(self, queryset: Any, request: Any, view: Any = None) -> Any:
        """One page; a cursor with a position of the wrong type is a 400 too."""
        try:
            return super().paginate_queryset(queryset, request, view)
        except (ValueError, TypeError, OverflowError, ValidationError):
            raise exceptions.ParseError("This cursor was not made here.") from None

    def get_paginated_response_schema(self, schema: dict[str, Any]) -> dict[str, Any]:
        """All three fields are always there."""
        link = {"type": "string", "nullable": True, "format": "uri"}
        return {
            "type": "object",
            "required": ["next", "previous", "results"],
            "properties": {"next": link, "previous": link, "results": schema},
        }


class DatabaseAway(exceptions.APIException):
    """It is being started, or too busy: not a bug, and the same request may be sent again."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The database does not answer just now. Try again in a moment."
    default_code = "database_away"
    wait = 2  # seconds


class FilesAway(exceptions.APIException):
    """The object store with the files does not answer: not a bug either."""

    status_code = status.HTTP_503_SERVICE_UNAVAILABLE
    default_detail = "The store with the files does not answer just now. Try again in a moment."
    default_code = "store_away"
    wait = 5  # seconds


def exception_handler(problem: Exception, context: dict[str, Any]) -> Response | None:
    """Every refusal as {code, message, details}; what is not a refusal is a bug and goes on to be logged as a 500."""
    if isinstance(problem, UserError):
        return Response(problem.as_json(), status=problem.status)
    if isinstance(problem, Http404):
        problem = exceptions.NotFound()
    elif isinstance(problem, ObjectDoesNotExist):
        logger.warning("a row went away between two looks", exc_info=problem)
        problem = exceptions.NotFound("This was deleted meanwhile.")
    elif isinstance(problem, PermissionDenied):
        problem = exceptions.PermissionDenied()
    elif isinstance(problem, RequestDataTooBig):
        body = {"code": "body_too_large", "message": "The request is larger than this server accepts.", "details": {}}
        return Response(body, status=status.HTTP_413_REQUEST_ENTITY_TOO_LARGE)
    elif isinstance(problem, SuspiciousOperation):
        problem = exceptions.ParseError("The request cannot be read.")
    elif isinstance(problem, OperationalError | InterfaceError):
        logger.error("the database does not answer", exc_info=problem)
        problem = DatabaseAway()
    elif isinstance(problem, StoreAway):
        logger.error("%s", problem)
        problem = FilesAway()
    if not isinstance(problem, exceptions.APIException):
        return None
    headers = {}
    if header := getattr(problem, "auth_header", None):
        headers["WWW-Authenticate"] = header
    if (wait := getattr(problem, "wait", None)) is not None:
        headers["Retry-After"] = str(math.ceil(wait))
    return Response(_api_error(problem), status=problem.status_code, headers=headers)


def _api_error(problem: exceptions.APIException) -> dict[str, Any]:
    if isinstance(problem, exceptions.ValidationError):
        return {"code": "invalid", "message": _first_sentence(problem.detail), "details": {"fields": problem.detail}}
    code = problem.get_codes()
    return {"code": code if isinstance(code, str) else "error", "message": str(problem.detail), "details": {}}


def _first_sentence(detail: Any, field: str = "") -> str:
    """The first complaint of a serializer, with the name of its field; places in a list keep the list's name."""
    if isinstance(detail, dict):
        for name, inner in detail.items():
            if inner:
                inside = isinstance(name, int) or name == "non_field_errors"
                return _first_sentence(inner, field if inside else str(name))
    if isinstance(detail, list):
        for inner in detail:
            if inner:
                return _first_sentence(inner, field)
    return f"{field}: {detail}" if field else str(detail)


# --- The same shape outside of the REST framework ----------------------------------------------------------------


@csrf_exempt
def not_found(request: HttpRequest, *args: Any, **kwargs: Any) -> HttpResponse:
    """Any address under /api/ that is not a route."""
    return error("not_found", "There is nothing at this address.", status_code=404)


def _is_api(request: HttpRequest) -> bool:
    return request.path.startswith("/api/")


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """400 outside of a view: a host that is not ours, a body that is too large, a form with too many fields."""
    if isinstance(exception, RequestDataTooBig):
        return error("body_too_large", "The request is larger than this server accepts.", status_code=413)
    return error("bad_request", "The request cannot be read.", status_code=400)


def permission_denied(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """403 outside of a view."""
    return error("permission_denied", "You may not do this.", status_code=403)


def page_not_found(request: HttpRequest, exception: Exception) -> HttpResponseBase:
    """404 outside of a view: a missing asset."""
    return error("not_found", "There is nothing at this address.", status_code=404)


def server_error(request: HttpRequest) -> HttpResponseBase:
    """500: our fault; the log has the trace."""
    return error("unexpected", "Something unexpected went wrong on the server.", status_code=500)


def refuse_large_upload(request: Any, limit: int) -> None:
    """Refuse by the announced length, before the body is read. Raises TooLarge."""
    try:
        announced = int(request.META.get("CONTENT_LENGTH") or 0)
    except ValueError:
        announced = 0
    if announced > limit:
        raise TooLarge("upload_too_large", f"One upload may have {limit >> 20} MiB at the most.")


def moment(text: str) -> datetime | None:
    """A point in time (UTC) from a query, None for an empty one. Raises ParseError."""
    if not text:
        return None
    try:
        found = parse_datetime(text.replace(" ", "+"))  # a plus sign that was not escaped arrives as a space
        if found is not None:
            return found.astimezone(UTC) if found.tzinfo else found.replace(tzinfo=UTC)
    except (ValueError, OverflowError):  # OverflowError: before the first or after the last year in UTC
        pass
    raise exceptions.ParseError("since must be a moment as `at` gives it.")
