"""A PostgreSQL of our own for the length of a measurement, in a temporary folder and on loopback alone."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

# What an operator gives a server of a few GiB; the rest stays as PostgreSQL ships it.
OPTIONS = "-c shared_buffers=1GB -c work_mem=32MB -c maintenance_work_mem=512MB -c max_wal_size=8GB"
LOADING = "-c fsync=off -c full_page_writes=off"  # the data is made up: it need not outlive a power cut


def binaries() -> Path | None:
    """The folder of initdb and pg_ctl, newest version first; None if PostgreSQL is not installed."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/postgres"), key=lambda path: float(path.parts[4]))
    here = str(found[-1]) if found else shutil.which("postgres")
    return Path(here).parent if here else None


@contextmanager
def temporary_postgres() -> Iterator[str]:
    """The address of an empty database (postgres://...); server and files are gone afterwards."""
    where = binaries()
    if where is None:
        raise FileNotFoundError("PostgreSQL is not installed")
    folder = Path(tempfile.mkdtemp(prefix="anymask-postgres-"))
    owner = ["runuser", "-u", "postgres", "--"] if os.geteuid() == 0 else []
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]

    def run(*words: str) -> None:
        subprocess.run([*owner, *words], check=True, stdout=subprocess.DEVNULL)

    try:
        folder.chmod(0o755)
        if owner:
            shutil.chown(folder, "postgres")
        data = str(folder / "db")
        access = ("--username", "anymask", "--auth", "trust")
        run(str(where / "initdb"), "--pgdata", data, *access, "--encoding", "UTF8", "--no-sync")
        options = f"-p {port} -h 127.0.0.1 -k {folder} {OPTIONS} {LOADING}"
        run(str(where / "pg_ctl"), "-D", data, "--wait", "--log", str(folder / "log"), "--options", options, "start")
        try:
            yield f"postgres://anymask@127.0.0.1:{port}/postgres"
        finally:
            run(str(where / "pg_ctl"), "-D", data, "--mode", "immediate", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)
