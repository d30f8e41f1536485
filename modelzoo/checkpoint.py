"""Reading and writing weights: atomic, strict, known by digest, the configuration inside.

Our own files are safetensors: tensors and text, nothing that can run. Files from outside go through
`modelzoo.weight_files` first, which says what is refused and why.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import save_file

from modelzoo.build import build, rebuild
from modelzoo.model.int8 import Int8Linear, quantise_encoder
from modelzoo.weight_files import CheckpointError as CheckpointError
from modelzoo.weight_files import TensorSpec, WeightFile, bounded, first_line


def save_checkpoint(
    model: Any, path: Path | str, metadata: Mapping[str, Any] | None = None, half: bool = False, int8: bool = False
) -> str:
    """Write a model's weights, variant and configuration; return the file's SHA-256.

    `metadata` is any JSON-able mapping and comes back from `read_metadata`. `half` stores floats as float16, which
    halves the file and costs about 1e-3 relative precision. `int8`: whoever loads the file to use it gets an encoder in
    whole numbers (modelzoo.model.int8); the weights inside stay what they are. The file appears whole or not at all.
    ValueError for a model that was loaded so.
    """
    path = Path(path)
    if any(isinstance(part, Int8Linear) for part in model.modules()):
        raise ValueError("This model's weights were rounded: load it with `exact` to save it.")
    state = {}
    for name, tensor in model.state_dict().items():
        kept = tensor.detach().cpu().contiguous()
        state[name] = kept.half() if half and kept.is_floating_point() else kept
    header = {"variant": model.variant, "config": model.config, "metadata": dict(metadata or {})}
    if int8:
        header["int8"] = True
    with replacing(path) as temporary:
        save_file(state, temporary, metadata={"anymask": json.dumps(header, sort_keys=True)})
    return checkpoint_digest(path)


def load_checkpoint(
    path: Path | str, map_location: str = "cpu", variant: str | None = None, exact: bool = False
) -> Any:
    """The model stored at `path`, in evaluation mode, float32.

    Own files say themselves what they are. Official files (SAM ViT-B, L and H, MobileSAM; `.pth`, `.pt`, or the same
    tensors as safetensors) are recognised by their keys; `variant` overrules. The file's names, shapes and kinds are
    compared with the model before any weight is read, so memory stays within the file and the model. CheckpointError
    for what does not fit exactly, and for weights that are not finite. `exact`: float32 also where the file asks for an
    encoder in whole numbers, as training needs it.
    """
    path = Path(path)
    stored = WeightFile(path)
    header = stored.header or {"variant": variant or _recognise(stored), "config": None}
    model = load_state(stored, lambda: build_from(header, path))
    if header.get("int8") and not exact:
        quantise_encoder(model)
    return model.to(map_location)


def load_state(stored: WeightFile, build_empty: Callable[[], Any]) -> Any:
    """The module of `build_empty` with the weights of a file, in evaluation mode, float32.

    Names, shapes and kinds are compared before any weight is read; CheckpointError for what does not fit exactly and
    for weights that are not finite.
    """
    with torch.device("meta"):  # names and shapes without memory
        _compare(build_empty(), stored)
    model = build_empty()
    state = {
        name: tensor.float() if tensor.is_floating_point() else tensor for name, tensor in stored.tensors().items()
    }
    for name, tensor in state.items():
        if tensor.is_floating_point() and not bool(tensor.isfinite().all()):
            raise CheckpointError(f"{stored.path.name} is damaged: {name} holds numbers that are not finite.")
    model.load_state_dict(state, strict=True)
    return model.eval()


def build_from(header: Mapping[str, Any], path: Path) -> Any:
    """The empty model that a checkpoint's header describes; without "config", the named variant as it is built here."""
    try:
        if header["config"] is None:
            return build(str(header["variant"]))
        if not bounded(header["config"]):
            raise ValueError("its sizes are beyond reason.")
        return rebuild(str(header["variant"]), header["config"])
    except Exception as error:  # a stranger's configuration fails in whatever layer it reaches first
        reason = first_line(error)
        raise CheckpointError(f"{path.name} describes a model that this version does not know: {reason}") from error


def read_metadata(path: Path | str) -> dict[str, Any]:
    """variant, config and metadata of one of our own checkpoints, without reading the weights."""
    header = WeightFile(Path(path)).header
    if header is None:
        raise CheckpointError(f"{Path(path).name} is not an Anymask checkpoint.")
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
    try:
        state = torch.load(path, map_location="cpu", weights_only=True)  # noqa: TID251  allowed here
    except Exception as error:  # torch raises a dozen kinds; each means the same to the user
        raise CheckpointError(f"{path.name} is not a readable training state: {first_line(error)}") from error
    if not isinstance(state, dict):
        raise CheckpointError(f"{path.name} holds no training state.")
    return state


def _recognise(stored: WeightFile) -> str:
    """The variant whose official file has these keys."""
    if "image_encoder.patch_embed.seq.0.c.weight" in stored.specs:
        return "mobile_sam"
    position = stored.specs.get("image_encoder.pos_embed")
    width = position.shape[-1] if position is not None and position.shape else 0
    names = {768: "sam_vit_b", 1024: "sam_vit_l", 1280: "sam_vit_h"}
    if width not in names:
        raise CheckpointError(f"{stored.path.name} is neither a SAM or MobileSAM checkpoint nor one of Anymask's own.")
    return names[width]


def _compare(empty: Any, stored: WeightFile) -> None:
    """CheckpointError with one sentence unless the file has exactly the model's names, shapes and kinds."""
    expected = {
        name: TensorSpec(tuple(tensor.shape), tensor.is_floating_point()) for name, tensor in empty.state_dict().items()
    }
    missing, unexpected = expected.keys() - stored.specs.keys(), stored.specs.keys() - expected.keys()
    different = {name for name in expected.keys() & stored.specs.keys() if expected[name] != stored.specs[name]}
    faults = {"lacks": missing, "has in addition": unexpected, "has in another shape or kind": different}
    for fault, names in faults.items():
        if names:
            others = f" and {len(names) - 1} more" if len(names) > 1 else ""
            raise CheckpointError(
                f"{stored.path.name} does not fit the model {empty.variant}: it {fault} {min(names)[:100]}{others}."
            )


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
