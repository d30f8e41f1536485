"""Masks that look alike to the model: described by a job, searched exactly, followed through changes and switches."""

from __future__ import annotations

from datetime import timedelta

import numpy as np
import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

from annotation.jobkit import run_pending
from annotation.models import Dataset, Job, Mask, Task
from engine import jobs, similarity  # noqa: F401  the jobs
from engine.forgetting import image_forget
from engine.mask_vectors import blocks_of, index_renew
from engine.models import Embedding, MaskIndex, MaskVectors, ServingModel
from tests.cast import add_image, add_mask, ellipse
from tests.engine.conftest import version_row
from tests.engine.halves import BLUE, GREEN, RED, encoded


@pytest.fixture(autouse=True)
def at_once(monkeypatch):
    """Masks count as settled when they are saved."""
    monkeypatch.setattr(similarity, "SETTLED", timedelta(0))


def halves(image, **fields) -> tuple[Mask, Mask]:
    """One mask in the left half, one in the right."""
    return tuple(add_mask(image, ellipse(image, x=x, size=0.1), **fields) for x in (0.25, 0.75))


def described(cast) -> None:
    similarity.index_request(dataset=cast.dataset)
    run_pending()


@pytest.fixture
def colours(cast, base):
    """Masks by colour: red, green, a reddish one, blue."""
    first, second = add_image(cast.dataset, seed=1), add_image(cast.dataset, seed=2)
    encoded(first, base, RED, GREEN)
    encoded(second, base, (0.9, 0.2, 0), BLUE)
    red, green = halves(first)
    reddish, blue = halves(second)
    return {"red": red, "green": green, "reddish": reddish, "blue": blue}


def like(mask: Mask, client) -> list[str]:
    answer = client.get(f"/api/masks/{mask.uuid}/similar/")
    assert answer.status_code == 200, answer.json()
    return [row["id"] for row in answer.json()["results"]]


def test_the_most_alike_comes_first_and_the_mask_itself_never(cast, as_, colours):
    described(cast)
    client = as_(cast.vic)
    found = like(colours["red"], client)
    assert found[0] == str(colours["reddish"].uuid)
    assert str(colours["red"].uuid) not in found
    assert len(found) == 3
    row = client.get(f"/api/masks/{colours['red'].uuid}/similar/?limit=1").json()["results"][0]
    assert row["image"] == colours["reddish"].image_id
    assert 0.5 < row["similarity"] <= 1


def test_nobody_is_told_of_masks_on_a_picture_that_they_are_masking_for_a_comparison(cast, as_, colours):
    described(cast)
    Dataset.objects.update(training_images=1)
    Task.objects.create(image=colours["reddish"].image, kind="training", assignee=cast.ben, state="open")
    assert like(colours["red"], as_(cast.ben)) == [str(colours["green"].uuid)]
    assert len(like(colours["red"], as_(cast.vic))) == 3


def test_before_anybody_asked_there_is_nothing_to_search(cast, as_, colours):
    answer = as_(cast.ana).get(f"/api/masks/{colours['red'].uuid}/similar/")
    assert (answer.status_code, answer.json()["code"]) == (404, "no_index")
    state = as_(cast.ana).get(f"/api/datasets/{cast.dataset.pk}/mask-index/").json()
    assert (state["state"], state["described"], state["masks"]) == ("absent", 0, 4)
    similarity.indexes_consider()
    assert not Job.objects.filter(kind="index_masks").exists()


def test_whoever_labels_has_masks_described_and_new_ones_follow_by_the_clock(cast, as_, base, colours):
    url = f"/api/datasets/{cast.dataset.pk}/mask-index/"
    assert as_(cast.ben).post(url).status_code == 202
    run_pending()
    assert as_(cast.ben).get(url).json()["state"] == "complete"
    later = add_image(cast.dataset, seed=3)
    encoded(later, base, RED, RED)
    new, _ = halves(later)
    similarity.indexes_consider()
    run_pending()
    assert like(colours["red"], as_(cast.ben))[0] == str(new.uuid)
    assert MaskIndex.objects.get().masks == 6
    similarity.indexes_consider()
    assert not Job.objects.filter(kind="index_masks", state="queued").exists()


def test_describing_twice_gives_each_mask_one_vector(cast, colours):
    described(cast)
    MaskIndex.objects.update(complete_at=None)
    described(cast)
    assert MaskIndex.objects.get().masks == 4
    assert sum(len(serials) for serials, _ in blocks_of(MaskIndex.objects.get())) == 4


def test_a_correction_is_another_mask_and_what_was_superseded_is_not_found(cast, as_, colours):
    described(cast)
    reddish = colours["reddish"]
    Mask.objects.filter(pk=reddish.pk).update(status="superseded")
    corrected = add_mask(reddish.image, ellipse(reddish.image, x=0.25, size=0.12), parent=reddish)
    similarity.indexes_consider()
    run_pending()
    found = like(colours["red"], as_(cast.ana))
    assert found[0] == str(corrected.uuid)
    assert str(reddish.uuid) not in found


def test_a_new_mask_is_compared_at_once_where_its_picture_is_encoded(cast, as_, base, colours):
    described(cast)
    new = add_mask(colours["red"].image, ellipse(colours["red"].image, x=0.25, size=0.15))
    assert like(new, as_(cast.ana))[0] == str(colours["red"].uuid)
    elsewhere = add_mask(add_image(cast.dataset, seed=9))
    answer = as_(cast.ana).get(f"/api/masks/{elsewhere.uuid}/similar/")
    assert (answer.status_code, answer.json()["code"]) == (503, "embedding_pending")
    assert Job.objects.filter(kind="embed_image", state="queued").exists()


def test_another_serving_version_is_described_beside_the_old_one_and_then_takes_its_place(cast, as_, base, colours):
    described(cast)
    other = version_row("other", dataset=cast.dataset, state="promoted")
    for image in {mask.image for mask in colours.values()}:
        encoded(image, other, BLUE, BLUE)
    ServingModel.objects.create(dataset=cast.dataset, version=other)
    similarity.indexes_consider()
    url = f"/api/datasets/{cast.dataset.pk}/mask-index/"
    meanwhile = as_(cast.ana).get(url).json()
    assert (meanwhile["model"], meanwhile["serving"]) == (base.digest, other.digest)
    assert meanwhile["job"]
    assert len(like(colours["red"], as_(cast.ana))) == 3
    run_pending()
    assert as_(cast.ana).get(url).json()["model"] == other.digest
    assert MaskIndex.objects.get().version == other


def test_pictures_that_are_not_encoded_are_encoded_for_the_moment(cast, real_base):
    images = [add_image(cast.dataset, seed=seed) for seed in (1, 2)]
    for image in images:
        halves(image)
    described(cast)
    assert MaskIndex.objects.get().masks == 4
    assert not Embedding.objects.exists()


def test_the_least_usual_of_a_category_come_first_and_small_categories_stay_out(cast, as_, base):
    client = as_(cast.vic)
    odd = None
    for seed in range(6):
        image = add_image(cast.dataset, seed=seed)
        encoded(image, base, RED, BLUE if seed == 4 else (0.1 * seed, 1, 0))
        leaf, other = halves(image, category="leaf")
        Mask.objects.filter(pk=leaf.pk).update(category="stone" if seed == 0 else "fruit")
        odd = other if seed == 4 else odd
    described(cast)
    rows = client.get(f"/api/datasets/{cast.dataset.pk}/unusual/").json()["results"]
    assert rows[0]["id"] == str(odd.uuid)
    assert rows[0]["similarity"] < 0.5 < rows[1]["similarity"]
    assert {row["category"] for row in rows} == {"leaf", "fruit"}  # one stone has nothing to be unlike
    fruit = client.get(f"/api/datasets/{cast.dataset.pk}/unusual/?category=fruit").json()["results"]
    assert [row["category"] for row in fruit] == ["fruit"] * 5


def test_of_pictures_that_wait_for_a_reviewer_the_least_usual_come_first(cast, as_, base):
    """Compared with all of their kind, not only with those that wait."""
    images = [add_image(cast.dataset, seed=seed) for seed in range(6)]
    for seed, image in enumerate(images):
        encoded(image, base, RED if seed != 2 else BLUE, (0.1 * seed, 1, 0))
        halves(image, category="leaf")
    for image, state in ((images[2], "open"), (images[3], "claimed"), (images[4], "submitted")):
        Task.objects.create(image=image, kind="review", state=state)
    described(cast)
    url = f"/api/datasets/{cast.dataset.pk}/unusual/"
    rows = as_(cast.rae).get(url, {"in_review": "true"}).json()["results"]
    assert {row["image"] for row in rows} == {images[2].pk, images[3].pk}
    assert len(rows) == 4
    assert rows[0]["image"] == images[2].pk
    whole = {row["id"]: row["similarity"] for row in as_(cast.rae).get(url).json()["results"]}
    assert {row["id"]: row["similarity"] for row in rows}.items() <= whole.items()
    Task.objects.filter(kind="review").delete()
    assert as_(cast.rae).get(url, {"in_review": "true"}).json()["results"] == []


def test_blocks_make_no_difference(cast, as_, colours, monkeypatch):
    described(cast)
    whole = like(colours["blue"], as_(cast.ana))
    MaskIndex.objects.all().delete()
    monkeypatch.setattr(similarity, "BLOCK", 1)
    described(cast)
    assert MaskVectors.objects.count() == 4
    assert like(colours["blue"], as_(cast.ana)) == whole


def test_beyond_the_limit_nothing_is_described_and_the_answer_says_so(cast, as_, colours, monkeypatch):
    monkeypatch.setattr(similarity, "BLOCK", 2)
    monkeypatch.setattr(similarity, "MOST_MASKS", 2)
    described(cast)
    state = as_(cast.ana).get(f"/api/datasets/{cast.dataset.pk}/mask-index/").json()
    assert (state["described"], state["masks"], state["most"]) == (2, 4, 2)


def test_what_is_removed_for_good_leaves_no_vector(cast, colours):
    described(cast)
    gone = colours["reddish"].image
    told = {"dataset": cast.dataset, "image_id": gone.pk, "sha256": gone.sha256}
    gone.delete()
    assert image_forget(**told)["vectors"] == 2
    index = MaskIndex.objects.get()
    left = {colours["red"].serial, colours["green"].serial}
    assert {serial for serials, _ in blocks_of(index) for serial in serials.tolist()} == left
    assert index.masks == 2
    assert np.frombuffer(bytes(index.total), "<f8") == pytest.approx([1, 1, 0], abs=1e-3)


@pytest.mark.parametrize("removed", ["described before", "described now"])
def test_what_is_removed_for_good_while_masks_are_described_leaves_no_vector(cast, base, colours, monkeypatch, removed):
    described(cast)
    later = add_image(cast.dataset, seed=3)
    encoded(later, base, RED, BLUE)
    new = halves(later)
    gone = colours["red"].image if removed == "described before" else later
    left = {mask.serial for mask in (*colours.values(), *new) if mask.image_id != gone.pk}
    describe = similarity._describe

    def meanwhile(*told):
        found = describe(*told)
        about = {"dataset": cast.dataset, "image_id": gone.pk, "sha256": gone.sha256}
        gone.delete()
        image_forget(**about)
        return found

    monkeypatch.setattr(similarity, "_describe", meanwhile)
    described(cast)
    index = MaskIndex.objects.get()
    blocks = list(blocks_of(index))
    assert {serial for serials, _ in blocks for serial in serials.tolist()} == left
    assert index.masks == len(left)
    total = sum(vectors.astype("f8").sum(axis=0) for _, vectors in blocks)
    assert np.frombuffer(bytes(index.total), "<f8") == pytest.approx(total, abs=1e-6)


def test_an_index_that_is_made_anew_meanwhile_gets_nothing_of_before(cast, base, colours, monkeypatch):
    describe = similarity._describe

    def meanwhile(*told):
        found = describe(*told)
        index_renew(dataset_id=cast.dataset.pk)
        return found

    with monkeypatch.context() as patch:
        patch.setattr(similarity, "_describe", meanwhile)
        described(cast)
    assert (MaskIndex.objects.get().masks, Job.objects.get(kind="index_masks").state) == (0, "succeeded")
    described(cast)
    assert MaskIndex.objects.get().masks == 4


@pytest.mark.parametrize("limit", ["0", "201", "x", "-1", "1" * 30, "0" * 8 + "1999", "²"])
def test_a_bad_limit_is_a_sentence(cast, as_, colours, limit):
    answer = as_(cast.ana).get(f"/api/datasets/{cast.dataset.pk}/unusual/", {"limit": limit})
    assert answer.status_code == 400


def test_a_mask_that_is_not_settled_waits(cast, colours, monkeypatch):
    monkeypatch.setattr(similarity, "SETTLED", timedelta(minutes=1))
    described(cast)
    assert MaskIndex.objects.get().masks == 0
    Mask.objects.update(created_at=timezone.now() - timedelta(minutes=2))
    described(cast)
    assert MaskIndex.objects.get().masks == 4


def test_more_masks_in_an_answer_cost_no_more_queries(cast, as_, base, colours):
    def cost() -> list[int]:
        spent = []
        for address in (f"/api/masks/{colours['red'].uuid}/similar/", f"/api/datasets/{cast.dataset.pk}/unusual/"):
            with CaptureQueriesContext(connection) as queries:
                assert as_(cast.vic).get(address).status_code == 200
            spent.append(len(queries))
        return spent

    for seed in (20, 21):  # so that a category is large enough to have an odd one
        image = add_image(cast.dataset, seed=seed)
        encoded(image, base, RED, GREEN)
        halves(image)
    described(cast)
    few = cost()
    for seed in range(22, 40):
        image = add_image(cast.dataset, seed=seed)
        encoded(image, base, RED, GREEN)
        halves(image)
    MaskIndex.objects.all().delete()
    described(cast)
    assert cost() == few
