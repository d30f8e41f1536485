"""PostgreSQL, Redis and RabbitMQ of one's own on loopback, killed and started again at will."""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from abc import ABC, abstractmethod
from collections.abc import Callable
from pathlib import Path


def free_port() -> int:
    """A port of loopback that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def listening(port: int) -> bool:
    """Whether somebody takes connections there."""
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0


def wait_for(what: str, question: Callable[[], object], seconds: float = 180) -> None:
    """Ask until the answer is true. Raises TimeoutError."""
    end = time.monotonic() + seconds
    while not question():
        if time.monotonic() > end:
            raise TimeoutError(f"{what} did not happen within {seconds:.0f} s")
        time.sleep(0.1)


class Server(ABC):
    """A process of somebody else's that an installation needs. `url` is how it is found."""

    name: str
    url: str
    port: int
    folder: Path
    process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Returns when it takes connections; tries again while what was killed is still going."""
        for _ in range(60):
            self.process = self._spawn()
            while self.process.poll() is None and not self.ready():
                time.sleep(0.1)
            if self.process.poll() is None:
                return
            time.sleep(0.5)
        raise TimeoutError(f"{self.name} does not start; see {self.folder}/{self.name}.log")

    def ready(self) -> bool:
        """Whether it answers."""
        return listening(self.port)

    def kill(self) -> None:
        """As if the power went from this one process."""
        assert self.process is not None
        self.process.kill()
        self.process.wait()

    def freeze(self, frozen: bool = True) -> None:
        """It is there and does not answer; or goes on."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP if frozen else signal.SIGCONT)

    def stop(self) -> None:
        """At the end of a trial."""
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGCONT)
            self.process.send_signal(signal.SIGINT)
            try:
                self.process.wait(30)
            except subprocess.TimeoutExpired:
                self.kill()

    @abstractmethod
    def _spawn(self) -> subprocess.Popen[bytes]:
        """Start it."""

    def _run(self, *command: str, user: str | None = None) -> subprocess.Popen[bytes]:
        with (self.folder / f"{self.name}.log").open("ab") as log:
            return subprocess.Popen(
                command,
                cwd=self.folder,
                stdout=log,
                stderr=log,
                stdin=subprocess.DEVNULL,
                user=user,
                start_new_session=True,
            )


class Postgres(Server):
    """With fsync, as an installation has it. It refuses to run as root, so root runs it as `postgres`."""

    name = "postgres"

    def __init__(self, folder: Path, like: Path | None = None) -> None:
        """`like` is the folder of a stopped one's data, to begin with."""
        self.folder, self.port = folder / "pg", free_port()
        self.folder.mkdir()
        self.url = f"postgres://anymask@127.0.0.1:{self.port}/postgres"
        self.binaries = _postgres_binaries()
        self.user = "postgres" if os.getuid() == 0 else None
        if self.user:
            shutil.chown(self.folder, self.user)
            for above in [folder, *folder.parents]:
                if above.stat().st_uid == os.getuid() and not above.stat().st_mode & 1:
                    above.chmod(above.stat().st_mode | 0o011)
        if like is not None:
            subprocess.run(["cp", "-a", str(like), str(self.folder / "db")], check=True)
            return
        options = ["--username", "anymask", "--auth", "trust", "--encoding", "UTF8", "--no-sync"]
        self._done("initdb", "--pgdata", "db", *options)

    def _done(self, program: str, *arguments: str) -> None:
        command = [f"{self.binaries}/{program}", *arguments]
        done = subprocess.run(command, cwd=self.folder, user=self.user, capture_output=True, text=True, check=False)
        if done.returncode:
            raise RuntimeError(f"{program}: {done.stderr[-1000:]}")

    def _spawn(self) -> subprocess.Popen[bytes]:
        settings = {
            "port": str(self.port),
            "listen_addresses": "127.0.0.1",
            "unix_socket_directories": str(self.folder),
        }
        settings |= {"max_connections": "200"}
        options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
        return self._run(f"{self.binaries}/postgres", "-D", "db", *options, user=self.user)

    def ready(self) -> bool:
        """Takes connections and is through with its recovery."""
        command = [f"{self.binaries}/pg_isready", "-h", "127.0.0.1", "-p", str(self.port), "-q"]
        return subprocess.run(command, check=False).returncode == 0

    def create(self, name: str) -> str:
        """Another database; its address."""
        url = self.url.rpartition("/")[0]
        self._done("createdb", "-h", "127.0.0.1", "-p", str(self.port), "-U", "anymask", name)
        return f"{url}/{name}"


class Redis(Server):
    """As distributions start it: what it holds is written now and then, so a kill loses messages."""

    name = "redis"

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder / "redis", free_port()
        self.folder.mkdir()
        self.url = f"redis://127.0.0.1:{self.port}/0"

    def _spawn(self) -> subprocess.Popen[bytes]:
        return self._run("redis-server", "--port", str(self.port), "--bind", "127.0.0.1", "--dir", str(self.folder))


class RabbitMQ(Server):
    """One node whose name and folders are its own. `RABBITMQ_SERVER` may name the program."""

    name = "rabbitmq"

    def __init__(self, folder: Path, consumer_timeout: int = 1_800_000) -> None:
        self.folder, self.port = folder / "rabbitmq", free_port()
        self.folder.mkdir()
        self.url = f"amqp://guest:guest@127.0.0.1:{self.port}//"
        self.user = "rabbitmq" if os.getuid() == 0 and _known("rabbitmq") else None
        (self.folder / "rabbitmq.conf").write_text(
            f"listeners.tcp.1 = 127.0.0.1:{self.port}\nconsumer_timeout = {consumer_timeout}\n"
        )
        if self.user:
            for path in (self.folder, self.folder / "rabbitmq.conf"):
                shutil.chown(path, self.user)

    def _spawn(self) -> subprocess.Popen[bytes]:
        places = {
            "HOME": self.folder,
            "RABBITMQ_MNESIA_BASE": self.folder / "mnesia",
            "RABBITMQ_LOG_BASE": self.folder / "log",
            "RABBITMQ_CONFIG_FILE": self.folder / "rabbitmq.conf",
            "RABBITMQ_ENABLED_PLUGINS_FILE": self.folder / "plugins",
            "RABBITMQ_NODENAME": f"anymask{self.port}@localhost",
            "RABBITMQ_DIST_PORT": free_port(),
            "ERL_EPMD_PORT": 4369,
            "RABBITMQ_SERVER_ADDITIONAL_ERL_ARGS": "+S 1:1",
        }
        command = ["env", *(f"{name}={value}" for name, value in places.items()), _rabbit() or "rabbitmq-server"]
        return self._run(*command, user=self.user)

    def kill(self) -> None:
        """The whole group: the program is a script round Erlang."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> None:
        """It has nothing to keep."""
        if self.process is not None and self.process.poll() is None:
            self.kill()


class ObjectStore(Server):
    """An S3-compatible store, moto's, with one bucket. It keeps everything in memory, so no trial kills it."""

    name = "objects"
    keys = {"AWS_ACCESS_KEY_ID": "key", "AWS_SECRET_ACCESS_KEY": "secret", "AWS_DEFAULT_REGION": "us-east-1"}

    def __init__(self, folder: Path) -> None:
        self.folder, self.port = folder / "objects", free_port()
        self.folder.mkdir()
        self.url = f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """With an empty bucket."""
        super().start()
        with urllib.request.urlopen(urllib.request.Request(f"{self.url}/anymask", method="PUT"), timeout=30):
            pass

    def settings(self) -> dict[str, str]:
        """The environment of an installation that keeps its files here."""
        return {"ANYMASK_STORE": "s3://anymask/files", "ANYMASK_STORE_ENDPOINT": self.url, **self.keys}

    def _spawn(self) -> subprocess.Popen[bytes]:
        return self._run(sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(self.port))


def why_not_production() -> str | None:
    """Why PostgreSQL and Redis cannot be started here, or None."""
    there = {"PostgreSQL": _postgres_binaries(), "Redis": shutil.which("redis-server")}
    missing = [name for name, path in there.items() if not path]
    return f"{' and '.join(missing)} not installed" if missing else None


def why_not_rabbit() -> str | None:
    """Why RabbitMQ cannot be started here, or None."""
    return None if _rabbit() else "RabbitMQ not installed"


def _rabbit() -> str | None:
    places = ("/usr/lib/rabbitmq/bin/rabbitmq-server", shutil.which("rabbitmq-server"))
    return next((path for path in places if path and Path(path).exists()), None)


def _postgres_binaries() -> str | None:
    versions = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: int(path.parts[4]))
    if versions:
        return str(versions[-1].parent)
    found = shutil.which("postgres")
    return str(Path(found).parent) if found else None


def _known(user: str) -> bool:
    try:
        pwd.getpwnam(user)
    except KeyError:
        return False
    return True
