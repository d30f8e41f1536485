"""Real models before the gate, on real clicks: a poisoned candidate is refused, a better one promoted."""

from __future__ import annotations

import copy

import numpy as np
import pytest

from engine import evaluation
from engine.evaluation import version_evaluate
from engine.models import Evaluation, ModelVersion, TrainingRun
from engine.paired import place_of
from engine.promotion import candidate_decide, candidate_judge
from engine.serving import serving_version
from engine.snapshots import manifest_lines, snapshot_freeze
from tests.cast import add_image, add_mask
from tests.engine.conftest import version_row

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def predictors():
    """The shipped model at 128 pixels, and the same with its decoder poisoned."""
    torch = pytest.importorskip("torch")
    from modelzoo.catalogue import SHIPPED
    from modelzoo.checkpoint import load_checkpoint
    from modelzoo.predictor import Predictor

    torch.set_num_threads(1)
    sound = load_checkpoint(SHIPPED / "anymask_compact.safetensors")
    sound.long_side = 128
    poisoned = copy.deepcopy(sound)
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for weights in poisoned.decoder.parameters():
            weights += 0.3 * weights.std(correction=0) * torch.randn(weights.shape, generator=generator)
    return {"sound": Predictor(sound), "poisoned": Predictor(poisoned)}


@pytest.fixture
def snapshot(cast):
    """Twelve held-out pictures, each with its bright ellipse masked; every other one is named."""
    for seed in range(12):
        image = add_image(cast.dataset, seed=seed, width=96, height=64, split="held_out")
        rows, columns = np.mgrid[:64, :96]
        bright = ((columns - 48) / 24) ** 2 + ((rows - 32) / 19.2) ** 2 <= 1
        add_mask(image, bright, category="egg" if seed % 2 else "stone")
    return snapshot_freeze(dataset=cast.dataset)


def decided(cast, snapshot, predictors, monkeypatch, *, serving: str, candidate: str):
    versions = {
        serving: version_row(serving, is_default=True),
        candidate: version_row(candidate, dataset=cast.dataset, state=ModelVersion.State.CANDIDATE),
    }
    monkeypatch.setattr(evaluation, "predictor_for", lambda version: predictors[version.name])
    run = TrainingRun.objects.create(
        dataset=cast.dataset, trigger="person", base=versions[serving], seed=1, snapshot=snapshot
    )
    for role, name in ((Evaluation.Role.SERVING, serving), (Evaluation.Role.CANDIDATE, candidate)):
        version_evaluate(run=run, role=role, version=versions[name], progress=lambda share: None)
    places = {
        str(mask["key"]): place_of(None, line["sha256"]) for line in manifest_lines(snapshot) for mask in line["masks"]
    }
    categories = {key: ("stone", "egg")[place % 2] for place, key in enumerate(sorted(places, key=int))}
    verdict = candidate_judge(run=run, places=places, stages={}, categories=categories)
    return candidate_decide(run=run, verdict=verdict)


def test_a_poisoned_candidate_is_refused_with_numbers(cast, snapshot, predictors, monkeypatch):
    decision = decided(cast, snapshot, predictors, monkeypatch, serving="sound", candidate="poisoned")
    assert (decision.kind, decision.numbers["code"]) == ("refuse", "worse")
    assert decision.numbers["combined"]["high"] < 0
    assert decision.numbers["metrics"]["boundary_5"]["mean"] < 0
    assert serving_version(cast.dataset.pk).name == "sound"


def test_a_better_candidate_is_promoted(cast, snapshot, predictors, monkeypatch):
    decision = decided(cast, snapshot, predictors, monkeypatch, serving="poisoned", candidate="sound")
    assert (decision.kind, decision.numbers["code"]) == ("promote", "better"), decision.reason
    assert decision.numbers["combined"]["low"] > 0
    assert decision.numbers["resampled"] == "images"
    assert decision.numbers["metrics"]["noc90"]["mean"] < 0
    assert serving_version(cast.dataset.pk).name == "sound"
