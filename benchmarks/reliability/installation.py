"""An installation under trial: the product's own start scripts, a folder and servers of its own, a way to kill each."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import secrets
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from benchmarks.reliability.servers import ObjectStore, Postgres, RabbitMQ, Redis, Server, free_port, wait_for

ROOT = Path(__file__).parents[2]
TEMPLATES = Path(tempfile.gettempdir()) / "anymask-trial-templates"
STACKS = {
    "embedded": "SQLite+files",
    "production": "PostgreSQL+Redis",
    "rabbitmq": "PostgreSQL+RabbitMQ",
    "machines": "PostgreSQL+Redis+S3, a disk for each process",
}
ROLES = {
    "web": ["docker/start/web.sh"],
    "beat": ["docker/start/beat.sh"],
    "interactive": ["docker/start/worker.sh", "interactive"],
    "io": ["docker/start/worker.sh", "io"],
    "exports": ["docker/start/worker.sh", "exports"],
    "webhooks": ["docker/start/worker.sh", "webhooks"],
    "batch": ["docker/start/worker.sh", "batch"],
    "training": ["docker/start/worker.sh", "training"],
}


class Installation:
    """Start and kill its processes; ask it questions from inside."""

    def __init__(self, folder: Path, stack: str, **environment: str) -> None:
        self.folder, self.stack = folder, stack
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.running: dict[str, subprocess.Popen[bytes]] = {}
        self.servers: dict[str, Server] = {}
        self.store: ObjectStore | None = None
        self._asked: tuple[subprocess.Popen[str], dict[str, str]] | None = None
        folder.mkdir(parents=True, exist_ok=True)
        foreign = ("ANYMASK_", "DATABASE_", "DJANGO_", "PROBE_")
        self.environment = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        self.environment |= {
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "DJANGO_SETTINGS_MODULE": "benchmarks.reliability.settings",
            "ANYMASK_DATA": str(folder / "data"),
            "HOST": "127.0.0.1",
            "PORT": str(self.port),
            "LOG_LEVEL": "WARNING",
            "OMP_NUM_THREADS": "1",
            "PYTHONUNBUFFERED": "1",
            **environment,
        }

    def prepare(self) -> None:
        """Servers up, tables there. No model: trials that need one call `manage("prepare")`."""
        like = TEMPLATES / f"{'sqlite' if self.stack == 'embedded' else 'postgres'}-{_schema_digest()}"
        ready = like if like.exists() else None
        if self.stack == "embedded":
            if ready:
                shutil.copytree(ready, self.folder / "data")
        else:
            self.servers["database"] = Postgres(self.folder, ready)
            self.servers["broker"] = (RabbitMQ if self.stack == "rabbitmq" else Redis)(self.folder)
            if self.stack == "machines":
                self.store = ObjectStore(self.folder)
                self.store.start()
                self.environment |= {**self.store.settings(), "SECRET_KEY": secrets.token_urlsafe(64)}
            for server in self.servers.values():
                server.start()
            self.environment["DATABASE_URL"] = self.servers["database"].url
            self.environment["ANYMASK_BROKER_URL"] = self.servers["broker"].url
        if not ready:
            self.manage("migrate", "--run-syncdb", "--verbosity", "0")
            self._keep(like)

    def _keep(self, like: Path) -> None:
        """The empty database, for those that come after: migrations take most of a short trial's time."""
        TEMPLATES.mkdir(exist_ok=True)
        partial = TEMPLATES / f"{os.getpid()}.partial"
        if self.stack == "embedded":
            partial.mkdir()
            shutil.copy(self.folder / "data" / "anymask.sqlite3", partial)
        else:
            self.servers["database"].stop()
            subprocess.run(["cp", "-a", str(self.folder / "pg" / "db"), str(partial)], check=True)
            self.servers["database"].start()
        partial.rename(like)

    def manage(self, *command: str, check: bool = True) -> str:
        """A management command; what it printed."""
        return self._python("manage.py", *command, check=check)

    def inside(self, question: str, **arguments: Any) -> Any:
        """The answer of a function of benchmarks.reliability.inside, from a process that has this environment."""
        if self._asked is None or self._asked[1] != self.environment:
            self._hang_up()
            command = [sys.executable, "-m", "benchmarks.reliability.inside", "serve"]
            pipe = subprocess.PIPE
            with self._log("inside").open("ab") as log:
                process = subprocess.Popen(
                    command, cwd=ROOT, env=self.environment, stdin=pipe, stdout=pipe, stderr=log, text=True
                )
            self._asked = process, dict(self.environment)
        process = self._asked[0]
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(json.dumps([question, arguments]) + "\n")
        process.stdin.flush()
        told = json.loads(process.stdout.readline() or '{"error": "it ended: see inside.log"}')
        if isinstance(told, dict):
            raise RuntimeError(told["error"])
        return told[0]

    def _hang_up(self) -> None:
        if self._asked is not None:
            self._asked[0].kill()
            self._asked[0].communicate()
            self._asked = None

    def inside_later(self, question: str, **arguments: Any) -> subprocess.Popen[str]:
        """The same, not waited for: `answer_of` reads it."""
        command = [sys.executable, "-m", "benchmarks.reliability.inside", question, json.dumps(arguments)]
        with self._log("inside").open("ab") as log:
            return subprocess.Popen(
                command, cwd=ROOT, env=self.environment, stdout=subprocess.PIPE, stderr=log, text=True
            )

    def start(self, *roles: str) -> None:
        """Each under the product's keep-alive; `batch:2` is a second worker of the same queue."""
        for role in roles:
            with self._log(role.replace(":", "-")).open("ab") as log:
                self.running[role] = subprocess.Popen(
                    ["docker/start/keep-alive.sh", *ROLES[role.partition(":")[0]]],
                    cwd=ROOT,
                    env=self._environment_of(role),
                    stdout=log,
                    stderr=log,
                    start_new_session=True,
                )

    def _environment_of(self, role: str) -> dict[str, str]:
        """With an object store every role is a machine of its own, with a disk of its own."""
        if self.store is None or role == "web":
            return self.environment
        return {**self.environment, "ANYMASK_DATA": str(self.folder / f"disk-{role.replace(':', '-')}")}

    def ready(self) -> bool:
        """Whether the web process says it can work."""
        try:
            with urllib.request.urlopen(f"{self.url}/readyz", timeout=10) as answer:
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False

    def wait_ready(self, seconds: float = 300) -> None:
        """Until it is."""
        wait_for("the web process", self.ready, seconds)

    def victims(self, role: str) -> list[int]:
        """The processes below a role's keep-alive, parents first."""
        return _below(self.running[role].pid)

    def kill(self, role: str, *, whole: bool = True, dice: random.Random | None = None) -> float:
        """kill -9 of a role's whole tree, or of its youngest process alone; when. A server is started again at once."""
        if role in self.servers:
            self.servers[role].kill()
            killed = time.time()
            self.servers[role].start()
            return killed
        found = self.victims(role)
        if not whole and found:
            found = [(dice or random).choice(found)]
        for pid in found:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        return time.time()

    def signal(self, role: str, number: signal.Signals) -> None:
        """To a role's processes, not to what keeps it alive."""
        for pid in self.victims(role):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)

    def end(self, *roles: str) -> None:
        """For good, at once."""
        for role in roles:
            process = self.running.pop(role)
            with contextlib.suppress(ProcessLookupError):
                os.kill(process.pid, signal.SIGKILL)
            for pid in _of_session(process.pid):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            process.wait()

    def stop(self) -> None:
        """Everything that was started here."""
        self._hang_up()
        self.end(*self.running)
        for server in [*reversed(self.servers.values()), *filter(None, [self.store])]:
            server.stop()

    def log(self, role: str) -> str:
        """The end of what a role wrote."""
        path = self._log(role)
        return path.read_text(errors="replace")[-3000:] if path.exists() else ""

    def _log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def _python(self, *arguments: str, check: bool = True) -> str:
        done = subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=self.environment, capture_output=True, text=True, check=False
        )
        if check and done.returncode:
            raise RuntimeError(f"{' '.join(arguments)}: {done.stderr[-600:]}")
        return done.stdout


def answer_of(process: subprocess.Popen[str]) -> Any:
    """What a process of `inside_later` answered."""
    told, _ = process.communicate()
    if process.returncode:
        raise RuntimeError(f"a process of the trial ended with {process.returncode}: see inside.log")
    return json.loads(told.splitlines()[-1])


def _schema_digest() -> str:
    """Another one for other models or migrations."""
    told = hashlib.sha256()
    for pattern in ("*/migrations/*.py", "*/models/*.py", "benchmarks/reliability/probe/models.py"):
        for path in sorted(ROOT.glob(pattern)):
            told.update(path.read_bytes())
    return told.hexdigest()[:16]


def _below(pid: int) -> list[int]:
    found: list[int] = []
    for listed in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            for child in listed.read_text().split():
                found += [int(child), *_below(int(child))]
    return found


def _of_session(session: int) -> Iterator[int]:
    for entry in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):
            if entry.read_text().rpartition(")")[2].split()[3] == str(session):
                yield int(entry.parent.name)
