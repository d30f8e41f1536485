"""CLIP: two encoders that bring a text and a picture of it to the same place (Radford et al. 2021, section 2).

Layers are named as in the files that are in circulation (a folder with config.json, model.safetensors and the
tokenizer's files), so a file fits exactly or is refused. Nothing is downloaded: the folder is the owner's.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from PIL import Image as Picture
from torch import Tensor, nn
from torch.nn import functional as F

from modelzoo.checkpoint import checkpoint_digest, load_state
from modelzoo.text.files import read_json
from modelzoo.text.tokenizer import Tokenizer
from modelzoo.weight_files import CheckpointError, WeightFile, bounded

Floats = NDArray[np.float32]

# What the released encoders were trained with; config.json leaves out what is as usual.
TEXT = {
    "vocab_size": 49408,
    "hidden_size": 512,
    "intermediate_size": 2048,
    "num_hidden_layers": 12,
    "num_attention_heads": 8,
    "max_position_embeddings": 77,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
VISION = {
    "hidden_size": 768,
    "intermediate_size": 3072,
    "num_hidden_layers": 12,
    "num_attention_heads": 12,
    "image_size": 224,
    "patch_size": 32,
    "hidden_act": "quick_gelu",
    "layer_norm_eps": 1e-5,
}
MEAN = np.array([0.48145466, 0.4578275, 0.40821073], np.float32)  # of RGB in 0..1
STD = np.array([0.26862954, 0.26130258, 0.27577711], np.float32)
BATCH = 16  # pictures encoded at once: memory, no effect on results
MOST_IMAGE_SIDE, MOST_VOCABULARY = 1024, 1_000_000


def quick_gelu(x: Tensor) -> Tensor:
    """The activation that the first released encoders have."""
    return x * torch.sigmoid(1.702 * x)


ACTIVATIONS: dict[str, Callable[[Tensor], Tensor]] = {"quick_gelu": quick_gelu, "gelu": F.gelu}


class Attention(nn.Module):
    """Self-attention of B x N x C, causal for text."""

    def __init__(self, width: int, heads: int, causal: bool) -> None:
        super().__init__()
        self.heads, self.causal = heads, causal
        self.k_proj, self.v_proj = nn.Linear(width, width), nn.Linear(width, width)
        self.q_proj, self.out_proj = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, x: Tensor) -> Tensor:
        batch, length, width = x.shape
        q, k, v = (
            project(x).view(batch, length, self.heads, -1).transpose(1, 2)
            for project in (self.q_proj, self.k_proj, self.v_proj)
        )
        mixed = F.scaled_dot_product_attention(q, k, v, is_causal=self.causal)
        out: Tensor = self.out_proj(mixed.transpose(1, 2).reshape(batch, length, width))
        return out


class Perceptron(nn.Module):
    """Two layers between which C is widened."""

    def __init__(self, width: int, inner: int, activation: str) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, inner), nn.Linear(inner, width)
        self.activation = ACTIVATIONS[activation]

    def forward(self, x: Tensor) -> Tensor:
        out: Tensor = self.fc2(self.activation(self.fc1(x)))
        return out


class Layer(nn.Module):
    """One layer of a transformer, norms first."""

    def __init__(self, config: dict[str, Any], causal: bool) -> None:
        super().__init__()
        width, eps = config["hidden_size"], config["layer_norm_eps"]
        self.self_attn = Attention(width, config["num_attention_heads"], causal)
        self.layer_norm1, self.layer_norm2 = nn.LayerNorm(width, eps), nn.LayerNorm(width, eps)
        self.mlp = Perceptron(width, config["intermediate_size"], config["hidden_act"])

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.self_attn(self.layer_norm1(x))
        out: Tensor = x + self.mlp(self.layer_norm2(x))
        return out


class Layers(nn.Module):
    """All layers of a transformer."""

    def __init__(self, config: dict[str, Any], causal: bool) -> None:
        super().__init__()
        self.layers = nn.ModuleList(Layer(config, causal) for _ in range(config["num_hidden_layers"]))

    def forward(self, x: Tensor) -> Tensor:
        for layer in self.layers:
            x = layer(x)
        return x


class TextEmbeddings(nn.Module):
    """Ids N x L to vectors N x L x C."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.token_embedding = nn.Embedding(config["vocab_size"], config["hidden_size"])
        self.position_embedding = nn.Embedding(config["max_position_embeddings"], config["hidden_size"])

    def forward(self, ids: Tensor) -> Tensor:
        out: Tensor = self.token_embedding(ids) + self.position_embedding.weight[: ids.shape[1]]
        return out


class TextEncoder(nn.Module):
    """Ids N x L, and the place of END in each (N), to vectors N x C."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.embeddings = TextEmbeddings(config)
        self.encoder = Layers(config, causal=True)
        self.final_layer_norm = nn.LayerNorm(config["hidden_size"], config["layer_norm_eps"])

    def forward(self, ids: Tensor, ends: Tensor) -> Tensor:
        out: Tensor = self.final_layer_norm(self.encoder(self.embeddings(ids)))
        return out[torch.arange(len(ids), device=ids.device), ends]


class VisionEmbeddings(nn.Module):
    """Pixels N x 3 x S x S to vectors N x (1 + patches) x C."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, patch = config["hidden_size"], config["patch_size"]
        self.class_embedding = nn.Parameter(torch.zeros(width))
        self.patch_embedding = nn.Conv2d(3, width, patch, patch, bias=False)
        self.position_embedding = nn.Embedding((config["image_size"] // patch) ** 2 + 1, width)

    def forward(self, pixels: Tensor) -> Tensor:
        patches = self.patch_embedding(pixels).flatten(2).transpose(1, 2)
        first = self.class_embedding.expand(len(pixels), 1, -1)
        return torch.cat([first, patches], 1) + self.position_embedding.weight


class VisionEncoder(nn.Module):
    """Pixels N x 3 x S x S to vectors N x C."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        width, eps = config["hidden_size"], config["layer_norm_eps"]
        self.embeddings = VisionEmbeddings(config)
        self.pre_layrnorm = nn.LayerNorm(width, eps)  # misspelt in every file there is
        self.encoder = Layers(config, causal=False)
        self.post_layernorm = nn.LayerNorm(width, eps)

    def forward(self, pixels: Tensor) -> Tensor:
        out: Tensor = self.post_layernorm(self.encoder(self.pre_layrnorm(self.embeddings(pixels)))[:, 0])
        return out


class ClipModel(nn.Module):
    """Both encoders with their projections to the common space of P dimensions."""

    variant = "CLIP"

    def __init__(self, text: dict[str, Any], vision: dict[str, Any], dimensions: int) -> None:
        super().__init__()
        self.text_model, self.vision_model = TextEncoder(text), VisionEncoder(vision)
        self.visual_projection = nn.Linear(vision["hidden_size"], dimensions, bias=False)
        self.text_projection = nn.Linear(text["hidden_size"], dimensions, bias=False)
        self.logit_scale = nn.Parameter(torch.zeros(()))


class Clip:
    """Texts and pictures as unit vectors of one space: the nearer, the more the one speaks of the other.

    side: of the square that the image encoder looks at. scale: by which cosines are multiplied to be logits.
    """

    def __init__(self, model: ClipModel, tokenizer: Tokenizer, side: int, length: int, weights: Path) -> None:
        self.model, self.tokenizer, self.side, self.length, self.weights = model, tokenizer, side, length, weights
        self.scale = float(model.logit_scale.detach().exp())

    @classmethod
    def load(cls, folder: Path | str) -> Clip:
        """From a folder as the encoders are passed on: config.json, model.safetensors, vocab.json and merges.txt (or
        tokenizer.json). Strict: CheckpointError with one sentence for whatever does not fit exactly.
        """
        folder = Path(folder)
        if not folder.is_dir():
            raise CheckpointError(f"There is no folder {folder.name} with a text encoder.")
        text, vision, dimensions = _config(read_json(folder / "config.json"))
        tokenizer = Tokenizer.read(folder)
        if tokenizer.most >= text["vocab_size"]:
            raise CheckpointError("The vocabulary has more tokens than the text encoder.")
        # The folder is the operator's own, and some tools keep the files elsewhere and link to them.
        weights = (folder / "model.safetensors").resolve()
        stored = WeightFile(weights)
        for name in [name for name in stored.specs if name.endswith("embeddings.position_ids")]:
            del stored.specs[name]  # older files count the positions out
        model = load_state(stored, lambda: ClipModel(text, vision, dimensions))
        return cls(model, tokenizer, vision["image_size"], text["max_position_embeddings"], weights)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the file of weights: another one finds other things."""
        return checkpoint_digest(self.weights)

    @torch.inference_mode()
    def texts(self, texts: Sequence[str]) -> Floats:
        """N texts as unit vectors N x P."""
        tokens = [self.tokenizer.ids(text, self.length) for text in texts]
        ends = torch.tensor([len(ids) - 1 for ids in tokens])
        longest = int(ends.max()) + 1
        ids = torch.tensor([[*one, *[one[-1]] * (longest - len(one))] for one in tokens])
        return _unit(self.model.text_projection(self.model.text_model(ids, ends)))

    @torch.inference_mode()
    def pictures(self, pictures: Sequence[Picture.Image]) -> Floats:
        """N square RGB pictures as unit vectors N x P."""
        found = []
        for start in range(0, len(pictures), BATCH):
            pixels = torch.stack([self._pixels(picture) for picture in pictures[start : start + BATCH]])
            found.append(_unit(self.model.visual_projection(self.model.vision_model(pixels))))
        return np.concatenate(found)

    def _pixels(self, picture: Picture.Image) -> Tensor:
        """3 x S x S, as the image encoder was trained to see them."""
        small = picture.resize((self.side, self.side), Picture.Resampling.BICUBIC)
        values = (np.asarray(small, np.float32) / 255 - MEAN) / STD
        return torch.from_numpy(np.ascontiguousarray(values.transpose(2, 0, 1)))


def _unit(vectors: Tensor) -> Floats:
    unit: Floats = F.normalize(vectors.float(), dim=-1).cpu().numpy()
    return unit


def _config(found: dict[str, Any]) -> tuple[dict[str, Any], dict[str, Any], int]:
    """(text, vision, dimensions of the common space) of a config.json; CheckpointError for what cannot be built."""
    text, vision = _part(found, "text_config", TEXT), _part(found, "vision_config", VISION)
    dimensions = found.get("projection_dim", 512)
    for part in (text, vision):
        if part["hidden_act"] not in ACTIVATIONS:
            raise CheckpointError("config.json names an activation that this version does not know.")
        if part["hidden_size"] % part["num_attention_heads"]:
            raise CheckpointError("config.json has a width that its attention heads do not divide.")
        layers = part["num_hidden_layers"]
        if not bounded({"depth": layers, **{k: v for k, v in part.items() if k != "vocab_size"}}):
            raise CheckpointError("config.json asks for a network of sizes beyond reason.")
    too_large = vision["image_size"] > MOST_IMAGE_SIDE or text["vocab_size"] > MOST_VOCABULARY
    if too_large or vision["patch_size"] > vision["image_size"] or not bounded(dimensions):
        raise CheckpointError("config.json asks for a network of sizes beyond reason.")
    if type(dimensions) is not int or dimensions < 1:
        raise CheckpointError("config.json gives no number of dimensions.")
    return text, vision, dimensions


def _part(found: dict[str, Any], name: str, usual: dict[str, Any]) -> dict[str, Any]:
    stated = found.get(name, {})
    if not isinstance(stated, dict):
        raise CheckpointError(f"config.json has no {name}.")
    part = {key: stated.get(key, value) for key, value in usual.items()}
    for key, value in usual.items():
        fits = isinstance(part[key], str) if isinstance(value, str) else _positive(part[key], type(value))
        if not fits:
            raise CheckpointError(f"config.json gives {name} no usable {key}.")
    return part


def _positive(value: Any, kind: type) -> bool:
    return type(value) in ((int, float) if kind is float else (int,)) and value > 0
