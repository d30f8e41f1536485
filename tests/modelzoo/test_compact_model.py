"""The default model as a promptable model: any picture, any prompts, one embedding."""

import numpy as np
import pytest
import torch

from modelzoo.build import build
from modelzoo.embedding import Embedding
from modelzoo.model.compact_decoder import SHARPNESS, SHARPNESS_BOXED, PositionCode, consensus
from modelzoo.predictor import Predictor
from tests.modelzoo.scenes import scene


@pytest.fixture(scope="module")
def predictor():
    torch.manual_seed(0)
    return Predictor(build("anymask_compact", long_side=128))


@pytest.mark.parametrize("size", [(96, 128), (131, 77), (17, 300), (1, 1), (600, 20)])
def test_masks_come_at_the_size_of_the_picture(predictor, size):
    image = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    embedding = predictor.encode(image)
    assert all(side % 16 == 0 for side in embedding.frame.padded_size)
    prediction = predictor.decode(embedding, points=np.array([[0.5, 0.5]]), labels=np.array([1]))
    assert prediction.masks.shape == (3, *size)
    assert prediction.masks.dtype == bool
    assert ((prediction.iou_predictions >= 0) & (prediction.iou_predictions <= 1)).all()


def test_every_kind_of_prompt_is_taken_alone_and_together(predictor):
    image, _ = scene()
    embedding = predictor.encode(image)
    point = {"points": np.array([[40.0, 48.0]]), "labels": np.array([1])}
    box = np.array([10.0, 20.0, 70.0, 80.0])
    first = predictor.decode(embedding, **point)
    mask = first.low_res_logits[:1]
    answers = [
        predictor.decode(embedding, **prompts, multimask=False).low_res_logits
        for prompts in (point, {"box": box}, {"mask_input": mask}, {**point, "box": box, "mask_input": mask})
    ]
    for number, one in enumerate(answers):
        assert one.shape[0] == 1
        assert all(np.abs(one - other).max() > 1e-4 for other in answers[number + 1 :]), "a prompt had no effect"


def test_no_prompt_is_a_mistake_said_clearly(predictor):
    embedding = predictor.encode(scene()[0])
    with pytest.raises(ValueError, match="at least one prompt"):
        predictor.decode(embedding)
    with pytest.raises(ValueError, match="2 points came with 1 labels"):
        predictor.decode(embedding, points=np.zeros((2, 2)), labels=np.array([1]))


def test_a_picture_of_the_wrong_kind_is_refused(predictor):
    with pytest.raises(ValueError, match="uint8 RGB"):
        predictor.encode(np.zeros((10, 10), np.uint8))


def test_prompts_decoded_together_equal_prompts_decoded_alone(predictor):
    model = predictor.model
    image, _ = scene()
    with torch.inference_mode():
        features = model.encode(model.preprocess(image))
        frame = model.frame(image.shape[:2])
        points = torch.rand(5, 2, 2) * 96
        labels = torch.tensor([[1.0, 0.0]]).expand(5, -1)
        together, scores = model.decode(features, frame, points, labels)
        for index in range(5):
            alone, score = model.decode(features, frame, points[index : index + 1], labels[:1])
            torch.testing.assert_close(alone[0], together[index], atol=1e-4, rtol=1e-4)
            torch.testing.assert_close(score[0], scores[index], atol=1e-5, rtol=1e-4)


@pytest.mark.parametrize("grad", [True, False])
def test_padding_means_nothing(predictor, grad):
    """Training lays prompts of several kinds side by side and pads; a browser sends as many points as there are."""
    decoder = predictor.model.decoder
    features = predictor.encode(scene(0)[0]).tensors
    features = {name: torch.from_numpy(tensor)[None].float() for name, tensor in features.items()}
    points, labels = torch.tensor([[[40.0, 30.0], [80.0, 60.0]]]), torch.tensor([[1.0, 1.0]])
    height, width = features["fine"].shape[-2:]
    previous = torch.zeros(1, 1, height, width)
    with torch.set_grad_enabled(grad):
        alone, score = decoder(features, points, labels, previous)
        padded = torch.cat([torch.tensor([[[7.0, 9.0]]]), points, torch.zeros(1, 3, 2)], 1)
        kinds = torch.tensor([[-1.0, 1.0, 1.0, -1.0, -1.0, -1.0]])
        among, among_score = decoder(features, padded, kinds, previous)
    assert torch.allclose(alone, among, atol=1e-4)
    assert torch.allclose(score, among_score, atol=1e-5)


def test_a_stored_embedding_answers_as_the_fresh_one(predictor):
    image, _ = scene()
    fresh = predictor.encode(image)
    stored = Embedding.from_bytes(fresh.to_bytes(), fresh.layout(), fresh.frame)
    prompts = {"points": np.array([[40.0, 48.0]]), "labels": np.array([1])}
    first, second = predictor.decode(fresh, **prompts), predictor.decode(stored, **prompts)
    assert np.abs(first.low_res_logits - second.low_res_logits).max() < 0.05  # float16 keeps three digits
    assert np.abs(first.iou_predictions - second.iou_predictions).max() < 0.01


def test_an_embedding_of_the_wrong_length_is_refused(predictor):
    fresh = predictor.encode(scene()[0])
    with pytest.raises(ValueError, match="its layout says"):
        Embedding.from_bytes(fresh.to_bytes()[:-2], fresh.layout(), fresh.frame)


def test_masks_together_answer_better_than_one(predictor):
    """A box, and one click: which mask is replaced by the mean, what it weighs, and that the others stay."""
    embedding = predictor.encode(scene(0)[0])
    features = {name: torch.from_numpy(np.asarray(t))[None].float() for name, t in embedding.tensors.items()}
    height, width = features["fine"].shape[-2:]
    points = torch.tensor([[[30.0, 40.0], [90.0, 40.0]], [[30.0, 40.0], [0.0, 0.0]]])
    labels = torch.tensor([[2.0, 3.0], [1.0, -1.0]])
    with torch.inference_mode():
        arguments = features, points, labels, torch.zeros(2, 1, height, width)
        logits, said = predictor.model.decoder.answer(*arguments)
        raw, raw_said = predictor.model.decoder(*arguments)
    weights = torch.softmax(SHARPNESS_BOXED * raw_said[0], 0)
    assert torch.allclose(logits[0, 0], (weights[:, None, None] * raw[0]).sum(0), atol=1e-4)
    assert said[0, 0] == raw_said[0].max()
    assert torch.allclose(logits[0, 1:], raw[0, 1:], atol=1e-5)

    best = 1 + int(raw_said[1, 1:].argmax())
    weights = torch.softmax(SHARPNESS * raw_said[1, 1:], 0)
    assert torch.allclose(logits[1, best], (weights[:, None, None] * raw[1, 1:]).sum(0), atol=1e-4)
    others = [place for place in range(4) if place != best]
    assert torch.allclose(logits[1, others], raw[1, others], atol=1e-5)
    assert torch.equal(said[1], raw_said[1])


def test_masks_that_say_the_same_of_themselves_count_the_same():
    mixture, said = consensus(torch.full((2, 4), 0.5), torch.tensor([True, False]), torch.tensor([False, False]))
    assert torch.allclose(mixture[0, 0], torch.full((4,), 0.25))
    assert torch.allclose(mixture[1, 1], torch.tensor([0.0, 1 / 3, 1 / 3, 1 / 3]))
    assert torch.allclose(mixture.sum(-1), torch.ones(2, 4))
    assert torch.equal(said, torch.full((2, 4), 0.5))


def test_the_position_code_of_a_grid_is_that_of_its_places():
    code = PositionCode(32)
    x, y = (torch.arange(7) + 0.5) * 16, (torch.arange(5) + 0.5) * 16
    places = torch.stack([x.expand(5, 7), y[:, None].expand(5, 7)], dim=-1)
    assert torch.allclose(code.grid(x, y), code(places).permute(2, 0, 1), atol=1e-5)
