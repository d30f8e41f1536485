"""SAM's decoder in three parts, as the browser runs it, answers as the whole one does."""

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
from modelzoo.model.prepared_decoder import Drawing, ImageViews, PreparedDecoder, Sketch
from modelzoo.model.prompt_encoder import PromptEncoder
from modelzoo.model.transformer import TwoWayTransformer

GOLDEN = Path(__file__).parents[1] / "golden" / "drawing.safetensors"
FILES = ("views.onnx", "sketch.onnx", "drawing.safetensors")


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


def golden_drawing():
    """What the browser's program is held to as well: a sketch on 3 x 5 positions, the drawing's weights, the logits."""
    prompts, decoder = parts(depth=2, heads=2, size=(3, 5), seed=11)
    drawing = Drawing(prompts, decoder)
    asked = torch.tensor([[[20.0, 30.0], [60.0, 12.0]]]), torch.ones(1, 2), torch.randn(1, 1, 12, 20), torch.ones(1)
    views = ImageViews(prompts, decoder)(torch.randn(1, 32, 3, 5))
    sketch, _ = PreparedDecoder(prompts, decoder)(views, *asked)
    masks = drawing(views["upscaled"], sketch, torch.tensor([0, 3, 0, 5]))
    return drawing.weights() | sketch._asdict() | {"upscaled": views["upscaled"], "low_res_masks": masks}


def test_the_drawing_is_what_the_browsers_program_is_tested_with():
    stored = load_file(GOLDEN)
    made = golden_drawing()
    assert stored.keys() == made.keys()
    for name, values in made.items():
        assert torch.allclose(values, stored[name], atol=1e-4, rtol=1e-4), name


@pytest.fixture(scope="module")
def files(small_sam, tmp_path_factory):
    """The exported parts of the reference's small SAM: the graphs of views and sketch."""
    folder = tmp_path_factory.mktemp("parts")
    paths = [folder / name for name in FILES]
    export_parts(small_sam, *paths)
    return tuple(paths[:2])


def run(path, known):
    """The outputs of an ONNX file by name; of what is known it takes what it asks for."""
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    return dict(
        zip(names, session.run(names, {one.name: known[one.name] for one in session.get_inputs()}), strict=True)
    )


def test_the_exported_parts_agree_with_the_model(small_sam, files, parity):
    embedding = torch.randn(1, small_sam.prompt_encoder.embed_dim, *small_sam.prompt_encoder.image_embedding_size)
    parity("decoder in three parts, SAM (share of spread)", check_parts(small_sam, files, embedding), 1e-4)


def test_the_parts_give_the_masks_of_the_reference(small_sam, golden, files, parity):
    drawing = Drawing(small_sam.prompt_encoder, small_sam.mask_decoder)
    views = run(files[0], {"image_embeddings": golden["img0.embedding"]})
    frame = small_sam.frame(tuple(golden["img0.original_size"]))
    height, width = small_sam.prompt_encoder.image_embedding_size
    for name in ("point1", "points3"):
        coords = frame.to_input(golden[f"img0.{name}.point_coords"].astype(np.float64))
        labels = np.append(golden[f"img0.{name}.point_labels"], -1.0)
        known = {key: value.numpy() for key, value in example_prompts([64, 64]).items()} | views
        known["point_coords"] = np.concatenate([coords, np.zeros((1, 2))])[None].astype(np.float32)
        known["point_labels"] = labels[None].astype(np.float32)
        got = run(files[1], known)
        sketch = Sketch(*(torch.from_numpy(got[part]) for part in Sketch._fields))
        window = torch.tensor([0, height, 0, width])
        with torch.inference_mode():
            masks = drawing(torch.from_numpy(views["upscaled"]), sketch, window).numpy()
        for kind, chosen in (("multi", slice(1, 4)), ("single", slice(0, 1))):
            expected = golden[f"img0.{name}.{kind}.low_res_masks"]
            worst = np.abs(masks[0, chosen] - expected).max() / expected.std()
            parity(f"decoder in three parts, {name} {kind} (share of spread)", worst, 1e-4)
            assert ((masks[0, chosen] > 0) != (expected > 0)).mean() < 1e-4


def test_parts_that_disagree_are_never_written(small_sam, tmp_path, monkeypatch):
    monkeypatch.setattr("modelzoo.export.PARTS_TOLERANCE", 0.0)
    with pytest.raises(RuntimeError, match="parts differ"):
        export_parts(small_sam, *(tmp_path / name for name in FILES))
    assert list(tmp_path.iterdir()) == []


if __name__ == "__main__":
    save_file({name: values.detach().contiguous() for name, values in golden_drawing().items()}, GOLDEN)
