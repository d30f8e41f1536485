"""Many rows at once: what Django's bulk_create spends most of its time on is preparing the same defaults again."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.db import connection
from django.db.models import AutoField, Field, Model


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
    names = ", ".join(quote(str(field.column)) for field in fields)
    places = ", ".join(["%s"] * len(fields))
    columns = [_prepared(field, rows) for field in fields]
    with connection.cursor() as cursor:
        cursor.executemany(
            f"INSERT INTO {quote(model._meta.db_table)} ({names}) VALUES ({places})",  # noqa: S608  names of our own
            list(zip(*columns, strict=True)),
        )


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
