"""kill -9 of a worker in the middle of an export: nothing half made is offered, and the next worker makes it whole.

Real processes on the test's database; each kills itself at a point that is named, so that no test hits or misses it.
"""

from __future__ import annotations

import io
import json
import os
import signal
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from django.db import connection

from annotation import holders, jobkit, storage
from annotation import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from annotation.errors import Missing
from annotation.models import Job
from annotation.services import exports
from tests.cast import add_image, add_mask, make_cast

ROOT = Path(__file__).parents[2]
WORKER = """
import os, signal, sys, django
django.setup()
from annotation import jobkit, jobs, storage
from annotation.formats import coco
from annotation.services import exports, packing

def kill_at(module, name, call):
    "The process ends at this call of a function, as a machine does that loses its current."
    real, calls = getattr(module, name), []
    def wrapped(*args, **named):
        calls.append(name)
        if len(calls) == call:
            os.kill(os.getpid(), signal.SIGKILL)
        return real(*args, **named)
    setattr(module, name, wrapped)

points = {
    "in the middle of the pictures": (coco, "put_picture", 3),
    "before the archive is read again": (packing, "verify", 1),
    "before it appears": (storage, "adopt", 1),
}
if len(sys.argv) > 1:
    kill_at(*points[sys.argv[1]])
jobkit.worker_started()
jobkit.run_pending()
"""
POINTS = (
    "in the middle of the pictures",
    "before the archive is read again",
    "before it appears",
)
pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(not holders.place(), reason="this system does not tell which processes live"),
]


def work(data_folder, *point: str) -> int:
    """A worker that does what waits; how it ended."""
    environment = {
        **os.environ,
        "ANYMASK_DATA": str(data_folder),
        "DATABASE_URL": f"sqlite:///{connection.settings_dict['NAME']}",
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    return subprocess.run([sys.executable, "-c", WORKER, *point], cwd=ROOT, env=environment, timeout=300).returncode


@pytest.mark.parametrize("point", POINTS)
def test_an_export_that_was_killed_is_made_whole(data_folder, sent, point):
    if connection.vendor != "sqlite":
        pytest.skip("the other processes find the test database by its file")
    cast = make_cast()
    for seed in range(4):
        add_mask(add_image(cast.dataset, seed=seed))
    job = exports.export_request(dataset=cast.dataset, export_format="coco", user=cast.ana)
    assert work(data_folder, point) == -signal.SIGKILL
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("running", 1)
    assert not (storage.root() / "exports").exists(), "no file, half or whole, where exports are offered"
    with pytest.raises(Missing):
        exports.export_file(job=job)

    assert work(data_folder) == 0
    job.refresh_from_db()
    assert (job.state, job.attempts) == ("succeeded", 2)
    path, _ = exports.export_file(job=job)
    assert storage.sha256_of(path) == job.result["sha256"]
    with zipfile.ZipFile(io.BytesIO(path.read_bytes())) as archive:
        assert archive.testzip() is None
        assert json.loads(archive.read("manifest.json"))["counts"]["masks"] == 4
    again = exports.export_request(dataset=cast.dataset, export_format="coco", user=cast.ana)
    jobkit.run_pending()
    whole, _ = exports.export_file(job=Job.objects.get(pk=again.pk))
    assert whole.read_bytes() == path.read_bytes(), "byte for byte what an export gives that nobody killed"
