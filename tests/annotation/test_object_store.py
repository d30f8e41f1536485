"""Pictures of an S3-compatible store: taken in without keeping a copy of the original, read again when it is needed.

The store is moto's server: the S3 protocol over HTTP, in this process.
"""

from __future__ import annotations

import boto3
import pytest

from annotation import jobkit, jobs, storage  # noqa: F401  what a worker imports
from annotation.models import Image, Job
from annotation.services import buckets
from tests.cast import picture
from tests.pictures import tiff16


@pytest.fixture
def store(s3, settings):
    """A client of the store: a bucket with a trip, a scan and what is none of our business."""
    buckets._client.cache_clear()
    settings.ANYMASK_S3_ENDPOINT = s3
    settings.ANYMASK_S3_SOURCES = ["photos/2026"]
    client = boto3.client("s3", endpoint_url=s3)
    client.create_bucket(Bucket="photos", CreateBucketConfiguration={"LocationConstraint": "eu-west-1"})
    for key, data in {
        "2026/trip/a.jpg": picture(seed=1),
        "2026/trip/day one/é.jpg": picture(seed=2),
        "2026/trip/words.jpg": b"words",
        "2026/trip/.hidden.jpg": picture(seed=3),
        "2026/trip/": b"",
        "2026/scan/deep.tif": tiff16(),
        "2026-secret/s.jpg": picture(seed=4),
        "other/o.jpg": picture(seed=5),
    }.items():
        client.put_object(Bucket="photos", Key=key, Body=data)
    yield client
    for row in client.list_objects_v2(Bucket="photos")["Contents"]:
        client.delete_object(Bucket="photos", Key=row["Key"])
    client.delete_bucket(Bucket="photos")


@pytest.fixture
def send(cast, as_):
    def one(folder: str, **rights: str):
        url = f"/api/datasets/{cast.dataset.pk}/server-folders/"
        answer = as_(cast.ana).post(url, {"folder": folder, **rights})
        jobkit.run_pending(dataset=cast.dataset)
        return answer

    return one


def latest() -> Job:
    return Job.objects.filter(kind="import_server_folder").order_by("-created_at").first()


def test_a_prefix_is_taken_whole_and_originals_stay(store, cast, as_, send):
    listed = as_(cast.ana).get(f"/api/datasets/{cast.dataset.pk}/server-folders/").json()
    assert listed == {"folders": ["s3://photos/2026", "s3://photos/2026/scan", "s3://photos/2026/trip"]}
    assert send("s3://photos/2026/trip", licence="CC0").status_code == 202
    result = latest().result
    assert (result["files"], result["added"], result["known"], result["refused"]) == (3, 2, 0, 1)
    assert [(row["name"], row["code"]) for row in result["refusals"]] == [("2026/trip/words.jpg", "not_an_image")]
    image = Image.objects.get(file_name="a.jpg")
    assert (image.licence, image.source, image.original_path) == ("CC0", "s3://photos/2026/trip/a.jpg", "")
    kept = {path.name for path in storage.full(image.display_path).parent.iterdir()}
    assert kept == {"display.jpg", "thumbnail.jpg"}, "no copy of the original"
    assert as_(cast.ana).get(f"/api/images/{image.pk}/file/").status_code == 200
    send("s3://photos/2026/trip")
    assert latest().result["known"] == 2, "twice is once"


def test_the_original_is_read_again_when_it_is_needed_and_only_if_it_is_the_same(store, cast, as_, send):
    send("s3://photos/2026/scan")
    image = Image.objects.get(file_name="deep.tif")
    remap = f"/api/images/{image.pk}/mapping/"
    assert as_(cast.ana).post(remap, {"low": [1000], "high": [2000]}).status_code == 202
    jobkit.run_pending(dataset=cast.dataset)
    image.refresh_from_db()
    assert (image.revision, image.mapping["high"]) == (1, [2000])
    store.put_object(Bucket="photos", Key="2026/scan/deep.tif", Body=tiff16(hot=9))
    as_(cast.ana).post(remap, {"low": [0], "high": [9]})
    jobkit.run_pending(dataset=cast.dataset)
    failed = Job.objects.filter(kind="remap_image").order_by("-created_at").first()
    assert (failed.state, failed.error_code) == ("failed", "original_changed")
    store.delete_object(Bucket="photos", Key="2026/scan/deep.tif")
    as_(cast.ana).post(remap, {"low": [0], "high": [9]})
    jobkit.run_pending(dataset=cast.dataset)
    assert Job.objects.filter(kind="remap_image").order_by("-created_at").first().error_code == "s3_missing"


@pytest.mark.parametrize(
    "name", ["s3://photos", "s3://photos/2026-secret", "s3://photos/other", "s3://elsewhere", "s3://", "s3://photos/20"]
)
def test_nothing_else_can_be_reached(store, send, name):
    assert send(name).status_code == 404
    assert not Job.objects.exists()


def test_faces_are_blurred_so_no_way_leads_to_the_original(store, cast, send):
    cast.dataset.blur_faces = True
    cast.dataset.save()
    send("s3://photos/2026/scan")
    image = Image.objects.get(file_name="deep.tif")
    assert (image.original_url, image.original_path) == ("", image.display_path)


def test_a_store_that_is_silent_is_a_sentence(settings, monkeypatch, cast, as_, send):
    for name in ("ACCESS_KEY_ID", "SECRET_ACCESS_KEY"):
        monkeypatch.setenv(f"AWS_{name}", "x")
    monkeypatch.setenv("AWS_DEFAULT_REGION", "eu-west-1")
    settings.ANYMASK_S3_ENDPOINT, settings.ANYMASK_S3_SOURCES = "http://127.0.0.1:9", ["photos"]
    listed = as_(cast.ana).get(f"/api/datasets/{cast.dataset.pk}/server-folders/")
    assert listed.json() == {"folders": ["s3://photos"]}
    send("s3://photos")
    assert (latest().state, latest().error_code) == ("failed", "s3_unreachable")


def test_pictures_that_are_too_large_are_not_fetched(store, settings, send):
    settings.ANYMASK_MAX_IMAGE_BYTES = 100
    send("s3://photos/2026/scan")
    assert [row["code"] for row in latest().result["refusals"]] == ["image_file_too_large"]
