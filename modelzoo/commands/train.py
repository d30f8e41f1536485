"""python -m modelzoo train: train as a TOML file says."""

from __future__ import annotations

import argparse
from collections.abc import Mapping
from pathlib import Path
from typing import Any


def add(commands: Any) -> None:
    parser = commands.add_parser("train", help="train as a TOML file says; resumes where it stopped")
    parser.add_argument("config", type=Path)
    parser.add_argument("--schedule", default="", help="a table under `schedules` in the file, for example gpu")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """The run of the file, after those that it builds on. `torchrun -m modelzoo train ...` uses several devices."""
    from modelzoo.training.config import read_stages
    from modelzoo.training.loop import train

    def shown(line: Mapping[str, Any]) -> None:
        figures = "  ".join(f"{name} {value}" for name, value in line.items() if name not in ("event", "steps"))
        print(f"{line['event']:10} of {line['steps']}: {figures}", flush=True)

    for config in read_stages(options.config, options.schedule):
        train(config, shown)
