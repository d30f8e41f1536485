"""Where the model is unsure: measured on stored embeddings, once per image and version, by a job."""

from __future__ import annotations

import numpy as np
import pytest

from annotation import jobkit
from annotation.models import Dataset, Image, Job, Task
from engine import jobs  # noqa: F401  binds the functions of the jobs
from engine.embeddings import image_embed
from engine.models import Uncertainty
from engine.uncertainty import CLICKS_PER_SIDE, datasets_consider, doubt_of, uncertainty_request
from modelzoo.geometry import Frame
from tests.cast import add_image


class Answers:
    """A predictor that gives the same three candidates to every click."""

    def __init__(self, candidates, ious, hardness=10.0):
        self.logits = np.stack([np.where(mask, hardness, -hardness) for mask in candidates]).astype(np.float32)
        self.ious = np.array(ious, np.float32)

    def decode_points(self, maps, points):
        assert points.shape == (CLICKS_PER_SIDE**2, 2)
        assert (points > 0).all()
        assert (points < [80, 60]).all()
        return np.repeat(self.logits[None], len(points), 0), np.repeat(self.ious[None], len(points), 0)


class Maps:
    frame = Frame(original_size=(60, 80), input_size=(48, 64), padded_size=(64, 64))


def half(part):
    mask = np.zeros((16, 16), bool)
    mask[:, : int(16 * part)] = True
    return mask


def test_candidates_that_agree_and_are_sure_leave_no_doubt():
    doubt = doubt_of(Answers([half(0.5)] * 3, [1.0, 0.9, 0.8]), Maps())
    assert (doubt.disagreement, doubt.predicted_iou, doubt.stability, doubt.value) == (0, 1, 1, 0)


def test_each_reason_for_doubt_counts():
    sure = doubt_of(Answers([half(0.5)] * 3, [1.0, 1.0, 1.0]), Maps()).value
    apart = doubt_of(Answers([half(0.5), half(0.25), half(1.0)], [1.0, 1.0, 1.0]), Maps())
    humble = doubt_of(Answers([half(0.5)] * 3, [0.4, 0.3, 0.2]), Maps())
    soft = doubt_of(Answers([half(0.5)] * 3, [1.0, 1.0, 1.0], hardness=0.5), Maps())
    assert apart.disagreement == pytest.approx(1 - (0.5 + 0.5 + 0.25) / 3)
    assert humble.predicted_iou == pytest.approx(0.4)
    assert soft.stability == 0
    assert min(apart.value, humble.value, soft.value) > sure


def test_nothing_is_measured_for_a_queue_in_another_order(cast, base):
    add_image(cast.dataset)
    datasets_consider()
    assert not Job.objects.exists()


@pytest.mark.slow
def test_images_in_the_queue_are_measured_once_per_version(cast, real_base):
    queued, done, unknown = (add_image(cast.dataset, seed=seed) for seed in range(3))
    for image in (queued, done):
        image_embed(image=image, version=real_base)
    Task.objects.filter(image=done).update(state="submitted")
    Dataset.objects.update(queue_order="uncertainty")
    datasets_consider()
    jobkit.run_pending()
    row = Uncertainty.objects.get()
    assert (row.image, row.version) == (queued, real_base)
    assert 0 <= row.value <= 1
    values = dict(Image.objects.values_list("pk", "uncertainty"))
    assert values == {queued.pk: row.value, done.pk: None, unknown.pk: None}
    assert uncertainty_request(dataset=Dataset.objects.get()) is None
