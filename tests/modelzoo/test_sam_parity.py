"""SAM equals the reference implementation within float noise, part by part. Tolerances: tests/golden/README.md."""

import numpy as np
import pytest
import torch

from modelzoo.geometry import upscale_logits

IMAGES = ("img0", "img1")
PROMPTS = ("point1", "points3", "box", "box_point", "points3_mask")


def largest(ours, recorded):
    ours = ours.detach().numpy() if isinstance(ours, torch.Tensor) else ours
    assert ours.shape == recorded.shape
    return np.abs(ours.astype(np.float64) - recorded).max()


@pytest.fixture(scope="module", params=["lean", "differentiable"])
def gradients(request):
    """The encoder has two ways through its attention: in blocks without gradients, plain with them."""
    with torch.set_grad_enabled(request.param == "differentiable"):
        yield request.param


@pytest.mark.parametrize("image", IMAGES)
def test_frame(small_sam, golden, image):
    frame = small_sam.frame(golden[f"{image}.pixels"].shape[:2])
    assert frame.original_size == tuple(golden[f"{image}.original_size"])
    assert frame.input_size == tuple(golden[f"{image}.input_size"])


@pytest.mark.parametrize("image", IMAGES)
def test_preprocessing(small_sam, golden, image, parity):
    parity(
        "preprocessed", largest(small_sam.preprocess(golden[f"{image}.pixels"]), golden[f"{image}.preprocessed"]), 1e-6
    )


@pytest.mark.parametrize("image", IMAGES)
def test_embedding(small_sam, golden, image, parity, gradients):
    embedding = small_sam.encode(torch.from_numpy(golden[f"{image}.preprocessed"]))["image_embeddings"]
    parity(f"embedding ({gradients} attention)", largest(embedding, golden[f"{image}.embedding"]), 1e-5)


def test_inside_the_encoder(small_sam, golden, parity, gradients):
    encoder, seen = small_sam.image_encoder, {}
    parts = {
        "patch_embed": encoder.patch_embed,
        **{f"block{index}": encoder.blocks[index] for index in (0, 1, 3)},
        "neck_ln1": encoder.neck[1],
    }
    hooks = [
        part.register_forward_hook(lambda module, inputs, output, name=name: seen.__setitem__(name, output))
        for name, part in parts.items()
    ]
    encoder(torch.from_numpy(golden["img0.preprocessed"]))
    for hook in hooks:
        hook.remove()
    for name in parts:
        tolerance = 1e-5 if name == "neck_ln1" else 5e-5
        parity(
            f"encoder.{name} ({gradients} attention)", largest(seen[name], golden[f"img0.encoder.{name}"]), tolerance
        )


def test_dense_position_code(small_sam, golden, parity):
    parity("dense_pe", largest(small_sam.prompt_encoder.dense_pe(), golden["dense_pe"]), 1e-5)


def prompts_of(small_sam, golden, image, case):
    """Arguments of Sam.decode for a recorded prompt."""
    frame = small_sam.frame(tuple(golden[f"{image}.original_size"]))
    stored = {key: golden.get(f"{image}.{case}.{key}") for key in ("point_coords", "point_labels", "box", "mask_input")}
    tensors = {}
    if stored["point_coords"] is not None:
        tensors["points"] = torch.from_numpy(frame.to_input(stored["point_coords"])).float()[None]
        tensors["labels"] = torch.from_numpy(stored["point_labels"])[None]
    if stored["box"] is not None:
        tensors["boxes"] = torch.from_numpy(frame.box_to_input(stored["box"])).float()[None]
    if stored["mask_input"] is not None:
        tensors["mask_input"] = torch.from_numpy(stored["mask_input"])[None]
    return frame, tensors


@pytest.mark.parametrize("case", ["points3", "points3_mask", "box_point"])
def test_prompt_embeddings(small_sam, golden, case, parity):
    _, tensors = prompts_of(small_sam, golden, "img0", case)
    sparse, dense = small_sam.prompt_encoder(
        tensors.get("points"), tensors.get("labels"), tensors.get("boxes"), tensors.get("mask_input")
    )
    parity("prompt_sparse", largest(sparse, golden[f"img0.{case}.prompt_sparse"]), 1e-5)
    if f"img0.{case}.prompt_dense" in golden:
        parity("prompt_dense", largest(dense, golden[f"img0.{case}.prompt_dense"]), 1e-5)


def test_two_way_transformer(small_sam, golden, parity, gradients):
    _, tensors = prompts_of(small_sam, golden, "img0", "points3")
    sparse, dense = small_sam.prompt_encoder(tensors["points"], tensors["labels"], None, None)
    tokens, source = small_sam.mask_decoder.run_transformer(
        torch.from_numpy(golden["img0.embedding"]), small_sam.prompt_encoder.dense_pe(), sparse, dense
    )
    parity("decoder_tokens", largest(tokens, golden["img0.points3.decoder_tokens"]), 1e-5)
    parity("decoder_src", largest(source, golden["img0.points3.decoder_src"]), 1e-5)


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("case", PROMPTS)
@pytest.mark.parametrize("mode", ["multi", "single"])
def test_masks(small_sam, golden, image, case, mode, parity, gradients):
    frame, tensors = prompts_of(small_sam, golden, image, case)
    features = {"image_embeddings": torch.from_numpy(golden[f"{image}.embedding"])}
    low_res, ious = small_sam.decode(features, frame, **tensors, multimask=mode == "multi")
    recorded = f"{image}.{case}.{mode}"
    logits = low_res[0].detach().numpy()
    parity("low_res_masks", largest(logits, golden[f"{recorded}.low_res_masks"]), 5e-5)
    parity("iou_predictions", largest(ious[0], golden[f"{recorded}.iou_predictions"]), 2e-6)
    full = upscale_logits(logits, frame)
    if f"{recorded}.logits" in golden:
        parity("logits at full size", largest(full, golden[f"{recorded}.logits"]), 5e-5)
    flipped = (full > small_sam.mask_threshold) != golden[f"{recorded}.masks"]
    parity("mask pixels flipped, per mask", flipped.sum(axis=(1, 2)).max(), 5)
    assert np.all(np.abs(full[flipped]) < 1e-4)


@pytest.mark.parametrize("image", IMAGES)
@pytest.mark.parametrize("case", PROMPTS)
def test_the_predictor_from_pixels_to_masks(predictor, golden, image, case, parity):
    """The whole way, with the embedding made here and stored values only for the mask that is fed back."""

    def get(key):
        return golden.get(f"{image}.{case}.{key}")

    embedding = predictor.encode(golden[f"{image}.pixels"])
    prediction = predictor.decode(
        embedding, get("point_coords"), get("point_labels"), get("box"), get("mask_input"), multimask=True
    )
    parity("low_res_masks, from pixels", largest(prediction.low_res_logits, get("multi.low_res_masks")), 5e-5)
    flipped = prediction.masks != get("multi.masks")
    parity("mask pixels flipped, from pixels", flipped.sum(axis=(1, 2)).max(), 5)


@pytest.mark.parametrize("case", ["point", "box_point", "points3", "points3_mask"])
def test_the_four_outputs_of_the_export_form(small_sam, golden, case, parity):
    """Prompts as an exported decoder takes them: input-frame points, box corners as labels 2 and 3, padding -1."""
    given = "points3" if case == "points3_mask" else case
    points = torch.from_numpy(golden[f"export.{given}.point_coords"])
    labels = torch.from_numpy(golden[f"export.{given}.point_labels"])
    encoder = small_sam.prompt_encoder
    dense = encoder.no_mask()
    if case == "points3_mask":
        dense = encoder.embed_masks(torch.from_numpy(golden["img0.points3_mask.mask_input"])[None])
    with torch.no_grad():
        low_res, ious = small_sam.mask_decoder(
            torch.from_numpy(golden["img0.embedding"]), encoder.dense_pe(), encoder.embed_points(points, labels), dense
        )
    parity("export form, low_res_masks", largest(low_res, golden[f"export.{case}.all.low_res_masks"]), 5e-5)
    parity("export form, iou_predictions", largest(ious, golden[f"export.{case}.all.iou_predictions"]), 2e-6)
    if f"export.{case}.all.masks" in golden:
        full = upscale_logits(low_res.numpy(), small_sam.frame((200, 300)))
        flipped = (full > 0) != golden[f"export.{case}.all.masks"]
        parity("export form, mask pixels flipped", flipped.sum(axis=(2, 3)).max(), 5)
