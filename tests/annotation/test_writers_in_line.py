"""Writers of SQLite wait in the order in which they came, as long as they may, and no longer."""

from __future__ import annotations

import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager

import pytest
from django.conf import settings
from django.contrib.auth.models import User
from django.db import OperationalError, connection, transaction

from annotation.models import Image
from annotation.services.rights import images_remove
from annotation.signals import image_removed
from config.sqlite import base
from tests.cast import add_image

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "sqlite", reason="only SQLite has one writer at a time"),
]


@contextmanager
def somebody_else_writes() -> Iterator[sqlite3.Connection]:
    """Another connection, as another process has one, holds the write lock."""
    other = sqlite3.connect(connection.settings_dict["NAME"], isolation_level=None, check_same_thread=False)
    other.execute("BEGIN IMMEDIATE")
    try:
        yield other
    finally:
        other.execute("COMMIT")
        other.close()


def waiting() -> int:
    """How many threads stand in line."""
    return len(base._line._waiting)


def until_waiting(number: int) -> None:
    """Wait until that many threads stand in line."""
    deadline = time.monotonic() + 20
    while waiting() < number:
        assert time.monotonic() < deadline, f"only {waiting()} of {number} wait"
        time.sleep(0.005)


def test_nobody_is_overtaken() -> None:
    order: list[int] = []

    def write(number: int) -> None:
        try:
            with transaction.atomic():
                order.append(number)
        finally:
            connection.close()

    with ThreadPoolExecutor(12) as pool, somebody_else_writes():
        for number in range(12):
            pool.submit(write, number)
            until_waiting(number + 1)
        assert order == []
    assert order == list(range(12))
    assert waiting() == 0


def test_who_waits_too_long_is_refused_and_the_line_goes_on() -> None:
    told: dict[str, str] = {}

    def write(name: str, patience: float) -> None:
        connection.ensure_connection()
        connection.connection.execute(f"PRAGMA busy_timeout = {int(patience * 1000)}")
        try:
            with transaction.atomic():
                told[name] = "wrote"
        except OperationalError as problem:
            told[name] = str(problem)
        finally:
            connection.close()

    with ThreadPoolExecutor(3) as pool, somebody_else_writes():
        pool.submit(write, "aiko, patient", 60)
        until_waiting(1)
        hasty = [pool.submit(write, name, 0.2) for name in ("ben", "carla")]
        for one in hasty:
            one.result(20)
        assert told == {"ben": "database is locked", "carla": "database is locked"}
        assert waiting() == 1
    assert told["aiko, patient"] == "wrote"


def test_a_write_without_a_transaction_keeps_its_own_patience() -> None:
    with transaction.atomic():
        pass
    with connection.cursor() as cursor:
        cursor.execute("PRAGMA busy_timeout")
        assert cursor.fetchone()[0] == settings.DATABASES["default"]["OPTIONS"]["timeout"] * 1000


def test_another_error_than_the_lock_is_told_at_once() -> None:
    connection.ensure_connection()
    connection.connection.execute("BEGIN IMMEDIATE")  # behind Django's back
    try:
        with pytest.raises(OperationalError, match="within a transaction"):
            connection.cursor().execute("BEGIN IMMEDIATE")
    finally:
        connection.connection.execute("ROLLBACK")
    assert waiting() == 0


def test_who_reads_what_is_stale_is_refused_at_once_and_holds_up_nobody() -> None:
    """SQLite lets nobody write who still reads from before another one wrote: no waiting mends that."""
    User.objects.bulk_create([User(username=f"person {number}") for number in range(9)])
    reading = connection.cursor()
    reading.execute("SELECT username FROM auth_user")
    reading.fetchone()
    with somebody_else_writes() as other:
        other.execute("UPDATE auth_user SET last_name = 'Changed'")
    started = time.monotonic()
    with pytest.raises(OperationalError, match="locked"):
        User.objects.update(last_name="again")
    assert time.monotonic() - started < settings.DATABASES["default"]["OPTIONS"]["timeout"] / 2
    reading.close()
    assert User.objects.update(last_name="again") == 9


def test_many_pictures_are_removed_while_others_write(cast, monkeypatch) -> None:
    monkeypatch.setattr("annotation.services.rights.CHUNK", 1)
    pictures = [add_image(cast.dataset, seed=seed).pk for seed in range(3)]

    def another_writes(**_: object) -> None:
        with somebody_else_writes() as other:
            other.execute("UPDATE auth_user SET last_name = 'Changed'")

    image_removed.connect(another_writes)
    try:
        assert images_remove(dataset=cast.dataset, image_ids=pictures, user=cast.ana, reason="asked for") == 3
    finally:
        image_removed.disconnect(another_writes)
    assert not Image.objects.filter(pk__in=pictures).exists()


def test_a_forked_process_does_not_inherit_the_line() -> None:
    there = threading.Event()

    def stand() -> None:
        with base._line.place(60):
            there.set()
            gone.wait(60)

    gone = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        pool.submit(stand)
        assert there.wait(20)
        child = os.fork()
        if child == 0:
            os._exit(waiting())
        gone.set()
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0


def test_processes_take_turns() -> None:
    """Two processes that write without a pause: neither keeps the other one out."""
    database = str(connection.settings_dict["NAME"])
    writer = """
import sys, time, threading, django
django.setup()
from django.conf import settings
from django.db import connection, transaction
settings.DATABASES["default"]["NAME"] = sys.argv[1]
wrote = []
def write():
    while time.monotonic() < until:
        with transaction.atomic():
            wrote.append(time.monotonic())
            time.sleep(0.01)
    connection.close()
print("ready", flush=True)
sys.stdin.readline()
until = time.monotonic() + 3
people = [threading.Thread(target=write) for _ in range(4)]
[one.start() for one in people]
[one.join() for one in people]
print(len(wrote))
"""
    both = [
        subprocess.Popen(
            [sys.executable, "-c", writer, database],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            env={**os.environ, "DJANGO_SETTINGS_MODULE": "config.settings"},
        )
        for _ in range(2)
    ]
    for one in both:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in both:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    wrote = [int(one.communicate(timeout=60)[0]) for one in both]
    assert min(wrote) > sum(wrote) / 8, wrote
