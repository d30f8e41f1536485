"""The proof page: figures that can be worked out by hand, counted once, and silent about what rests on too few."""

from __future__ import annotations

import uuid
from datetime import timedelta

import pytest
from django.utils import timezone

from annotation.models import Dataset, Mask, Task
from engine.models import Evaluation, TrainingRun, WorkTally
from engine.stages.moves import share_kept
from engine.tally import work_count
from tests.cast import add_image, add_mask, ellipse, mask_body
from tests.engine.conftest import version_row

POINT = {"type": "point", "x": 1, "y": 1, "label": 1}


def proof(client, dataset) -> dict:
    answer = client.get(f"/api/datasets/{dataset.pk}/proof/")
    assert answer.status_code == 200, answer.json()
    return answer.json()


def made(image, author, n: int, *, seconds: float = 10, clicks: int = 1, **fields) -> None:
    for _ in range(n):
        values = {"source": "model", "model": "a" * 64, "prompts": [POINT] * clicks, **fields}
        add_mask(image, created_by=author, seconds=seconds, **values)


@pytest.fixture
def work(cast, image):
    """Ben: ten masks of 10 s by one click and ten of 20 s by three; two prefilled masks kept, one changed."""
    made(image, cast.ben, 10)
    made(image, cast.ben, 10, seconds=20, clicks=3)
    for kept in (True, True, False):
        offered = add_mask(image, source="model", created_by=None, stage="semi_automatic", status="superseded")
        Mask.objects.filter(pk=offered.pk).update(status_changed_by=cast.ben)
        array = None if kept else ellipse(image, size=0.2)
        add_mask(image, array, source="model", parent=offered, created_by=cast.ben, stage="semi_automatic", seconds=0)
    return image


def test_the_figures_can_be_worked_out_by_hand(cast, as_, work):
    total = proof(as_(cast.ana), cast.dataset)["total"]
    assert total["masks"] == 21
    assert total["seconds"]["value"] == pytest.approx(15)
    assert total["seconds"]["of"] == 20
    # Sample variance 26.3, standard error 1.147, 95 % of it either way.
    assert total["seconds"]["high"] - 15 == pytest.approx(1.959964 * (500 / 19 / 20) ** 0.5)
    assert (total["prompts"]["value"], total["one_click"]["value"]) == (2, 0.5)
    assert total["kept"] == {"value": None, "low": None, "high": None, "of": 3}


def test_counting_changes_no_figure_and_counts_once(cast, as_, work):
    # First the age at which work is counted, then the figures: five minutes may be another day.
    Mask.objects.update(created_at=timezone.now() - timedelta(minutes=5))
    before = proof(as_(cast.ana), cast.dataset)
    assert work_count() == 0
    assert work_count() == 0
    assert sum(WorkTally.objects.values_list("masks", flat=True)) == 21
    assert proof(as_(cast.ana), cast.dataset) == before
    made(work, cast.ben, 1)  # newer than what was counted
    assert proof(as_(cast.ana), cast.dataset)["total"]["masks"] == 22


def test_a_decision_that_is_undone_is_none(cast, as_, image):
    ben = as_(cast.ben)
    proposal = add_mask(image, source="model", created_by=None, stage="semi_automatic", status="proposed")
    kept, again, changed = (uuid.uuid4() for _ in range(3))
    bodies = (
        (kept, None, {"parent": str(proposal.uuid)}),
        (again, None, {"parent": str(kept), "proposed": True}),
        (changed, ellipse(image, size=0.2), {"parent": str(again)}),
    )
    for key, array, about in bodies:
        assert ben.put(f"/api/masks/{key}/", mask_body(image, array, **about)).status_code == 201
    total = proof(as_(cast.ana), cast.dataset)["total"]
    assert (total["masks"], total["kept"]["of"]) == (1, 1)
    assert share_kept(cast.dataset)[1] == 1


def test_what_was_just_saved_waits_for_its_neighbours(cast, work):
    work_count()
    assert not WorkTally.objects.exists()


def test_what_is_no_work_on_the_dataset_is_left_out(cast, as_, image):
    made(image, None, 3)
    made(image, cast.ben, 3, source="imported")
    task = Task.objects.create(image=image, kind="overlap", assignee=cast.rae)
    made(image, cast.rae, 3, task=task, status="compared")
    other = Dataset.objects.create(name="Other")
    made(add_image(other, seed=9), cast.ben, 3)
    first = add_mask(image, created_by=cast.ben, prompts=[POINT], source="model", seconds=5, status="superseded")
    add_mask(image, created_by=cast.rae, parent=first, seconds=30)
    total = proof(as_(cast.ana), cast.dataset)["total"]
    assert (total["masks"], total["corrections"]) == (1, 1)


def test_prefilled_masks_that_were_thrown_away_were_not_kept(cast, as_, image):
    for n in range(12):
        offered = add_mask(image, source="model", created_by=None, stage="semi_automatic", status="superseded")
        state = "superseded" if n < 9 else "deleted"
        Mask.objects.filter(pk=offered.pk).update(status=state, status_changed_by=cast.ben)
        if n < 9:
            add_mask(image, source="model", parent=offered, created_by=cast.ben, stage="semi_automatic")
    kept = proof(as_(cast.ana), cast.dataset)["total"]["kept"]
    assert (kept["of"], kept["value"]) == (12, 0.75)


def test_what_an_audit_does_with_automatic_masks_says_nothing_of_proposals(cast, as_, image):
    """Rae looks through twenty automatic masks: one is drawn anew, one named, one deleted, the rest left."""
    automatic = {"source": "model", "created_by": None, "stage": "fully_automatic"}
    seen = [add_mask(image, ellipse(image, x=0.04 * n + 0.1, size=0.02), **automatic) for n in range(20)]
    for offered, array, state in (
        (seen[0], ellipse(image, size=0.2), "superseded"),
        (seen[1], ellipse(image, x=0.14, size=0.02), "superseded"),
        (seen[2], None, "deleted"),
    ):
        Mask.objects.filter(pk=offered.pk).update(status=state, status_changed_by=cast.rae)
        if array is not None:
            add_mask(image, array, parent=offered, created_by=cast.rae, stage="fully_automatic", seconds=12)
    total = proof(as_(cast.ana), cast.dataset)["total"]
    assert (total["kept"]["of"], total["masks"], total["seconds"]["of"], total["corrections"]) == (0, 1, 1, 0)


def test_groups_and_who_sees_them(cast, as_, work):
    version_row("tried", digest="a" * 64)
    body = proof(as_(cast.ana), cast.dataset)
    assert [(row["name"], row["masks"]) for row in body["by_author"]] == [("ben", 21)]
    assert [row["name"] for row in body["by_model"]] == ["tried"]
    assert {row["key"]: row["masks"] for row in body["by_stage"]} == {"assisted": 20, "semi_automatic": 1}
    assert body["cost"] == {"rate": None, "currency": "EUR", "per_1000": None}
    body = proof(as_(cast.rae), cast.dataset)
    assert (body["by_author"], body["cost"]) == ([], None)
    assert as_(cast.ben).get(f"/api/datasets/{cast.dataset.pk}/proof/").status_code == 403


def test_cost_counts_every_hour_of_people(cast, as_, work):
    Task.objects.filter(image=work).update(seconds=1800, state="submitted", submitted_at=timezone.now())
    Task.objects.create(image=work, kind="review", state="submitted", seconds=1800)
    url = f"/api/datasets/{cast.dataset.pk}/"
    assert as_(cast.ana).patch(url, {"hourly_rate": 23, "currency": "CHF"}).status_code == 200
    assert as_(cast.ana).patch(url, {"currency": "francs"}).status_code == 400
    body = proof(as_(cast.ana), cast.dataset)
    # One hour for 21 made and 2 kept masks, at 23 an hour; two kept of three are too few for a share, not for a sum.
    assert body["cost"] == {"rate": 23, "currency": "CHF", "per_1000": pytest.approx(1000)}
    assert body["hours"] == {"annotate": 0.5, "review": 0.5}
    assert (body["images"]["done"], body["images"]["masks_per_image"]) == (1, 23)


@pytest.mark.parametrize(("days", "step"), [(3, "day"), (100, "week"), (400, "month")])
def test_long_work_is_told_by_coarser_steps(cast, as_, image, days, step):
    made(image, cast.ben, 1)
    Mask.objects.update(created_at=timezone.now() - timedelta(days=days))
    made(image, cast.ben, 1)
    body = proof(as_(cast.ana), cast.dataset)
    assert body["step"] == step
    assert [row["masks"] for row in body["over_time"]] == [1, 1]


def test_held_out_quality_has_intervals_over_images(cast, as_, image, base):
    version = version_row("v1", dataset=cast.dataset)
    run = TrainingRun.objects.create(dataset=cast.dataset, trigger="person", state="finished", base=base, seed=1)
    masks = [add_mask(add_image(cast.dataset, seed=20 + n // 2)) for n in range(12) if n % 2 == 0]
    rows = [{"id": str(mask.serial), "iou": [0.5, 0.6], "iou_box": n % 2} for n, mask in enumerate(masks * 2)]
    for role, one in (("candidate", version), ("serving", base)):
        Evaluation.objects.create(run=run, version=one, role=role, summary={}, rows=rows, images=6)
    by_name = {row["name"]: row for row in proof(as_(cast.ana), cast.dataset)["quality"]}
    assert by_name["v1"]["miou_1"] == {"value": 0.5, "low": 0.5, "high": 0.5, "of": 12}
    assert by_name["v1"]["miou_3"]["value"] == pytest.approx(0.6)
    box = by_name["base"]["miou_box"]
    assert box["low"] <= box["value"] == 0.5 <= box["high"]


def test_an_empty_dataset_says_nothing(cast, as_):
    body = proof(as_(cast.ana), cast.dataset)
    assert (body["over_time"], body["quality"], body["images"]["done"]) == ([], [], 0)
    assert body["total"]["seconds"] == {"value": None, "low": None, "high": None, "of": 0}
