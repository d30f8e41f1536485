"""SAM's decoder in three parts, as the browser runs it, answers as the whole one does."""

import numpy as np
import onnxruntime
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from modelzoo.export import SamGraph, check_parts, example_prompts, export_parts
from modelzoo.model.mask_decoder import MaskDecoder
from modelzoo.model.prepared_decoder import Drawing, ImageViews, PreparedDecoder
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
    # The one step that the parts take otherwise: then nothing but rounding may be left.
    for layer in decoder.output_upscaling:
        if isinstance(layer, torch.nn.GELU):
            layer.approximate = "tanh"
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


@pytest.fixture(scope="module")
def files(small_sam, tmp_path_factory):
    """The exported parts of the reference's small SAM, in the order in which they run."""
    folder = tmp_path_factory.mktemp("parts")
    paths = [folder / f"{name}.onnx" for name in ("views", "sketch", "drawing")]
    export_parts(small_sam, *paths)
    return paths


def run(path, known):
    """The outputs of an ONNX file by name; of what is known it takes what it asks for."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(
        zip(names, session.run(names, {one.name: known[one.name] for one in session.get_inputs()}), strict=True)
    )


def test_the_exported_parts_agree_with_the_model(small_sam, files, parity):
    embedding = torch.randn(1, small_sam.prompt_encoder.embed_dim, *small_sam.prompt_encoder.image_embedding_size)
    parity("ONNX decoder in three parts, SAM (share of spread)", check_parts(small_sam, files, embedding), 2.5e-3)


def test_the_parts_give_the_masks_of_the_reference(small_sam, golden, files, parity):
    views = run(files[0], {"image_embeddings": golden["img0.embedding"]})
    frame = small_sam.frame(tuple(golden["img0.original_size"]))
    height, width = small_sam.prompt_encoder.image_embedding_size
    for name in ("point1", "points3"):
        coords = frame.to_input(golden[f"img0.{name}.point_coords"].astype(np.float64))
        labels = np.append(golden[f"img0.{name}.point_labels"], -1.0)
        known = {key: value.numpy() for key, value in example_prompts([64, 64]).items()} | views
        known["point_coords"] = np.concatenate([coords, np.zeros((1, 2))])[None].astype(np.float32)
        known["point_labels"] = labels[None].astype(np.float32)
        known |= run(files[1], known) | {"window": np.array([0, height, 0, width])}
        masks = run(files[2], known)["low_res_masks"]
        for kind, chosen in (("multi", slice(1, 4)), ("single", slice(0, 1))):
            expected = golden[f"img0.{name}.{kind}.low_res_masks"]
            worst = np.abs(masks[0, chosen] - expected).max() / expected.std()
            parity(f"decoder in three parts, {name} {kind} (share of spread)", worst, 2.5e-3)
            assert ((masks[0, chosen] > 0) != (expected > 0)).mean() < 1e-4


def test_the_drawing_moves_logits_about_as_much_as_the_rounding_of_stored_embeddings(small_sam, golden, files, parity):
    exact = run(files[0], {"image_embeddings": golden["img0.embedding"]})
    plain = SamGraph(small_sam)
    prompts = example_prompts([64, 64])
    embedding = torch.from_numpy(golden["img0.embedding"])
    with torch.inference_mode():
        expected = plain(embedding, *prompts.values())[0].numpy()
        rounded = plain(embedding.half().float(), *prompts.values())[0].numpy()
    drawn = exact | {key: value.numpy() for key, value in prompts.items()}
    drawn |= run(files[1], drawn) | {"window": np.array([0, 16, 0, 16])}
    ours = np.abs(run(files[2], drawn)["low_res_masks"] - expected).max()
    parity("the drawing beside float16 embeddings (ratio)", ours / np.abs(rounded - expected).max(), 3.0)


def test_parts_that_disagree_are_never_written(small_sam, tmp_path, monkeypatch):
    monkeypatch.setattr("modelzoo.export.PARTS_TOLERANCE", 0.0)
    with pytest.raises(RuntimeError, match="parts differ"):
        export_parts(small_sam, *(tmp_path / name for name in ("views.onnx", "sketch.onnx", "drawing.onnx")))
    assert list(tmp_path.iterdir()) == []
