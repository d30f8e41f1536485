"""What several commands share: where the shipped weights lie, and how a model is named."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from modelzoo.checkpoint import CheckpointError, load_checkpoint

DEFAULT_MODEL = "anymask_compact"
WEIGHTS = Path(__file__).parents[1] / "weights"


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a name from `list`, or a checkpoint file")


def weights_path(name: str) -> Path:
    """A file given by path, or the shipped weights of that name. CheckpointError when there is neither."""
    path = Path(name)
    if path.suffix in (".safetensors", ".pth") and path.is_file():
        return path
    shipped = WEIGHTS / f"{name}.safetensors"
    if shipped.is_file():
        return shipped
    raise CheckpointError(f"There are no weights called {name!r} here. `python -m modelzoo list` shows what there is.")


def load(name: str) -> Any:
    """The model of that name or file, in evaluation mode."""
    return load_checkpoint(weights_path(name))
