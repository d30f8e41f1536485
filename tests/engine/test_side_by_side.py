"""Two versions on the same images: the same prompts to both, by a job and on the page."""

from __future__ import annotations

import shutil

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from annotation import storage
from annotation.jobkit import run_pending
from annotation.models import Job
from engine import jobs, side_by_side  # noqa: F401  binds the functions of the jobs
from engine.embeddings import image_embed
from engine.models import Embedding, ModelVersion, VersionComparison
from tests.cast import add_image, add_mask, ellipse
from tests.engine.conftest import version_row


@pytest.fixture
def twin(cast, real_base) -> ModelVersion:
    """The same weights under another digest: every answer must be the same."""
    folder = storage.path_for("models", "c" * 64)
    shutil.copytree(storage.full(storage.path_for("models", real_base.digest)), storage.full(folder))
    name = real_base.checkpoint_path.rpartition("/")[2]
    paths = {"checkpoint_path": f"{folder}/{name}", "decoder_path": f"{folder}/decoder.onnx"}
    return version_row("twin", digest="c" * 64, dataset=cast.dataset, state="refused", **paths)


def started(cast, client, first, second, images) -> dict:
    body = {"first": first.digest, "second": second.digest, "images": [image.pk for image in images]}
    answer = client.post(f"/api/datasets/{cast.dataset.pk}/comparisons/", body, format="json")
    return {"status": answer.status_code, **answer.json()}


def test_the_same_weights_give_the_same_answers_to_the_same_prompts(cast, as_, real_base, twin):
    image, bare = add_image(cast.dataset, seed=1), add_image(cast.dataset, seed=2)
    masks = [add_mask(image, ellipse(image, x=x, size=0.2)) for x in (0.3, 0.7)]
    add_mask(image, status="proposed")
    told = started(cast, as_(cast.ben), real_base, twin, [image, bare])
    assert (told["status"], told["result"], told["finished_at"]) == (201, None, None)
    assert told["message"] == "Waiting for a worker."
    run_pending()
    done = as_(cast.vic).get(f"/api/datasets/{cast.dataset.pk}/comparisons/{told['id']}/").json()
    first, second = done["result"]["images"]
    assert {line["mask"] for line in first["masks"]} == {str(mask.uuid) for mask in masks}
    for line in first["masks"]:
        for prompt in ("click", "box"):
            assert line[prompt][0] == line[prompt][1]
            assert 0 <= line[prompt][0] <= 1
    assert first["click"][0] == pytest.approx(np.mean([line["click"][0] for line in first["masks"]]))
    assert (second["count"], second["click"]) == (0, None)
    assert done["result"]["means"]["count"] == 2
    # Prompts on the page are answered at once for both.
    assert Embedding.objects.count() == 4


def test_the_page_asks_either_version_with_the_same_prompt(cast, as_, real_base, twin):
    image = add_image(cast.dataset)
    image_embed(image=image, version=twin)
    client = as_(cast.ben)
    body = {"points": [[30, 20]], "labels": [1]}
    answer = client.post(f"/api/images/{image.pk}/predict/", {**body, "model": twin.digest}, format="json")
    assert (answer.status_code, answer.json()["model"]) == (200, twin.digest)
    waits = client.post(f"/api/images/{image.pk}/predict/", body, format="json")
    assert (waits.status_code, waits.json()["code"]) == (503, "embedding_pending")
    unknown = client.post(f"/api/images/{image.pk}/predict/", {**body, "model": "d" * 64}, format="json")
    assert (unknown.status_code, unknown.json()["code"]) == (404, "unknown_model")


def test_what_cannot_be_compared_is_a_sentence(cast, as_, base):
    other = version_row("other", dataset=cast.dataset, state="promoted")
    image = add_image(cast.dataset)
    client = as_(cast.ana)
    assert started(cast, client, base, base, [image])["code"] == "same_version"
    assert started(cast, client, base, other, [])["code"] == "bad_images"
    answer = client.post(
        f"/api/datasets/{cast.dataset.pk}/comparisons/",
        {"first": base.digest, "second": other.digest, "images": [10**9]},
        format="json",
    )
    assert answer.status_code == 404
    foreign = version_row("foreign", state="candidate")
    foreign.dataset_id = type(cast.dataset).objects.create(name="elsewhere").pk
    foreign.save()
    assert started(cast, client, base, foreign, [image])["code"] == "unknown_model"
    assert started(cast, client, base, other, [image])["status"] == 201
    assert started(cast, client, base, other, [image])["code"] == "comparison_open"
    assert VersionComparison.objects.count() == 1


def test_a_failed_comparison_says_why_and_a_deleted_image_is_left_out(cast, as_, real_base, twin):
    image, gone = add_image(cast.dataset, seed=1), add_image(cast.dataset, seed=2)
    told = started(cast, as_(cast.ana), real_base, twin, [image, gone])
    gone.delete()
    storage.remove(image.display_path)
    run_pending()
    row = as_(cast.ana).get(f"/api/datasets/{cast.dataset.pk}/comparisons/").json()[0]
    assert (row["id"], row["error_code"]) == (told["id"], "file_missing")
    assert image.file_name in row["message"]


def test_ten_comparisons_cost_as_many_queries_as_one(cast, as_, base):
    def cost() -> int:
        with CaptureQueriesContext(connection) as queries:
            assert as_(cast.vic).get(f"/api/datasets/{cast.dataset.pk}/comparisons/").status_code == 200
        return len(queries)

    def add(number: int) -> None:
        job = Job.objects.create(kind="compare_versions", title="x", queue="batch", dataset=cast.dataset)
        version = version_row(f"v{number}", dataset=cast.dataset)
        VersionComparison.objects.create(dataset=cast.dataset, first=base, second=version, images=[], job=job)

    add(0)
    few = cost()
    for number in range(1, 10):
        add(number)
    assert cost() == few
