"""Which version serves: one conditional write, a row for every decision, undone by a person, safe in a race."""

from __future__ import annotations

import threading

import pytest
from django.db import connection

from annotation.errors import Conflict, UserError
from engine.models import Evaluation, ModelVersion, Promotion, ServingModel, TrainingRun
from engine.promotion import candidate_decide, candidate_judge, version_restore
from engine.serving import serving_version
from engine.signals import serving_changed
from tests.engine.conftest import version_row


def rows(iou: float, count: int = 30) -> list[dict]:
    return [{"id": str(i), "iou": [iou + i / 1000] * 5, "iou_box": iou + i / 1000} for i in range(count)]


def judged_run(cast, base, *, serving: float, candidate: float, name: str = "candidate") -> TrainingRun:
    """A finished evaluation of a new candidate against the version that serves now."""
    version = version_row(name, state=ModelVersion.State.CANDIDATE, dataset=cast.dataset, parent=base)
    run = TrainingRun.objects.create(
        dataset=cast.dataset, trigger="person", base=base, seed=1, candidate=version, state="finished"
    )
    for role, judged, iou in (
        ("serving", serving_version(cast.dataset.pk), serving),
        ("candidate", version, candidate),
    ):
        Evaluation.objects.create(run=run, version=judged, role=role, summary={}, rows=rows(iou), images=3)
    return run


def decide(run: TrainingRun) -> Promotion:
    return candidate_decide(run=run, verdict=candidate_judge(run=run, places={}, stages={}))


@pytest.fixture
def switches():
    """(dataset, version) of every switch that was announced."""
    seen = []

    def remember(dataset_id, version_id, **_):
        seen.append((dataset_id, version_id))

    serving_changed.connect(remember)
    yield seen
    serving_changed.disconnect(remember)


def test_without_a_row_the_default_version_serves(cast, base):
    assert serving_version(cast.dataset.pk) == base


def test_a_better_candidate_is_put_into_service(cast, base, switches, django_capture_on_commit_callbacks):
    run = judged_run(cast, base, serving=0.5, candidate=0.6)
    with django_capture_on_commit_callbacks(execute=True):
        decision = decide(run)
    assert decision.kind == "promote"
    assert (decision.from_version, decision.to_version) == (base, run.candidate)
    assert decision.numbers["combined"]["mean"] == pytest.approx(0.1)
    assert decision.reason.startswith("Promoted:")
    assert serving_version(cast.dataset.pk) == run.candidate
    run.candidate.refresh_from_db()
    assert run.candidate.state == "promoted"
    assert switches == [(cast.dataset.pk, run.candidate_id)]


def test_a_worse_candidate_is_refused_with_numbers(cast, base, switches):
    run = judged_run(cast, base, serving=0.6, candidate=0.5)
    decision = decide(run)
    assert (decision.kind, decision.numbers["code"]) == ("refuse", "worse")
    assert serving_version(cast.dataset.pk) == base
    run.candidate.refresh_from_db()
    assert run.candidate.state == "refused"
    assert switches == []


def test_a_run_is_decided_once(cast, base):
    run = judged_run(cast, base, serving=0.5, candidate=0.6)
    first = decide(run)
    version_restore(dataset_id=cast.dataset.pk, digest=base.digest, by=cast.ana)
    assert decide(run) == first
    assert serving_version(cast.dataset.pk) == base


def test_a_candidate_that_did_not_meet_what_serves_now_is_refused(cast, base):
    late = judged_run(cast, base, serving=0.5, candidate=0.6, name="late")
    decide(judged_run(cast, base, serving=0.5, candidate=0.7, name="first"))
    decision = decide(late)
    assert (decision.kind, decision.numbers["code"]) == ("refuse", "serving_changed")
    assert serving_version(cast.dataset.pk).name == "first"


def test_a_person_goes_back_and_forth(cast, base):
    run = judged_run(cast, base, serving=0.5, candidate=0.6)
    decide(run)
    back = version_restore(dataset_id=cast.dataset.pk, digest=base.digest, by=cast.ana)
    assert (back.kind, back.by, back.to_version) == ("rollback", cast.ana, base)
    assert "ana" in back.reason
    assert serving_version(cast.dataset.pk) == base
    version_restore(dataset_id=cast.dataset.pk, digest=run.candidate.digest, by=cast.ana)
    assert serving_version(cast.dataset.pk) == run.candidate
    assert Promotion.objects.filter(dataset=cast.dataset).count() == 3


def test_a_refused_version_can_be_restored_by_a_person(cast, base):
    run = judged_run(cast, base, serving=0.6, candidate=0.5)
    decide(run)
    version_restore(dataset_id=cast.dataset.pk, digest=run.candidate.digest, by=cast.ana)
    assert serving_version(cast.dataset.pk) == run.candidate


def test_what_serves_already_cannot_be_restored(cast, base):
    with pytest.raises(UserError) as refusal:
        version_restore(dataset_id=cast.dataset.pk, digest=base.digest, by=cast.ana)
    assert refusal.value.code == "already_serving"


def test_another_datasets_version_cannot_be_restored(cast, base):
    from tests.cast import make_cast

    other = make_cast("Vegetables")
    foreign = version_row("foreign", dataset=other.dataset, state="promoted")
    with pytest.raises(UserError) as refusal:
        version_restore(dataset_id=cast.dataset.pk, digest=foreign.digest, by=cast.ana)
    assert refusal.value.code == "unknown_model"


@pytest.mark.django_db(transaction=True)
def test_of_many_switches_at_once_each_follows_the_one_before(cast, base):
    """Eight people restore eight versions at the same moment: the history is one chain, and its end serves."""
    versions = [version_row(f"v{i}", dataset=cast.dataset, state="promoted") for i in range(8)]
    barrier, refused = threading.Barrier(8), []

    def restore(version):
        barrier.wait()
        try:
            version_restore(dataset_id=cast.dataset.pk, digest=version.digest, by=None)
        except Conflict:
            refused.append(version)
        finally:
            connection.close()

    threads = [threading.Thread(target=restore, args=(version,)) for version in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    chain = list(Promotion.objects.filter(dataset=cast.dataset).order_by("id"))
    assert len(chain) + len(refused) == 8
    assert chain
    previous = base
    for promotion in chain:
        assert promotion.from_version == previous
        previous = promotion.to_version
    assert ServingModel.objects.get(dataset=cast.dataset).version == previous
