"""SAM's weights: the official layout, strict loading, and what the model does with odd input."""

import numpy as np
import pytest
import torch

from modelzoo import build as registry
from modelzoo.checkpoint import CheckpointError, load_checkpoint, save_checkpoint
from modelzoo.model.segmenter import build_sam, sam_vit_b, sam_vit_h, sam_vit_l
from tests.modelzoo.reference import GOLDEN, golden_json


@pytest.mark.parametrize(("variant", "builder"), [("b", sam_vit_b), ("l", sam_vit_l), ("h", sam_vit_h)])
def test_official_keys_and_shapes(variant, builder):
    expected = golden_json(f"sam_vit_{variant}_keys")
    with torch.device("meta"):  # shapes without memory: ViT-H would take 2.6 GB
        model = builder()
    state = {name: list(tensor.shape) for name, tensor in model.state_dict().items()}
    assert state == expected["keys"]
    assert len(state) == expected["n_keys"]
    assert sum(parameter.numel() for parameter in model.parameters()) == expected["n_parameters"]
    for part, count in expected["n_parameters_by_part"].items():
        assert sum(parameter.numel() for parameter in getattr(model, part).parameters()) == count
    persistent = set(state)
    assert {name for name, _ in model.named_buffers()} - persistent == set(expected["non_persistent_buffers"])
    assert model.variant == f"sam_vit_{variant}"


def test_small_keys_and_shapes(small_sam):
    state = {name: list(tensor.shape) for name, tensor in small_sam.state_dict().items()}
    assert state == golden_json("sam_small_config")["state_dict"]


@pytest.fixture
def small_as_vit_b(monkeypatch):
    """The registry builds the small SAM where it would build ViT-B, so official files fit into a test."""
    config = {**golden_json("sam_small_config"), "variant": "sam_vit_b"}
    monkeypatch.setitem(registry.BUILDERS, "sam_vit_b", lambda **overrides: build_sam({**config, **overrides}))


def test_an_official_checkpoint_loads_strictly(small_sam, small_as_vit_b, golden, tmp_path):
    path = tmp_path / "sam_small.pth"
    torch.save(small_sam.state_dict(), path)
    loaded = load_checkpoint(path, variant="sam_vit_b")
    assert not loaded.training
    with torch.no_grad():
        embedding = loaded.encode(torch.from_numpy(golden["img0.preprocessed"]))["image_embeddings"]
    assert np.abs(embedding.numpy() - golden["img0.embedding"]).max() <= 1e-5


@pytest.mark.parametrize("damage", ["missing", "unexpected", "misshapen"])
def test_a_checkpoint_that_does_not_fit_is_refused(small_sam, small_as_vit_b, tmp_path, damage):
    state = dict(small_sam.state_dict())
    key = "mask_decoder.iou_token.weight"
    if damage == "missing":
        del state[key]
    elif damage == "unexpected":
        state["mask_decoder.stranger"] = torch.zeros(1)
    else:
        state[key] = torch.zeros(2, 64)
    torch.save(state, tmp_path / "damaged.pth")
    with pytest.raises(CheckpointError):
        load_checkpoint(tmp_path / "damaged.pth", variant="sam_vit_b")


def test_own_checkpoints_rebuild_the_model_from_their_config(small_sam, tmp_path):
    counted = ("n_parameters", "state_dict")  # what the golden file tells beside the configuration
    config = {name: value for name, value in small_sam.config.items() if name not in counted} | {"variant": "sam_vit_b"}
    model = build_sam(config)
    model.load_state_dict(small_sam.state_dict())
    save_checkpoint(model, tmp_path / "small.safetensors")
    loaded = load_checkpoint(tmp_path / "small.safetensors")
    assert loaded.config == config
    for name, tensor in small_sam.state_dict().items():
        assert torch.equal(loaded.state_dict()[name], tensor)


def test_golden_weights_are_the_documented_size(small_sam):
    assert sum(parameter.numel() for parameter in small_sam.parameters()) == 786_344
    assert (GOLDEN / "README.md").is_file()


def test_a_batch_of_prompts_equals_each_alone(small_sam, golden):
    features = {"image_embeddings": torch.from_numpy(golden["img0.embedding"])}
    frame = small_sam.frame((200, 300))
    points, labels = torch.rand(5, 2, 2) * 170, torch.tensor([[1, 0]]).expand(5, 2)
    with torch.no_grad():
        together, ious = small_sam.decode(features, frame, points, labels)
        for index in range(5):
            alone, iou = small_sam.decode(features, frame, points[index, None], labels[index, None])
            assert torch.allclose(together[index], alone[0], atol=5e-5)
            assert torch.allclose(ious[index], iou[0], atol=2e-6)


def test_a_mask_alone_is_a_prompt(small_sam, golden):
    features = {"image_embeddings": torch.from_numpy(golden["img0.embedding"])}
    with torch.no_grad():
        low_res, ious = small_sam.decode(features, small_sam.frame((200, 300)), mask_input=torch.zeros(1, 1, 64, 64))
    assert low_res.shape == (1, 3, 64, 64)
    assert ious.shape == (1, 3)


def test_every_weight_learns(golden):
    """The training path reaches every parameter, prompts of every kind given."""
    model = build_sam(golden_json("sam_small_config"))
    features = model.encode(torch.from_numpy(golden["img0.preprocessed"]))
    frame = model.frame((200, 300))
    points, labels = torch.tensor([[[50.0, 60.0], [70.0, 20.0]]]), torch.tensor([[1, 0]])
    boxes, mask = torch.tensor([[10.0, 10.0, 90.0, 90.0]]), torch.randn(1, 1, 64, 64)
    outputs = [
        *model.decode_all(features, frame, points, labels),
        *model.decode_all(features, frame, points, labels, boxes, mask),
    ]
    sum(output.square().sum() for output in outputs).backward()
    without = [name for name, parameter in model.named_parameters() if parameter.grad is None]
    assert without == []


@pytest.mark.parametrize(
    "image", [np.zeros((10, 10), np.uint8), np.zeros((10, 10, 4), np.uint8), np.zeros((10, 10, 3), np.float32)]
)
def test_only_8_bit_rgb_is_an_image(small_sam, image):
    with pytest.raises(ValueError, match="uint8 RGB"):
        small_sam.preprocess(image)


def test_other_input_sizes_are_refused_with_a_sentence(small_sam):
    with pytest.raises(ValueError, match="256 x 256"):
        small_sam.encode(torch.zeros(1, 3, 128, 256))


def test_points_need_labels(small_sam):
    with pytest.raises(ValueError, match="labels"):
        small_sam.prompt_encoder(torch.zeros(1, 1, 2), None, None, None)
