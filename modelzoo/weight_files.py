"""Opening weight files that somebody else made: what can be checked is checked before torch reads a byte.

Two formats. safetensors holds tensors and text, nothing that can run: prefer it. PyTorch's own is a zip archive around
a pickle; it is read with `weights_only`, which is a filter and no sandbox (it had two holes: CVE-2025-32434,
CVE-2026-24747), so a stricter filter runs first: only stored members, only the handful of names that a state dict
needs. Nothing here reads more than a file's own size into memory.
"""

from __future__ import annotations

import json
import os
import pickletools
import stat
import struct
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Literal

import torch
from safetensors import SafetensorError, safe_open

from modelzoo.catalogue import MOST_BYTES

MOST_INDEX_BYTES = 4 * 1024**2  # names, shapes and places of the tensors; ViT-H needs 0.1 MB
MOST_MEMBERS = 10_000
MOST_WIDTH, MOST_DEPTH = 16_384, 256  # of a network that a file describes; ViT-H has 5120 and 32
MOST_SIDE, MOST_CELLS = 2048, 128  # of a picture as a network takes it, and of its map; SAM has 1024 and 64

Format = Literal["safetensors", "pickle"]

STORAGES = ("Float", "Half", "BFloat16", "Double", "Long", "Int", "Short", "Char", "Byte", "Bool")
ALLOWED_NAMES = frozenset(
    {"collections OrderedDict", "torch._utils _rebuild_tensor_v2", "torch._utils _rebuild_parameter"}
    | {f"torch {name}Storage" for name in STORAGES}
)
# fmt: off
ALLOWED_OPCODES = frozenset({
    "PROTO", "STOP", "MARK", "EMPTY_DICT", "EMPTY_TUPLE", "EMPTY_LIST", "TUPLE", "TUPLE1", "TUPLE2", "TUPLE3",
    "SETITEM", "SETITEMS", "APPEND", "APPENDS", "BINUNICODE", "BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT",
    "NONE", "NEWTRUE", "NEWFALSE", "BINPUT", "LONG_BINPUT", "BINGET", "LONG_BINGET", "GLOBAL", "REDUCE", "BUILD",
    "BINPERSID",
})
# fmt: on
# What no tensor's shape tells, so that only a limit keeps a picture from costing gigabytes.
LIMITS = {
    "long_side": MOST_SIDE,
    "img_size": MOST_SIDE,
    "input_image_size": MOST_SIDE,
    "image_embedding_size": MOST_CELLS,
    "window_size": MOST_CELLS,
    "window_sizes": MOST_CELLS,
}


class CheckpointError(ValueError):
    """A file that is no usable checkpoint, said in one sentence."""


@dataclass(frozen=True)
class TensorSpec:
    """What a file says of one tensor."""

    shape: tuple[int, ...]
    floating: bool


class WeightFile:
    """The tensors of a checked file by name: `specs` without reading them, `tensors()` with.

    `header` is what our own files say of themselves ({"variant", "config", "metadata"}, perhaps "int8"); None
    for anybody else's.
    Raises CheckpointError for whatever is not a regular, complete file of one of the two formats.
    """

    def __init__(self, path: Path) -> None:
        self.path = path
        self.header: dict[str, Any] | None = None
        self._tensors: dict[str, torch.Tensor] = {}
        if check_file(path) == "safetensors":
            self.header, self.specs = _safetensors_index(path)
        else:
            self._tensors = _read_pickle(path)
            self.specs = {
                name: TensorSpec(tuple(tensor.shape), tensor.is_floating_point())
                for name, tensor in self._tensors.items()
            }

    def tensors(self) -> dict[str, torch.Tensor]:
        """Every tensor, on the CPU, of the dtype it is stored in."""
        if self._tensors:
            return self._tensors
        try:
            with safe_open(str(self.path), framework="pt") as stored:
                return {name: stored.get_tensor(name) for name in self.specs}
        except (OSError, SafetensorError) as error:
            raise CheckpointError(f"{self.path.name} cannot be read: {first_line(error)}") from error


def check_file(path: Path) -> Format:
    """The format of a regular file of sensible size, told by its content, its index checked. CheckpointError else."""
    try:
        about = path.lstat()
    except (OSError, ValueError) as error:
        raise CheckpointError(f"There is no checkpoint at {path.name}.") from error
    if stat.S_ISLNK(about.st_mode):
        raise CheckpointError(f"{path.name} is a link. Name the file it leads to.")
    if not stat.S_ISREG(about.st_mode):
        raise CheckpointError(f"{path.name} is no file.")
    if about.st_size == 0:
        raise CheckpointError(f"{path.name} is empty.")
    if about.st_size > MOST_BYTES:
        raise CheckpointError(f"{path.name} is larger than any known model.")
    with path.open("rb") as file:
        start = file.read(9)
        if start.startswith(b"PK\x03\x04"):
            _check_archive(file, path.name, about.st_size)
            return "pickle"
    length = int.from_bytes(start[:8], "little")
    if start[8:9] != b"{":
        raise CheckpointError(f"{path.name} is neither a safetensors nor a PyTorch file (1.6 or later).")
    if length > min(MOST_INDEX_BYTES, about.st_size - 8):
        raise CheckpointError(f"{path.name} is damaged: its index is longer than the file allows.")
    return "safetensors"


def _safetensors_index(path: Path) -> tuple[dict[str, Any] | None, dict[str, TensorSpec]]:
    """Our header, if it is there, and every tensor's shape and kind. The library checks places against the size."""
    try:
        with safe_open(str(path), framework="pt") as stored:
            text = (stored.metadata() or {}).get("anymask")
            specs = {}
            for name in stored.keys():  # noqa: SIM118  no mapping
                part = stored.get_slice(name)
                specs[name] = TensorSpec(tuple(part.get_shape()), "F" in part.get_dtype())
        header = None if text is None else json.loads(text)
    except (OSError, SafetensorError, ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} is damaged: {first_line(error)}") from error
    if header is not None and not isinstance(header, dict):
        raise CheckpointError(f"{path.name} has an unreadable header.")
    return header, specs


# --- PyTorch's own format ------------------------------------------------------------------------------------------


def _read_pickle(path: Path) -> dict[str, torch.Tensor]:
    """The state dict of an archive that `check_file` has passed. Tensors are mapped, not read, until they are used."""
    try:
        state = torch.load(path, map_location="cpu", weights_only=True, mmap=True)  # noqa: TID251  allowed here
    except Exception as error:  # torch raises a dozen kinds; each means the same to the user
        raise CheckpointError(f"{path.name} is not a readable checkpoint: {first_line(error)}") from error
    if not isinstance(state, dict) or not state:
        raise CheckpointError(f"{path.name} holds no state dict.")
    for name, tensor in state.items():
        if not isinstance(name, str) or not isinstance(tensor, torch.Tensor):
            raise CheckpointError(f"{path.name} holds no plain state dict: {str(name)[:80]!r} is no tensor by name.")
    declared = sum(tensor.numel() * tensor.element_size() for tensor in state.values())
    if declared > path.stat().st_size:
        raise CheckpointError(f"{path.name} declares {declared:,} bytes of weights, more than the file is long.")
    return dict(state)


def _check_archive(file: BinaryIO, name: str, size: int) -> None:
    """Refuse a zip that is not what torch writes: one pickle and plain stored members that fit into the file."""
    if _directory_bytes(file, size) > MOST_INDEX_BYTES:
        raise CheckpointError(f"{name} is damaged: its directory is longer than any known model's.")
    try:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            names = [member.filename.lower() for member in members]  # torch's reader does not tell case apart
            if len(members) > MOST_MEMBERS or len(set(names)) != len(names):
                raise CheckpointError(f"{name} is no PyTorch checkpoint: its members are too many, or doubled.")
            if any(member.compress_type != zipfile.ZIP_STORED or member.flag_bits & 1 for member in members):
                raise CheckpointError(f"{name} is no PyTorch checkpoint: its members are compressed.")
            if sum(member.file_size for member in members) > size:
                raise CheckpointError(f"{name} is damaged: it declares more than it holds.")
            pickles = [member for member in members if member.filename.lower().rpartition("/")[2] == "data.pkl"]
            if len(pickles) != 1 or pickles[0].file_size > MOST_INDEX_BYTES:
                raise CheckpointError(f"{name} is no PyTorch checkpoint: it holds no state dict.")
            pickled = archive.read(pickles[0])
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, struct.error) as error:
        if isinstance(error, CheckpointError):
            raise
        raise CheckpointError(f"{name} is damaged or cut short: {first_line(error)}") from error
    _check_pickle(pickled, name)


def _directory_bytes(file: BinaryIO, size: int) -> int:
    """Length of a zip's directory as its end record says, 0 if there is none: zipfile reads all of it at once."""
    file.seek(max(0, size - 22 - 65535 - 20))
    tail = file.read()
    place = tail.rfind(b"PK\x05\x06")
    if place < 0 or len(tail) < place + 22:
        return 0
    length = int(struct.unpack_from("<L", tail, place + 12)[0])
    locator = place - 20
    if locator >= 0 and tail[locator : locator + 4] == b"PK\x06\x07":
        (start,) = struct.unpack_from("<Q", tail, locator + 8)
        if start > size - 56:
            return 0
        file.seek(start)
        length = int(struct.unpack_from("<Q", file.read(56), 40)[0])
    file.seek(0, os.SEEK_SET)
    return length


def _check_pickle(pickled: bytes, name: str) -> None:
    """Refuse a pickle that names or does anything but what rebuilds a dictionary of tensors. Nothing is executed."""
    try:
        for opcode, argument, _ in pickletools.genops(pickled):
            if opcode.name not in ALLOWED_OPCODES:
                raise CheckpointError(f"{name} is refused: it does more than hold weights ({opcode.name}).")
            if opcode.name == "GLOBAL" and argument not in ALLOWED_NAMES:
                raise CheckpointError(f"{name} is refused: it does more than hold weights ({str(argument)[:80]}).")
    except CheckpointError:
        raise
    except Exception as error:  # genops raises whatever the damage leads to
        raise CheckpointError(f"{name} is damaged: {first_line(error)}") from error


def first_line(error: Exception) -> str:
    """The first line of an error's text, at most 300 characters; its kind where it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]


def bounded(config: Any, most: int = MOST_WIDTH) -> bool:
    """Whether a configuration from a file asks for a network of sensible size: no number above `most`, none above
    MOST_DEPTH under a key that counts layers, none above its own limit under a key of LIMITS, no list longer than
    MOST_DEPTH."""
    if isinstance(config, Mapping):
        return all(
            bounded(value, MOST_DEPTH if "depth" in str(key) else LIMITS.get(str(key), most))
            for key, value in config.items()
        )
    if isinstance(config, list):
        return len(config) <= MOST_DEPTH and all(bounded(value, most) for value in config)
    return not isinstance(config, int | float) or abs(config) <= most
