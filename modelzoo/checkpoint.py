"""Reading and writing weights: atomic, strict, known by digest, the configuration inside.

Our own files are safetensors: tensors and text, nothing that can run. Official SAM files are pickles and are read
with `weights_only`, which is a filter and no sandbox: take such files only from places you trust.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file

from modelzoo.build import build, rebuild

MOST_BYTES = 4 * 1024**3  # ViT-H in float32 is 2.6 GB


class CheckpointError(ValueError):
    """A file that is no usable checkpoint, said in one sentence."""


def save_checkpoint(model: Any, path: Path | str, metadata: Mapping[str, Any] | None = None, half: bool = False) -> str:
    """Write a model's weights, variant and configuration; return the file's SHA-256.

    `metadata` is any JSON-able mapping and comes back from `read_metadata`. `half` stores floats as float16, which
    halves the file and costs about 1e-3 relative precision. The file appears whole or not at all.
    """
    path = Path(path)
    state = {}
    for name, tensor in model.state_dict().items():
        kept = tensor.detach().cpu().contiguous()
        state[name] = kept.half() if half and kept.is_floating_point() else kept
    header = {"variant": model.variant, "config": model.config, "metadata": dict(metadata or {})}
    with replacing(path) as temporary:
        save_file(state, temporary, metadata={"anymask": json.dumps(header, sort_keys=True)})
    return checkpoint_digest(path)


def load_checkpoint(path: Path | str, map_location: str = "cpu", variant: str | None = None) -> Any:
    """The model stored at `path`, in evaluation mode, float32.

    Own `.safetensors` files say themselves what they are. Official SAM `.pth` files are recognised by their key
    list; `variant` overrules. Missing, unexpected or misshapen weights raise CheckpointError.
    """
    path = Path(path)
    if not path.is_file():
        raise CheckpointError(f"There is no checkpoint at {path.name}.")
    if path.stat().st_size > MOST_BYTES:
        raise CheckpointError(f"{path.name} is larger than any known model.")
    if path.suffix == ".safetensors":
        header, state = _read_safetensors(path)
        model = build_from(header, path)
    else:
        state = _read_pickle(path)
        model = build(variant or _recognise(state, path))
    try:
        model.load_state_dict(
            {name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in state.items()},
            strict=True,
        )
    except RuntimeError as error:
        raise CheckpointError(f"{path.name} does not fit the model it names: {_first_line(error)}") from error
    return model.to(map_location).eval()


def build_from(header: Mapping[str, Any], path: Path) -> Any:
    """The empty model that a checkpoint's header describes."""
    try:
        return rebuild(str(header["variant"]), header["config"])
    except (KeyError, TypeError, ValueError) as error:
        raise CheckpointError(f"{path.name} describes a model that this version does not know: {error}") from error


def read_metadata(path: Path | str) -> dict[str, Any]:
    """variant, config and metadata of one of our own checkpoints, without reading the weights."""
    try:
        with safe_open(str(path), framework="pt") as stored:
            header = json.loads((stored.metadata() or {})["anymask"])
    except (OSError, SafetensorError, KeyError, ValueError) as error:
        raise CheckpointError(f"{Path(path).name} is not an Anymask checkpoint: {_first_line(error)}") from error
    if not isinstance(header, dict):
        raise CheckpointError(f"{Path(path).name} has an unreadable header.")
    return header


def checkpoint_digest(path: Path | str) -> str:
    """SHA-256 of the file, hex: the name of a model version."""
    with Path(path).open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def save_training_state(state: Mapping[str, Any], path: Path) -> None:
    """Write what a run needs to go on: tensors and plain values only. Atomic, so a kill leaves the last one whole."""
    with replacing(path) as temporary:
        torch.save(dict(state), temporary)


def load_training_state(path: Path) -> dict[str, Any]:
    """Read what `save_training_state` wrote."""
    state = _read_pickle(path)
    return dict(state)


def _read_safetensors(path: Path) -> tuple[dict[str, Any], dict[str, torch.Tensor]]:
    header = read_metadata(path)
    with safe_open(str(path), framework="pt") as stored:
        return header, {name: stored.get_tensor(name) for name in stored.keys()}  # noqa: SIM118  no mapping


def _read_pickle(path: Path) -> dict[str, Any]:
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251  the one place it may stand
    except Exception as error:  # torch raises a dozen kinds; each means the same to the user
        raise CheckpointError(f"{path.name} is not a readable checkpoint: {_first_line(error)}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path.name} holds no state dict.")
    return state


def _recognise(state: Mapping[str, Any], path: Path) -> str:
    """Name of the official SAM that has this many encoder channels."""
    position = state.get("image_encoder.pos_embed")
    names = {768: "sam_vit_b", 1024: "sam_vit_l", 1280: "sam_vit_h"}
    if not isinstance(position, torch.Tensor) or position.shape[-1] not in names:
        raise CheckpointError(f"{path.name} is none of the official SAM checkpoints.")
    return names[position.shape[-1]]


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


class replacing:
    """Write beside `path`, sync, then rename over it; nothing is left behind on failure."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")

    def __enter__(self) -> Path:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        return self.temporary

    def __exit__(self, kind: object, *_: object) -> None:
        try:
            if kind is None:
                with self.temporary.open("rb+") as written:
                    os.fsync(written.fileno())
                self.temporary.replace(self.path)
        finally:
            self.temporary.unlink(missing_ok=True)
