"""Many rows at once: what Django's bulk_create spends most of its time on is preparing the same defaults again."""

from __future__ import annotations

import io
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from django.db import connection
from django.db.models import AutoField, Field, Model

ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})


def rows_insert(*, model: type[Model], rows: Sequence[dict[str, Any]]) -> None:
    """Insert rows of values by column name (`image_id`); the field's default for what is not named. No signals.

    Dates that are set by themselves elsewhere (`auto_now_add`) must be named. Keys that the database makes are not
    read back. A value that is the very object of the row before is prepared for the database once.
    Raises IntegrityError as any insert does.
    """
    if not rows:
        return
    fields = [field for field in model._meta.concrete_fields if not isinstance(field, AutoField)]
    quote = connection.ops.quote_name
    table, names = quote(model._meta.db_table), ", ".join(quote(str(field.column)) for field in fields)
    lines = zip(*(_prepared(field, rows) for field in fields), strict=True)
    with connection.cursor() as cursor:
        if connection.vendor == "postgresql":
            # psycopg2's executemany asks once for each row; COPY is one stream.
            file = io.StringIO("".join("\t".join(map(_copied, line)) + "\n" for line in lines))
            with connection.wrap_database_errors:  # which Django does for its own calls alone
                cursor.copy_expert(f"COPY {table} ({names}) FROM STDIN", file)
        else:
            places = ", ".join(["%s"] * len(fields))
            # Names of our own models, quoted by Django; every value goes as a parameter.
            cursor.executemany(f"INSERT INTO {table} ({names}) VALUES ({places})", list(lines))  # noqa: S608


def _prepared(field: Field[Any, Any], rows: Sequence[dict[str, Any]]) -> list[Any]:
    """A column as the database wants it."""
    default = field.get_default()
    last: Any = default
    ready = field.get_db_prep_save(default, connection)
    column = []
    for row in rows:
        value = row.get(field.attname, default)
        if value is not last:
            last, ready = value, field.get_db_prep_save(value, connection)
        column.append(ready)
    return column


def _copied(value: Any) -> str:
    """A prepared value in PostgreSQL's text format of COPY."""
    if value is None:
        return r"\N"
    if isinstance(value, datetime):
        return value.isoformat()
    if hasattr(value, "adapted"):  # psycopg2's wrapper of JSON
        value = value.dumps(value.adapted)
    return str(value).translate(ESCAPED)
