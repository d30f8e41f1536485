"""The browser's way to an embedding: ask, wait, load once and keep for ever; never more than one's own datasets."""

from __future__ import annotations

import io
import json

import numpy as np
import pytest

from annotation import jobkit, storage
from annotation.models import Job
from engine import embeddings, jobs  # noqa: F401  binds the functions of the jobs
from engine.models import ModelVersion
from engine.serving import PARTS, WEIGHTS
from modelzoo.embedding import Embedding as Value
from modelzoo.geometry import Frame
from tests.cast import client_of
from tests.engine.conftest import version_row


@pytest.fixture(autouse=True)
def predictor(monkeypatch):
    """Encodes any image to the same eight numbers."""

    class Predictor:
        def encode(self, image):
            height, width = image.shape[:2]
            tensor = np.arange(8, dtype=np.float32).reshape(2, 2, 2)
            return Value({"coarse": tensor}, Frame((height, width), (32, 48), (32, 48)))

    monkeypatch.setattr(embeddings, "predictor_for", lambda version: Predictor())


@pytest.fixture
def ready(image, base):
    embeddings.image_embed(image=image, version=base)
    return image


def test_asking_for_an_absent_embedding_queues_it_once(image, base, cast, as_):
    client = as_(cast.vic)
    first = client.get(f"/api/images/{image.pk}/embedding/").json()
    assert (first["state"], first["url"], first["layout"], first["frame"]) == ("pending", None, [], None)
    assert first["message"]
    assert client.get(f"/api/images/{image.pk}/embedding/").json()["job"] == first["job"]
    assert [str(job.pk) for job in Job.objects.all()] == [first["job"]]
    jobkit.run_pending()
    last = client.get(f"/api/images/{image.pk}/embedding/").json()
    assert last["state"] == "ready"
    assert last["model"] == base.digest
    assert last["layout"] == [{"name": "coarse", "shape": [2, 2, 2]}]
    assert last["frame"]["original_size"] == [image.height, image.width]
    assert last["url"] == f"/api/embeddings/{image.sha256}/{base.digest}/"
    assert last["decoder_url"] == f"/api/models/{base.digest}/decoder/"


def test_a_failure_is_told_and_can_be_tried_again(image, base, cast, as_, monkeypatch):
    storage.remove(image.display_path)
    client = as_(cast.ben)
    client.get(f"/api/images/{image.pk}/embedding/")
    jobkit.run_pending()
    failed = client.get(f"/api/images/{image.pk}/embedding/").json()
    assert failed["state"] == "failed"
    assert "gone" in failed["message"]
    assert client.post(f"/api/images/{image.pk}/embedding/").json()["state"] == "pending"


def test_without_a_model_the_answer_is_not_yet(image, cast, as_):
    answer = as_(cast.ben).get(f"/api/images/{image.pk}/embedding/")
    assert (answer.status_code, answer.json()["code"]) == (503, "no_model")


def test_the_file_is_float16_and_cached_for_ever(ready, base, cast, as_):
    client = as_(cast.vic)
    url = client.get(f"/api/images/{ready.pk}/embedding/").json()["url"]
    answer = client.get(url)
    assert answer.headers["Content-Type"] == "application/octet-stream"
    assert answer.headers["Cache-Control"] == "private, max-age=31536000, immutable"
    assert json.loads(answer.headers["X-Embedding-Layout"]) == [{"name": "coarse", "shape": [2, 2, 2]}]
    data = b"".join(answer.streaming_content)
    assert np.frombuffer(data, "<f2").tolist() == list(range(8))
    assert answer.headers["Content-Length"] == str(len(data))
    again = client.get(url, headers={"If-None-Match": answer.headers["ETag"]})
    assert again.status_code == 304
    assert again.headers["Cache-Control"] == answer.headers["Cache-Control"]
    assert again.content == b""


def test_strangers_find_nothing(ready, base, cast):
    own = version_row("own", dataset=cast.dataset, state="promoted")
    for user, status in ((cast.cyd, 404), (None, 401)):
        client = client_of(user)
        for url in (
            f"/api/images/{ready.pk}/embedding/",
            f"/api/embeddings/{ready.sha256}/{base.digest}/",
            f"/api/models/{own.digest}/decoder/",
            f"/api/datasets/{cast.dataset.pk}/loop/",
        ):
            assert client.get(url).status_code in (status, 403 if user is None else status), url


def test_a_viewer_may_look_but_not_ask_again(ready, cast, as_):
    assert as_(cast.vic).post(f"/api/images/{ready.pk}/embedding/").status_code == 403


def test_the_decoder_of_a_shared_version_is_for_everybody_signed_in(base, cast, as_):
    path = storage.path_for("models", base.digest, "decoder.onnx")
    storage.write_atomic(path, b"onnx")
    ModelVersion.objects.update(decoder_path=path)
    answer = as_(cast.cyd).get(f"/api/models/{base.digest}/decoder/")
    assert b"".join(answer.streaming_content) == b"onnx"
    assert "immutable" in answer.headers["Cache-Control"]


@pytest.mark.parametrize("digest", ["0" * 64, "nonsense", "../../secret-key", "F" * 64])
def test_unknown_digests_are_not_found(base, cast, as_, digest):
    assert as_(cast.ana).get(f"/api/models/{digest}/decoder/").status_code == 404
    assert as_(cast.ana).get(f"/api/embeddings/{digest}/{digest}/").status_code == 404


def test_work_in_progress_may_stay_with_its_version(ready, base, cast, as_):
    other = version_row("other", dataset=cast.dataset, state="promoted")
    client = as_(cast.ben)
    assert client.get(f"/api/images/{ready.pk}/embedding/?model={other.digest}").json()["state"] == "pending"
    assert client.get(f"/api/images/{ready.pk}/embedding/?model={base.digest}").json()["state"] == "ready"
    assert client.get(f"/api/images/{ready.pk}/embedding/?model=none").status_code == 404


def test_the_parts_of_a_decoder_are_named_and_served_where_there_are_some(base, cast, as_):
    whole = storage.path_for("models", base.digest, "decoder.onnx")
    storage.write_atomic(whole, b"onnx")
    ModelVersion.objects.update(decoder_path=whole)
    url, client = f"/api/models/{base.digest}/decoder/", as_(cast.cyd)
    assert "X-Decoder-Parts" not in client.head(url).headers
    assert client.get(f"{url}views/").json()["code"] == "no_part"
    for part, name in PARTS.items():
        storage.write_atomic(storage.path_for("models", base.digest, name), part.encode())
    assert client.head(url).headers["X-Decoder-Parts"] == "views, prompts"
    for part in PARTS:
        answer = client.get(f"{url}{part}/")
        assert b"".join(answer.streaming_content) == part.encode()
        assert "immutable" in answer.headers["Cache-Control"]
    assert client.get(f"{url}other/").status_code == 404


def test_the_weights_of_the_default_model_s_decoder_are_one_part(base, cast, as_):
    path = storage.path_for("models", base.digest, *WEIGHTS.values())
    storage.write_atomic(path, b"weights")
    ModelVersion.objects.update(decoder_path=storage.path_for("models", base.digest, "decoder.onnx"))
    storage.write_atomic(storage.path_for("models", base.digest, "decoder.onnx"), b"onnx")
    url, client = f"/api/models/{base.digest}/decoder/", as_(cast.cyd)
    assert client.head(url).headers["X-Decoder-Parts"] == "weights"
    assert b"".join(client.get(f"{url}weights/").streaming_content) == b"weights"
    assert client.get(f"{url}prompts/").json()["code"] == "no_part"


def test_the_parts_of_a_dataset_s_own_version_are_for_its_members(cast, as_):
    own = version_row("own", dataset=cast.dataset, state="promoted")
    assert as_(cast.cyd).get(f"/api/models/{own.digest}/decoder/views/").json()["code"] == "unknown_model"


def test_programs_get_each_map_as_a_numpy_file(ready, cast, as_):
    client = as_(cast.vic)
    address = f"/api/images/{ready.pk}/embedding"
    answer = client.get(f"{address}/coarse.npy")
    assert answer.status_code == 200
    tensor = np.load(io.BytesIO(answer.content), allow_pickle=False)
    assert (tensor.dtype, tensor.shape) == (np.dtype("<f2"), (2, 2, 2))
    assert tensor.ravel().tolist() == list(range(8))
    missing = client.get(f"{address}/fine.npy")
    assert (missing.status_code, missing.json()["code"]) == (404, "no_map")


def test_a_map_that_is_not_made_yet_is_made_and_asked_for_again(image, base, cast, as_):
    client = as_(cast.vic)
    answer = client.get(f"/api/images/{image.pk}/embedding/coarse.npy")
    assert (answer.status_code, answer.json()["code"]) == (503, "embedding_pending")
    jobkit.run_pending()
    assert client.get(f"/api/images/{image.pk}/embedding/coarse.npy").status_code == 200
