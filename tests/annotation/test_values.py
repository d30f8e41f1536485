"""Deep pictures give their own values to whoever may see them: lossless, in tiles, made once, gone with the picture."""

from __future__ import annotations

import gzip
import io

import numpy as np
import pytest
import tifffile

from annotation import jobkit, jobs, storage  # noqa: F401  what a worker imports
from annotation.ingest.cage import Cage
from annotation.ingest.values_child import halved
from annotation.models import Dataset, Image, Job
from annotation.services import values
from annotation.services.images import Incoming, image_add, image_delete
from tests.cast import add_image
from tests.pictures import dicom


@pytest.fixture
def add(cast, tmp_path):
    def one(data: bytes, **dataset) -> Image:
        Dataset.objects.filter(pk=cast.dataset.pk).update(**dataset)
        path = tmp_path / "incoming.bin"
        path.write_bytes(data)
        with Cage() as cage:
            cast.dataset.refresh_from_db()
            return image_add(dataset=cast.dataset, incoming=Incoming("x", path), user=cast.ana, cage=cage)[0]

    return one


def saved(array: np.ndarray, **options) -> bytes:
    buffer = io.BytesIO()
    tifffile.imwrite(buffer, array, **options)
    return buffer.getvalue()


def asked(client, image: Image) -> dict:
    """The answer once a worker has been at it."""
    address = client.get(f"/api/images/{image.pk}/").json()["values_url"]
    assert client.get(address).json()["state"] == "pending"
    jobkit.run_pending(dataset=image.dataset)
    return client.get(address).json()


def tile(client, answer: dict, channel: int = 0, level: int = 0, column: int = 0, row: int = 0) -> np.ndarray:
    """Flat values of a tile."""
    address = answer["url"].format(channel=channel, z=level, x=column, y=row)
    got = client.get(address)
    assert got.status_code == 200, got.content
    assert "immutable" in got.headers["Cache-Control"]
    assert got.headers["Content-Encoding"] == "gzip"
    return np.frombuffer(gzip.decompress(b"".join(got.streaming_content)), np.dtype(answer["kind"]).newbyteorder("<"))


def test_sixteen_bits_come_back_as_they_were(add, cast, as_):
    array = np.random.default_rng(1).integers(0, 65_536, (1500, 1100), np.uint16)
    image, client = add(saved(array)), as_(cast.vic)
    answer = asked(client, image)
    assert (answer["state"], answer["kind"], answer["levels"], answer["shown"]) == ("ready", "uint16", 2, [0])
    assert answer["channels"][0]["maximum"] == array.max()
    whole = np.block([[tile(client, answer, 0, 0, x, y).reshape(h, w) for x, w in ((0, 1024), (1, 76))]
                      for y, h in ((0, 1024), (1, 476))])  # fmt: skip
    assert (whole == array).all()
    coarse = tile(client, answer, 0, 1).reshape(750, 550)
    assert coarse[3, 5] == (array[6:8, 10:12].astype(int).sum() + 2) // 4


@pytest.mark.parametrize(
    ("array", "kind"),
    [
        (np.array([[-5.5, 3e9], [0.25, np.nan]], np.float64), "float32"),
        (np.array([[-70_000, 5], [0, 9]], np.int32), "float32"),
        (np.array([[-700, 5], [0, 9]], np.int16), "int16"),
        (np.array([[1, 70], [0, 9]], ">u2"), "uint16"),
    ],
)
def test_other_kinds_keep_their_values(add, cast, as_, array, kind):
    client = as_(cast.ben)
    answer = asked(client, add(saved(array)))
    assert answer["kind"] == kind
    np.testing.assert_array_equal(tile(client, answer), array.astype(kind).ravel())


def test_every_channel_is_there_also_those_that_are_not_shown(add, cast, as_):
    array = np.stack([np.full((8, 9), 100 * (1 + c), np.uint16) + np.arange(9, dtype=np.uint16) for c in range(5)], -1)
    client = as_(cast.ben)
    image = add(saved(array, photometric="minisblack", planarconfig="contig"))
    answer = asked(client, image)
    assert (len(answer["channels"]), answer["shown"]) == (5, [0, 1, 2])
    for channel in range(5):
        np.testing.assert_array_equal(tile(client, answer, channel), array[..., channel].ravel())
    missing = client.get(answer["url"].format(channel=5, z=0, x=0, y=0))
    assert (missing.status_code, missing.json()["code"]) == (404, "file_missing")


def test_a_turned_picture_gives_them_upright(add, cast, as_):
    array = np.arange(6, dtype=np.uint16).reshape(2, 3) * 1000
    client = as_(cast.ben)
    image = add(saved(array, extratags=[(274, "H", 1, 6, True)]))
    assert (image.width, image.height) == (2, 3)
    np.testing.assert_array_equal(tile(client, asked(client, image)), np.rot90(array, -1).ravel())


def test_a_scan_tells_the_window_of_its_file(add, cast, as_):
    answer = asked(as_(cast.ben), add(dicom()))
    mapping = Image.objects.latest("pk").mapping
    assert [answer["channels"][0][end] for end in ("low", "high")] == [mapping["low"][0], mapping["high"][0]]


def test_what_a_lead_stores_is_where_people_begin(add, cast, as_):
    image, client = add(saved(np.arange(0, 60_000, 100, np.uint16).reshape(20, 30))), as_(cast.ana)
    asked(client, image)
    assert client.post(f"/api/images/{image.pk}/mapping/", {"low": [2000], "high": [2500]}).status_code == 202
    jobkit.run_pending(dataset=cast.dataset)
    answer = client.get(f"/api/images/{image.pk}/values/").json()
    assert (answer["state"], answer["channels"][0]["low"], answer["channels"][0]["high"]) == ("ready", 2000, 2500)


def test_they_are_made_once_and_go_with_the_picture(add, cast, as_, django_capture_on_commit_callbacks):
    image, client = add(saved(np.arange(600, dtype=np.uint16).reshape(20, 30))), as_(cast.vic)
    for _ in range(3):
        client.get(f"/api/images/{image.pk}/values/")
    assert Job.objects.filter(kind="keep_values").count() == 1
    jobkit.run_pending(dataset=cast.dataset)
    index = storage.full(values.tile_path(image, "index.json"))
    assert index.is_file()
    with django_capture_on_commit_callbacks(execute=True):
        image_delete(image=image)
    assert not index.exists()


def test_after_a_failure_people_are_told_and_may_try_again(add, cast, as_):
    image, client = add(saved(np.arange(600, dtype=np.uint16).reshape(20, 30))), as_(cast.ben)
    original = storage.full(image.original_path)
    kept = original.read_bytes()
    original.write_bytes(kept[:40])
    answer = asked(client, image)
    assert (answer["state"], answer["url"]) == ("failed", None)
    assert answer["message"]
    original.write_bytes(kept)
    assert client.get(f"/api/images/{image.pk}/values/").json()["state"] == "failed"
    assert client.post(f"/api/images/{image.pk}/values/").json()["state"] == "pending"
    jobkit.run_pending(dataset=cast.dataset)
    assert client.get(f"/api/images/{image.pk}/values/").json()["state"] == "ready"


def test_pictures_without_own_values_say_so(add, cast, as_, monkeypatch):
    client = as_(cast.ben)
    plain = add_image(cast.dataset)
    assert client.get(f"/api/images/{plain.pk}/").json()["values_url"] is None
    assert client.get(f"/api/images/{plain.pk}/values/").json()["code"] == "values_absent"
    deep = add(saved(np.arange(600, dtype=np.uint16).reshape(20, 30)))
    monkeypatch.setattr(values, "MAX_VALUES", 500)
    assert client.get(f"/api/images/{deep.pk}/").json()["values_url"] is None
    answer = client.get(f"/api/images/{deep.pk}/values/")
    assert (answer.status_code, answer.json()["code"]) == (409, "values_too_many")


def test_where_faces_were_blurred_no_value_of_the_original_is_shown(add, cast, as_):
    image = add(saved(np.arange(6000, dtype=np.uint16).reshape(60, 100)), blur_faces=True)
    answer = as_(cast.ana).get(f"/api/images/{image.pk}/values/")
    assert (answer.status_code, answer.json()["code"]) == (409, "original_not_kept")


def test_strangers_see_none(add, cast, as_):
    image = add(saved(np.arange(600, dtype=np.uint16).reshape(20, 30)))
    asked(as_(cast.vic), image)
    for address in ("values/", "values/0/0/0/0/"):
        assert as_(cast.cyd).get(f"/api/images/{image.pk}/{address}").status_code == 404


def test_odd_sizes_are_halved_to_the_edge():
    array = np.array([[1, 3, 10], [5, 7, 20]], np.uint16)
    np.testing.assert_array_equal(halved(array), [[4, 15]])
    assert np.isnan(halved(np.array([[np.nan, 1.0]], np.float32))).all()
