"""The decoder as ONNX, for the browser and for a web process without torch. One file per model version.

Inputs: the embedding's tensors by name (1 x C x h x w), `point_coords` 1 x N x 2 in input-frame pixels (x, y),
`point_labels` 1 x N (1 object, 0 background, 2 and 3 the corners of a box, -1 padding), `mask_input` 1 x 1 x hm x wm
logits, `has_mask_input` 1 (0 or 1). Outputs: `low_res_masks` 1 x 4 x hm x wm logits (0: the answer to several prompts,
1 to 3: candidates) and `iou_predictions` 1 x 4. Enlarging to the picture is left to the caller: in the graph it would
cost more than everything else (modelzoo.geometry.upscale_masks and its twin in the browser do it).

A browser takes other files, with which a program of our own (frontend/kernel) answers prompts in half the time: the
default model's decoder as its weights (modelzoo.model.compact_weights); a SAM decoder as a graph that makes named maps
of the embedding, once per image, and the weights that go on from these (modelzoo.model.prepared_decoder).
"""

from __future__ import annotations

import json
import warnings
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime
import torch
from safetensors.torch import save_file
from torch import Tensor, nn

from modelzoo.checkpoint import replacing
from modelzoo.embedding import Embedding
from modelzoo.geometry import Frame
from modelzoo.model import compact_weights
from modelzoo.model.compact import Compact
from modelzoo.model.prepared_decoder import Drawing, ImageViews, PreparedDecoder
from modelzoo.model.segmenter import Sam
from modelzoo.onnx_decoder import OnnxDecoder
from modelzoo.predictor import Predictor

OPSET = 17
PROMPT_INPUTS = ("point_coords", "point_labels", "mask_input", "has_mask_input")
OUTPUTS = ("low_res_masks", "iou_predictions")
UPSCALED = "upscaled"  # the one of `ImageViews`' maps that is drawn from
TOLERANCE = 1e-3  # logits, measured by `check_agreement`
PARTS_TOLERANCE = 1e-3  # of the logits' standard deviation, measured by `check_parts`


class CompactGraph(nn.Module):
    """Compact's decoder with the inputs of the exported graph."""

    def __init__(self, model: Compact) -> None:
        super().__init__()
        self.decoder = model.decoder

    def forward(
        self, coarse: Tensor, middle: Tensor, fine: Tensor, coords: Tensor, labels: Tensor, mask: Tensor, has: Tensor
    ) -> tuple[Tensor, Tensor]:
        features = {"coarse": coarse, "middle": middle, "fine": fine}
        result: tuple[Tensor, Tensor] = self.decoder.answer(features, coords, labels, mask * has)
        return result


class SamGraph(nn.Module):
    """SAM's prompt encoder and mask decoder with the inputs of the exported graph."""

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.prompts = model.prompt_encoder
        self.decoder = model.mask_decoder

    def forward(
        self, embedding: Tensor, coords: Tensor, labels: Tensor, mask: Tensor, has: Tensor
    ) -> tuple[Tensor, Tensor]:
        sparse = self.prompts.embed_points(coords, labels)
        dense = has * self.prompts.embed_masks(mask) + (1 - has) * self.prompts.no_mask(1)
        result: tuple[Tensor, Tensor] = self.decoder(embedding, self.prompts.dense_pe(), sparse, dense)
        return result


class ViewsGraph(nn.Module):
    """What of SAM's decoder depends on the image alone, with the outputs of the exported graph."""

    def __init__(self, model: Sam) -> None:
        super().__init__()
        self.views = ImageViews(model.prompt_encoder, model.mask_decoder)

    def forward(self, embedding: Tensor) -> tuple[Tensor, ...]:
        return tuple(self.views(embedding).values())


def export_decoder(model: Any, path: Path | str) -> None:
    """Write the ONNX decoder of a Sam or Compact model; it appears whole or not at all.

    What was written is loaded with ONNX Runtime and compared with the model before it appears: a RuntimeError says by
    how much they differ.
    """
    path = Path(path)
    model = model.eval()
    graph: nn.Module = CompactGraph(model) if isinstance(model, Compact) else SamGraph(model)
    frame = model.frame((480, 640))
    with torch.inference_mode():
        features = model.encode(model.preprocess(np.zeros((480, 640, 3), np.uint8)))
    prompts = example_prompts([side // model.mask_stride for side in frame.padded_size])
    with replacing(path) as temporary:
        inputs = {name: features[name].clone() for name in model.tensor_names} | prompts
        write_graph(graph, inputs, OUTPUTS, temporary, dynamic_axes(model))
        describe(temporary, model)
        check_agreement(model, temporary)


def export_parts(model: Sam, views: Path, prompts: Path) -> None:
    """Write a SAM decoder as the browser's program takes it: the graph of the views, the weights for prompts.

    A RuntimeError says by how much they differ from the model, or why the program cannot take it.
    """
    model = model.eval()
    encoder, decoder = model.prompt_encoder, model.mask_decoder
    refused = program_refuses(model)
    if refused:
        raise RuntimeError(f"The decoder cannot be run in parts: {refused}.")
    random = torch.Generator().manual_seed(0)
    embedding = torch.randn(1, encoder.embed_dim, *encoder.image_embedding_size, generator=random)
    graph = ViewsGraph(model)
    with torch.no_grad():
        names = list(graph.views(embedding))
    weights = PreparedDecoder(encoder, decoder).weights() | Drawing(encoder, decoder).weights()
    with replacing(views) as views_file, replacing(prompts) as prompts_file:
        write_graph(graph, {model.tensor_names[0]: embedding}, names, views_file, {})
        write_weights(weights, prompts_file)
        check_parts(model, views_file, embedding)


def export_weights(model: Compact, path: Path) -> None:
    """Write the default model's decoder as the browser's program takes it. A RuntimeError says why it cannot."""
    refused = compact_weights.program_refuses(model.decoder)
    if refused:
        raise RuntimeError(f"The browser's program does not take the decoder: {refused}.")
    with replacing(path) as temporary:
        write_weights(compact_weights.program_weights(model.eval().decoder), temporary)


def write_weights(weights: Mapping[str, Tensor], path: Path) -> None:
    save_file({name: values.detach().float().contiguous() for name, values in weights.items()}, path)


def program_refuses(model: Sam) -> str | None:
    """What of a decoder's shape frontend/kernel, which takes numbers by fours, does not take; or None."""
    look = model.mask_decoder.transformer.final_attn_token_to_image
    if look.width % 4:
        return f"its heads have {look.width} channels, no multiple of 4"
    if model.mask_decoder.num_mask_tokens % 4:
        return f"it makes {model.mask_decoder.num_mask_tokens} masks, no multiple of 4"
    return None


def example_prompts(mask_size: Sequence[int]) -> dict[str, Tensor]:
    """One click, as the graphs take it; mask_size: height and width of the logits."""
    values = (
        torch.tensor([[[100.0, 120.0], [0.0, 0.0]]]),
        torch.tensor([[1.0, -1.0]]),
        torch.zeros(1, 1, *mask_size),
        torch.zeros(1),
    )
    return dict(zip(PROMPT_INPUTS, values, strict=True))


def write_graph(
    graph: nn.Module,
    inputs: Mapping[str, Tensor],
    outputs: Sequence[str],
    path: Path,
    axes: dict[str, dict[int, str]],
) -> None:
    """Trace `graph` with named example inputs; `axes`: which of their sides vary."""
    with warnings.catch_warnings(), torch.no_grad():
        # The tracer warns about sizes it turns into constants; the checks afterwards prove that none mattered.
        warnings.simplefilter("ignore")
        torch.onnx.export(
            graph.eval(),
            tuple(inputs.values()),
            str(path),
            input_names=list(inputs),
            output_names=list(outputs),
            dynamic_axes=axes,
            opset_version=OPSET,
            dynamo=False,
        )


def dynamic_axes(model: Any) -> dict[str, dict[int, str]]:
    """The number of points varies; for the compact model the size of the maps does too."""
    axes = {"point_coords": {1: "points"}, "point_labels": {1: "points"}}
    if isinstance(model, Compact):
        for name in (*model.tensor_names, "mask_input", "low_res_masks"):
            axes[name] = {2: f"{name}_height", 3: f"{name}_width"}
    return axes


def describe(path: Path, model: Any) -> None:
    """Say inside the file what it is."""
    stored = onnx.load(path)
    about = {
        "variant": model.variant,
        "tensors": list(model.tensor_names),
        "mask_stride": model.mask_stride,
        "one_part": model.one_part,
    }
    onnx.helper.set_model_props(stored, {"anymask": json.dumps(about)})
    onnx.checker.check_model(stored)
    onnx.save(stored, path)


def check_agreement(model: Any, path: Path) -> float:
    """Largest difference in logits between torch and ONNX Runtime over several prompts and picture shapes."""
    predictor, decoder = Predictor(model), OnnxDecoder(path)
    random = np.random.default_rng(0)
    worst = 0.0
    for height, width in ((300, 200), (200, 333), (64, 64)):
        image = random.integers(0, 256, (height, width, 3), dtype=np.uint8)
        embedding = predictor.encode(image)
        for prompts in trial_prompts(embedding, random):
            expected, got = predictor.decode(embedding, **prompts), decoder.decode(embedding, **prompts)
            for ours, theirs in (
                (expected.low_res_logits, got.low_res_logits),
                (expected.iou_predictions, got.iou_predictions),
            ):
                worst = float(np.maximum(worst, np.abs(ours - theirs).max()))  # NaN stays NaN, and is refused below
    if not worst < TOLERANCE:
        raise RuntimeError(f"The exported decoder differs from the model by {worst:.2g} logits.")
    return worst


def check_parts(model: Sam, path: Path, embedding: Tensor) -> float:
    """Largest difference between the model and its prepared form on the views of the graph at `path`, as a share of the
    logits' standard deviation. A RuntimeError where that, or a predicted IoU, differs by more than it may.

    What is compared are the formulas in torch; tests hold the browser's program to them.
    """
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    names = [output.name for output in session.get_outputs()]
    views = dict(
        zip(names, map(torch.from_numpy, session.run(names, {model.tensor_names[0]: embedding.numpy()})), strict=True)
    )
    graph, worst = SamGraph(model), 0.0
    prepared = PreparedDecoder(model.prompt_encoder, model.mask_decoder)
    drawing = Drawing(model.prompt_encoder, model.mask_decoder)
    height, width = model.prompt_encoder.image_embedding_size
    random = torch.Generator().manual_seed(1)
    for count, has, border in ((1, 0.0, 1), (1, 1.0, height // 2), (6, 1.0, height - 1)):
        prompts = example_prompts([4 * height, 4 * width])
        prompts["point_coords"] = torch.rand(1, count + 1, 2, generator=random) * model.image_encoder.img_size
        labels = torch.tensor([[1.0, 0.0] * 3])[:, :count]
        prompts["point_labels"] = torch.cat([labels, torch.tensor([[-1.0]])], dim=1)
        prompts["mask_input"] = 3 * torch.randn(prompts["mask_input"].shape, generator=random)
        prompts["has_mask_input"] = torch.tensor([has])
        with torch.inference_mode():
            masks, ious = graph(embedding, *prompts.values())
            sketch, said = prepared(views, *prompts.values())
            windows = (torch.tensor(rows) for rows in ((0, border, 0, width), (border, height, 0, width)))
            drawn = torch.cat([drawing(views[UPSCALED], sketch, window) for window in windows], dim=2)
        off = float((masks - drawn).abs().max() / masks.std())
        worst = float(np.maximum(worst, off))  # NaN stays NaN, and is refused below
        if not (ious - said).abs().max() < TOLERANCE:
            raise RuntimeError("The decoder's parts predict other IoUs than the model.")
    if not worst < PARTS_TOLERANCE:
        raise RuntimeError(f"The decoder's parts differ from the model by {worst:.2g} of its logits' spread.")
    return worst


def trial_prompts(embedding: Embedding, random: np.random.Generator) -> list[dict[str, Any]]:
    frame: Frame = embedding.frame
    height, width = frame.original_size
    points = random.uniform(0, 1, (3, 2)) * [width, height]
    box = np.array([width * 0.2, height * 0.3, width * 0.8, height * 0.9])
    one = {"points": points[:1], "labels": np.ones(1)}
    mask = random.normal(0, 3, (1, *mask_size(embedding))).astype(np.float32)
    return [
        one,
        {"points": points, "labels": np.array([1, 0, 1]), "multimask": False},
        {"box": box, "multimask": False},
        {"box": box, **one, "mask_input": mask},
    ]


def mask_size(embedding: Embedding) -> tuple[int, int]:
    """Height and width of the logits, a quarter of the padded frame in every model so far."""
    height, width = embedding.frame.padded_size
    return height // 4, width // 4
