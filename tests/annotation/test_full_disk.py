"""A disk that is full: what somebody asked for says so, what nobody asked for waits, and the reserve is kept."""

from __future__ import annotations

import errno
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation import jobkit, storage
from annotation import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from annotation.errors import TooLarge
from annotation.exported import ExportFilter
from annotation.models import Job, Upload
from annotation.services import exports, uploads, versions
from tests.annotation.test_uploads import Browser
from tests.cast import add_image, add_mask, picture

HUGE = 1 << 60


def full(*_arguments, **_payload):
    raise OSError(errno.ENOSPC, "No space left on device")


def no_room(*_arguments, **_payload):
    raise TooLarge("disk_full", "No.")


@pytest.mark.parametrize("problem", [full, no_room])
def test_what_nobody_asked_for_is_tried_until_there_is_room(db, cast, monkeypatch, problem):
    monkeypatch.setitem(jobkit.functions, "probe", problem)
    job = Job.objects.create(kind="probe", title="Probe", queue="batch")
    for _ in range(5):
        assert jobkit.run(job.pk)
        job.refresh_from_db()
        assert (job.state, "disk" in job.message) == ("queued", True)
        assert job.lease_expires_at > timezone.now(), "it does not knock all the time"
        Job.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    monkeypatch.setitem(jobkit.functions, "probe", lambda ctx: {"done": True})
    assert jobkit.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result) == ("succeeded", {"done": True})

    monkeypatch.setitem(jobkit.functions, "probe", problem)
    asked = Job.objects.create(kind="probe", title="Probe", queue="batch", created_by=cast.ana)
    jobkit.run(asked.pk)
    asked.refresh_from_db()
    assert (asked.state, asked.error_code, asked.attempts) == ("failed", "disk_full", 1)


def test_a_full_disk_is_no_attempt_of_the_file_that_met_it(cast, as_, monkeypatch):
    Browser(as_(cast.ana), cast.dataset).send("a.jpg", picture())
    take = uploads.file_take
    monkeypatch.setattr(uploads, "file_take", full)
    job = Job.objects.get(kind=uploads.TAKE_IN.name)
    for _ in range(uploads.MAX_ATTEMPTS + 1):
        assert jobkit.run(job.pk)
        Job.objects.update(lease_expires_at=None)
    assert Upload.objects.get().state == "arrived"
    monkeypatch.setattr(uploads, "file_take", take)
    assert jobkit.run(job.pk)
    assert Upload.objects.get().state == "done"


def test_an_export_leaves_the_reserve_alone(cast, settings, monkeypatch):
    add_mask(add_image(cast.dataset))
    settings.ANYMASK_MIN_FREE_BYTES = HUGE
    assert export(cast).error_code == "disk_full", "nothing is begun"

    settings.ANYMASK_MIN_FREE_BYTES = 1000
    monkeypatch.setattr(storage, "free_bytes", lambda _wanted=0: 1010)
    monkeypatch.setattr(exports.packing, "pack", pytest.fail)
    assert export(cast).error_code == "disk_full", "what was written would fit, the archive of it would not"
    assert not list((storage.root() / "work").iterdir())


def test_an_export_stops_where_the_disk_fills_up(cast, settings, monkeypatch):
    add_mask(add_image(cast.dataset))
    settings.ANYMASK_MIN_FREE_BYTES = 1000
    left = iter([2000, 900])
    monkeypatch.setattr(storage, "free_bytes", lambda _wanted=0: next(left))
    assert export(cast).error_code == "disk_full"
    assert next(left, None) is None, "at the first word of its progress"


def export(cast) -> Job:
    job = exports.export_request(dataset=cast.dataset, export_format="coco", user=cast.ana)
    jobkit.run(job.pk)
    job.refresh_from_db()
    return job


def test_a_version_leaves_the_reserve_alone(cast, settings):
    add_mask(add_image(cast.dataset))
    settings.ANYMASK_MIN_FREE_BYTES = HUGE
    job = versions.version_request(dataset=cast.dataset, note="", chosen=ExportFilter(), user=cast.ana)
    jobkit.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == ("failed", "disk_full")
