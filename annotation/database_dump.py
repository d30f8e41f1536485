"""The whole database as one file, taken while everybody works, and put back. SQLite and PostgreSQL."""

from __future__ import annotations

import os
import shutil
import sqlite3
import subprocess
from contextlib import closing
from pathlib import Path

from django.db import connection

from annotation.errors import UserError


def dump(target: Path) -> str:
    """Write the database as it is at this moment; returns its kind, "sqlite" or "postgresql".

    Nobody waits for it and it waits for nobody. UserError `tool_missing` or `database_tool_failed`.
    """
    if connection.vendor == "sqlite":
        with closing(sqlite3.connect(_sqlite_file())) as source, closing(sqlite3.connect(target)) as copy:
            source.backup(copy)
            copy.execute("PRAGMA journal_mode=DELETE")  # all of it in the one file
        _check_sqlite(target)
    else:
        _postgres("pg_dump", "--format=custom", "--no-owner", "--no-privileges", "--file", str(target))
    return connection.vendor


def load(source: Path, kind: str) -> None:
    """Replace the database by what `dump` wrote. UserError `other_database` for a dump of another kind."""
    if kind != connection.vendor:
        raise UserError(
            "other_database",
            f"The backup holds a {kind} database and DATABASE_URL names a {connection.vendor} one.",
            {"backup": kind, "here": connection.vendor},
        )
    connection.close()
    if kind == "sqlite":
        _check_sqlite(source)
        with closing(sqlite3.connect(source)) as copy, closing(sqlite3.connect(_sqlite_file())) as target:
            copy.backup(target)
    else:
        _postgres("pg_restore", "--list", str(source))  # before anything goes: the program is there and can read it
        _tables_drop()
        name = str(connection.settings_dict["NAME"])
        options = ("--clean", "--if-exists", "--no-owner", "--no-privileges", "--single-transaction", "--exit-on-error")
        _postgres("pg_restore", *options, "--dbname", name, str(source))


def _tables_drop() -> None:
    """Remove the tables of this release, with what refers to them: the dump may be older and not know all of them, and
    --clean drops what is in the dump alone. Tables of others in the same database stay."""
    names = connection.introspection.django_table_names(only_existing=True, include_views=False)
    if names:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP TABLE {', '.join(connection.ops.quote_name(name) for name in names)} CASCADE")
    connection.close()


def _sqlite_file() -> str:
    return str(connection.settings_dict["NAME"])


def _check_sqlite(file: Path) -> None:
    try:
        with closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as copy:
            (verdict,) = copy.execute("PRAGMA integrity_check(1)").fetchone()
    except sqlite3.DatabaseError as error:
        verdict = str(error)
    if verdict != "ok":
        raise UserError("database_damaged", f"The copy of the database is damaged: {verdict}.")


def _postgres(program: str, *arguments: str) -> None:
    """Run a client program of PostgreSQL on the configured database; the password is never an argument."""
    found = shutil.which(program)
    if found is None:
        raise UserError("tool_missing", f"{program} was not found: install the client programs of PostgreSQL.")
    settings = connection.settings_dict
    names = {"HOST": "PGHOST", "PORT": "PGPORT", "USER": "PGUSER", "PASSWORD": "PGPASSWORD", "NAME": "PGDATABASE"}
    given = {variable: str(settings[name]) for name, variable in names.items() if settings.get(name)}
    done = subprocess.run(  # noqa: S603  our own arguments
        [found, *arguments], env={**os.environ, **given}, capture_output=True, text=True, errors="replace", check=False
    )
    if done.returncode != 0:
        said = done.stderr.strip().splitlines()
        raise UserError("database_tool_failed", f"{program} failed: {said[-1][:300] if said else done.returncode}")
