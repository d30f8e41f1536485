"""Resumable uploads: whatever breaks on the way, the file goes on where it stopped and arrives whole."""

from __future__ import annotations

import base64
import hashlib
import io
import os
import threading
import zipfile

import pytest
from django.db import connection
from django.utils import timezone

from annotation import jobkit, jobs, storage
from annotation.models import Image, Job, Upload
from annotation.services import uploads
from tests.cast import client_of, picture

TUS = {"Tus-Resumable": "1.0.0"}
BYTES = "application/offset+octet-stream"


def metadata(**fields: str) -> str:
    return ",".join(f"{name} {base64.b64encode(value.encode()).decode()}" for name, value in fields.items())


class Browser:
    """Speaks the protocol as tus-js-client does."""

    def __init__(self, client, dataset):
        self.client = client
        self.list_url = f"/api/datasets/{dataset.pk}/uploads/"

    def create(self, size: int, **fields: str):
        headers = {**TUS, "Upload-Length": str(size), "Upload-Metadata": metadata(**fields)}
        return self.client.generic("POST", self.list_url, headers=headers)

    def head(self, url):
        return self.client.head(url, headers=TUS)

    def patch(self, url, offset: int, data: bytes, **headers):
        return self.client.generic(
            "PATCH", url, data, content_type=BYTES, headers={**TUS, "Upload-Offset": str(offset), **headers}
        )

    def send(self, name: str, data: bytes, **fields: str) -> str:
        url = self.create(len(data), filename=name, **fields)["Location"]
        assert self.patch(url, 0, data).status_code == 204
        return url

    def listed(self, since: str = ""):
        return self.client.get(self.list_url, {"since": since} if since else {}).json()


@pytest.fixture
def browser(cast, as_):
    return Browser(as_(cast.ana), cast.dataset)


def zipped(members: dict[str, bytes]) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return buffer.getvalue()


def test_a_file_in_pieces_becomes_an_image_by_a_job(browser, cast, data_folder):
    data = picture(300, 200, seed=1)
    made = browser.create(len(data), filename="a photo ü.jpg", fingerprint="f1", licence="CC BY 4.0", credit="Ana")
    assert made.status_code == 201
    assert made["Tus-Resumable"] == "1.0.0"
    assert "Upload-Expires" in made
    url = made["Location"]
    half = len(data) // 2
    first = browser.patch(url, 0, data[:half])
    assert (first.status_code, first["Upload-Offset"]) == (204, str(half))
    where = browser.head(url)
    assert (where.status_code, where["Upload-Offset"], where["Upload-Length"]) == (200, str(half), str(len(data)))
    assert where["Cache-Control"] == "no-store"
    assert Image.objects.count() == 0
    assert browser.patch(url, half, data[half:]).status_code == 204
    assert browser.listed()["uploads"][0]["state"] == "arrived"
    assert Image.objects.count() == 0, "decoding is not the request's work"
    assert jobkit.run_pending() == 1
    image = Image.objects.get()
    assert (image.file_name, image.licence, image.credit) == ("a photo ü.jpg", "CC BY 4.0", "Ana")
    assert storage.full(image.original_path).read_bytes() == data
    row = browser.listed()["uploads"][0]
    assert (row["state"], row["added"], row["known"], row["refused"]) == ("done", 1, 0, 0)
    assert not list((data_folder / "uploads").iterdir())


def test_every_rejected_file_is_named_and_the_rest_goes_in(browser):
    archive = zipped({"ok.jpg": picture(seed=1), "words.jpg": b"words", "../up.jpg": picture(seed=2)})
    browser.send("several.zip", archive)
    browser.send("again.jpg", picture(seed=1))
    url = browser.send("words.txt", b"only words")
    jobkit.run_pending()
    rows = {row["file_name"]: row for row in browser.listed()["uploads"]}
    assert [(row["state"], row["added"], row["known"], row["refused"]) for row in rows.values()] == [
        ("done", 1, 0, 2),
        ("done", 0, 1, 0),
        ("failed", 0, 0, 1),
    ]
    reasons = {row["name"]: row["code"] for row in rows["several.zip"]["refusals"]}
    assert reasons == {"words.jpg": "not_an_image", "up.jpg": "member_path"}
    assert rows["again.jpg"]["duplicates"] == [{"name": "again.jpg", "image": Image.objects.get().pk}]
    assert browser.client.get(url).json()["refusals"][0]["message"].endswith(".")
    assert Image.objects.count() == 1


class Cut(io.BytesIO):
    """A body whose connection breaks."""

    def __init__(self, data: bytes, after: int) -> None:
        super().__init__(data)
        self.after = after

    def read(self, size: int = -1, /) -> bytes:
        if self.tell() >= self.after:
            raise OSError("connection reset")
        return super().read(min(size, self.after - self.tell()))


def test_a_broken_connection_keeps_what_came_and_the_digest_is_right(browser, cast):
    data = os.urandom(1_500_000)
    upload = Upload.objects.get(pk=browser.create(len(data), filename="x.bin")["Location"].split("/")[-2])
    offset, cut = 0, 0
    while offset < len(data):
        cut += 1
        body = Cut(data[offset:], after=170_001)
        uploads.upload_append(upload=upload, offset=offset, length=len(data) - offset, stream=body)
        offset = int(browser.head(f"/api/uploads/{upload.pk}/")["Upload-Offset"])
        upload.refresh_from_db()
    assert cut == 9
    assert storage.sha256_of(uploads.file_of(upload)) == hashlib.sha256(data).hexdigest()
    assert upload.state == "arrived"


def test_the_file_is_the_offset_even_if_the_row_was_never_written(browser):
    """The process was killed between the last byte and its answer."""
    data = picture()
    url = browser.create(len(data), filename="a.jpg")["Location"]
    upload = Upload.objects.get()
    uploads.file_of(upload).write_bytes(data)
    assert upload.received == 0
    assert browser.head(url)["Upload-Offset"] == str(len(data))
    jobkit.run_pending()
    assert Image.objects.count() == 1


def test_a_wrong_offset_is_told_the_right_one(browser):
    url = browser.create(10, filename="a")["Location"]
    browser.patch(url, 0, b"12345")
    answer = browser.patch(url, 3, b"45")
    assert (answer.status_code, answer.json()["code"], answer.json()["details"]) == (
        409,
        "upload_offset",
        {"offset": 5},
    )
    assert browser.patch(url, 0, b"12345").status_code == 409
    assert browser.patch(url, 5, b"678901").status_code == 413
    assert browser.patch(url, 5, b"67890").status_code == 204
    assert browser.patch(url, 10, b"").status_code == 204, "an answer that was lost may be asked for again"


@pytest.mark.django_db(transaction=True)
def test_two_connections_with_the_same_file_never_mix(data_folder):
    """The client gave a connection up that still has bytes to write."""
    from tests.cast import make_cast

    cast = make_cast()
    data = os.urandom(4_000_000)
    browser = Browser(client_of(cast.ana), cast.dataset)
    upload = Upload.objects.get(pk=browser.create(len(data), filename="x")["Location"].split("/")[-2])
    refused = []

    def go() -> None:
        try:
            own = Upload.objects.get(pk=upload.pk)
            uploads.upload_append(upload=own, offset=0, length=len(data), stream=io.BytesIO(data))
        except uploads.Conflict as problem:
            refused.append(problem.code)
        finally:
            connection.close()

    threads = [threading.Thread(target=go) for _ in range(4)]
    [thread.start() for thread in threads]
    [thread.join() for thread in threads]
    assert len(refused) == 3
    assert set(refused) == {"upload_offset"}
    assert storage.sha256_of(uploads.file_of(upload)) == hashlib.sha256(data).hexdigest()


@pytest.mark.parametrize(
    ("headers", "code", "status"),
    [
        ({"Upload-Length": "10"}, "tus_version", 412),
        ({**TUS}, "tus_header", 400),
        ({**TUS, "Upload-Length": "-1"}, "tus_header", 400),
        ({**TUS, "Upload-Length": "1e9"}, "tus_header", 400),
        ({**TUS, "Upload-Length": "9" * 400}, "tus_header", 400),
        ({**TUS, "Upload-Length": "9" * 17}, "upload_too_large", 413),
        ({**TUS, "Upload-Length": "1", "Upload-Metadata": "filename ###"}, "tus_metadata", 400),
        ({**TUS, "Upload-Length": "1", "Upload-Metadata": "filename /w=="}, "tus_metadata", 400),
        ({**TUS, "Upload-Length": "1", "Upload-Metadata": "a " + "A" * 9000}, "tus_metadata", 400),
        ({**TUS, "Upload-Length": "1", "Upload-Metadata": metadata(consent="maybe")}, "invalid", 400),
    ],
)
def test_hostile_headers_are_refused_with_a_code(browser, headers, code, status):
    answer = browser.client.generic("POST", browser.list_url, headers=headers)
    assert (answer.status_code, answer.json()["code"]) == (status, code)
    assert Upload.objects.count() == 0


def test_a_body_of_another_type_is_refused(browser):
    url = browser.create(10, filename="a")["Location"]
    answer = browser.client.generic("PATCH", url, b"1", content_type="application/json", headers={**TUS})
    assert (answer.status_code, answer.json()["code"]) == (415, "tus_media_type")


def test_options_say_what_is_spoken(browser):
    answer = browser.client.options(browser.list_url)
    assert (answer.status_code, answer["Tus-Version"]) == (204, "1.0.0")
    assert answer["Tus-Extension"] == "creation,termination,expiration"
    assert int(answer["Tus-Max-Size"]) > 0


def test_quota_and_disk(browser, settings, monkeypatch):
    settings.ANYMASK_UPLOAD_QUOTA_BYTES = 100
    assert browser.create(60, filename="a").status_code == 201
    answer = browser.create(60, filename="b")
    assert (answer.status_code, answer.json()["code"]) == (413, "upload_quota")
    settings.ANYMASK_UPLOAD_QUOTA_BYTES = 10**9
    monkeypatch.setattr(storage, "free_bytes", lambda _=0: settings.ANYMASK_MIN_FREE_BYTES + 100)
    assert browser.create(60, filename="b").json()["code"] == "disk_full", "60 bytes are spoken for already"
    assert browser.create(30, filename="b").status_code == 201


def test_a_stopped_upload_leaves_nothing(browser, data_folder):
    url = browser.create(10, filename="a")["Location"]
    browser.patch(url, 0, b"123")
    assert browser.client.delete(url, headers=TUS).status_code == 204
    assert browser.head(url).status_code == 404
    assert not list((data_folder / "uploads").iterdir())


def test_half_files_are_removed_after_their_time_and_strays_too(browser, settings, data_folder):
    browser.create(10, filename="old")
    young = browser.create(10, filename="young")["Location"]
    before = timezone.now() - timezone.timedelta(hours=settings.ANYMASK_UPLOAD_HOURS + 1)
    Upload.objects.filter(file_name="old").update(changed_at=before)
    stray = data_folder / "uploads" / "stray"
    stray.write_bytes(b"x")
    os.utime(stray, (before.timestamp(), before.timestamp()))
    jobs.remove_leftovers()
    assert [path.name for path in (data_folder / "uploads").iterdir()] == [young.split("/")[-2]]
    assert Upload.objects.count() == 1


def test_what_arrives_while_the_job_ends_is_not_forgotten(browser):
    browser.send("a.jpg", picture())
    Job.objects.update(state=Job.State.SUCCEEDED)
    jobs.tend_uploads()
    assert jobkit.run_pending() == 1
    assert Image.objects.count() == 1


def test_a_stopped_check_stays_stopped(browser):
    browser.send("a.jpg", picture())
    jobkit.cancel(Job.objects.get())
    jobs.tend_uploads()
    jobs.tend_uploads()
    assert jobkit.run_pending() == 0
    assert browser.listed()["uploads"][0]["refusals"][0]["code"] == "upload_stopped"


def test_a_file_that_ends_its_worker_every_time_is_set_aside(browser):
    browser.send("bad.jpg", picture(seed=1))
    browser.send("good.jpg", picture(seed=2))
    Upload.objects.filter(file_name="bad.jpg").update(attempts=3)
    jobkit.run_pending()
    assert [row["state"] for row in browser.listed()["uploads"]] == ["failed", "done"]
    assert browser.listed()["uploads"][0]["refusals"][0]["code"] == "upload_poison"


def test_the_list_tells_what_changed_since(browser):
    browser.send("a.jpg", picture())
    Upload.objects.update(changed_at=timezone.now() - timezone.timedelta(minutes=1))
    at = browser.listed()["at"]
    assert browser.listed(at)["uploads"] == []
    browser.create(10, filename="b")
    assert [row["file_name"] for row in browser.listed(at)["uploads"]] == ["b"]


def test_a_dataset_takes_its_uploads_along(browser, cast, data_folder, django_capture_on_commit_callbacks):
    browser.create(10, filename="a")
    with django_capture_on_commit_callbacks(execute=True):
        assert browser.client.delete(f"/api/datasets/{cast.dataset.pk}/").status_code == 204
    assert not list((data_folder / "uploads").iterdir())
