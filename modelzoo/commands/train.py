"""python -m modelzoo train: train as a TOML file says."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    parser = commands.add_parser("train", help="train as a TOML file says; resumes where it stopped")
    parser.add_argument("config", type=Path)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from modelzoo.training.config import read_config
    from modelzoo.training.loop import train

    def shown(line: Mapping[str, Any]) -> None:
        figures = "  ".join(f"{name} {value}" for name, value in line.items() if name not in ("event", "steps"))
        print(f"{line['event']:10} of {line['steps']}: {figures}", flush=True)

    train(read_config(options.config), shown)
