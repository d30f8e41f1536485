"""Requirement 31: a large upload that is interrupted goes on, and little is sent twice."""

from __future__ import annotations

import contextlib
import hashlib
import random
import socket
import threading
from pathlib import Path
from urllib.parse import urlsplit

from annotation.client import PIECE, Client
from benchmarks.reliability.servers import wait_for
from benchmarks.reliability.trial import Finding, Trial

MIB = 1 << 20
PATIENCE = 3600


def uploads_go_on(trial: Trial) -> Finding:
    """R31: connections cut at random places and kill -9 of the web process while the client sends one file.

    What a client sends in all is counted on the way: more than one piece again for each interruption is too much.
    """
    size, cuts, kills = trial.size(64, 1024) * MIB, trial.size(4, 9), trial.size(1, 2)
    with trial.installation(ANYMASK_URL_NETWORKS="127.0.0.0/8") as one:
        made = one.inside("make", images=0, people=0)
        one.start("web")
        one.wait_ready()
        file = one.folder / "noise.bin"
        digest = _fill(file, size, trial.seed)
        with Relay(one.url, sorted(trial.dice.sample(range(size // 20, size), cuts))) as relay:
            client = Client(relay.url, made["lead"])
            sender = threading.Thread(target=client.upload, args=(made["dataset"], file), daemon=True)
            sender.start()
            kept = one.folder / "data" / "uploads"
            for number in range(kills):
                _wait_for_bytes(kept, size * (number + 1) // (kills + 1))
                one.kill("web")
            _wait_for_bytes(kept, size)
            [arrived] = kept.iterdir()
            wrong = int(_digest(arrived) != digest)
            one.start("io")
            sender.join(PATIENCE)
            wrong += sender.is_alive()
    again, interruptions = max(0, relay.sent - size), relay.cut + kills
    note = f"{size // MIB} MiB, {relay.cut} connections cut, {kills} kills of the web process, SHA-256 equal: "
    note += f"{'yes' if not wrong else 'no'}, {again / MIB:.1f} MiB sent again in all with what requests need, "
    note += f"{again / MIB / interruptions:.1f} for each interruption, pieces of {PIECE // MIB} MiB"
    too_much = int(again > interruptions * PIECE)
    return Finding(wrong + too_much, 1, "uploads not whole, or more than a piece sent again", note)


class Relay:
    """Stands between client and server, counts what the client sends and cuts connections at chosen counts."""

    def __init__(self, url: str, cuts: list[int]) -> None:
        self.target = (str(urlsplit(url).hostname), int(urlsplit(url).port or 80))
        self.cuts, self.sent, self.cut = cuts, 0, 0
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"http://127.0.0.1:{self.listener.getsockname()[1]}"

    def __enter__(self) -> Relay:
        threading.Thread(target=self._accept, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.listener.close()

    def _accept(self) -> None:
        with contextlib.suppress(OSError):
            while True:
                near, _ = self.listener.accept()
                threading.Thread(target=self._serve, args=(near,), daemon=True).start()

    def _serve(self, near: socket.socket) -> None:
        with near, contextlib.suppress(OSError), socket.create_connection(self.target) as far:
            threading.Thread(target=self._answer, args=(far, near), daemon=True).start()
            while data := near.recv(1 << 16):
                self.sent += len(data)  # one upload sends one request at a time
                if self.cuts and self.sent >= self.cuts[0]:
                    del self.cuts[0]
                    self.cut += 1
                    break
                far.sendall(data)
            _end(near, far)

    def _answer(self, far: socket.socket, near: socket.socket) -> None:
        with contextlib.suppress(OSError):
            while data := far.recv(1 << 16):
                near.sendall(data)
        _end(near, far)


def _end(*connections: socket.socket) -> None:
    for one in connections:
        with contextlib.suppress(OSError):
            one.shutdown(socket.SHUT_RDWR)


def _fill(file: Path, size: int, seed: int) -> str:
    """Random bytes; their SHA-256."""
    dice, told = random.Random(seed), hashlib.sha256()
    with file.open("wb") as out:
        for _ in range(size // MIB):
            data = dice.randbytes(MIB)
            told.update(data)
            out.write(data)
    return told.hexdigest()


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()


def _wait_for_bytes(folder: Path, size: int) -> None:
    wait_for(f"{size} bytes", lambda: sum(path.stat().st_size for path in folder.glob("*")) >= size, PATIENCE)


SCENARIOS = {"R31": uploads_go_on}
