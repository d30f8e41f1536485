"""python -m modelzoo list: known models, how fast they are, under which licence, and the weights that are here."""

from __future__ import annotations

import argparse
import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from modelzoo.catalogue import (
    CATALOGUE,
    ENCODE_SECONDS,
    SHIPPED,
    SHIPPED_LICENCES,
    Published,
    speed_class,
    weights_folder,
)
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
    print_table([HEADINGS, *map(cells, rows)])
    print("\nspeed: to encode one picture on two CPU cores. instant: below 0.5 s, fast: below 3 s, slow: below 15 s.\n")
    print_table([("name", "sha256", "file"), *((row["name"], row["sha256"], row["path"] or "") for row in rows)])
    print(f"\n`python -m modelzoo fetch NAME` brings weights that are not here into {weights_folder()}.")


def print_table(lines: Sequence[tuple[str, ...]]) -> None:
    """Columns as wide as they have to be."""
    widths = [max(map(len, column)) for column in zip(*lines, strict=True)]
    for line in lines:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip())


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
        "licence": SHIPPED_LICENCES.get(path.stem, "see its card"),
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
    weights = {None: "shipped", True: "fetched", False: "ANOTHER FILE"}[row["verified"]]
    return (
        row["name"],
        f"{row['parameters'] / 1e6:.1f} M",
        f"{row['input_side']} px" if row["input_side"] else "",
        f"{row['file_bytes'] / 1e6:,.1f} MB",
        row["licence"],
        row["speed"],
        weights if row["path"] else "not here",
    )
