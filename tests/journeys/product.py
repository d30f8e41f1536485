"""The product as `make run` starts it: real processes, a real port, an empty data folder."""

from __future__ import annotations

import http.cookiejar
import json
import os
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
import uuid
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[2]


class Answer(Exception):
    """An answer outside 2xx, with its status and its JSON."""

    def __init__(self, status: int, body: Any) -> None:
        super().__init__(f"{status}: {body}")
        self.status, self.body = status, body


class Product:
    """Start it, talk to it as a browser would (session and CSRF), stop it."""

    def __init__(self, folder: Path, **environment: str) -> None:
        self.folder = folder
        self.log = folder / "product.log"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        changes = {"ANYMASK_DATA": str(folder / "data"), "PORT": str(self.port)}
        # The tests' own settings must not leak in: this is a fresh installation.
        inherited = {
            name: value for name, value in os.environ.items() if not name.startswith(("ANYMASK_", "DATABASE_"))
        }
        self.environment = inherited | changes | environment
        self.process: subprocess.Popen[bytes] | None = None
        self.opener = urllib.request.build_opener(urllib.request.HTTPCookieProcessor(http.cookiejar.CookieJar()))

    def start(self, seconds: float = 180) -> None:
        """Returns when the ready line is out."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                ["docker/start/all.sh"], cwd=ROOT, env=self.environment, stdout=log, stderr=log, start_new_session=True
            )
        deadline = time.monotonic() + seconds
        while "Anymask is ready" not in self.log.read_text():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise AssertionError(f"not ready:\n{self.log.read_text()[-4000:]}")
            time.sleep(0.2)

    def stop(self, seconds: float = 40) -> None:
        """Ctrl-C, and wait until every process is gone."""
        if self.process is None:
            return
        os.killpg(self.process.pid, signal.SIGINT)
        self.process.wait(seconds)

    def processes(self) -> list[int]:
        """Processes that belong to this installation: whatever has its data folder in the environment."""
        mark = f"ANYMASK_DATA={self.folder / 'data'}".encode()
        found = []
        for entry in Path("/proc").glob("[0-9]*/environ"):
            try:
                if mark in entry.read_bytes().split(b"\0"):
                    found.append(int(entry.parent.name))
            except OSError:
                continue
        return found

    def sign_in(self) -> None:
        demo = self.get("/api/session/")["demo"]
        self.send("POST", "/api/session/", demo)

    def get(self, path: str) -> Any:
        return self._json(urllib.request.Request(self._address(path)))

    def download(self, path: str) -> bytes:
        with self.opener.open(self._address(path), timeout=60) as answer:
            return bytes(answer.read())

    def send(self, method: str, path: str, body: Any = None) -> Any:
        data = json.dumps({} if body is None else body).encode()
        return self._json(self._unsafe(method, path, data, "application/json"))

    def upload(self, path: str, files: dict[str, bytes]) -> Any:
        """Multipart, field `files`."""
        boundary = uuid.uuid4().hex
        parts = []
        for name, content in files.items():
            head = f'--{boundary}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
            parts.append(head.encode() + b"Content-Type: application/octet-stream\r\n\r\n" + content + b"\r\n")
        data = b"".join(parts) + f"--{boundary}--\r\n".encode()
        return self._json(self._unsafe("POST", path, data, f"multipart/form-data; boundary={boundary}"))

    def wait(self, what: str, question: Any, seconds: float = 120) -> Any:
        """Ask until the answer is truthy."""
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            if found := question():
                return found
            time.sleep(0.3)
        raise AssertionError(f"{what} did not happen within {seconds:.0f} s\n{self.log.read_text()[-4000:]}")

    def _address(self, path: str) -> str:
        return path if path.startswith("http") else f"http://127.0.0.1:{self.port}{path}"

    def _unsafe(self, method: str, path: str, data: bytes, kind: str) -> urllib.request.Request:
        [jar] = [handler.cookiejar for handler in self.opener.handlers if hasattr(handler, "cookiejar")]
        token = next((cookie.value for cookie in jar if cookie.name == "csrftoken"), "")
        headers = {"Content-Type": kind, "X-CSRFToken": token or "", "Origin": f"http://127.0.0.1:{self.port}"}
        return urllib.request.Request(self._address(path), data=data, method=method, headers=headers)

    def _json(self, request: urllib.request.Request) -> Any:
        try:
            with self.opener.open(request, timeout=60) as answer:
                content = answer.read()
        except urllib.error.HTTPError as error:
            raise Answer(error.code, json.loads(error.read() or b"null")) from error
        return json.loads(content) if content else None
