"""python -m modelzoo list: known models, how fast they are, under which licence, and the weights that are here."""

from __future__ import annotations

import argparse
import json
import math
from pathlib import Path
from typing import Any

from modelzoo.catalogue import CATALOGUE, ENCODE_SECONDS, SHIPPED, Published, speed_class, weights_folder
from modelzoo.checkpoint import checkpoint_digest
from modelzoo.weight_files import WeightFile

HEADINGS = ("name", "parameters", "input", "file", "licence", "speed", "weights")


def add(commands: Any) -> None:
    parser = commands.add_parser("list", help="known models and the weights that are here")
    parser.add_argument("--json", action="store_true", help="for programs: one JSON list")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    rows = [shipped_row(path) for path in sorted(SHIPPED.glob("*.safetensors"))]
    rows += [published_row(entry) for entry in CATALOGUE.values()]
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    table = [HEADINGS, *map(cells, rows)]
    widths = [max(len(line[column]) for line in table) for column in range(len(HEADINGS))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())
    print(
        "\nspeed: to encode one picture on two CPU cores. instant: below 0.5 s, fast: below 3 s, slow: below 15 s.\n"
        f"Fetched weights are kept in {weights_folder()}; `python -m modelzoo fetch NAME` brings them."
    )


def shipped_row(path: Path) -> dict[str, Any]:
    """One of our own files, as it describes itself."""
    stored = WeightFile(path)
    about = stored.header or {}
    config = about.get("config") or {}
    variant = str(about.get("variant", ""))
    return {
        "name": path.stem,
        "title": "shipped with Anymask",
        "variant": variant,
        "parameters": sum(math.prod(spec.shape) for spec in stored.specs.values()),
        "input_side": config.get("long_side"),
        "file_bytes": path.stat().st_size,
        "licence": "Apache-2.0",
        "origin": "modelzoo/weights/README.md",
        "url": None,
        "speed": speed_class(variant),
        "encode_seconds": ENCODE_SECONDS.get(variant),
        "path": str(path),
        "sha256": checkpoint_digest(path),
        "verified": None,
    }


def published_row(entry: Published) -> dict[str, Any]:
    """One of the catalogue; `sha256` is that of the file that is here, else the published one."""
    path = weights_folder() / entry.file_name
    here = path.is_file()
    digest = checkpoint_digest(path) if here else entry.sha256
    return {
        "name": entry.name,
        "title": entry.title,
        "variant": entry.name,
        "parameters": entry.parameters,
        "input_side": entry.input_side,
        "file_bytes": entry.file_bytes,
        "licence": entry.licence,
        "origin": entry.origin,
        "url": entry.url,
        "speed": speed_class(entry.name),
        "encode_seconds": ENCODE_SECONDS.get(entry.name),
        "path": str(path) if here else None,
        "sha256": digest,
        "verified": digest == entry.sha256 if here else None,
    }


def cells(row: dict[str, Any]) -> tuple[str, ...]:
    """A row as people read it."""
    if row["path"] is None:
        weights = f"not here; sha256 {row['sha256']}"
    elif row["verified"] is False:
        weights = f"ANOTHER FILE at {row['path']}; sha256 {row['sha256']}"
    else:
        weights = f"{row['path']}  sha256 {row['sha256']}"
    return (
        row["name"],
        f"{row['parameters'] / 1e6:.1f} M",
        f"{row['input_side']} px" if row["input_side"] else "",
        f"{row['file_bytes'] / 1e6:,.1f} MB",
        row["licence"],
        row["speed"],
        weights,
    )
