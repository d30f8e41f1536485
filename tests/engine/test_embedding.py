"""An image is encoded once per version, whoever asks and however often; what somebody looks at goes first."""

from __future__ import annotations

import numpy as np
import pytest

from annotation import jobkit, storage
from annotation.errors import NotReady
from annotation.models import Job, Task
from annotation.services.tasks import task_claim_next
from annotation.signals import image_uploaded
from engine import embeddings, jobs  # noqa: F401  binds the functions of the jobs
from engine.models import Embedding
from engine.segmenter import OnnxSegmenter
from modelzoo.embedding import Embedding as Value
from modelzoo.geometry import Frame
from tests.cast import add_image, make_cast
from tests.engine.conftest import version_row


class CountingPredictor:
    """Encodes to the mean colour, and counts how often it was asked."""

    def __init__(self):
        self.calls = 0

    def encode(self, image: np.ndarray) -> Value:
        self.calls += 1
        height, width = image.shape[:2]
        tensor = np.full((3, 2, 2), 0.5, np.float32) * image.mean() / 255
        return Value({"coarse": tensor}, Frame((height, width), (32, 48), (32, 48)))


@pytest.fixture
def predictor(monkeypatch) -> CountingPredictor:
    counting = CountingPredictor()
    monkeypatch.setattr(embeddings, "predictor_for", lambda version: counting)
    return counting


def test_encoding_twice_is_encoding_once(image, base, predictor):
    first = embeddings.image_embed(image=image, version=base)
    assert embeddings.image_embed(image=image, version=base) == first
    assert predictor.calls == 1
    data = storage.full(first.path).read_bytes()
    assert len(data) == first.byte_size == 3 * 2 * 2 * 2
    assert first.layout == [{"name": "coarse", "shape": [3, 2, 2]}]
    assert first.frame["original_size"] == [image.height, image.width]
    value = Value.from_bytes(data, first.layout, Frame.from_dict(first.frame))
    assert value.tensors["coarse"].dtype == np.float32


def test_every_version_has_its_own_file(image, base, predictor):
    other = version_row("other", dataset=image.dataset, state="promoted")
    paths = {embeddings.image_embed(image=image, version=version).path for version in (base, other)}
    assert len(paths) == 2
    assert predictor.calls == 2


def test_the_same_picture_in_two_datasets_is_encoded_once(cast, base, predictor):
    images = [add_image(dataset, seed=3) for dataset in (cast.dataset, make_cast("Vegetables").dataset)]
    rows = [embeddings.image_embed(image=image, version=base) for image in images]
    assert predictor.calls == 1
    assert rows[0].path == rows[1].path


@pytest.mark.django_db(transaction=True)
def test_the_shared_file_stays_until_the_last_dataset_lets_go(cast, base, predictor):
    images = [add_image(dataset, seed=3) for dataset in (cast.dataset, make_cast("Vegetables").dataset)]
    rows = [embeddings.image_embed(image=image, version=base) for image in images]
    path = storage.full(rows[0].path)
    images[0].delete()
    assert path.exists()
    images[1].delete()
    assert not path.exists()


def test_a_job_is_queued_once_and_makes_the_image_ready(image, base, predictor):
    assert embeddings.readiness(image).state == "absent"
    job = embeddings.embedding_request(image=image)
    assert embeddings.embedding_request(image=image) == job
    assert job.queue == "interactive"
    assert embeddings.readiness(image).state == "pending"
    jobkit.run_pending()
    assert embeddings.readiness(image).state == "ready"
    assert embeddings.embedding_request(image=image) is None


def test_a_missing_file_is_said_plainly(image, base, predictor):
    storage.remove(image.display_path)
    embeddings.embedding_request(image=image)
    jobkit.run_pending()
    state = embeddings.readiness(image)
    assert (state.state, state.job.error_code) == ("failed", "file_missing")


def test_a_deleted_image_is_passed_over(image, base, predictor):
    embeddings.embedding_request(image=image)
    Job.objects.update(dataset=None)
    image.delete()
    jobkit.run_pending()
    assert Job.objects.get().state == "succeeded"


def test_an_upload_waits_behind_what_somebody_looks_at(image, base):
    image_uploaded.send(sender=None, image_id=image.pk)
    assert Job.objects.get().queue == "batch"
    assert embeddings.embedding_request(image=image).queue == "interactive"


def test_an_upload_before_there_is_a_model_queues_nothing(image):
    image_uploaded.send(sender=None, image_id=image.pk)
    assert not Job.objects.exists()


def test_claiming_a_task_prepares_the_next_images(cast, base, django_capture_on_commit_callbacks):
    images = [add_image(cast.dataset, seed=seed) for seed in range(6)]
    with django_capture_on_commit_callbacks(execute=True):
        task = task_claim_next(dataset=cast.dataset, user=cast.ben)
    assert task.image == images[0]
    queued = Job.objects.filter(kind="embed_image").order_by("created_at")
    assert [job.payload["image"] for job in queued] == [image.pk for image in images[:4]]


def test_after_a_switch_the_images_at_hand_are_prepared_anew(cast, base, predictor):
    images = [add_image(cast.dataset, seed=seed) for seed in range(3)]
    Task.objects.filter(image=images[2]).update(state="submitted")
    task_claim_next(dataset=cast.dataset, user=cast.ben)
    assert embeddings.embeddings_rebuild(dataset_id=cast.dataset.pk) == 2
    assert {job.payload["image"] for job in Job.objects.filter(kind="embed_image")} == {images[0].pk, images[1].pk}


def test_readiness_of_many_costs_the_same_few_queries(cast, base, predictor, django_assert_max_num_queries):
    images = [add_image(cast.dataset, seed=seed) for seed in range(8)]
    embeddings.image_embed(image=images[0], version=base)
    embeddings.embedding_request(image=images[1])
    with django_assert_max_num_queries(5):
        states = OnnxSegmenter().readiness([image.pk for image in images] + [999_999])
    assert states == {
        images[0].pk: "ready",
        images[1].pk: "pending",
        **{image.pk: "absent" for image in images[2:]},
        999_999: "absent",
    }


def test_without_a_model_nothing_is_ready_and_nobody_is_misled(image):
    assert OnnxSegmenter().readiness([image.pk]) == {image.pk: "absent"}
    with pytest.raises(NotReady):
        embeddings.readiness(image)


def test_a_row_whose_file_was_lost_is_made_anew(image, base, predictor, monkeypatch):
    row = embeddings.image_embed(image=image, version=base)
    storage.remove(row.path)
    monkeypatch.setattr("engine.segmenter.decoder_for", lambda version: None)
    with pytest.raises(NotReady):
        OnnxSegmenter().predict(image.pk, np.ones((1, 2)), np.ones(1), None, None)
    assert not Embedding.objects.exists()
    assert embeddings.readiness(image).state == "pending", "asking has had it queued"
