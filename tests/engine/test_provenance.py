"""From any mask to the model, its run, its snapshot and the masks in it; and back to what was trained on it."""

from __future__ import annotations

import pytest
from django.db import connection
from django.test.utils import CaptureQueriesContext

from engine.models import ModelVersion, Promotion, TrainingRun
from engine.snapshots import snapshot_freeze
from tests.cast import add_image, add_mask, ellipse, make_cast
from tests.engine.conftest import version_row


def trained(dataset, base: ModelVersion, name: str, *, promoted: bool = True) -> ModelVersion:
    """A version trained from `base` on what is accepted now, and judged."""
    version = version_row(name, dataset=dataset, parent=base, state="promoted" if promoted else "refused")
    snapshot = snapshot_freeze(dataset=dataset)
    run = TrainingRun.objects.create(
        dataset=dataset, trigger="person", state="finished", base=base, candidate=version, seed=1, snapshot=snapshot
    )
    Promotion.objects.create(
        dataset=dataset,
        run=run,
        kind="promote" if promoted else "refuse",
        from_version=base,
        to_version=version,
        reason=f"{name} was judged.",
    )
    return version


@pytest.fixture
def story(cast, base):
    """Two hand masks train "first"; it offers a third, which Ben corrects; all train "second", which is refused."""
    dataset = cast.dataset
    train, held_out = (add_image(dataset, seed=seed, split=split) for seed, split in enumerate(("train", "held_out")))
    masks = {"hand": add_mask(train, created_by=cast.ben), "judge": add_mask(held_out, created_by=cast.ben)}
    first = trained(dataset, base, "first")
    area = ellipse(train, x=0.2, size=0.1)
    masks["offered"] = add_mask(train, area, source="model", model=first.digest, status="superseded")
    masks["corrected"] = add_mask(
        train, ellipse(train, x=0.25, size=0.1), source="hand", parent=masks["offered"], created_by=cast.ben
    )
    second = trained(dataset, first, "second", promoted=False)
    return {**masks, "first": first, "second": second, "base": base, "train": train, "held_out": held_out}


def provenance(client, mask) -> dict:
    answer = client.get(f"/api/masks/{mask.uuid}/provenance/")
    assert answer.status_code == 200
    return answer.json()


def test_a_corrected_mask_still_tells_which_model_offered_it(as_, cast, story):
    told = provenance(as_(cast.vic), story["corrected"])
    assert told["mask"]["created_by"] == "ben"
    assert [one["id"] for one in told["history"]] == [str(story[name].uuid) for name in ("offered", "corrected")]
    assert told["offered_by"]["id"] == str(story["offered"].uuid)
    assert [step["version"]["name"] for step in told["descent"]] == ["first", "base"]
    run = told["descent"][0]["run"]
    assert (run["decision"], run["reason"]) == ("promote", "first was judged.")
    assert run["snapshot"]["counts"]["train"] == {"images": 1, "masks": 1}
    assert told["descent"][1]["run"] is None


def test_a_mask_tells_which_versions_learnt_from_it(as_, cast, story):
    told = provenance(as_(cast.vic), story["hand"])
    assert told["offered_by"] is None
    assert told["descent"] == []
    uses = [(use["parts"], [run["candidate"]["name"] for run in use["runs"]]) for use in told["uses"]]
    assert uses == [({"train": 1}, ["second"]), ({"train": 1}, ["first"])]


def test_a_held_out_mask_judges_and_is_never_learnt_from(as_, cast, story):
    told = provenance(as_(cast.vic), story["judge"])
    assert [use["parts"] for use in told["uses"]] == [{"held_out": 1}, {"held_out": 1}]


def test_what_was_never_accepted_was_never_used(as_, cast, story):
    assert provenance(as_(cast.vic), story["offered"])["uses"] == []


def test_an_image_tells_what_its_masks_were_used_for(as_, cast, story):
    uses = as_(cast.vic).get(f"/api/images/{story['train'].pk}/provenance/").json()["uses"]
    assert [use["parts"] for use in uses] == [{"train": 2}, {"train": 1}]


def test_a_model_tells_its_descent_its_children_and_what_it_offered(as_, cast, story):
    url = f"/api/datasets/{cast.dataset.pk}/models/{story['first'].digest}/provenance/"
    told = as_(cast.vic).get(url).json()
    assert [step["version"]["name"] for step in told["descent"]] == ["first", "base"]
    assert [(step["version"]["name"], step["run"]["decision"]) for step in told["children"]] == [("second", "refuse")]
    assert told["masks"] == 1


def test_a_snapshot_is_read_page_by_page_with_its_masks(as_, cast, story):
    snapshot = story["second"].runs_to.get().snapshot
    url = f"/api/datasets/{cast.dataset.pk}/snapshots/{snapshot.digest}/images/"
    client = as_(cast.vic)
    first = client.get(f"{url}?limit=1").json()
    second = client.get(first["next"]).json()
    rows = {row["image"]: row for page in (first, second) for row in page["results"]}
    assert set(rows) == {story["train"].pk, story["held_out"].pk}
    row = rows[story["train"].pk]
    assert {mask["id"] for mask in row["masks"]} == {str(story["hand"].uuid), str(story["corrected"].uuid)}
    assert row["parts"] == {"train": 2}
    assert second["next"] is None
    [only] = client.get(f"{url}?part=held_out").json()["results"]
    assert only["image"] == story["held_out"].pk


def test_what_was_learnt_from_stays_told_when_the_image_is_deleted(as_, cast, story):
    snapshot = story["second"].runs_to.get().snapshot
    sha256 = story["train"].sha256
    story["train"].delete()
    rows = as_(cast.vic).get(f"/api/datasets/{cast.dataset.pk}/snapshots/{snapshot.digest}/images/").json()["results"]
    [row] = [row for row in rows if row["sha256"] == sha256]
    assert (row["image"], row["parts"], row["masks"], row["thumbnail_url"]) == (None, {"train": 2}, [], None)


def test_another_dataset_with_the_same_picture_is_not_told(as_, cast, story):
    other = make_cast("Vegetables").dataset
    twin = add_image(other, seed=0, split="train")
    assert twin.sha256 == story["train"].sha256
    add_mask(twin)
    trained(other, story["base"], "theirs")
    names = [
        run["candidate"]["name"] for use in provenance(as_(cast.vic), story["hand"])["uses"] for run in use["runs"]
    ]
    assert names == ["second", "first"]
    theirs = ModelVersion.objects.get(name="theirs")
    client = as_(cast.vic)
    assert client.get(f"/api/datasets/{cast.dataset.pk}/models/{theirs.digest}/provenance/").status_code == 404
    digest = theirs.runs_to.get().snapshot.digest
    assert client.get(f"/api/datasets/{cast.dataset.pk}/snapshots/{digest}/images/").status_code == 404


def test_it_costs_the_same_few_queries_after_many_retrainings(as_, cast, story):
    client = as_(cast.vic)
    base = f"/api/datasets/{cast.dataset.pk}"

    def cost() -> list[int]:
        last = ModelVersion.objects.filter(dataset=cast.dataset).latest("pk")
        digest = last.runs_to.get().snapshot.digest
        spent = []
        for url in (
            f"/api/masks/{story['corrected'].uuid}/provenance/",
            f"/api/images/{story['train'].pk}/provenance/",
            f"{base}/models/{last.digest}/provenance/",
            f"{base}/snapshots/{digest}/images/",
        ):
            with CaptureQueriesContext(connection) as queries:
                assert client.get(url).status_code == 200
            spent.append(len(queries))
        return spent

    few = cost()
    version = story["first"]
    for number in range(8):
        image = add_image(cast.dataset, seed=10 + number, split="train")
        add_mask(image, model=version.digest)
        version = trained(cast.dataset, version, f"v{number}")
    assert cost() == few
    assert max(few) <= 14
