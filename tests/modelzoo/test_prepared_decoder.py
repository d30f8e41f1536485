"""SAM's decoder as the browser runs it, on images that are prepared, answers as the plain one does."""

from pathlib import Path

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from modelzoo.export import check_parts, example_prompts, export_parts
from modelzoo.model.mask_decoder import MaskDecoder
from modelzoo.model.prepared_decoder import Drawing, ImageViews, PreparedDecoder
from modelzoo.model.prompt_encoder import PromptEncoder
from modelzoo.model.transformer import TwoWayTransformer

GOLDEN = Path(__file__).parents[1] / "golden" / "prepared_decoder.safetensors"
FILES = ("views.onnx", "prompts.safetensors")


def parts(depth, heads, size, seed):
    """A prompt encoder and a decoder of 32 channels whose norms and biases are not the ones of a fresh layer."""
    torch.manual_seed(seed)
    transformer = TwoWayTransformer(depth=depth, embedding_dim=32, num_heads=heads, mlp_dim=24)
    decoder = MaskDecoder(transformer=transformer, transformer_dim=32, iou_head_hidden_dim=24)
    side = tuple(16 * length for length in size)
    prompts = PromptEncoder(embed_dim=32, image_embedding_size=size, input_image_size=side, mask_in_chans=16)
    for parameter in [*decoder.parameters(), *prompts.parameters()]:
        if parameter.dim() == 1:
            torch.nn.init.normal_(parameter, mean=0.5)
    return prompts.requires_grad_(False).eval(), decoder.requires_grad_(False).eval()


@given(
    st.integers(1, 4),
    st.sampled_from([1, 2, 8]),
    st.tuples(st.integers(2, 6), st.integers(2, 6)),
    st.integers(1, 12),
    st.sampled_from([0.0, 1.0]),
)
@settings(max_examples=40, deadline=None)
def test_any_depth_size_and_prompt_gives_what_the_plain_decoder_gives(depth, heads, size, points, has):
    prompts, decoder = parts(depth, heads, size, seed=points)
    embedding = torch.randn(1, 32, *size)
    coords, labels = 90 * torch.rand(1, points, 2), torch.randint(-1, 4, (1, points)).float()
    mask = 5 * torch.randn(1, 1, 4 * size[0], 4 * size[1])
    dense = has * prompts.embed_masks(mask) + (1 - has) * prompts.no_mask()
    plain = decoder(embedding, prompts.dense_pe(), prompts.embed_points(coords, labels), dense)
    views = ImageViews(prompts, decoder)(embedding)
    sketch, ious = PreparedDecoder(prompts, decoder)(views, coords, labels, mask, torch.tensor([has]))
    draw = Drawing(prompts, decoder)
    height, width = size
    border = width // 2
    left, right = (
        draw(views["upscaled"], sketch, torch.tensor([0, height, *sides])) for sides in ((0, border), (border, width))
    )
    for one, other in zip(plain, (torch.cat([left, right], dim=3), ious), strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, atol=2e-4, rtol=1e-4)


def golden_decoder():
    """What the browser's program is held to: the weights and views of a small decoder, prompts, and what it says."""
    prompts, decoder = parts(depth=2, heads=4, size=(3, 5), seed=11)
    views = ImageViews(prompts, decoder)(torch.randn(1, 32, 3, 5))
    prepared, drawing = PreparedDecoder(prompts, decoder), Drawing(prompts, decoder)
    told = prepared.weights() | drawing.weights() | {f"view.{name}": values for name, values in views.items()}
    mask = 3 * torch.randn(1, 1, 12, 20)
    for name, points, has in (("click", 1, 0.0), ("mask", 1, 1.0), ("many", 9, 1.0)):
        coords = 60 * torch.rand(1, points + 1, 2)
        labels = torch.tensor([[1.0, 0.0, 2.0, 3.0] * 3])[:, : points + 1].clone()
        labels[0, -1] = -1.0
        sketch, ious = prepared(views, coords, labels, mask, torch.tensor([has]))
        logits = drawing(views["upscaled"], sketch, torch.tensor([0, 3, 0, 5]))
        said = {"coords": coords, "labels": labels, "low_res_masks": logits, "iou_predictions": ious}
        told |= {f"{name}.{key}": values for key, values in said.items()}
    return {key: values.detach().contiguous() for key, values in (told | {"mask_input": mask}).items()}


def test_the_decoder_is_what_the_browsers_program_is_tested_with():
    stored = load_file(GOLDEN)
    made = golden_decoder()
    assert stored.keys() == made.keys()
    for name, values in made.items():
        assert torch.allclose(values, stored[name], atol=1e-4, rtol=1e-4), name


@pytest.fixture(scope="module")
def files(small_sam, tmp_path_factory):
    """The reference's small SAM as a browser takes it."""
    folder = tmp_path_factory.mktemp("parts")
    paths = [folder / name for name in FILES]
    export_parts(small_sam, *paths)
    return paths


def test_the_exported_parts_agree_with_the_model(small_sam, files, parity):
    encoder = small_sam.prompt_encoder
    embedding = torch.randn(1, encoder.embed_dim, *encoder.image_embedding_size)
    parity("prepared decoder, SAM (share of spread)", check_parts(small_sam, files[0], embedding), 1e-4)
    weights = load_file(files[1])
    assert torch.equal(
        weights["heads"], torch.tensor([float(small_sam.mask_decoder.transformer.layers[0].self_attn.heads)])
    )
    assert not any(name.startswith("output_upscaling") for name in weights)


def test_the_parts_give_the_masks_of_the_reference(small_sam, golden, files, parity):
    encoder, decoder = small_sam.prompt_encoder, small_sam.mask_decoder
    session = onnxruntime.InferenceSession(str(files[0]), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    made = session.run(names, {"image_embeddings": golden["img0.embedding"]})
    views = dict(zip(names, map(torch.from_numpy, made), strict=True))
    frame = small_sam.frame(tuple(golden["img0.original_size"]))
    height, width = encoder.image_embedding_size
    for name in ("point1", "points3"):
        coords = frame.to_input(golden[f"img0.{name}.point_coords"].astype(np.float64))
        labels = np.append(golden[f"img0.{name}.point_labels"], -1.0)
        prompts = example_prompts([64, 64])
        prompts["point_coords"] = torch.from_numpy(np.concatenate([coords, np.zeros((1, 2))])[None]).float()
        prompts["point_labels"] = torch.from_numpy(labels[None]).float()
        with torch.inference_mode():
            sketch, _ = PreparedDecoder(encoder, decoder)(views, *prompts.values())
            masks = Drawing(encoder, decoder)(views["upscaled"], sketch, torch.tensor([0, height, 0, width])).numpy()
        for kind, chosen in (("multi", slice(1, 4)), ("single", slice(0, 1))):
            expected = golden[f"img0.{name}.{kind}.low_res_masks"]
            worst = np.abs(masks[0, chosen] - expected).max() / expected.std()
            parity(f"prepared decoder, {name} {kind} (share of spread)", worst, 1e-4)
            assert ((masks[0, chosen] > 0) != (expected > 0)).mean() < 1e-4


def test_parts_that_disagree_are_never_written(small_sam, tmp_path, monkeypatch):
    monkeypatch.setattr("modelzoo.export.PARTS_TOLERANCE", 0.0)
    with pytest.raises(RuntimeError, match="parts differ"):
        export_parts(small_sam, *(tmp_path / name for name in FILES))
    assert list(tmp_path.iterdir()) == []


def test_a_decoder_of_a_shape_that_the_program_does_not_take_is_told(small_sam, tmp_path, monkeypatch):
    monkeypatch.setattr(small_sam.mask_decoder, "num_mask_tokens", 3)
    with pytest.raises(RuntimeError, match="makes 3 masks, no multiple of 4"):
        export_parts(small_sam, *(tmp_path / name for name in FILES))
    look = small_sam.mask_decoder.transformer.final_attn_token_to_image
    monkeypatch.setattr(look, "width", 2)
    with pytest.raises(RuntimeError, match="2 channels, no multiple of 4"):
        export_parts(small_sam, *(tmp_path / name for name in FILES))
    assert list(tmp_path.iterdir()) == []


if __name__ == "__main__":
    save_file(golden_decoder(), GOLDEN)
