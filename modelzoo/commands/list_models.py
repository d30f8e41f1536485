"""python -m modelzoo list: known models and the weights that are here."""

from __future__ import annotations

import argparse
from typing import Any

from modelzoo.build import BUILDERS
from modelzoo.checkpoint import checkpoint_digest
from modelzoo.commands.common import WEIGHTS


def add(commands: Any) -> None:
    commands.add_parser("list", help="known models and the weights that are here").set_defaults(run=run)


def run(_: argparse.Namespace) -> None:
    for name in sorted(BUILDERS):
        shipped = WEIGHTS / f"{name}.safetensors"
        if shipped.is_file():
            size = shipped.stat().st_size / 1e6
            print(f"{name:18} shipped, {size:.1f} MB, sha256 {checkpoint_digest(shipped)}")
        else:
            print(f"{name:18} no weights shipped: pass --model FILE with the official checkpoint")
