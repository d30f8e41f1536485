"""Parts of addresses: what does not fit is a 404 before any view or database sees it."""

from __future__ import annotations

from django.urls import register_converter
from django.urls.converters import IntConverter, StringConverter


class RowConverter(IntConverter):
    """<row:...>: the id of a row, at most 18 digits, so that none leaves the database's range."""

    regex = "[0-9]{1,18}"


class DigestConverter(StringConverter):
    """<digest:...>: a SHA-256 in hex."""

    regex = "[0-9a-f]{64}"


register_converter(RowConverter, "row")
register_converter(DigestConverter, "digest")
