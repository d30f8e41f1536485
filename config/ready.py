"""Two small helpers of `make run`: is the port free, and tell people when everything answers.

python -m config.ready --free    exit 1 with a sentence where PORT is taken
python -m config.ready --wait    print one line once /healthz says ok
"""

from __future__ import annotations

import json
import os
import socket
import sys
import time
import urllib.error
import urllib.request
from typing import Any

PATIENCE = 120  # seconds


def address() -> tuple[str, int]:
    """Where the web process listens, as the environment says."""
    return os.environ.get("HOST", "127.0.0.1"), int(os.environ.get("PORT", "8000"))


def check_free() -> int:
    """0 when the port can be bound."""
    host, port = address()
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError:
            say(f"Port {port} is taken. Choose another one: PORT={port + 1} make run")
            return 1
    return 0


def read(path: str) -> dict[str, Any] | None:
    """JSON of our own web process, or None while it does not answer."""
    _, port = address()
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=5) as answer:
            found: dict[str, Any] = json.load(answer)
            return found
    except (urllib.error.URLError, OSError, ValueError):
        return None


def wait() -> int:
    """Print the ready line once web, workers and scheduler are up; 1 when that takes too long."""
    _, port = address()
    deadline = time.monotonic() + PATIENCE
    while time.monotonic() < deadline:
        health = read("/healthz")
        if health and health.get("status") == "ok":
            demo = (read("/api/session/") or {}).get("demo")
            sign_in = f"  sign in as {demo['username']} / {demo['password']}" if demo else ""
            say(f"\n  Anymask is ready: http://localhost:{port}{sign_in}   (Ctrl-C stops everything)\n")
            return 0
        time.sleep(0.5)
    say("Anymask has not become ready; /healthz tells which part is missing.")
    return 1


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


if __name__ == "__main__":
    sys.exit(check_free() if "--free" in sys.argv else wait())
