"""What several commands share: how a model is named, and what this machine has."""

from __future__ import annotations

import argparse
import os
from pathlib import Path
from typing import Any

from modelzoo.catalogue import CATALOGUE, find_weights
from modelzoo.checkpoint import CheckpointError, load_checkpoint

DEFAULT_MODEL = "anymask_compact"


def add_model(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--model", default=DEFAULT_MODEL, help="a name from `list`, or a checkpoint file")


def weights_path(name: str) -> Path:
    """A file given by path, or the shipped or fetched weights of that name. CheckpointError when there are none."""
    path = find_weights(name)
    if path is None:
        hint = f"`python -m modelzoo fetch {name}` brings them." if name in CATALOGUE else "`list` shows what there is."
        raise CheckpointError(f"There are no weights called {name!r} here. {hint}")
    return path


def load(name: str) -> Any:
    """The model of that name or file, in evaluation mode."""
    return load_checkpoint(weights_path(name))


def cores() -> int:
    """How many processors this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
