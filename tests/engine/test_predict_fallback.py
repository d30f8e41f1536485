"""The web process answers as the worker would: ONNX on the stored float16 embedding equals the torch predictor."""

from __future__ import annotations

import numpy as np
import pytest

from annotation import ports, storage
from annotation.errors import Missing, NotReady, UserError
from annotation.models import Job
from engine import embeddings
from engine.models import ModelVersion
from engine.segmenter import OnnxSegmenter, low_res_mask
from engine.serving import base_model_register, predictor_for, serving_version
from modelzoo.embedding import Embedding as Value
from modelzoo.geometry import Frame
from tests.cast import ellipse

pytestmark = pytest.mark.slow

POINT = {"points": np.array([[30.5, 20.0]], np.float32), "labels": np.ones(1, np.float32), "box": None}
THREE = {
    "points": np.array([[30.5, 20.0], [5.0, 5.0], [40.0, 22.0]], np.float32),
    "labels": np.array([1, 0, 1], np.float32),
    "box": None,
}
BOX = {"points": None, "labels": None, "box": np.array([12, 8, 48, 33], np.float32)}


@pytest.fixture
def stored(image, real_base) -> Value:
    """The embedding of the image as the browser would load it."""
    row = embeddings.image_embed(image=image, version=real_base)
    return Value.from_bytes(storage.full(row.path).read_bytes(), row.layout, Frame.from_dict(row.frame))


@pytest.mark.parametrize("prompt", [POINT, THREE, BOX], ids=["point", "three points", "box"])
@pytest.mark.parametrize("multimask", [True, False])
def test_it_equals_the_torch_predictor(image, real_base, stored, prompt, multimask):
    answer = OnnxSegmenter().predict(image.pk, **prompt, mask_input=None, multimask=multimask)
    expected = predictor_for(real_base).decode(stored, **prompt, multimask=multimask)
    assert answer.masks.shape == expected.masks.shape == (3 if multimask else 1, image.height, image.width)
    assert (answer.masks != expected.masks).mean() < 0.001
    np.testing.assert_allclose(answer.iou_predictions, expected.iou_predictions.clip(0, 1), atol=1e-3)
    assert ((answer.stability_scores >= 0) & (answer.stability_scores <= 1)).all()
    assert answer.model == real_base.digest


def test_a_mask_of_pixels_is_a_prompt(image, real_base, stored):
    mask = ellipse(image)
    answer = OnnxSegmenter().predict(image.pk, **POINT, mask_input=mask)
    logits = low_res_mask(mask, stored.frame, 4)
    expected = predictor_for(real_base).decode(stored, **POINT, mask_input=logits)
    assert (answer.masks != expected.masks).mean() < 0.001


def test_a_mask_of_pixels_keeps_its_place(image, stored):
    logits = low_res_mask(ellipse(image, x=0.25, y=0.75, size=0.2), stored.frame, 4)[0]
    rows, columns = np.nonzero(logits > 0)
    height, width = (side / 4 for side in stored.frame.input_size)
    assert rows.mean() / height == pytest.approx(0.75, abs=0.06)
    assert columns.mean() / width == pytest.approx(0.25, abs=0.06)


def test_what_is_not_encoded_yet_is_queued_and_said(image, real_base):
    with pytest.raises(NotReady):
        OnnxSegmenter().predict(image.pk, **POINT, mask_input=None)
    assert Job.objects.get().kind == "embed_image"


def test_no_prompt_and_no_image_are_the_callers_fault(image, real_base):
    with pytest.raises(UserError):
        OnnxSegmenter().predict(image.pk, None, None, None, None)
    with pytest.raises(Missing):
        OnnxSegmenter().predict(999_999, **POINT, mask_input=None)


def test_this_process_asks_the_engine():
    assert isinstance(ports.segmenter(), OnnxSegmenter)


def test_registering_twice_is_registering_once(real_base, small_model):
    again = base_model_register(checkpoint=small_model / "model.safetensors")
    assert again == real_base
    assert ModelVersion.objects.count() == 1


def test_another_base_serves_new_and_undecided_datasets(real_base, cast, tmp_path):
    import torch

    from modelzoo.build import build
    from modelzoo.checkpoint import save_checkpoint

    torch.manual_seed(5)
    save_checkpoint(build("anymask_compact", long_side=64), tmp_path / "second.safetensors")
    second = base_model_register(checkpoint=tmp_path / "second.safetensors", name="second")
    assert serving_version(cast.dataset.pk) == second
    assert ModelVersion.objects.filter(is_default=True).count() == 1
    assert storage.full(second.decoder_path).exists()
    # Bringing the first one back needs no export.
    base_model_register(checkpoint=storage.full(real_base.checkpoint_path))
    assert serving_version(cast.dataset.pk) == real_base
