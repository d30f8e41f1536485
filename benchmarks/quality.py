"""How good the shipped weights are on pictures that they were not trained on, beside the filled box and other people,
and what it costs them when the linear layers of their encoder work in whole numbers (modelzoo.model.int8).

Needs the labelled sets beside those that the training configurations name (build/training-data); without them there
are no rows. `python -m modelzoo evaluate` gives the whole report; these are its main figures, by the same code.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterable
from pathlib import Path

from benchmarks.measure import Row
from modelzoo.catalogue import SHIPPED
from modelzoo.checkpoint import load_checkpoint, save_checkpoint
from modelzoo.commands.common import cores
from modelzoo.comparison.baselines import FilledBox
from modelzoo.comparison.compare import compare
from modelzoo.comparison.judging import HUMAN, Plan
from modelzoo.comparison.sets import SetFolder
from modelzoo.comparison.summary import SetSummary
from modelzoo.training.config import TrainConfig, read_stages
from modelzoo.training.metrics import Interval

MASKS_PER_SET = 120
FIGURES = ("miou_1", "miou_1_oracle", "miou_3", "miou_5", "miou_box", "miou_box_click", "boundary_5", "noc85", "noc90")
OTHERS = {FilledBox.name: ("miou_box",), HUMAN: ("miou_1",)}


def rows() -> list[Row]:
    """The figures of every shipped file that says how it was trained, each on its own unseen pictures."""
    found: list[Row] = []
    for described in sorted(SHIPPED.glob("*.toml")):
        weights = described.with_suffix(".safetensors")
        configs = read_stages(described)
        folders = labelled_sets(configs)
        if weights.is_file() and folders:
            with tempfile.TemporaryDirectory() as work:
                models = {described.stem: weights, in_int8(described.stem): quantised(weights, Path(work))}
                comparison = compare(Plan(models, tuple(OTHERS)), folders, configs, MASKS_PER_SET, processes=cores())
            for one in comparison.sets:
                found += set_rows(described.stem, one)
    return found


def in_int8(model: str) -> str:
    return f"{model} in int8"


def quantised(weights: Path, folder: Path) -> Path:
    """The same weights as a file that asks for an encoder in whole numbers."""
    path = folder / "int8.safetensors"
    save_checkpoint(load_checkpoint(weights), path, int8=True)
    return path


def labelled_sets(configs: Iterable[TrainConfig]) -> list[SetFolder]:
    """Every set that lies where one of the runs found its data, also those that it left out."""
    parents: set[Path] = {source.path.resolve().parent for config in configs for source in config.data}
    folders = [path for parent in sorted(parents) if parent.is_dir() for path in sorted(parent.iterdir())]
    return [SetFolder.of(path) for path in folders if (path / "annotations.json").exists()]


def set_rows(model: str, one: SetSummary) -> list[Row]:
    """The rows of one model on one set."""
    method = one.methods[model]
    result = [figure_row(f"{model}, {one.name}: {key}", method.figures[key], unit_of(key)) for key in FIGURES]
    whole = one.methods[in_int8(model)]
    result += [figure_row(f"{in_int8(model)}, {one.name}: {key}", whole.figures[key], unit_of(key)) for key in FIGURES]
    for other, keys in OTHERS.items():
        figures = one.methods[other].figures if other in one.methods else {}
        result += [
            figure_row(f"{one.name}: {other}, {key}", figures[key], unit_of(key)) for key in keys if key in figures
        ]
    for prompts, trust in method.trust.items():
        if trust.rank is not None:
            result.append(figure_row(f"{model}, {one.name}: rank correlation, {prompts}", trust.rank, ""))
        result.append(figure_row(f"{model}, {one.name}: calibration error, {prompts}", trust.error, ""))
    return result


def figure_row(name: str, one: Interval, unit: str) -> Row:
    value = round(one.value, 4)
    note = "from one picture" if one.low is None else f"95 %: {one.low:.3f} to {one.high:.3f}"
    return Row(name, value, unit, value, one.count, note)


def unit_of(key: str) -> str:
    return "clicks" if key.startswith("noc") else "IoU"
