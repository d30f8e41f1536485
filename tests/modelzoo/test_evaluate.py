"""Evaluation measures what it says."""

import numpy as np
import pytest

from modelzoo import rle
from modelzoo.embedding import Embedding, Prediction
from modelzoo.geometry import Frame
from modelzoo.training.data import Sample
from modelzoo.training.evaluate import evaluate, mask_iou
from tests.modelzoo.scenes import scene


class Oracle:
    """Answers with the true mask under the click, worn down by `erode` pixels, and remembers what it was asked."""

    def __init__(self, masks, shift=0):
        self.masks, self.shift, self.asked = masks, shift, []

    def encode(self, image):
        size = image.shape[:2]
        return Embedding({"x": np.zeros((1, 1, 1))}, Frame(size, size, size))

    def decode(self, embedding, points=None, labels=None, box=None, mask_input=None, multimask=True):
        self.asked.append(None if points is None else points.tolist())
        target = self.masks[0]
        if box is None:
            x, y = (int(value) for value in points[0])
            target = next(mask for mask in self.masks if mask[y, x])
        answer = np.roll(target, self.shift, 1)
        count = 3 if multimask else 1
        scores = np.linspace(0.9, 0.5, count)
        return Prediction(np.stack([answer] * count), scores, np.zeros((count, 4, 4), np.float32))


def sample(count=1):
    image, masks = scene()
    masks = masks[:count]
    return Sample(image, [rle.encode(mask) for mask in masks], [str(n) for n in range(count)]), masks


def test_a_perfect_model_needs_one_click():
    one, masks = sample()
    summary = evaluate(Oracle(masks), [one]).summary
    assert summary["miou_1"] == summary["miou_1_oracle"] == summary["miou_box"] == 1.0
    assert summary["noc85"] == summary["noc90"] == 1.0
    assert summary["masks"] == 1


def test_a_model_that_never_gets_there_is_given_the_most_clicks():
    one, masks = sample()
    report = evaluate(Oracle(masks, shift=20), [one], max_clicks=7)
    assert report.summary["noc90"] == 7
    assert len(report.rows[0]["iou"]) == 7
    assert report.summary["miou_5"] == pytest.approx(mask_iou(np.roll(masks[0], 20, 1), masks[0]), abs=1e-4)


def test_the_same_seed_gives_the_same_clicks_and_boxes():
    first, second = ((oracle := Oracle(sample(2)[1], shift=6), evaluate(oracle, [sample(2)[0]], seed=3)) for _ in "ab")
    assert first[0].asked == second[0].asked
    assert [row["iou_box"] for row in first[1].rows] == [row["iou_box"] for row in second[1].rows]


def test_nothing_to_evaluate_is_said():
    with pytest.raises(ValueError, match="no mask"):
        evaluate(Oracle([]), [])
