"""A small installation of its own: sample pictures, the shipped model, one web process and one worker."""

from __future__ import annotations

import fcntl
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

ROOT = Path(__file__).parents[2]
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome")


def chromium() -> str | None:
    """The browser's path, or None."""
    return next((path for name in CHROMIUM_NAMES if (path := shutil.which(name))), None)


def why_not() -> str | None:
    """Why the browser tests cannot run here, or None."""
    if chromium() is None:
        return "there is no Chromium on this machine (tests/prepare_machine.sh installs it)"
    if not (ROOT / "frontend" / "dist" / "index.html").is_file():
        return "the pages are not built (make frontend)"
    return None


class Site:
    """Start, stop and start again; the address stays the same."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.url = f"http://127.0.0.1:{self.port}"
        foreign = ("ANYMASK_", "DATABASE_", "DJANGO_")
        inherited = {k: v for k, v in os.environ.items() if not k.startswith(foreign) or k == "ANYMASK_FRONTEND"}
        self.environment = {
            **inherited,
            "ANYMASK_DATA": str(folder / "data"),
            "ANYMASK_SIGN_IN_RATE": "1000/min",
            "ANYMASK_URL_NETWORKS": "127.0.0.0/8",
            "LOG_LEVEL": "WARNING",
            "OMP_NUM_THREADS": "1",
        }
        self.web: subprocess.Popen[bytes] | None = None
        self.worker: subprocess.Popen[bytes] | None = None

    def prepare(self) -> None:
        """Database, samples, and the first three pictures encoded."""
        for command in (["migrate", "--verbosity", "0"], ["prepare"], ["load_samples"], ["prepare", "--encode", "3"]):
            self.manage(*command)

    def manage(self, *command: str) -> str:
        """Run a management command; what it printed."""
        done = subprocess.run(
            [sys.executable, "manage.py", *command], cwd=ROOT, env=self.environment, capture_output=True, text=True
        )
        assert done.returncode == 0, f"{command}: {done.stderr[-2000:]}"
        return done.stdout

    def add_people(self, **roles: str) -> None:
        """Accounts whose password is their name twice, as members of every dataset: `add_people(rae="annotator")`."""
        lines = ["from django.contrib.auth.models import User", "from annotation.models import Dataset, Member"]
        for name, role in roles.items():
            lines += [
                f"user, _ = User.objects.get_or_create(username={name!r})",
                f"user.set_password({name * 2!r}); user.save()",
                f"[Member.objects.get_or_create(dataset=d, user=user, defaults={{'role': {role!r}}})"
                " for d in Dataset.objects.all()]",
            ]
        self.manage("shell", "-c", "\n".join(lines))

    def start_web(self, seconds: float = 60) -> None:
        """Returns when it answers."""
        arguments = ["--bind", f"127.0.0.1:{self.port}", "--workers", "1", "--threads", "8", "--log-level", "warning"]
        self.web = self._spawn("gunicorn", "config.wsgi", *arguments)
        deadline = time.monotonic() + seconds
        while True:
            try:
                urllib.request.urlopen(f"{self.url}/api/session/", timeout=5).read()
            except (urllib.error.URLError, OSError):
                if time.monotonic() > deadline or self.web.poll() is not None:
                    raise AssertionError(self.log("gunicorn")) from None
                time.sleep(0.2)
            else:
                return

    def start_worker(self) -> None:
        """One worker for every queue but training."""
        queues = "interactive,io,exports,webhooks,batch"
        options = ["--quiet", "--app", "config", "worker", "--pool", "solo", "--queues", queues]
        self.worker = self._spawn("celery", *options, "--without-gossip", "--without-mingle", "--loglevel", "WARNING")

    def stop_web(self) -> None:
        """As a crash would: at once."""
        self._stop(self.web, signal.SIGKILL)

    def stop(self) -> None:
        """Everything."""
        self._stop(self.web, signal.SIGTERM)
        self._stop(self.worker, signal.SIGKILL)

    def log(self, name: str) -> str:
        """The end of a process's output."""
        path = self.folder / f"{name}.log"
        return path.read_text(errors="replace")[-4000:] if path.exists() else ""

    def _spawn(self, module: str, *arguments: str) -> subprocess.Popen[bytes]:
        with (self.folder / f"{module}.log").open("ab") as log:
            return subprocess.Popen(
                [sys.executable, "-m", module, *arguments],
                cwd=ROOT,
                env=self.environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )

    def _stop(self, process: subprocess.Popen[bytes] | None, with_signal: signal.Signals) -> None:
        if process is None or process.poll() is not None:
            return
        os.killpg(process.pid, with_signal)
        process.wait(30)


def prepared(shared: Path) -> Path:
    """The data folder of a site that was never started, made once for all processes that see `shared`."""
    made = shared / "prepared"
    with (shared / "prepared.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not made.exists():
            site = Site(shared / "in the making")
            site.prepare()
            (site.folder / "data").rename(made)
    return made


@contextmanager
def running(folder: Path, copy_of: Path | None = None, **environment: str) -> Iterator[Site]:
    """A site with the sample pictures, one web process and one worker; `environment` goes over its own.

    `copy_of` is a prepared data folder: preparing takes more than half a minute of a core.
    """
    site = Site(folder)
    site.environment.update(environment)
    try:
        if copy_of:
            shutil.copytree(copy_of, folder / "data")
        else:
            site.prepare()
        site.start_web()
        site.start_worker()
        yield site
    finally:
        site.stop()


def random_sam(folder: Path) -> Path:
    """A checkpoint of MobileSAM's shape with random weights: SAM's decoder behind an encoder that a CPU can run."""
    import torch

    from modelzoo.build import build
    from modelzoo.checkpoint import save_checkpoint

    torch.manual_seed(0)
    path = folder / "random_sam.safetensors"
    save_checkpoint(build("mobile_sam"), path)
    return path
