"""Reading the small files beside an encoder's weights: somebody else made them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from modelzoo.weight_files import CheckpointError

MOST_FILE_BYTES = 16 * 1024**2  # the released vocabulary has 0.9 MB


def read_text(path: Path) -> str:
    """A file of sensible length as text, else CheckpointError."""
    try:
        if path.stat().st_size > MOST_FILE_BYTES:
            raise CheckpointError(f"{path.name} is longer than any known vocabulary.")
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise CheckpointError(f"{path.name} is missing.") from error
    except (OSError, UnicodeDecodeError) as error:
        raise CheckpointError(f"{path.name} cannot be read as text.") from error


def read_json(path: Path) -> dict[str, Any]:
    """A JSON object, else CheckpointError."""
    text = read_text(path)
    try:
        found = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path.name} is no JSON.") from error
    if not isinstance(found, dict):
        raise CheckpointError(f"{path.name} holds no JSON object.")
    return found
