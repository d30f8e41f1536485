"""The Python client's upload while the server is away: it goes on where the file ends, and gives up in the end."""

from __future__ import annotations

import io

import pytest

import annotation.client as client_module
from annotation.client import ApiError, Client


class Answer:
    def __init__(self, offset: int) -> None:
        self.headers = {"Upload-Offset": str(offset)}


class Server:
    """Keeps what arrives; `trouble` is what the next requests run into."""

    def __init__(self, trouble) -> None:
        self.file, self.trouble = b"", list(trouble)

    def send(self, method, address, body=None, headers=None):
        if self.trouble and (problem := self.trouble.pop(0)) is not None:
            raise problem
        if method == "PATCH":
            assert int(headers["Upload-Offset"]) == len(self.file)
            self.file += body
        return Answer(len(self.file))


@pytest.fixture
def clock(monkeypatch):
    """Time that passes only while somebody sleeps."""
    now = [0.0]
    monkeypatch.setattr(client_module.time, "monotonic", lambda: now[0])
    monkeypatch.setattr(client_module.time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    monkeypatch.setattr(client_module, "PIECE", 4)
    return now


def push(server, content=b"0123456789"):
    client = Client("http://anymask.example", "token")
    client._wire = server
    client._push("address", io.BytesIO(content), len(content), lambda sent, total: None)


def test_it_goes_on_when_the_server_is_back(clock):
    gone = [None, None, *[ConnectionRefusedError()] * 500, None, TimeoutError(), None]
    server = Server(gone)
    push(server)
    assert server.file == b"0123456789"
    assert not server.trouble


def test_it_gives_up_after_ten_minutes_without_a_byte(clock):
    server = Server([None, None, *[ConnectionRefusedError()] * 5000])
    with pytest.raises(ConnectionRefusedError):
        push(server)
    assert client_module.PATIENCE < clock[0] < client_module.PATIENCE + 10
    assert server.file == b"0123"


def test_a_refusal_is_one(clock):
    with pytest.raises(ApiError):
        push(Server([None, ApiError(404, "upload_missing", "It is gone.", {})]))
    assert clock[0] == 0
