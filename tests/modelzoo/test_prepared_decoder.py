"""SAM's decoder in two halves, as the browser runs it, answers as the whole one does."""

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo.export import check_halves, example_prompts, export_halves
from modelzoo.model.mask_decoder import MaskDecoder
from modelzoo.model.prepared_decoder import ImageViews, PreparedDecoder
from modelzoo.model.prompt_encoder import PromptEncoder
from modelzoo.model.transformer import TwoWayTransformer


def parts(depth, heads, size, seed):
    """A prompt encoder and a decoder of 32 channels whose norms and biases are not the ones of a fresh layer."""
    torch.manual_seed(seed)
    transformer = TwoWayTransformer(depth=depth, embedding_dim=32, num_heads=heads, mlp_dim=24)
    decoder = MaskDecoder(transformer=transformer, transformer_dim=32)
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
    halves = PreparedDecoder(prompts, decoder)(views, coords, labels, mask, torch.tensor([has]))
    for one, other in zip(plain, halves, strict=True):
        assert one.shape == other.shape
        assert torch.allclose(one, other, atol=2e-4, rtol=1e-4)


@pytest.fixture(scope="module")
def files(small_sam, tmp_path_factory):
    """The exported halves of the reference's small SAM."""
    folder = tmp_path_factory.mktemp("halves")
    paths = (folder / "image.onnx", folder / "prompt.onnx")
    export_halves(small_sam, *paths)
    return paths


def run(path, inputs):
    """The outputs of an ONNX file by name."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(zip(names, session.run(names, inputs), strict=True))


def test_the_exported_halves_agree_with_the_model(small_sam, files, parity):
    embedding = torch.randn(1, small_sam.prompt_encoder.embed_dim, *small_sam.prompt_encoder.image_embedding_size)
    parity("ONNX decoder in two halves, SAM (logits)", check_halves(small_sam, files, embedding), 1e-4)


def test_the_halves_give_the_masks_of_the_reference(small_sam, golden, files, parity):
    views = run(files[0], {"image_embeddings": golden["img0.embedding"]})
    frame = small_sam.frame(tuple(golden["img0.original_size"]))
    for name in ("point1", "points3"):
        coords = frame.to_input(golden[f"img0.{name}.point_coords"].astype(np.float64))
        labels = np.append(golden[f"img0.{name}.point_labels"], -1.0)
        prompts = {key: value.numpy() for key, value in example_prompts([64, 64]).items()}
        prompts["point_coords"] = np.concatenate([coords, np.zeros((1, 2))])[None].astype(np.float32)
        prompts["point_labels"] = labels[None].astype(np.float32)
        answer = run(files[1], views | prompts)
        for kind, chosen in (("multi", slice(1, 4)), ("single", slice(0, 1))):
            expected = golden[f"img0.{name}.{kind}.low_res_masks"]
            worst = np.abs(answer["low_res_masks"][0, chosen] - expected).max()
            parity(f"decoder in two halves, {name} {kind} (logits)", worst, 5e-4)


def test_halves_that_disagree_are_never_written(small_sam, tmp_path, monkeypatch):
    monkeypatch.setattr("modelzoo.export.TOLERANCE", 0.0)
    with pytest.raises(RuntimeError, match="halves differ"):
        export_halves(small_sam, tmp_path / "image.onnx", tmp_path / "prompt.onnx")
    assert list(tmp_path.iterdir()) == []
