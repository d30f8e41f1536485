"""Background work goes on while people write and delete: nothing locks, nothing is left behind."""

from __future__ import annotations

import os
import threading

import numpy as np
import pytest
from django.db import connection

from annotation import jobkit, storage
from annotation.models import Dataset, Image, Task
from engine import embeddings, jobs  # noqa: F401  binds the functions of the jobs
from engine.models import Embedding, Snapshot, TrainingRun
from engine.stages import STAGES
from engine.stages.running import stage_run
from modelzoo.embedding import Embedding as Value
from modelzoo.geometry import Frame
from tests.cast import add_image, client_of, make_cast
from tests.engine.conftest import version_row

pytestmark = pytest.mark.django_db(transaction=True)
MANY = 120  # more than Django reads from a query at once


@pytest.fixture
def many():
    """A dataset with many images and open tasks, and a model."""
    version_row("base", is_default=True)
    dataset = make_cast().dataset
    one = add_image(dataset)
    fields = {name: getattr(one, name) for name in ("width", "height", "media_type", "byte_size", "split")}
    paths = {name: getattr(one, name) for name in ("original_path", "display_path", "thumbnail_path")}
    rows = [Image(dataset=dataset, file_name="x", sha256=f"{n:064x}", **fields, **paths) for n in range(MANY - 1)]
    Task.objects.bulk_create(Task(image=image) for image in Image.objects.bulk_create(rows))
    return dataset


def somebody_else_writes(dataset: Dataset) -> None:
    def write():
        Dataset.objects.filter(pk=dataset.pk).update(description="changed")
        connection.close()

    thread = threading.Thread(target=write)
    thread.start()
    thread.join()


def test_a_stage_writes_while_others_write(many, monkeypatch):
    def image_run(*, image, version, progress):
        somebody_else_writes(many)
        Dataset.objects.filter(pk=many.pk).update(source=image.file_name)
        return 1

    monkeypatch.setattr(STAGES["assisted"], "image_run", image_run)
    assert stage_run(dataset_id=many.pk, stage="assisted", progress=lambda *_: None)["images"] == MANY


def test_a_stage_passes_over_an_image_that_goes_away(many, monkeypatch):
    last = Image.objects.order_by("pk").last()

    def image_run(*, image, version, progress):
        Image.objects.filter(pk=last.pk).delete()
        return 1

    monkeypatch.setattr(STAGES["assisted"], "image_run", image_run)
    result = stage_run(dataset_id=many.pk, stage="assisted", progress=lambda *_: None)
    assert (result["images"], result["failed"]) == (MANY - 1, [])


def test_rebuilding_queues_everything_while_others_write(many):
    assert embeddings.embeddings_rebuild(dataset_id=many.pk, on_image=lambda: somebody_else_writes(many)) == MANY


def test_an_image_deleted_while_it_is_encoded_leaves_no_file(monkeypatch, data_folder):
    version = version_row("base", is_default=True)
    cast = make_cast()
    image = add_image(cast.dataset)

    class Slow:
        def encode(self, pixels):
            client_of(cast.ana).delete(f"/api/images/{image.pk}/")
            return Value({"coarse": np.zeros((3, 2, 2), np.float32)}, Frame((40, 60), (32, 48), (32, 48)))

    monkeypatch.setattr(embeddings, "predictor_for", lambda version: Slow())
    job = embeddings.embedding_request(image=image, version=version)
    jobkit.run(job.pk)
    job.refresh_from_db()
    assert (job.state, job.result, job.attempts) == ("succeeded", {"skipped": "The image was deleted."}, 1)
    assert not Embedding.objects.exists()
    assert not [name for _path, _folders, names in os.walk(data_folder / "embeddings") for name in names]


def test_a_dataset_takes_the_folders_of_its_training_along():
    base = version_row("base", is_default=True)
    cast = make_cast()
    snapshot = Snapshot.objects.create(dataset=cast.dataset, digest="d" * 64, path="snapshots/1/d", counts={})
    run = TrainingRun.objects.create(
        dataset=cast.dataset, trigger="person", base=base, seed=1, snapshot=snapshot, state="finished"
    )
    weights = storage.write_atomic(f"runs/{run.pk}-{'d' * 12}/model.safetensors", b"weights")
    assert client_of(cast.ana).delete(f"/api/datasets/{cast.dataset.pk}/").status_code == 204
    assert not weights.parent.exists()


def test_a_dataset_whose_model_serves_another_one_is_kept():
    base = version_row("base", is_default=True)
    cast, other = make_cast(), make_cast("Vegetables")
    version = version_row("equal weights", dataset=cast.dataset)
    TrainingRun.objects.create(dataset=other.dataset, trigger="person", base=version, seed=1, state="finished")
    answer = client_of(cast.ana).delete(f"/api/datasets/{cast.dataset.pk}/")
    assert (answer.status_code, answer.json()["code"]) == (409, "model_in_use")
    assert Dataset.objects.filter(pk=cast.dataset.pk).exists()
    assert base.is_default
