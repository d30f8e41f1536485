"""The broker made of files: whole messages only, and garbage stops nobody."""

from __future__ import annotations

import shutil
import threading

import pytest
from kombu import Connection, Queue
from kombu.transport import TRANSPORT_ALIASES

import config.celery  # noqa: F401  registers the transport
from config.broker import Transport


@pytest.fixture
def connect(tmp_path):
    folders = {name: tmp_path / name for name in ("messages", "control", "taken")}
    for folder in folders.values():
        folder.mkdir()
    options = {
        "data_folder_in": str(folders["messages"]),
        "data_folder_out": str(folders["messages"]),
        "control_folder": str(folders["control"]),
        "processed_folder": str(folders["taken"]),
    }

    def open_connection():
        assert TRANSPORT_ALIASES["filesystem"] == "config.broker:Transport"
        Transport.global_state.clear()  # what this process remembers of bindings: every connection is a new process
        return Connection("filesystem://", transport_options=options)

    open_connection.messages = folders["messages"]
    open_connection.control = folders["control"]
    return open_connection


def drain(queue):
    found = []
    while (message := queue.get(no_ack=True)) is not None:
        found.append(message.payload)
    return found


def test_messages_arrive_in_order(connect):
    with connect() as connection:
        queue = connection.SimpleQueue("io")
        for number in range(20):
            queue.put({"number": number})
        assert [queue.get(timeout=1).payload["number"] for _ in range(20)] == list(range(20))


@pytest.mark.parametrize("data", [b"", b"{", b"null", b"\xff\xfe", b"[1]"])
def test_garbage_is_set_aside(connect, data):
    (connect.messages / "00000000000000000001_x.io.msg").write_bytes(data)
    with connect() as connection:
        queue = connection.SimpleQueue("io")
        queue.put({"good": 1})
        assert queue.get(timeout=1).payload == {"good": 1}


@pytest.mark.parametrize("folder", ["messages", "taken"])
def test_a_folder_that_was_deleted_is_made_anew(connect, folder):
    with connect() as connection:
        queue = connection.SimpleQueue("io")
        (connect.messages.parent / folder).rmdir()
        assert drain(queue.queue) == []
        queue.put({"good": 1})
        assert queue.get(timeout=1).payload == {"good": 1}


@pytest.mark.parametrize("folder", ["messages", "."])
def test_who_comes_after_the_folder_was_deleted_can_send(connect, folder):
    shutil.rmtree(connect.messages.parent if folder == "." else connect.messages)
    with connect() as connection:
        queue = connection.SimpleQueue("io")
        assert queue.qsize() == 0
        queue.put({"good": 1})
        assert queue.get(timeout=1).payload == {"good": 1}


def test_a_queue_is_emptied_and_others_are_not(connect):
    with connect() as connection:
        one, other = connection.SimpleQueue("io"), connection.SimpleQueue("batch")
        for number in range(3):
            one.put({"number": number})
        other.put({"number": 9})
        assert one.qsize() == 3
        assert one.clear() == 3
        assert one.qsize() == 0
        assert drain(other.queue) == [{"number": 9}]


def test_a_reader_lives_on_while_the_folder_is_away(connect):
    with connect() as connection:
        queue = connection.SimpleQueue("io")
        queue.put({"number": 1})
        connect.messages.rename(connect.messages.with_name("away"))
        connect.messages.write_text("a file where the folder was")
        assert drain(queue.queue) == []
        with pytest.raises(OSError):
            queue.put({"number": 2})
        connect.messages.unlink()
        connect.messages.with_name("away").rename(connect.messages)
        assert drain(queue.queue) == [{"number": 1}]


def test_a_broken_queue_table_is_rebuilt(connect):
    with connect() as connection:
        connection.SimpleQueue("io").put({"a": 1})
    for table in connect.control.glob("*.exchange"):
        table.write_text("")
    with connect() as connection:
        queue = connection.SimpleQueue("io")
        queue.put({"b": 2})
        assert queue.get(timeout=1).payload == {"a": 1}
        assert queue.get(timeout=1).payload == {"b": 2}


def test_four_producers_and_four_consumers_lose_nothing(connect):
    total, taken, errors = 200, [], []
    done = threading.Event()

    def produce(base):
        with connect() as connection:
            producer = connection.Producer()
            for number in range(total // 4):
                producer.publish({"id": base + number}, routing_key="io", declare=[Queue("io")])

    def consume():
        try:
            with connect() as connection:
                bound = Queue("io")(connection.default_channel)
                bound.declare()
                while not done.is_set():
                    message = bound.get(no_ack=True)
                    if message is not None:
                        taken.append(message.payload["id"])
        except Exception as problem:
            errors.append(problem)

    producers = [threading.Thread(target=produce, args=(place * 1000,)) for place in range(4)]
    consumers = [threading.Thread(target=consume) for _ in range(4)]
    for thread in producers + consumers:
        thread.start()
    for thread in producers:
        thread.join()
    for _ in range(200):
        if len(taken) >= total:
            break
        done.wait(0.05)
    done.set()
    for thread in consumers:
        thread.join()
    assert errors == []
    assert sorted(taken) == sorted(place * 1000 + number for place in range(4) for number in range(total // 4))
