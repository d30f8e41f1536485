"""Small questions of the start scripts and containers.

python -m config.ready --free       exit 1 with a sentence where PORT is taken
python -m config.ready --wait       print one line once /healthz says ok
python -m config.ready --check      exit 1 unless the web process of this machine is ready
python -m config.ready --workers    exit 1 unless workers of this machine have given their pulse
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
    # By a name that the process answers to, whatever it is called outside.
    name = os.environ.get("ALLOWED_HOSTS", "localhost").split(",")[0].strip().lstrip(".*") or "localhost"
    request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", headers={"Host": name})
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310  our own process
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


def check() -> int:
    """0 when the web process can work."""
    return 0 if (read("/readyz") or {}).get("status") == "ok" else 1


def check_workers() -> int:
    """0 when the database knows living workers of this machine."""
    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "config.settings")
    import django

    django.setup()
    from annotation import pulses

    here = f"@{socket.gethostname()}-"
    return 0 if any(here in row.name for row in pulses.workers_alive()) else 1


def say(text: str) -> None:
    sys.stdout.write(text + "\n")
    sys.stdout.flush()


QUESTIONS = {"--free": check_free, "--wait": wait, "--check": check, "--workers": check_workers}


if __name__ == "__main__":
    sys.exit(QUESTIONS[sys.argv[1]]())
