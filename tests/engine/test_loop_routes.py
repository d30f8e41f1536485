"""The loop's page: today's values, start a run, read it, put a version back; leads act, members look."""

from __future__ import annotations

import pytest

from annotation import jobkit
from engine.gate import judge
from engine.models import Detector, Evaluation, Promotion, Snapshot, TrainingRun
from tests.cast import add_image, add_mask, ellipse
from tests.engine.conftest import version_row


@pytest.fixture
def url(cast):
    return f"/api/datasets/{cast.dataset.pk}"


@pytest.fixture
def enough(cast, base):
    for seed, split in enumerate(("train", "held_out")):
        image = add_image(cast.dataset, seed=seed, split=split)
        for place in range(8):
            add_mask(image, ellipse(image, x=0.1 + place / 10, size=0.08))


def test_the_loop_says_what_is_missing(cast, base, as_, url):
    loop = as_(cast.vic).get(f"{url}/loop/").json()
    assert (loop["can_retrain"], loop["train_masks"], loop["held_out_needed"]) == (False, 0, 8)
    assert [reason["code"] for reason in loop["reasons"]] == ["too_few_train_masks", "too_few_held_out_masks"]
    assert loop["serving"]["digest"] == base.digest
    assert loop["serving"]["serving"] is True
    assert loop["open_run"] is None


def test_the_loop_answers_before_there_is_a_model(cast, as_, url):
    loop = as_(cast.vic).get(f"{url}/loop/").json()
    assert loop["serving"] is None
    assert loop["reasons"][0]["code"] == "no_model"
    assert as_(cast.vic).get(f"{url}/models/").json() == []


def test_a_lead_starts_a_run_and_everybody_can_read_it(cast, enough, as_, url):
    answer = as_(cast.ana).post(f"{url}/training-runs/", {})
    assert answer.status_code == 201
    run = answer.json()
    assert (run["state"], run["progress"], run["candidate"], run["decision"]) == ("queued", 0, None, None)
    assert as_(cast.vic).get(f"/api/training-runs/{run['id']}/").json() == run
    assert as_(cast.vic).get(f"{url}/training-runs/").json()["results"] == [run]
    assert as_(cast.vic).get(f"{url}/loop/").json()["open_run"]["id"] == run["id"]
    again = as_(cast.ana).post(f"{url}/training-runs/", {})
    assert (again.status_code, again.json()["code"]) == (409, "training_open")


def test_too_few_masks_are_a_sentence(cast, base, as_, url):
    answer = as_(cast.ana).post(f"{url}/training-runs/", {})
    assert (answer.status_code, answer.json()["code"]) == (400, "not_enough_masks")
    assert "0 of at least 8" in answer.json()["message"]
    assert len(answer.json()["details"]["reasons"]) == 2


@pytest.mark.parametrize("person", ["rae", "ben", "vic"])
def test_only_a_lead_may_start_or_restore(cast, enough, as_, url, base, person):
    client = as_(getattr(cast, person))
    assert client.post(f"{url}/training-runs/", {}).status_code == 403
    assert client.post(f"{url}/models/{base.digest}/restore/", {}).status_code == 403
    assert not TrainingRun.objects.exists()


def test_a_cancelled_run_reads_as_cancelled_at_once(cast, enough, as_, url):
    run = as_(cast.ana).post(f"{url}/training-runs/", {}).json()
    jobkit.cancel(TrainingRun.objects.get().job)
    assert as_(cast.vic).get(f"/api/training-runs/{run['id']}/").json()["state"] == "cancelled"
    assert as_(cast.vic).get(f"{url}/loop/").json()["can_retrain"] is True


def test_a_finished_run_shows_both_models_and_the_decision(cast, base, as_):
    version = version_row("new", dataset=cast.dataset, state="refused", parent=base)
    counts = {name: {"images": 1, "masks": 9} for name in ("train", "train_automatic", "validation", "held_out")}
    run = TrainingRun.objects.create(
        dataset=cast.dataset,
        trigger="threshold",
        state="finished",
        base=base,
        candidate=version,
        seed=1,
        snapshot=Snapshot.objects.create(dataset=cast.dataset, digest="d" * 64, path="snapshots/1/d", counts=counts),
        curve=[{"step": 1, "loss": 2.0}, {"step": 2, "loss": None, "score": 0.5}],
        message="Refused: worse.",
    )
    for role, judged in (("serving", base), ("candidate", version)):
        Evaluation.objects.create(run=run, version=judged, role=role, summary={"miou_1": 0.5}, rows=[], images=1)
    Promotion.objects.create(
        dataset=cast.dataset, run=run, kind="refuse", from_version=base, to_version=version, reason="Refused: worse."
    )
    shown = as_(cast.vic).get(f"/api/training-runs/{run.pk}/").json()
    assert shown["snapshot"] == {"digest": "d" * 64, "images": 4, "masks": 36, "parts": counts}
    assert {e["role"]: (e["digest"], e["summary"]) for e in shown["evaluations"]} == {
        "serving": (base.digest, {"miou_1": 0.5}),
        "candidate": (version.digest, {"miou_1": 0.5}),
    }
    assert (shown["decision"]["kind"], shown["decision"]["reason"]) == ("refuse", "Refused: worse.")
    assert (shown["decision"]["gate"], shown["detector"]) == (None, None)  # nothing was compared, none was trained
    assert (shown["base"], shown["candidate"], shown["progress"]) == (base.digest, version.digest, 1.0)


def test_a_decision_shows_every_comparison_and_the_detector(cast, base, as_, url):
    version = version_row("new", dataset=cast.dataset, state="promoted", parent=base)
    run = TrainingRun.objects.create(
        dataset=cast.dataset, trigger="person", state="finished", base=base, candidate=version, seed=1
    )
    rows = [{"id": str(i), "iou": [0.5 + i / 100] * 5, "iou_box": 0.5, "noc90": 5} for i in range(24)]
    better = [{**row, "iou": [score + 0.1 for score in row["iou"]], "noc90": 4} for row in rows]
    names = {str(i): ("fig", "date")[i % 2] for i in range(24)}
    verdict = judge(rows, better, categories=names)
    Promotion.objects.create(
        dataset=cast.dataset,
        run=run,
        kind="promote",
        from_version=base,
        to_version=version,
        reason=verdict.reason,
        numbers={"code": verdict.code, **verdict.numbers},
    )
    Detector.objects.create(
        dataset=cast.dataset,
        version=version,
        run=run,
        digest="d" * 64,
        path="none",
        calibration={"precision": 0.8, "right_iou": 0.75, "threshold": 0.6, "measured": True},
        metrics={"ap50": 0.5, "right_75": None},
    )
    shown = as_(cast.vic).get(f"/api/training-runs/{run.pk}/").json()
    gate = shown["decision"]["gate"]
    assert gate["combined"]["mean"] == pytest.approx(0.075)
    assert gate["metrics"]["noc90"] == {"serving": 5, "candidate": 4, "mean": -1, "low": -1, "high": -1, "masks": 24}
    assert set(gate["groups"]["category"]) == {"fig", "date"}
    assert (gate["confidence"], gate["resampled"], gate["images"]) == (0.95, "masks", None)
    assert (shown["detector"]["model"], shown["detector"]["threshold"]) == (version.digest, 0.6)
    assert shown["detector"]["metrics"] == {"ap50": 0.5, "right_75": None}
    found = {model["name"]: model["detector"] for model in as_(cast.vic).get(f"{url}/models/").json()}
    assert (found["base"], found["new"]["digest"]) == (None, "d" * 64)


def test_models_are_listed_and_restored(cast, base, as_, url):
    version = version_row("new", dataset=cast.dataset, state="refused", parent=base, metrics={"miou_1": 0.4})
    version_row("foreign", dataset=None)
    restored = as_(cast.ana).post(f"{url}/models/{version.digest}/restore/", {})
    assert (restored.status_code, restored.json()["serving"]) == (200, True)
    models = as_(cast.vic).get(f"{url}/models/").json()
    assert {model["name"]: model["serving"] for model in models} == {"new": True, "base": False, "foreign": False}
    assert models[1]["parent"] == base.digest
    assert models[1]["metrics"] == {"miou_1": 0.4}
    again = as_(cast.ana).post(f"{url}/models/{version.digest}/restore/", {})
    assert (again.status_code, again.json()["code"]) == (409, "already_serving")
    assert as_(cast.ana).post(f"{url}/models/{'0' * 64}/restore/", {}).status_code == 404


def test_lists_of_runs_cost_the_same_few_queries(cast, base, as_, url, django_assert_max_num_queries):
    for seed in range(12):
        TrainingRun.objects.create(dataset=cast.dataset, trigger="person", state="failed", base=base, seed=seed)
    client = as_(cast.vic)
    with django_assert_max_num_queries(8):
        page = client.get(f"{url}/training-runs/?limit=5").json()
    assert len(page["results"]) == 5
    assert client.get(page["next"]).json()["results"][0]["id"] == page["results"][-1]["id"] - 1


def test_strangers_runs_are_not_there(cast, enough, as_, url):
    run = as_(cast.ana).post(f"{url}/training-runs/", {}).json()
    assert as_(cast.cyd).get(f"/api/training-runs/{run['id']}/").status_code == 404
    assert as_(cast.cyd).get(f"{url}/training-runs/").status_code == 404
    assert as_(cast.cyd).get(f"{url}/models/").status_code == 404
