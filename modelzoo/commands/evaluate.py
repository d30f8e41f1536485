"""python -m modelzoo evaluate: judge models, and simple methods beside them, on masks of labelled sets."""

from __future__ import annotations

import argparse
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from modelzoo.commands.common import DEFAULT_MODEL, cores, weights_path

if TYPE_CHECKING:
    from modelzoo.comparison.sets import SetFolder


def add(commands: Any) -> None:
    parser = commands.add_parser("evaluate", help="click real masks and report how good the answers are")
    parser.add_argument(
        "--model", action="append", help="a name from `list` or a checkpoint file; several: side by side"
    )
    parser.add_argument("--data", type=Path, action="append", default=[], help="a set: annotations.json and images/")
    parser.add_argument("--images", type=Path, help="instead of --data: the folder of the pictures, and")
    parser.add_argument("--coco", type=Path, help="COCO instances of these pictures")
    parser.add_argument("--out", type=Path, required=True, help="folder of the report, or one file that ends in .json")
    parser.add_argument("--baselines", action="store_true", help="simple methods and other people, on the same masks")
    parser.add_argument(
        "--validation-of",
        type=Path,
        action="append",
        default=[],
        metavar="CONFIG.toml",
        help="leave out the pictures that this training run was trained on, by its own split",
    )
    parser.add_argument("--most-masks", type=int, default=0, help="masks of each set, drawn with the seed; 0: all")
    parser.add_argument("--smallest-share", type=float, help="only masks above this share of their picture, 0 to 1")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--max-clicks", type=int, default=20)
    parser.add_argument("--processes", type=int, default=0, help="0: one for each core")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    from modelzoo.comparison.baselines import require_libraries
    from modelzoo.comparison.case_sheet import case_sheet
    from modelzoo.comparison.compare import compare
    from modelzoo.comparison.judging import EVERY_BASELINE, Plan
    from modelzoo.comparison.reliability_figure import reliability_figure
    from modelzoo.comparison.report import markdown, write_json
    from modelzoo.training.config import read_stages

    if options.baselines:
        require_libraries()
    baselines = EVERY_BASELINE if options.baselines else ()
    plan = Plan(model_files(options.model or [DEFAULT_MODEL]), baselines, options.seed, options.max_clicks)
    comparison = compare(
        plan,
        set_folders(options),
        [config for path in options.validation_of for config in read_stages(path)],
        options.most_masks,
        options.smallest_share,
        options.processes or cores(),
        progress_line(),
    )
    print(file=sys.stderr)
    if options.out.suffix == ".json":
        write_json(comparison, options.out)
        return
    options.out.mkdir(parents=True, exist_ok=True)
    write_json(comparison, options.out / "report.json")
    figure = reliability_figure(comparison.sets)
    if figure is not None:
        figure.save(options.out / "calibration.png")
    case_sheet(comparison, plan.models).save(options.out / "worst.png")
    text = markdown(comparison)
    (options.out / "report.md").write_text(text, encoding="utf-8")
    print(text)


def model_files(names: Sequence[str]) -> dict[str, Path]:
    """Name in the report -> file; files of one name are told apart by a number."""
    found: dict[str, Path] = {}
    for given in names:
        path = weights_path(given)
        same = sum(name.split(" ")[0] == path.stem for name in found)
        found[f"{path.stem} ({same + 1})" if same else path.stem] = path
    return found


def set_folders(options: argparse.Namespace) -> list[SetFolder]:
    from modelzoo.comparison.sets import SetFolder
    from modelzoo.training.data import DataError

    folders = [SetFolder.of(folder) for folder in options.data]
    if options.images and options.coco:
        folders.append(SetFolder(options.images.resolve().parent.name, options.images, options.coco))
    if not folders or bool(options.images) != bool(options.coco):
        raise DataError("Say what to judge on: --data FOLDER, or --images FOLDER with --coco FILE.")
    return folders


def progress_line() -> Callable[[int, int, str], None]:
    """Keeps one line on standard error up to date."""
    started = time.monotonic()

    def shown(done: int, total: int, name: str) -> None:
        minutes, seconds = divmod(int(time.monotonic() - started), 60)
        line = f"{done} of {total} pictures, {minutes}:{seconds:02}, {name}"
        print(f"\r{line:60}", end="", file=sys.stderr, flush=True)

    return shown
