"""Several machines with one object store: each has a disk of its own, and all see the same files.

A machine is a data folder here; the store is moto's server: the S3 protocol over HTTP, in this process.
"""

from __future__ import annotations

import io
import math
import os
import time
import urllib.parse
import urllib.request
import zipfile

import pytest
from botocore.exceptions import ClientError
from django.core.exceptions import ImproperlyConfigured
from django.db import connection
from django.utils import timezone

from annotation import checks, disk, jobkit, jobs, object_store, storage
from annotation.client import Client
from annotation.errors import UserError
from annotation.models import Image, Job, Upload
from annotation.services import backups, exports, uploads
from annotation.services.people import token_create
from config.object_store import storage_of
from tests.annotation.test_uploads import Browser, zipped
from tests.cast import add_image, add_mask, picture

pytestmark = pytest.mark.django_db(transaction=True)


def keys(bucket) -> set[str]:
    return {one.key for one in bucket.objects.filter(Prefix="anymask/")}


def test_a_picture_that_one_machine_takes_is_shown_by_another_and_prepared_by_a_third(bucket, cast, as_, move_to):
    move_to("first web")
    url = f"/api/datasets/{cast.dataset.pk}/images/"
    answer = as_(cast.ana).post(url, {"files": [io.BytesIO(picture(seed=3))]}, format="multipart")
    image = Image.objects.get(pk=answer.json()["accepted"][0]["id"])
    sent = storage.full(image.display_path).read_bytes()
    assert {f"anymask/{image.display_path}", f"anymask/{image.thumbnail_path}"} <= keys(bucket)

    move_to("second web")
    shown = as_(cast.ben).get(f"/api/images/{image.pk}/file/")
    assert b"".join(shown.streaming_content) == sent
    assert storage.full(image.display_path).read_bytes() == sent, "kept for the next who asks"
    tag = {"If-None-Match": shown.headers["ETag"]}
    third = move_to("third web")
    assert as_(cast.ben).get(f"/api/images/{image.pk}/file/", headers=tag).status_code == 304
    assert not (third / "images").exists(), "what the browser has is not fetched"
    assert as_(cast.cyd).get(f"/api/images/{image.pk}/file/").status_code == 404


def test_an_upload_in_pieces_is_taken_in_by_another_machine(bucket, cast, as_, move_to):
    web = move_to("web")
    data = picture(seed=8)
    Browser(as_(cast.ana), cast.dataset).send("pear.jpg", data)
    worker = move_to("worker")
    jobkit.run_pending(dataset=cast.dataset)
    image = Image.objects.get(file_name="pear.jpg")
    assert storage.full(image.original_path).read_bytes() == data
    assert not any(key.startswith("anymask/uploads/") for key in keys(bucket))
    assert not list((worker / "uploads").iterdir())
    assert not list((web / "uploads").iterdir())


def test_an_archive_in_pieces_is_imported_by_another_machine_and_no_transaction_waits_for_the_store(
    bucket, cast, as_, move_to, monkeypatch
):
    put, waited = object_store.put, []

    def watched(source, key) -> None:
        waited.append(connection.in_atomic_block)
        put(source, key)

    monkeypatch.setattr(object_store, "put", watched)
    move_to("web")
    archive = zipped({"pear.jpg": picture(seed=8)})
    Browser(as_(cast.ana), cast.dataset).send("fruit.zip", archive, import_format="auto")
    assert waited == [False]
    uploads.upload_finish(upload=Upload.objects.get())  # the last request comes twice
    move_to("worker")
    jobkit.run_pending(dataset=cast.dataset)
    assert Image.objects.get(file_name="pear.jpg")
    assert not any(key.startswith(("anymask/uploads/", "anymask/imports/")) for key in keys(bucket))


def test_who_comes_back_to_a_run_goes_on_from_what_another_machine_has_written(bucket, cast, move_to):
    def write(content: bytes) -> None:
        path = storage.full(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)

    place = "runs/1/state.pt"
    first = move_to("first trainer")
    storage.caught_up(place)
    write(b"step 100")
    os.utime(storage.full(place), (1, 1))  # some time ago
    move_to("second trainer")
    write(b"step 900")
    storage.share(place)
    write(b"step 950")
    os.utime(storage.full(place), (time.time() + 5, time.time() + 5))
    storage.caught_up(place)
    assert storage.full(place).read_bytes() == b"step 950", "its own, which is younger"
    assert move_to("first trainer") == first
    storage.caught_up(place)
    assert storage.full(place).read_bytes() == b"step 900"


def test_an_export_is_downloaded_from_the_store_by_a_signed_address(bucket, cast, as_, move_to, settings):
    add_mask(add_image(cast.dataset))
    move_to("worker")
    job = exports.export_request(dataset=cast.dataset, export_format="coco", user=cast.ana)
    jobkit.run_pending(dataset=cast.dataset)
    web = move_to("web")
    url = f"/api/exports/{job.pk}/download/"
    answer = as_(cast.vic).get(url)
    assert (answer.status_code, answer.headers["Cache-Control"]) == (302, "private, no-cache")
    with urllib.request.urlopen(answer.headers["Location"], timeout=30) as download:
        assert download.headers["Content-Disposition"] == 'attachment; filename="fruit-coco.zip"'
        assert download.headers["Content-Type"] == "application/zip"
        content = download.read()
    with zipfile.ZipFile(io.BytesIO(content)) as archive:
        assert archive.testzip() is None
    assert not (web / "exports").exists(), "no byte of it went through the web process"
    told = urllib.parse.parse_qs(urllib.parse.urlsplit(answer.headers["Location"]).query)
    assert told["X-Amz-Expires"] == ["600"]
    assert as_(cast.cyd).get(url).status_code == 404

    settings.ANYMASK_STORE_LINK_SECONDS = 0
    served = as_(cast.vic).get(url)
    assert b"".join(served.streaming_content) == content


def test_an_export_whose_file_is_gone_is_a_sentence(bucket, cast, as_, move_to):
    add_mask(add_image(cast.dataset))
    job = exports.export_request(dataset=cast.dataset, export_format="coco", user=cast.ana)
    jobkit.run_pending(dataset=cast.dataset)
    storage.remove(f"exports/{job.pk}")
    answer = as_(cast.vic).get(f"/api/exports/{job.pk}/download/")
    assert (answer.status_code, answer.json()["code"]) == (404, "export_missing")


def test_what_is_removed_leaves_the_store_and_in_time_every_disk(bucket, cast, as_, move_to, settings):
    move_to("worker")
    image, other = add_image(cast.dataset, seed=1), add_image(cast.dataset, seed=2)
    web = move_to("web")
    assert storage.found(image.display_path).is_file()
    assert storage.found(other.display_path).is_file()
    move_to("worker")
    assert as_(cast.ana).delete(f"/api/images/{image.pk}/").status_code == 204
    assert not any(image.sha256 in key for key in keys(bucket))
    assert any(other.sha256 in key for key in keys(bucket))
    assert "anymask-old/images/1" in {one.key for one in bucket.objects.all()}

    move_to("web")
    storage.moved_into_store(lambda _: None)
    copy = storage.full(image.display_path)
    assert copy.is_file(), "another machine has not heard of it yet; nobody is shown it without its row"
    past = time.time() - settings.ANYMASK_CACHE_SECONDS - 1
    os.utime(copy, (past, past))
    disk.tidy()
    assert not copy.exists()
    assert storage.full(other.display_path).is_file()
    assert (web / "tidied").is_file()


def test_a_copy_that_is_read_stays(bucket, cast, move_to, settings):
    image = add_image(cast.dataset)
    copy = storage.full(image.display_path)
    past = time.time() - settings.ANYMASK_CACHE_SECONDS + 60
    os.utime(copy, (past, past))
    storage.found(image.display_path)
    assert copy.stat().st_mtime > past + 60


def test_a_full_disk_drops_copies_and_not_what_is_under_way(bucket, cast, data_folder, monkeypatch, settings):
    images = [add_image(cast.dataset, seed=seed) for seed in range(3)]
    old, *others = [storage.full(image.display_path) for image in images]
    os.utime(old, (1, 1))
    half = storage.full("uploads/5")
    half.parent.mkdir()
    half.write_bytes(b"half a file")
    os.utime(half, (1, 1))
    settings.ANYMASK_MIN_FREE_BYTES = 500
    usage = type("Usage", (), {"free": 999, "total": 10**6})
    monkeypatch.setattr(disk.shutil, "disk_usage", lambda _path: usage)
    monkeypatch.setattr(disk, "_looked_for_room", -math.inf)
    storage.free_bytes()
    assert not old.exists()
    assert half.is_file()
    assert all(path.is_file() for path in others)
    assert storage.found(images[0].display_path).is_file(), "brought again when it is asked for"


def test_while_the_store_is_away_people_go_on_and_removals_wait(bucket, cast, as_, move_to, settings, s3, no_store):
    here, elsewhere, ben = add_image(cast.dataset, seed=1), add_image(cast.dataset, seed=2), as_(cast.ben)
    assert ben.get(f"/api/images/{here.pk}/file/").status_code == 200
    storage.full(elsewhere.display_path).unlink()
    whole = settings.STORAGES
    no_store()
    assert ben.get(f"/api/images/{here.pk}/file/").status_code == 200, "it is on this disk"
    answer = ben.get(f"/api/images/{elsewhere.pk}/file/")
    assert (answer.status_code, answer.json()["code"], answer.headers["Retry-After"]) == (503, "store_away", "5")
    assert ben.get("/readyz").status_code == 200, "masks can be saved"
    health = ben.get("/healthz").json()
    assert health["object_store"] == {"status": "degraded"}
    refused = as_(cast.ana).post(
        f"/api/datasets/{cast.dataset.pk}/images/", {"files": [io.BytesIO(picture(seed=9))]}, format="multipart"
    )
    assert refused.json()["code"] == "store_away"
    assert not Image.objects.filter(dataset=cast.dataset).exclude(pk__in=[here.pk, elsewhere.pk]).exists()
    assert as_(cast.ana).delete(f"/api/images/{here.pk}/").status_code == 204

    settings.STORAGES = whole
    assert any(here.sha256 in key for key in keys(bucket)), "the store has not heard of it"
    storage.write_atomic(f"images/{cast.dataset.pk}/aa/new", b"stored since then")
    disk.tidy()
    assert not any(here.sha256 in key for key in keys(bucket))
    assert not list((storage.root() / "removals").iterdir())


def test_an_upload_outlives_an_outage(bucket, cast, as_, move_to, settings, no_store):
    move_to("web")
    data = picture(seed=8)
    Browser(as_(cast.ana), cast.dataset).send("pear.jpg", data)
    move_to("worker")
    whole = settings.STORAGES
    no_store()
    for _ in range(5):
        jobkit.run_pending(dataset=cast.dataset)
        Job.objects.update(lease_expires_at=None)
    settings.STORAGES = whole
    jobkit.run_pending(dataset=cast.dataset)
    assert Image.objects.filter(file_name="pear.jpg").exists()


def test_a_picture_that_comes_again_is_not_shown_as_it_was(bucket, cast, as_, move_to):
    move_to("web")
    before = add_image(cast.dataset, seed=1)
    assert storage.found(before.display_path, before.created_at).is_file()
    move_to("worker")
    as_(cast.ana).delete(f"/api/images/{before.pk}/")
    again = add_image(cast.dataset, seed=1)
    blurred = picture(seed=77)
    storage.write_atomic(again.display_path, blurred)
    move_to("web")
    shown = as_(cast.ben).get(f"/api/images/{again.pk}/file/")
    assert b"".join(shown.streaming_content) == blurred


def test_an_export_that_was_removed_elsewhere_is_not_served_from_a_copy(bucket, cast, as_, move_to, settings):
    settings.ANYMASK_STORE_LINK_SECONDS = 0
    add_mask(add_image(cast.dataset))
    job = exports.export_request(dataset=cast.dataset, export_format="coco", user=cast.ana)
    jobkit.run_pending(dataset=cast.dataset)
    move_to("web")
    url = f"/api/exports/{job.pk}/download/"
    assert as_(cast.vic).get(url).status_code == 200
    move_to("other web")
    storage.remove(f"exports/{job.pk}")
    move_to("web")
    assert storage.full(f"exports/{job.pk}/dataset.zip").is_file()
    assert as_(cast.vic).get(url).status_code == 404


def test_what_was_not_brought_into_the_store_yet_stays_on_the_disk(cast, settings, request):
    image = add_image(cast.dataset)
    request.getfixturevalue("bucket")
    assert storage.found(image.display_path, image.created_at).is_file(), "older than its row and not in the store"
    storage.moved_into_store(lambda _: None)
    assert storage.found(image.display_path, image.created_at).is_file()


def test_an_installation_moves_into_a_store(cast, s3, settings, request):
    image = add_image(cast.dataset)
    request.getfixturevalue("bucket")  # from here on there is one
    assert storage.moved_into_store(lambda _: None) == 3
    assert storage.moved_into_store(lambda _: None) == 0
    storage.full(image.display_path).unlink()
    assert storage.found(image.display_path).is_file()


def test_a_copy_goes_only_where_the_store_has_the_file(bucket, cast, settings):
    image = add_image(cast.dataset)
    copy = storage.full(image.display_path)
    os.utime(copy, (1, 1))
    bucket.Object(f"anymask/{image.display_path}").delete()  # or it was never copied there
    disk.tidy()
    assert copy.is_file()


def test_a_removal_is_done_before_the_same_name_is_stored_again(bucket, cast, settings, no_store):
    whole = settings.STORAGES
    storage.write_atomic("images/1/aa/x/unblurred.jpg", b"a face")
    no_store()
    storage.remove("images/1/aa/x")
    settings.STORAGES = whole
    storage.write_atomic("images/1/aa/x/display.jpg", b"blurred")
    assert keys(bucket) == {"anymask/images/1/aa/x/display.jpg"}
    assert not list((storage.root() / "removals").iterdir())


def test_a_silent_store_is_left_alone_for_some_seconds(bucket, cast, as_, no_store, monkeypatch):
    image = add_image(cast.dataset)
    storage.full(image.display_path).unlink()
    no_store()
    ben, url = as_(cast.ben), f"/api/images/{image.pk}/file/"
    assert ben.get(url).json()["code"] == "store_away"

    def asked() -> None:
        raise AssertionError("nobody is kept waiting again")

    monkeypatch.setattr("annotation.object_store._client", asked)
    assert ben.get(url).json()["code"] == "store_away"


def test_a_store_that_wants_an_old_digest_deletes_one_by_one(bucket, cast, monkeypatch):
    storage.write_atomic("exports/7/dataset.zip", b"x")
    storage.write_atomic("exports/7/more/notes.txt", b"y")
    told = {"Error": {"Code": "MissingContentMD5"}, "ResponseMetadata": {"HTTPStatusCode": 400}}
    client = object_store._client()

    def refuse(**_):
        raise ClientError(told, "DeleteObjects")

    monkeypatch.setattr(client, "delete_objects", refuse)
    monkeypatch.setattr(object_store, "_client", lambda: client)
    storage.remove("exports/7")
    assert not keys(bucket)


def test_a_job_waits_for_the_store_as_long_as_it_takes(bucket, cast, settings, no_store):
    add_mask(add_image(cast.dataset))
    job = exports.export_request(dataset=cast.dataset, export_format="coco", user=cast.ana)
    whole = settings.STORAGES
    no_store()
    for attempt in range(1, 6):
        jobkit.run(job.pk)
        job.refresh_from_db()
        assert (job.state, job.attempts) == ("queued", attempt), "an outage of the store is no failure of the job"
        assert job.message == "The store with the files does not answer just now. This is tried again."
        assert job.lease_expires_at > timezone.now()
        Job.objects.update(lease_expires_at=None)
    settings.STORAGES = whole
    jobkit.run(job.pk)
    job.refresh_from_db()
    assert job.state == "succeeded"


def test_a_late_removal_spares_what_was_stored_again_since(bucket, cast, settings, no_store):
    whole = settings.STORAGES
    storage.write_atomic("exports/7/dataset.zip", b"first")
    no_store()
    storage.remove("exports/7")
    [note] = (storage.root() / "removals").iterdir()
    os.utime(note, (1, 1))  # long before
    settings.STORAGES = whole
    storage.write_atomic("exports/7/dataset.zip", b"second")
    disk.tidy()
    assert not list((storage.root() / "removals").iterdir())
    storage.full("exports/7/dataset.zip").unlink()
    assert storage.found("exports/7/dataset.zip").read_bytes() == b"second"


def test_a_backup_has_the_files_of_the_store(bucket, cast, move_to, tmp_path):
    image = add_image(cast.dataset)
    move_to("operator")
    made = backups.backup_make(folder=tmp_path / "backup")
    assert made["files"] == 3
    again = backups.backup_make(folder=tmp_path / "backup")
    assert again["copied"] < made["copied"], "files that are known are not fetched again"
    assert not storage.full(image.display_path).exists(), "and no copy of them stays"
    assert backups.backup_check(folder=tmp_path / "backup")["files"] == 3


def test_a_restore_fills_the_store_and_not_the_disk(bucket, cast, move_to, no_store, tmp_path, monkeypatch):
    image = add_image(cast.dataset)
    stored = {key for key in keys(bucket) if "/images/" in key}
    backups.backup_make(folder=tmp_path / "backup")
    bucket.objects.filter(Prefix="anymask/images/").delete()
    monkeypatch.setattr(backups.database_dump, "load", lambda *_: None)  # this test's own database stays as it is
    monkeypatch.setattr(backups, "call_command", lambda *_, **__: None)
    monkeypatch.setattr(backups, "_is_empty", lambda: True)
    move_to("operator")
    assert backups.backup_restore(folder=tmp_path / "backup")["files"] == 3
    assert {key for key in keys(bucket) if "/images/" in key} == stored
    assert not storage.full(image.display_path).exists(), "no copy of everything stays on this disk"

    no_store()
    with pytest.raises(UserError) as caught:
        backups.backup_restore(folder=tmp_path / "backup")
    assert caught.value.code == "restore_failed"


def test_leftovers_of_killed_work_are_removed_from_the_store(bucket, cast, monkeypatch, settings):
    for key in ("imports/gone/upload.zip", "uploads/12345"):
        storage.write_atomic(key, b"left")
    monkeypatch.setattr(jobs, "LEFTOVER_SECONDS", -60)
    settings.ANYMASK_UPLOAD_HOURS = -1
    jobs.remove_leftovers()
    assert not keys(bucket)


def test_machines_without_a_common_key_are_warned(bucket, monkeypatch):
    monkeypatch.delenv("SECRET_KEY", raising=False)
    assert [warning.id for warning in checks.machines_share_a_key(None)] == ["annotation.W002"]
    monkeypatch.setenv("SECRET_KEY", "the same everywhere")
    assert checks.machines_share_a_key(None) == []


@pytest.mark.parametrize("address", ["team/anymask", "s3://", "https://team.example/anymask"])
def test_an_address_that_is_none_is_refused_at_the_start(address):
    with pytest.raises(ImproperlyConfigured, match="ANYMASK_STORE must be like s3://bucket/prefix"):
        storage_of(address, "")


def test_what_ends_in_gz_comes_back_as_it_went(bucket, data_folder):
    storage.write_atomic("images/1/tile.gz", b"\x1f\x8b not inflated")
    storage.full("images/1/tile.gz").unlink()
    assert storage.found("images/1/tile.gz").read_bytes() == b"\x1f\x8b not inflated"


def test_the_python_client_downloads_from_the_store_and_keeps_its_token(bucket, cast, live_server, tmp_path):
    add_mask(add_image(cast.dataset))
    job = exports.export_request(dataset=cast.dataset, export_format="coco", user=cast.ana)
    jobkit.run_pending(dataset=cast.dataset)
    client = Client(live_server.url, token_create(user=cast.ana, name="script")[1])
    asked = []
    opening = client._wire._opener.open

    def listen(request, timeout):
        asked.append(request)
        return opening(request, timeout=timeout)

    client._wire._opener.open = listen
    file = client.download(client.job(str(job.pk)), tmp_path / "out")
    assert zipfile.is_zipfile(file)
    there = [request for request in asked if not request.full_url.startswith(live_server.url)]
    assert len(there) == 1
    assert not there[0].has_header("Authorization")
