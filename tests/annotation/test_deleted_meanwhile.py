"""What is deleted while others work on it: a clear refusal, never a crash, and no file is left."""

from __future__ import annotations

import os
import time
import uuid

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile

from annotation import jobkit, jobs, storage
from annotation.errors import Missing
from annotation.ingest.cage import Cage
from annotation.models import Dataset, Image, Job, Mask, Track
from annotation.services import images, masks, tracks
from tests.cast import add_image, add_video, client_of, ellipse, make_cast, mask_body, picture

pytestmark = pytest.mark.django_db(transaction=True)  # foreign keys are checked when a transaction really commits


def files_below(folder) -> list[str]:
    return [name for _path, _folders, names in os.walk(folder) for name in names]


def test_a_mask_for_an_image_that_goes_away(monkeypatch):
    cast = make_cast()
    image = add_image(cast.dataset)
    before = masks.checked

    def checked_slowly(*args):
        Image.objects.filter(pk=image.pk).delete()
        return before(*args)

    monkeypatch.setattr(masks, "checked", checked_slowly)
    answer = client_of(cast.ben).put(f"/api/masks/{uuid.uuid4()}/", mask_body(image, ellipse(image)))
    assert (answer.status_code, answer.json()["code"]) == (404, "image_gone")
    assert not Mask.objects.exists()


def test_an_upload_into_a_dataset_that_goes_away(monkeypatch, data_folder):
    cast = make_cast()
    decode = Cage.decode

    def decode_slowly(cage, source, folder):
        Dataset.objects.all().delete()
        return decode(cage, source, folder)

    monkeypatch.setattr(Cage, "decode", decode_slowly)
    files = [SimpleUploadedFile("a.jpg", picture())]
    answer = client_of(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/images/", {"files": files}, format="multipart")
    assert (answer.status_code, answer.json()["code"]) == (400, "upload_rejected")
    assert "The dataset was deleted meanwhile." in answer.json()["message"]
    assert files_below(data_folder / "images") == []


def test_an_upload_whose_first_pictures_are_deleted_before_the_last_is_in(monkeypatch):
    cast = make_cast()
    decode = Cage.decode

    def decode_slowly(cage, source, folder):
        Image.objects.all().delete()
        return decode(cage, source, folder)

    monkeypatch.setattr(Cage, "decode", decode_slowly)
    files = [SimpleUploadedFile(f"{seed}.jpg", picture(seed=seed)) for seed in range(3)]
    answer = client_of(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/images/", {"files": files}, format="multipart")
    assert (answer.status_code, [row["file_name"] for row in answer.json()["accepted"]]) == (201, ["2.jpg"])


def test_a_row_that_goes_away_between_two_looks_is_a_404(monkeypatch):
    cast = make_cast()
    image = add_image(cast.dataset)
    monkeypatch.setattr(images, "image_update", lambda *, image, **_: image.delete())
    answer = client_of(cast.ana).patch(f"/api/images/{image.pk}/", {"credit": "x"})
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


def test_a_track_that_is_ended_while_it_is_named(monkeypatch):
    cast = make_cast()
    track = Track.objects.create(video=add_video(cast.dataset))
    update = tracks.track_update

    def update_slowly(**told):
        Track.objects.all().delete()
        return update(**told)

    monkeypatch.setattr(tracks, "track_update", update_slowly)
    answer = client_of(cast.ben).patch(f"/api/tracks/{track.uuid}/", {"category": "plum"}, format="json")
    assert (answer.status_code, answer.json()["code"]) == (404, "track_gone")


def test_a_job_for_a_dataset_that_is_gone():
    dataset = make_cast().dataset
    jobkit.declare("late", queue="io")
    Dataset.objects.all().delete()
    with pytest.raises(Missing, match="deleted meanwhile"):
        jobkit.enqueue("late", {}, dataset=dataset, dedupe_key="once")


def test_a_job_whose_dataset_is_deleted_under_it():
    dataset = make_cast().dataset

    def work(ctx):
        dataset.delete()
        raise RuntimeError("nothing left to work on")

    jobkit.job("orphan", queue="io")(work)
    assert jobkit.run(jobkit.enqueue("orphan", {}, dataset=dataset).pk)
    assert not Job.objects.exists()


def test_a_dataset_takes_the_archives_of_its_imports_along(data_folder):
    cast = make_cast()
    upload = SimpleUploadedFile("x.zip", b"PK\x03\x04 broken")
    answer = client_of(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/imports/", {"file": upload}, format="multipart")
    assert answer.status_code == 202
    assert files_below(data_folder / "imports") == ["upload.zip"]
    assert client_of(cast.ana).delete(f"/api/datasets/{cast.dataset.pk}/").status_code == 204
    assert files_below(data_folder / "imports") == []


def test_the_archive_of_a_failed_import_is_kept_for_two_days(data_folder):
    cast = make_cast()
    upload = SimpleUploadedFile("x.zip", b"PK\x03\x04 broken")
    client_of(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/imports/", {"file": upload}, format="multipart")
    job = Job.objects.get()
    folder = storage.full(storage.path_for("imports", str(job.pk)))
    long_ago = time.time() - jobs.LEFTOVER_SECONDS - 60
    os.utime(folder, (long_ago, long_ago))
    jobs.remove_leftovers()
    assert folder.exists(), "it still waits for its worker"
    jobkit.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.error_code) == ("failed", "archive_damaged")
    os.utime(folder, (long_ago, long_ago))
    jobs.remove_leftovers()
    assert not folder.exists()
