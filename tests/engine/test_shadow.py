"""Shadow comparison: what people clicked is clicked again in two versions; the difference comes with its interval."""

from __future__ import annotations

import numpy as np
import pytest
from django.utils import timezone

from annotation import jobkit
from annotation.errors import Conflict, Missing, UserError
from annotation.models import Job
from engine import jobs, shadow  # noqa: F401  binds the functions of the jobs
from engine.models import ShadowComparison
from engine.paired import place_of
from engine.shadow import masks_chosen, replay, shadow_start
from modelzoo.embedding import Embedding, Prediction
from modelzoo.geometry import Frame
from tests.cast import add_image, add_mask, ellipse
from tests.engine.conftest import version_row

CLICK = {"type": "point", "x": 30.0, "y": 20.0, "label": 1}
FIX = {"type": "point", "x": 5.0, "y": 5.0, "label": 0}


class Painter:
    """A model that answers every prompt with an ellipse of its size; after a correction with the right one."""

    def __init__(self, size):
        self.size, self.asked = size, []

    def encode(self, pixels):
        size = pixels.shape[:2]
        return Embedding({}, Frame(size, size, size))

    def decode(self, embedding, points, labels, box, fed, multimask):
        self.asked.append((None if points is None else len(points), box is not None, fed is not None, multimask))
        height, width = embedding.frame.original_size
        rows, columns = np.mgrid[:height, :width]
        size = 0.3 if points is not None and len(points) > 1 else self.size
        mask = ((columns / width - 0.5) / size) ** 2 + ((rows / height - 0.5) / size) ** 2 <= 1
        return Prediction(np.stack([~mask, mask]), np.array([0.1, 0.9]), np.zeros((2, 4, 4), np.float32))


@pytest.fixture
def other(cast, base):
    return version_row("other", dataset=cast.dataset, state="refused")


@pytest.fixture
def painters(monkeypatch, base, other):
    """The serving version draws as people do, the other one too small."""
    found = {base.pk: Painter(0.3), other.pk: Painter(0.2)}
    monkeypatch.setattr(shadow, "predictor_for", lambda version: found[version.pk])
    return found


def clicked(dataset, *, seed, split="held_out", prompts=(CLICK,), source="model", **fields):
    image = add_image(dataset, seed=seed, split=split)
    return add_mask(image, ellipse(image), prompts=list(prompts), source=source, **fields)


@pytest.fixture
def six(cast, other):
    """Six masks on held-out images by one click; all but one of them were corrected by hand."""
    return [clicked(cast.dataset, seed=seed, source="model_edited" if seed else "model") for seed in range(6)]


def test_a_lead_compares_and_everybody_reads(cast, base, other, six, painters, as_):
    url = f"/api/datasets/{cast.dataset.pk}"
    started = as_(cast.ana).post(f"{url}/models/{other.digest}/shadow/")
    assert started.status_code == 201, started.content
    assert (started.json()["result"], started.json()["message"]) == (None, "Waiting for a worker.")
    again = as_(cast.ana).post(f"{url}/models/{other.digest}/shadow/")
    assert (again.status_code, again.json()["code"]) == (409, "shadow_open")
    jobkit.run_pending()
    [row] = as_(cast.vic).get(f"{url}/shadows/").json()
    result = row["result"]
    assert (row["serving"], row["other"], row["message"]) == (base.digest, other.digest, "")
    assert (result["masks"], result["images"], result["prompts"], result["on_training_images"]) == (6, 6, 6, False)
    assert result["all"]["serving"] == pytest.approx(1.0)
    assert result["all"]["candidate"] == pytest.approx(0.44, abs=0.03)
    assert result["all"]["high"] < 0
    assert result["edited"]["masks"] == 5
    assert result["agreed"] == 0
    assert as_(cast.cyd).get(f"{url}/shadows/").status_code == 404
    for person in (cast.rae, cast.ben, cast.vic):
        assert as_(person).post(f"{url}/models/{other.digest}/shadow/").status_code == 403


def test_doing_the_job_twice_measures_once(cast, other, six, painters):
    row = shadow_start(dataset=cast.dataset, digest=other.digest)
    jobkit.run_pending()
    before = ShadowComparison.objects.get(pk=row.pk)
    Job.objects.filter(pk=row.job_id).update(state="queued")
    asked = len(painters[other.pk].asked)
    jobkit.run_pending()
    assert ShadowComparison.objects.get(pk=row.pk).result == before.result
    assert len(painters[other.pk].asked) == asked


def test_prompts_are_replayed_one_after_the_other_with_feedback(painters, other):
    painter = painters[other.pk]
    embedding = painter.encode(np.zeros((40, 60, 3), np.uint8))
    box = {"type": "box", "x0": 5, "y0": 5, "x1": 50, "y1": 35}
    mask = replay(painter, embedding, [CLICK, FIX, box])
    assert painter.asked == [(1, False, False, True), (2, False, True, False), (2, True, True, False)]
    assert mask.shape == (40, 60)
    assert mask[20, 30]


def test_only_what_people_prompted_since_counts(cast, other, six):
    clicked(cast.dataset, seed=10, source="hand", prompts=[])
    clicked(cast.dataset, seed=11, prompts=[{"type": "mask"}])
    clicked(cast.dataset, seed=12, status="deleted")
    clicked(cast.dataset, seed=13, created_by=None)
    machine = clicked(cast.dataset, seed=14, status="superseded", created_by=None)
    add_mask(machine.image, ellipse(machine.image), parent=machine, prompts=[CLICK], source="model")
    clicked(cast.dataset, seed=15, split="train")
    chosen, on_training = masks_chosen(cast.dataset.pk, other)
    assert {mask.pk for mask in chosen} == {mask.pk for mask in six}
    assert not on_training
    type(other).objects.filter(pk=other.pk).update(created_at=timezone.now())
    other.refresh_from_db()
    assert masks_chosen(cast.dataset.pk, other)[0] == []


def test_masks_of_one_image_give_no_false_certainty():
    """One image drawn anew is always the same; of fewer than five masks nothing is said."""
    pairs = [
        {"place": place_of(None, 1), "edited": i == 0, "prompts": 1, "serving": 0.8, "other": 0.7 + i / 20}
        | {"agreement": 0.9}
        for i in range(6)
    ]
    found = shadow.summary(pairs)
    assert found["all"]["low"] < found["all"]["mean"] < found["all"]["high"]
    assert (found["images"], found["edited"]) == (1, None)


def test_training_images_are_taken_only_where_others_are_too_few(cast, other):
    for seed in range(6):
        clicked(cast.dataset, seed=seed, split="train" if seed < 4 else "held_out")
    chosen, on_training = masks_chosen(cast.dataset.pk, other)
    assert (len(chosen), on_training) == (6, True)


def test_what_cannot_be_compared_is_a_sentence(cast, base, other):
    with pytest.raises(UserError, match="0 masks with prompts"):
        shadow_start(dataset=cast.dataset, digest=other.digest)
    with pytest.raises(Conflict, match="nothing to compare"):
        shadow_start(dataset=cast.dataset, digest=base.digest)
    with pytest.raises(Missing):
        shadow_start(dataset=cast.dataset, digest="0" * 64)
    assert not ShadowComparison.objects.exists()
