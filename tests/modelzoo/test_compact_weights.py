"""The default model's decoder as the browser's program takes it: the weights, and the answers that it is held to.

The program itself is held to the same file by frontend/src/segmenter/compactDecoder.test.ts.
`python -m tests.modelzoo.test_compact_weights` writes it anew.
"""

from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file
from torch.nn import functional as F

from modelzoo.build import build
from modelzoo.export import export_weights
from modelzoo.model.compact_decoder import CompactDecoder
from modelzoo.model.compact_encoder import ConvNormAct
from modelzoo.model.compact_weights import folded, pair, program_refuses, program_weights, transposed

GOLDEN = Path(__file__).parents[1] / "golden" / "compact_decoder.safetensors"
CHANNELS = (32, 8, 8, 5)  # coarse, middle, fine, affinity
SIZE = (3, 5)  # of the coarse map: neither fills whole panels of eight
PROMPTS = {  # points, labels, whether a mask is given
    "click": ([[30.0, 20.0], [0.0, 0.0]], [1, -1], False),
    "fed": ([[30.0, 20.0], [61.0, 40.5], [0.0, 0.0]], [1, 0, -1], True),
    "box": ([[12.0, 7.0], [55.0, 39.0]], [2, 3], False),
    "box and clicks": ([[40.0, 30.0], [3.0, 44.0], [12.0, 7.0], [55.0, 39.0]], [1, 0, 2, 3], True),
    "many": ([[8.0 * place, 5.0 * place] for place in range(9)] + [[0.0, 0.0]], [1, 0, 1] * 3 + [-1], False),
    "mask alone": ([[0.0, 0.0]], [-1], True),
}


def small_decoder():
    """A decoder whose norms and biases are not the ones of a fresh layer."""
    torch.manual_seed(12)
    decoder = CompactDecoder(*CHANNELS, mlp_channels=24)
    for name, values in decoder.named_parameters():
        if values.dim() == 1:
            torch.nn.init.normal_(values, mean=0.5 if name.endswith("weight") else 0.0)
    for name, buffer in decoder.named_buffers():
        if "running" in name:
            torch.nn.init.uniform_(buffer, 0.5, 1.5)
    return decoder.requires_grad_(False).eval()


def features():
    coarse, middle, fine, affinity = CHANNELS
    height, width = SIZE
    return {
        "coarse": torch.randn(1, coarse, height, width),
        "middle": torch.randn(1, middle, 2 * height, 2 * width),
        "fine": torch.randn(1, fine + affinity, 4 * height, 4 * width),
    }


def golden_decoder():
    """Weights and maps of a small decoder, prompts, and what it says to them."""
    decoder, maps = small_decoder(), features()
    mask = 3 * torch.randn(1, 1, 4 * SIZE[0], 4 * SIZE[1])
    told = program_weights(decoder) | {f"map.{name}": values for name, values in maps.items()} | {"mask_input": mask}
    for name, (coords, labels, has) in PROMPTS.items():
        points, kinds = torch.tensor([coords]), torch.tensor([labels], dtype=torch.float32)
        logits, ious = decoder.answer(maps, points, kinds, mask * float(has))
        said = {"coords": points, "labels": kinds, "low_res_masks": logits, "iou_predictions": ious}
        told |= {f"{name}.{key}": values for key, values in said.items()}
    return {key: values.contiguous() for key, values in told.items()}


def test_the_golden_file_is_what_the_decoder_says():
    stored, made = load_file(GOLDEN), golden_decoder()
    assert stored.keys() == made.keys()
    for name, values in made.items():
        assert torch.allclose(values, stored[name], atol=1e-4, rtol=1e-4), name


def test_a_batch_norm_is_folded_into_its_convolution():
    torch.manual_seed(1)
    layers = ConvNormAct(6, 8, stride=2).eval()
    torch.nn.init.uniform_(layers[1].running_var, 0.5, 2.0)
    torch.nn.init.normal_(layers[1].running_mean)
    torch.nn.init.normal_(layers[1].bias)
    picture = torch.randn(2, 6, 10, 12)
    weight, bias = folded(*pair(layers))
    assert torch.allclose(layers(picture), F.relu(F.conv2d(picture, weight.view(8, 6, 3, 3), bias, 2, 1)), atol=1e-5)


def test_a_transposed_convolution_is_a_product_for_each_place():
    torch.manual_seed(2)
    layer, picture = torch.nn.ConvTranspose2d(6, 4, 2, 2), torch.randn(1, 6, 3, 5)
    weight, bias = transposed(layer)
    made = (weight @ picture.flatten(2)).view(2, 2, 4, 3, 5).permute(2, 3, 0, 4, 1).reshape(1, 4, 6, 10)
    assert torch.allclose(layer(picture), made + bias[:, None, None], atol=1e-5)


@pytest.mark.parametrize(
    ("channels", "why"),
    [
        ((24, 8, 8, 5), "3 channels of a head, no multiple of 4"),
        ((36, 8, 8, 5), "36 channels at stride 16"),
        ((32, 6, 8, 5), "6 channels at stride 8"),
        ((32, 8, 10, 5), "10 channels at stride 4"),
    ],
)
def test_a_decoder_of_a_shape_that_the_program_does_not_take_is_told(channels, why):
    decoder = CompactDecoder(*channels, heads=4 if channels[0] != 36 else 1)
    assert why in program_refuses(decoder)


def test_so_is_one_that_makes_another_number_of_masks():
    assert "3 masks" in program_refuses(CompactDecoder(*CHANNELS, candidates=2))


def test_the_shipped_shape_is_taken():
    assert program_refuses(CompactDecoder(128, 32, 16, 12)) is None


def test_what_is_written_is_read_as_it_was(tmp_path):
    model = build("anymask_compact", long_side=64).eval()
    export_weights(model, tmp_path / "weights.safetensors")
    expected = program_weights(model.decoder)
    stored = load_file(tmp_path / "weights.safetensors")
    assert stored.keys() == expected.keys()
    assert all(torch.equal(stored[name], values) for name, values in expected.items())


def test_nothing_is_written_of_a_decoder_that_is_not_taken(tmp_path):
    model = build("anymask_compact", long_side=64)
    model.decoder = CompactDecoder(24, 8, 8, 5)
    with pytest.raises(RuntimeError, match="3 channels of a head, no multiple of 4"):
        export_weights(model, tmp_path / "weights.safetensors")
    assert list(tmp_path.iterdir()) == []


if __name__ == "__main__":
    save_file(golden_decoder(), GOLDEN)
