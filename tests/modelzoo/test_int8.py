"""Linear layers in whole numbers: how far they are from what they replace, and how a file asks for them."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo.__main__ import main
from modelzoo.build import build
from modelzoo.checkpoint import checkpoint_digest, load_checkpoint, read_metadata, save_checkpoint
from modelzoo.model.int8 import STEPS, Int8Linear, quantise, rounded, scales
from modelzoo.model.segmenter import build_sam, sam_config, vit_config
from modelzoo.predictor import Predictor
from tests.modelzoo.scenes import scene


@pytest.fixture(scope="module")
def sam():
    """A SAM of the usual layout for pictures of 64 pixels."""
    torch.manual_seed(5)
    config = sam_config("sam_vit_b", vit_config(64, 2, 4, (1,)) | {"img_size": 64, "out_chans": 32})
    config["prompt_encoder"] |= {"embed_dim": 32, "image_embedding_size": [4, 4], "input_image_size": [64, 64]}
    config["mask_decoder"] |= {"transformer_dim": 32, "iou_head_hidden_dim": 16}
    config["mask_decoder"]["transformer"] |= {"embedding_dim": 32, "mlp_dim": 32, "num_heads": 2}
    return build_sam(config)


@given(
    st.lists(st.integers(0, 40), min_size=0, max_size=3),
    st.integers(2, 200),
    st.integers(1, 90),
    st.booleans(),
    st.floats(1e-3, 1e3),
)
@settings(max_examples=60, deadline=None)
def test_a_layer_answers_within_the_steps_of_its_numbers(shape, inputs, outputs, bias, size):
    torch.manual_seed(inputs + outputs)
    linear = torch.nn.Linear(inputs, outputs, bias=bias)
    x = size * torch.randn(*shape, inputs)
    with torch.inference_mode():
        exact, found = linear(x), Int8Linear(linear)(x)
    assert found.shape == exact.shape
    # Half a step of either factor in every product, at the most.
    largest = x.abs().amax(-1, keepdim=True) * linear.weight.abs().amax(1) * inputs
    assert ((found - exact).abs() <= largest / STEPS * 1.01 + 1e-5).all()
    if inputs >= 64 and shape and x.numel():
        assert (found - exact).norm() <= 0.02 * exact.norm()


def test_one_huge_position_costs_the_others_nothing():
    torch.manual_seed(0)
    linear = torch.nn.Linear(64, 32)
    x = torch.randn(10, 64)
    loud = torch.cat([x, 1000 * torch.randn(1, 64)])
    with torch.inference_mode():
        layer = Int8Linear(linear)
        assert torch.equal(layer(loud)[:-1], layer(x))


def test_a_layer_of_one_input_is_left_alone():
    layers = torch.nn.Sequential(torch.nn.Linear(1, 4), torch.nn.Linear(4, 2))
    assert quantise(layers) == 1
    with pytest.raises(ValueError, match="one input"):
        Int8Linear(layers[0])


def test_zeros_stay_zeros():
    linear = torch.nn.Linear(8, 4, bias=False)
    with torch.inference_mode():
        assert torch.equal(Int8Linear(linear)(torch.zeros(3, 8)), torch.zeros(3, 4))


def test_products_of_the_largest_numbers_do_not_overflow():
    """Instructions for 8 bits on older processors saturate where two such products meet."""
    full = torch.full((33, 3072), float(STEPS))
    sign = torch.where(torch.arange(3072) % 3 == 0, -1.0, 1.0)
    left, right = (rounded(one, scales(one)) for one in (full * sign, full.clone()))
    expected = left.double() @ right.double().T
    assert torch.equal(torch._int_mm(left, right.T.contiguous()).double(), expected)


def test_only_linear_layers_are_replaced():
    model = build("anymask_compact", long_side=64)
    linear = [one for one in model.encoder.modules() if isinstance(one, torch.nn.Linear)]
    assert quantise(model.encoder) == len(linear) > 0
    assert not any(isinstance(one, torch.nn.Linear) for one in model.encoder.modules())
    assert any(isinstance(one, torch.nn.Linear) for one in model.decoder.modules())


def test_a_file_that_asks_for_it_is_loaded_so_unless_it_is_to_be_trained(sam, tmp_path):
    plain = save_checkpoint(sam, tmp_path / "plain.safetensors", {"from": "here"})
    digest = save_checkpoint(sam, tmp_path / "int8.safetensors", {"from": "here"}, int8=True)
    assert digest != plain
    assert read_metadata(tmp_path / "int8.safetensors")["metadata"] == {"from": "here"}
    image, _ = scene(height=50, width=60)
    point = {"points": np.array([[30.0, 20.0]]), "labels": np.ones(1)}
    answers = {}
    for name, exact in (("plain", False), ("int8", False), ("int8", True)):
        predictor = Predictor(load_checkpoint(tmp_path / f"{name}.safetensors", exact=exact))
        layers = list(predictor.model.image_encoder.modules())
        assert any(isinstance(one, Int8Linear) for one in layers) == (name == "int8" and not exact)
        answers[name, exact] = predictor.decode(predictor.encode(image), **point).low_res_logits
    exactly = answers["plain", False]
    assert np.array_equal(answers["int8", True], exactly)
    off = answers["int8", False] - exactly
    assert 0 < np.linalg.norm(off) < 0.05 * np.linalg.norm(exactly)


def test_the_command_writes_a_version_of_its_own(sam, tmp_path, capsys):
    source, made = tmp_path / "sam.safetensors", tmp_path / "sam_int8.safetensors"
    save_checkpoint(sam, source, {"from": "here"})
    assert main(["quantise", "--model", str(source), "--out", str(made)]) == 0
    assert checkpoint_digest(made) in capsys.readouterr().out
    assert read_metadata(made)["int8"] is True
    assert read_metadata(made)["metadata"] == {"from": "here"}


def test_a_model_that_was_loaded_so_is_saved_by_its_own_weights_or_not_at_all(sam, tmp_path, capsys):
    source = tmp_path / "int8.safetensors"
    save_checkpoint(sam, source, int8=True)
    with pytest.raises(ValueError, match="exact"):
        save_checkpoint(load_checkpoint(source), tmp_path / "again.safetensors")
    assert main(["export", "--model", str(source), "--out", str(tmp_path)]) == 0
    made = tmp_path / "sam_vit_b.safetensors"
    assert read_metadata(made)["int8"] is True
    assert any(isinstance(one, Int8Linear) for one in load_checkpoint(made).modules())


def test_the_default_model_gains_nothing_and_the_command_says_so(tmp_path, capsys):
    assert main(["quantise", "--out", str(tmp_path / "made.safetensors")]) == 2
    assert "convolutions" in capsys.readouterr().err
    assert list(tmp_path.iterdir()) == []
