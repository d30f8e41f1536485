"""python -m modelzoo train-proposals: train the detector of proposals for a model, on the masks of some folders."""

from __future__ import annotations

import argparse
import json
from dataclasses import fields
from pathlib import Path
from typing import Any

from modelzoo.commands.common import add_model, weights_path

PROGRESS_FILE = "detector.jsonl"
PARTS = ("people", "automatic", "validation", "held_out")


def add(commands: Any) -> None:
    parser = commands.add_parser("train-proposals", help="train a model's detector of proposals on labelled folders")
    add_model(parser)
    for part, what in zip(
        PARTS,
        ("masks that people have seen", "masks of the machine alone", "to choose the threshold on", "to measure on"),
        strict=True,
    ):
        option = f"--{part.replace('_', '-')}"
        parser.add_argument(option, type=Path, action="append", default=[], metavar="FOLDER", help=what)
    parser.add_argument(
        "--groups", type=Path, metavar="FILE", help="JSON: image_id of an SA-1B record to the name of its video"
    )
    parser.add_argument("--out", type=Path, required=True, metavar="FOLDER", help="for detector.safetensors and .json")
    parser.add_argument("--minutes", type=float, help="limit for encoding and training together")
    parser.add_argument("--precision", type=float, help="share of the proposals that shall be right")
    for name in ("steps", "views", "batch", "threads", "seed"):
        parser.add_argument(f"--{name}", type=int)
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    """SA-1B folders, or COCO folders with an annotations.json; progress goes to detector.jsonl in the folder, too."""
    from modelzoo.training.data import Record, read_coco, read_sa1b
    from modelzoo.training.proposals import Pictures, ProposalConfig, train_proposals

    groups = json.loads(options.groups.read_text("utf-8")) if options.groups else {}

    def read_one(folder: Path) -> list[Record]:
        return read_coco(folder) if (folder / "annotations.json").exists() else read_sa1b(folder, groups)

    def read(folders: list[Path]) -> list[Record]:
        return [record for folder in folders for record in read_one(folder)]

    given = {item.name: getattr(options, item.name, None) for item in fields(ProposalConfig)}
    chosen = {name: value for name, value in given.items() if value is not None}
    config = ProposalConfig(**chosen | {"model": weights_path(options.model), "out": options.out})
    options.out.mkdir(parents=True, exist_ok=True)
    with (options.out / PROGRESS_FILE).open("a", encoding="utf-8") as lines:

        def told(share: float, message: str) -> None:
            lines.write(json.dumps({"share": round(share, 4), "message": message}) + "\n")
            lines.flush()

        result = train_proposals(config, Pictures(**{part: read(getattr(options, part)) for part in PARTS}), told)
    print(json.dumps(result, indent=1))
