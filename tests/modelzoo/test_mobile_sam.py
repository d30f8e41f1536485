"""MobileSAM: the reference encoder's numbers, the official file's layout, and SAM's decoder behind it."""

import copy

import numpy as np
import pytest
import torch
from safetensors.torch import load_file

from modelzoo.build import build
from modelzoo.checkpoint import load_checkpoint
from modelzoo.export import check_agreement, export_decoder
from modelzoo.model.segmenter import build_sam
from modelzoo.model.tiny_vit import TinyViT
from modelzoo.predictor import Predictor
from tests.modelzoo.reference import GOLDEN, golden_json
from tests.modelzoo.scenes import scene

OFFICIAL_BYTES = 40_728_226  # of mobile_sam.pt


@pytest.fixture(scope="module")
def small_encoder():
    encoder = TinyViT(**golden_json("tiny_vit_small_config")).eval()
    encoder.load_state_dict(load_file(GOLDEN / "tiny_vit_small.safetensors"), strict=True)
    return encoder


@pytest.fixture(scope="module")
def recorded():
    with np.load(GOLDEN / "tiny_vit_small.npz") as stored:
        return dict(stored)


def pixels_of(recorded):
    return (torch.from_numpy(recorded["pixels"]).permute(2, 0, 1)[None].float() - 127.5) / 64


def test_every_stage_equals_the_reference(small_encoder, recorded, parity):
    """Windows that need padding on every stage, both parities of window, a merging with and one without halving."""
    with torch.inference_mode():
        x = small_encoder.patch_embed(pixels_of(recorded))
        parity("TinyViT, stem", np.abs(x.numpy() - recorded["patch_embed"]).max(), 1e-5)
        for index, stage in enumerate(small_encoder.layers):
            x = stage(x)
            tokens = x.flatten(2).transpose(1, 2).numpy()
            parity(f"TinyViT, stage {index}", np.abs(tokens - recorded[f"layers.{index}"]).max(), 5e-5)
        embedding = small_encoder(pixels_of(recorded)).numpy()
    parity("TinyViT, embedding", np.abs(embedding - recorded["embedding"]).max(), 2e-5)


def test_training_normalises_by_the_batch_and_evaluation_by_what_was_learned(small_encoder, recorded):
    encoder = copy.deepcopy(small_encoder).train()
    trained = encoder(pixels_of(recorded))
    trained.square().sum().backward()
    unused = ("norm_head.weight", "norm_head.bias", "head.weight", "head.bias")
    assert [name for name, value in encoder.named_parameters() if value.grad is None] == list(unused)
    assert np.abs(trained.detach().numpy() - recorded["embedding"]).max() > 0.1


def test_official_keys_and_shapes():
    expected = golden_json("mobile_sam_keys")
    with torch.device("meta"):
        model = build("mobile_sam")
    state = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    assert state == expected["keys"]
    assert len(state) == expected["n_keys"]
    assert sum(parameter.numel() for parameter in model.parameters()) == expected["n_parameters"] == 10_130_092
    for part, count in expected["n_parameters_by_part"].items():
        assert sum(parameter.numel() for parameter in getattr(model, part).parameters()) == count
    buffers = {name for name, _ in model.named_buffers()} - set(state)
    assert buffers == set(expected["non_persistent_buffers"])


@pytest.fixture(scope="module")
def official(tmp_path_factory):
    """Random weights as PyTorch's own file in the official layout."""
    torch.manual_seed(6)
    path = tmp_path_factory.mktemp("official") / "mobile_sam.pt"
    model = build("mobile_sam")
    torch.save(model.state_dict(), path)
    return path, model


def test_a_file_of_this_layout_is_as_long_as_the_official_one(official):
    """Each bias index that were stored in addition would show: the smallest is 19 kB, all of them 2 MB."""
    path, _ = official
    assert abs(path.stat().st_size - OFFICIAL_BYTES) < 10_000


def test_an_official_file_is_recognised_and_answers_a_click(official):
    path, model = official
    loaded = load_checkpoint(path)
    assert (loaded.variant, loaded.training) == ("mobile_sam", False)
    for name, tensor in model.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor), name
    image, _ = scene()
    predictor = Predictor(loaded)
    embedding = predictor.encode(image)
    assert embedding.layout() == [{"name": "image_embeddings", "shape": [256, 64, 64]}]
    prediction = predictor.decode(embedding, points=np.array([[40.0, 30.0]]), labels=np.ones(1))
    assert prediction.masks.shape == (3, *image.shape[:2])
    assert np.isfinite(prediction.iou_predictions).all()


def test_pictures_lie_in_its_input_as_in_sams():
    with torch.device("meta"):
        sam = build("sam_vit_b")
    mobile = build("mobile_sam")
    for size in ((480, 640), (1500, 1000), (7, 2000)):
        assert mobile.frame(size) == sam.frame(size)
    assert mobile.config["pixel_mean"] == sam.config["pixel_mean"]
    assert mobile.config["pixel_std"] == sam.config["pixel_std"]


def test_its_decoder_is_exported_like_sams(tmp_path, parity):
    torch.manual_seed(7)
    small = {"architecture": "tiny_vit", **golden_json("tiny_vit_small_config"), "out_chans": 64}
    config = {**golden_json("sam_small_config"), "variant": "mobile_sam", "image_encoder": small}
    config["prompt_encoder"] |= {"image_embedding_size": [8, 8], "input_image_size": [128, 128]}
    model = build_sam(config)
    export_decoder(model, tmp_path / "decoder.onnx")
    parity("ONNX decoder, MobileSAM (logits)", check_agreement(model, tmp_path / "decoder.onnx"), 1e-3)
