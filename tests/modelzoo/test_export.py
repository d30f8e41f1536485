"""The ONNX decoder answers as the model does, for SAM and for the default model."""

import numpy as np
import pytest
import torch

from modelzoo.build import build
from modelzoo.export import check_agreement, export_decoder
from modelzoo.onnx_decoder import OnnxDecoder
from modelzoo.predictor import Predictor
from tests.modelzoo.scenes import scene


def test_the_default_model_and_its_decoder_agree(tmp_path, parity):
    torch.manual_seed(3)
    model = build("anymask_compact", long_side=128)
    export_decoder(model, tmp_path / "decoder.onnx")
    parity("ONNX decoder, default model (logits)", check_agreement(model, tmp_path / "decoder.onnx"), 1e-3)
    assert [path.name for path in tmp_path.iterdir()] == ["decoder.onnx"]


def test_sam_and_its_decoder_agree(tmp_path, small_sam, parity):
    export_decoder(small_sam, tmp_path / "decoder.onnx")
    parity("ONNX decoder, SAM (logits)", check_agreement(small_sam, tmp_path / "decoder.onnx"), 1e-3)


def test_the_decoder_takes_any_number_of_points_and_any_picture(tmp_path):
    torch.manual_seed(4)
    model = build("anymask_compact", long_side=128)
    export_decoder(model, tmp_path / "decoder.onnx")
    predictor, decoder = Predictor(model), OnnxDecoder(tmp_path / "decoder.onnx")
    image, _ = scene(height=50, width=180)
    embedding = predictor.encode(image)
    random = np.random.default_rng(5)
    for count in (1, 2, 9, 40):
        prompts = {"points": random.uniform(0, 50, (count, 2)), "labels": random.integers(0, 2, count)}
        expected, got = predictor.decode(embedding, **prompts), decoder.decode(embedding, **prompts)
        assert np.abs(expected.low_res_logits - got.low_res_logits).max() < 1e-3
        assert (expected.masks != got.masks).sum() <= 2


def test_a_decoder_that_disagrees_is_never_written(tmp_path, monkeypatch):
    monkeypatch.setattr("modelzoo.export.TOLERANCE", 0.0)
    with pytest.raises(RuntimeError, match="differs from the model"):
        export_decoder(build("anymask_compact", long_side=64), tmp_path / "decoder.onnx")
    assert list(tmp_path.iterdir()) == []
