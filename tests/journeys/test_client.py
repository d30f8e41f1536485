"""The Python client, on real processes: what docs/client.md shows."""

from __future__ import annotations

import json
import subprocess
import sys
import uuid
import zipfile

import numpy as np
import pytest
from pycocotools.coco import COCO

from annotation import client as client_module
from annotation.client import ApiError, Client, JobFailed
from modelzoo import rle
from tests.journeys.conftest import jpeg
from tests.journeys.product import ROOT

pytestmark = pytest.mark.journey


@pytest.fixture(scope="module")
def client(product):
    command = [sys.executable, "manage.py", "token", "demo"]
    done = subprocess.run(command, cwd=ROOT, env=product.environment, capture_output=True, text=True, check=True)
    return Client(f"http://127.0.0.1:{product.port}", done.stdout.strip())


@pytest.fixture(scope="module")
def pears(client, tmp_path_factory):
    """A dataset with two pictures, made by the client."""
    made = client.create_dataset("Pears of a script", licence="CC BY 4.0")
    for number in (60, 61):
        file = tmp_path_factory.mktemp("pictures") / f"pear {number}.jpg"
        file.write_bytes(jpeg(number)[0])
        report = client.upload(made.id, file, licence="CC0", credit="Ana")
        assert (report.state, report.added, report.refusals) == ("done", 1, [])
    return client.dataset(made.id)


def test_a_token_opens_what_its_person_may(client, pears):
    assert client.user() == "demo"
    assert (pears.name, pears.role, pears.image_count) == ("Pears of a script", "lead", 2)
    assert pears.id in {one.id for one in client.datasets()}
    images = list(client.images(pears.id))
    assert [one.licence for one in images] == ["CC0", "CC0"]
    assert client.picture(images[0])[:2] == b"\xff\xd8"
    with pytest.raises(ApiError) as refused:
        client.dataset(10**6)
    assert (refused.value.status, refused.value.code) == (404, "not_found")


def test_masks_are_saved_once_corrected_and_deleted(client, pears):
    image = next(client.images(pears.id))
    coded = dict(rle.encode(np.ones((image.height, image.width), bool)))
    key = str(uuid.uuid4())
    saved = [client.save_mask(image.id, coded, category="pear", mask_id=key) for _ in range(2)]
    assert saved[0] == saved[1]
    assert (saved[0].area, saved[0].bbox) == (image.width * image.height, [0, 0, image.width, image.height])
    small = np.zeros((image.height, image.width), bool)
    small[3:9, 4:8] = True
    better = client.save_mask(image.id, dict(rle.encode(small)), category="pear", parent=key)
    assert [one.id for one in client.masks(image.id)] == [better.id]
    assert {one.id for one in client.masks(image.id, history=True)} >= {key, better.id}
    client.delete_mask(better.id)
    assert client.masks(image.id) == []


def test_the_model_answers_a_click(client, pears):
    image = next(client.images(pears.id))
    offered = client.predict(image.id, points=[[image.width / 2, image.height / 2]], labels=[1])
    assert len(offered) == 3
    assert all(one.segmentation["size"] == [image.height, image.width] for one in offered)
    best = max(offered, key=lambda one: one.predicted_iou)
    saved = client.save_mask(
        image.id, best.segmentation, source="model", model=best.model, predicted_iou=best.predicted_iou
    )
    assert saved.segmentation == best.segmentation
    client.delete_mask(saved.id)


def test_an_upload_that_broke_off_goes_on(client, pears, tmp_path, monkeypatch):
    monkeypatch.setattr(client_module, "PIECE", 20_000)
    archive = tmp_path / "more.zip"
    with zipfile.ZipFile(archive, "w") as file:
        for number in (62, 63, 64):
            file.writestr(f"{number}.jpg", jpeg(number)[0])
        file.writestr("notes.jpg", b"I am no picture.")
    seen: list[int] = []

    class Gone(Exception):
        """The program ends here."""

    def stop(sent: int, total: int) -> None:
        seen.append(sent)
        if sent > total / 3:
            raise Gone

    with pytest.raises(Gone):
        client.upload(pears.id, archive, on_progress=stop)
    again: list[int] = []
    report = client.upload(pears.id, archive, on_progress=lambda sent, total: again.append(sent))
    assert again[0] == seen[-1] > 0
    assert (report.added, report.refused) == (3, 1)
    assert report.refusals[0]["name"] == "notes.jpg"


def test_a_dataset_goes_out_and_comes_back(client, pears, tmp_path):
    image = next(client.images(pears.id))
    coded = dict(rle.encode(np.tri(image.height, image.width, dtype=bool)))
    client.save_mask(image.id, coded, category="slope")
    shares: list[float] = []
    started = client.export(pears.id, "coco", options={"masks": "polygons"}, filters={"masked": True})
    job = client.wait(started.id, on_progress=lambda one: shares.append(one.progress))
    archive = client.download(job, tmp_path / "out")
    with zipfile.ZipFile(archive) as file:
        file.extractall(tmp_path / "read")
    read = COCO(str(tmp_path / "read" / "annotations.json"))
    (annotation,) = read.anns.values()
    assert np.array_equal(read.annToMask(annotation).astype(bool), rle.decode(coded))
    copy = client.create_dataset("Copy of a script")
    report = client.wait(client.import_archive(copy.id, archive).id).result
    assert (report["images_new"], report["masks_new"], report["refused"]) == (1, 1, 0)
    (image,) = client.images(copy.id)
    assert [one.segmentation for one in client.masks(image.id)] == [coded]


def test_a_job_that_fails_says_why(client, tmp_path):
    empty = client.create_dataset("Nothing of a script")
    with pytest.raises(JobFailed, match="nothing to export") as failed:
        client.wait(client.export(empty.id).id)
    assert failed.value.job.error["code"] == "dataset_empty"


def test_it_works_without_django(tmp_path):
    """The folder can be copied next to a script; nothing of Anymask comes along."""
    copy = tmp_path / "anymask_client"
    copy.mkdir()
    for path in (ROOT / "annotation" / "client").glob("*.py"):
        (copy / path.name).write_text(path.read_text())
    probe = "import json, sys, anymask_client; print(json.dumps([m for m in sys.modules if m in ('django', 'numpy')]))"
    done = subprocess.run([sys.executable, "-c", probe], cwd=tmp_path, capture_output=True, text=True, check=True)
    assert json.loads(done.stdout) == []
