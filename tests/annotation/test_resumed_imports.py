"""Archives with annotations arrive in pieces, go on where they stopped, and are imported once they are whole."""

from __future__ import annotations

import json
from datetime import timedelta

import numpy as np
import pytest
from django.utils import timezone

from annotation import jobkit, storage
from annotation import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from annotation.models import Image, Job, Mask, Upload
from annotation.services import uploads
from modelzoo import rle
from tests.annotation.test_uploads import Browser, zipped
from tests.cast import picture


@pytest.fixture
def browser(cast, as_):
    return Browser(as_(cast.ana), cast.dataset)


def archive() -> bytes:
    """A COCO archive of one picture with one mask."""
    shape = np.zeros((200, 300), bool)
    shape[40:90, 50:150] = True
    annotation = {"id": 1, "image_id": 1, "category_id": 1, "iscrowd": 0, "segmentation": dict(rle.encode(shape))}
    document = {
        "images": [{"id": 1, "file_name": "a.jpg", "width": 300, "height": 200}],
        "annotations": [annotation],
        "categories": [{"id": 1, "name": "pear"}],
    }
    members = {"images/a.jpg": picture(300, 200, seed=1), "annotations.json": json.dumps(document).encode()}
    return zipped(members)


def listed(browser, which: str = "import"):
    return browser.client.get(browser.list_url, {"for": which} if which else {}).json()["uploads"]


def test_an_archive_in_pieces_is_imported_with_its_masks(browser, cast, data_folder):
    data = archive()
    url = browser.create(len(data), filename="set.zip", fingerprint="f1", import_format="coco")["Location"]
    half = len(data) // 2
    browser.patch(url, 0, data[:half])
    assert [row["received"] for row in listed(browser)] == [half]
    assert listed(browser, "") == [], "it is none of the pictures on their way"
    assert not Job.objects.exists()
    assert browser.head(url)["Upload-Offset"] == str(half)
    assert browser.patch(url, half, data[half:]).status_code == 204
    [row] = listed(browser)
    job = Job.objects.get()
    assert (row["state"], row["job"], job.kind, job.title) == ("done", str(job.pk), "import", "Import set.zip")
    jobkit.run_pending()
    job.refresh_from_db()
    assert (job.result["images_new"], job.result["masks_new"], job.result["refused"]) == (1, 1, 0)
    assert Mask.objects.get().category == "pear"


def test_a_worker_that_is_lost_when_all_is_in_leaves_the_archive_for_the_next(browser, data_folder, monkeypatch):
    browser.send("set.zip", archive(), import_format="coco")
    job = Job.objects.get()

    class Lost(BaseException):
        pass

    def lost():
        raise Lost

    with monkeypatch.context() as patch:
        patch.setattr(jobkit, "_fresh_connection", lost)  # between the end of the work and the word of it
        with pytest.raises(Lost):
            jobkit.run(job.pk)
    assert Mask.objects.count() == 1
    Job.objects.update(lease_expires_at=timezone.now() - timedelta(seconds=1))
    jobkit.sweep()
    assert jobkit.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result["images_known"], job.result["masks_known"]) == ("succeeded", 1, 1)
    assert not list((storage.root() / "imports").iterdir()), "now it is of no more use"


@pytest.mark.django_db(transaction=True)
def test_the_bytes_are_kept_once_and_the_end_may_come_twice(browser, cast, data_folder):
    data = archive()
    url = browser.send("set.zip", data, import_format="auto")
    assert not list((storage.root() / "uploads").iterdir()), "the import has the file now"
    assert browser.patch(url, len(data), b"").status_code == 204
    uploads.upload_finish(upload=Upload.objects.get())
    assert Job.objects.count() == 1
    assert browser.client.delete(url, headers={"Tus-Resumable": "1.0.0"}).status_code == 204
    jobkit.run_pending()
    assert Image.objects.count() == 1, "off the list is not out of the import"


def test_what_is_no_archive_is_told_and_what_is_no_format_refused(browser, cast, data_folder):
    url = browser.send("photo.jpg", picture(30, 20, seed=1), import_format="auto")
    told = browser.client.get(url).json()
    assert (told["state"], told["job"], told["refusals"][0]["code"]) == ("failed", None, "not_an_archive")
    assert not Job.objects.exists()
    refused = browser.create(9, filename="set.zip", import_format="word")
    assert (refused.status_code, refused.json()["code"]) == (400, "import_format")
    assert Upload.objects.count() == 1
