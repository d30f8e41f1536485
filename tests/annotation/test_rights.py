"""Rights in bulk; removal for good leaves a tombstone and nothing of the picture; nothing served carries metadata."""

from __future__ import annotations

import io
import zipfile

import pytest
from django.core.files.uploadedfile import SimpleUploadedFile
from PIL import Image as Picture

from annotation import jobkit, storage
from annotation import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from annotation.models import Image, Job, Mask, Tombstone
from annotation.services import exports, packing
from annotation.services.rights import images_remove
from engine.forgetting import image_forget
from engine.models import Embedding, ModelVersion, Snapshot, SnapshotImage
from tests.cast import add_image, add_mask, picture


def upload(client, dataset, data: bytes, name: str = "a.jpg"):
    url = f"/api/datasets/{dataset.pk}/images/"
    return client.post(url, {"files": [SimpleUploadedFile(name, data)]}, format="multipart")


def with_gps(kind: str) -> bytes:
    exif = Picture.Exif()
    exif[0x010F] = "A telephone"
    exif[0x8825] = {1: "N", 2: (48.0, 8.0, 0.0), 3: "E", 4: (11.0, 34.0, 0.0)}
    buffer = io.BytesIO()
    Picture.open(io.BytesIO(picture(400, 300))).save(buffer, kind, exif=exif, comment=b"taken at home")
    return buffer.getvalue()


@pytest.mark.parametrize("kind", ["JPEG", "PNG", "WEBP"])
def test_nothing_that_is_served_says_where_a_picture_was_taken(cast, as_, kind):
    client = as_(cast.ana)
    row = upload(client, cast.dataset, with_gps(kind)).json()["accepted"][0]
    for url in (row["file_url"], row["thumbnail_url"]):
        served = b"".join(client.get(url).streaming_content)
        with Picture.open(io.BytesIO(served)) as shown:
            assert not dict(shown.getexif())
            assert "comment" not in shown.info
        assert b"A telephone" not in served
        assert b"taken at home" not in served
    assert b"A telephone" in storage.full(Image.objects.get().original_path).read_bytes(), "the original is whole"


def test_rights_of_some_and_of_all(cast, as_):
    first, second, third = (add_image(cast.dataset, seed=seed) for seed in range(3))
    client, url = as_(cast.ana), f"/api/datasets/{cast.dataset.pk}/rights/"
    some = {"images": [first.pk, second.pk], "licence": "CC0", "consent": "given"}
    assert client.post(url, some).json() == {"images": 2}
    assert client.post(url, {"all": True, "credit": "Ana"}).json() == {"images": 3}
    rows = Image.objects.order_by("pk").values_list("licence", "consent", "credit")
    assert list(rows) == [("CC0", "given", "Ana"), ("CC0", "given", "Ana"), ("", "", "Ana")]
    assert client.get(f"/api/images/{third.pk}/").json()["consent"] == ""


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ({"all": True}, "rights_empty"),
        ({"images": [], "licence": "x"}, "invalid"),
        ({"licence": "x"}, "invalid"),
        ({"images": [1], "all": True, "licence": "x"}, "invalid"),
        ({"images": [999_999_999], "licence": "x"}, "images_unknown"),
        ({"all": True, "consent": "perhaps"}, "invalid"),
    ],
)
def test_nobody_sets_what_was_not_meant(cast, as_, image, body, code):
    answer = as_(cast.ana).post(f"/api/datasets/{cast.dataset.pk}/rights/", body)
    assert (answer.status_code, answer.json()["code"]) == (400, code)
    assert Image.objects.get().licence == ""


@pytest.fixture
def removed(cast, as_, data_folder, django_capture_on_commit_callbacks):
    """A picture that was labelled, encoded, exported and learnt from, and then removed."""
    client = as_(cast.ana)
    data = picture(seed=7)
    image = Image.objects.get(pk=upload(client, cast.dataset, data, "Erika.jpg").json()["accepted"][0]["id"])
    add_mask(image)
    version = ModelVersion.objects.create(
        digest="c" * 64,
        name="own",
        variant="x",
        state="promoted",
        checkpoint_path="models/c/x",
        decoder_path="models/c/y",
    )
    path = storage.path_for("embeddings", "c" * 64, image.sha256[:2], f"{image.sha256}.f16")
    storage.write_atomic(path, b"maps")
    Embedding.objects.create(image=image, version=version, path=path, layout=[], frame={}, byte_size=4)
    export = Job.objects.create(kind="export", title="x", queue="io", dataset=cast.dataset, state="succeeded")
    storage.write_atomic(storage.path_for("exports", str(export.pk), "dataset.zip"), b"copies")
    snapshot = Snapshot.objects.create(
        dataset=cast.dataset, digest="d" * 64, path=storage.path_for("snapshots", cast.dataset.pk, "d" * 64), counts={}
    )
    storage.write_atomic(f"{snapshot.path}/picture.jpg", data)
    SnapshotImage.objects.create(snapshot=snapshot, sha256=image.sha256, parts={"train": [1]})
    with django_capture_on_commit_callbacks(execute=True):
        answer = client.post(
            f"/api/datasets/{cast.dataset.pk}/removals/", {"images": [image.pk], "reason": "asked for by letter"}
        )
    assert answer.json() == {"images": 1}
    image_forget(dataset=cast.dataset, image_id=image.pk, sha256=image.sha256)
    return data, image


def test_removal_leaves_a_tombstone_and_nothing_of_the_picture(removed, cast, as_, data_folder):
    _, image = removed
    assert not Image.objects.exists()
    assert not Mask.objects.exists()
    assert not Embedding.objects.exists()
    assert [path for path in data_folder.rglob("*") if path.is_file()] == []
    stone = Tombstone.objects.get()
    assert (stone.sha256, stone.reason, stone.created_by) == (image.sha256, "asked for by letter", cast.ana)
    listed = as_(cast.ana).get(f"/api/datasets/{cast.dataset.pk}/removals/").json()
    assert [(row["removed_by"], row["reason"]) for row in listed] == [("ana", "asked for by letter")]
    assert "Erika" not in str(list(Tombstone.objects.values()))
    assert Snapshot.objects.count() == 1, "models descend from it; it names the picture by its digest alone"


def test_what_was_removed_is_refused_with_a_sentence(removed, cast, as_):
    data, _ = removed
    answer = upload(as_(cast.ana), cast.dataset, data)
    rejected = answer.json()["details"]["rejected"][0]
    assert rejected["code"] == "image_removed"
    assert "removed for good" in rejected["message"]
    assert upload(as_(cast.ana), cast.dataset, picture(seed=8)).status_code == 201


def test_an_export_that_a_removal_overtakes_is_written_anew(cast, monkeypatch):
    """It has read the picture before it was removed: what it wrote is thrown away."""
    kept, gone = [add_image(cast.dataset, seed=seed) for seed in (1, 2)]
    pack = packing.pack
    calls = []

    def slow(*args):
        calls.append(args)
        if len(calls) == 1:
            images_remove(dataset=cast.dataset, image_ids=[gone.pk], user=cast.ana, reason="asked for")
        return pack(*args)

    monkeypatch.setattr(packing, "pack", slow)
    job = exports.export_request(dataset=cast.dataset, export_format="coco", user=cast.ana)
    jobkit.run_pending()
    job.refresh_from_db()
    assert (job.state, len(calls), job.result["images"]) == ("succeeded", 2, 1)
    with zipfile.ZipFile(exports.export_file(job=job)[0]) as archive:
        pictures = [name for name in archive.namelist() if name.startswith("images/")]
    assert [int(name.split("/")[1][:8]) for name in pictures] == [kept.pk]
