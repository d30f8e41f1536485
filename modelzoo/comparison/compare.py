"""One comparison from beginning to end: draw the masks, judge them with everything, sum up."""

from __future__ import annotations

import platform
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from modelzoo.checkpoint import checkpoint_digest
from modelzoo.comparison.judging import Judged, Plan, judge_pictures
from modelzoo.comparison.sets import Picture, SetFolder, draw_pictures, smallest_share
from modelzoo.comparison.summary import SetSummary, summarise_set
from modelzoo.training.config import TrainConfig
from modelzoo.training.data import DataError
from modelzoo.training.evaluate import REPORTED_CLICKS, Clock, Row, summarise

Progress = Callable[[int, int, str], None]  # pictures done, pictures in all, the set that is at work


@dataclass(frozen=True)
class Comparison:
    """All that a report says.

    about: settings, models, machine. first: figures of the first model over all masks, as `evaluate` names them.
    """

    about: dict[str, Any]
    first: dict[str, Any]
    sets: list[SetSummary]
    rows: list[Row]
    pictures: list[Picture]


def compare(
    plan: Plan,
    folders: Sequence[SetFolder],
    configs: Sequence[TrainConfig] = (),
    most_masks: int = 0,
    smallest: float | None = None,
    processes: int = 1,
    progress: Progress | None = None,
) -> Comparison:
    """Everything of `plan` on at most `most_masks` masks of each set that no run of `configs` trained on.

    DataError where there is nothing to judge on, two sets go by one name, or a setting makes no sense.
    """
    if plan.max_clicks < max(REPORTED_CLICKS):
        raise DataError(f"At least {max(REPORTED_CLICKS)} clicks are needed for the figures of the report.")
    if most_masks < 0 or (smallest is not None and not 0 <= smallest < 1):
        raise DataError("The number of masks cannot be negative, and a share lies between 0 and 1.")
    if len({folder.name for folder in folders}) < len(folders):
        raise DataError("Two of the sets have the same name; the report could not tell them apart.")
    pictures = [one for folder in folders for one in draw_pictures(folder, configs, most_masks, smallest, plan.seed)]
    started = time.perf_counter()
    judged: list[Judged] = []
    for one in judge_pictures(plan, pictures, processes):
        judged.append(one)
        if progress:
            progress(len(judged), len(pictures), pictures[len(judged) - 1].set_name)
    rows = [row for one in judged for row in one.rows]
    if not rows:
        raise DataError("There is no mask to evaluate on: all are empty.")
    names = dict.fromkeys(row["set"] for row in rows)
    first = next(iter(plan.models))
    clocks = {name: Clock.medians([one.clocks[name] for one in judged]) for name in plan.models}
    about = {
        "seed": plan.seed,
        "max_clicks": plan.max_clicks,
        "processes": processes,
        "seconds": round(time.perf_counter() - started),
        "machine": f"{platform.system()} {platform.machine()}",
        "models": [describe_model(plan, name) | clocks[name] for name in plan.models],
        "sets": {folder.name: {"drawn": drawn(folder, configs, most_masks, smallest)} for folder in folders},
    }
    return Comparison(
        about=about,
        first={"model": first} | summarise([row for row in rows if row["method"] == first]) | clocks[first],
        sets=[summarise_set(name, [row for row in rows if row["set"] == name]) for name in names],
        rows=rows,
        pictures=pictures,
    )


def describe_model(plan: Plan, name: str) -> dict[str, Any]:
    path = plan.models[name]
    return {"name": name, "sha256": checkpoint_digest(path), "megabytes": round(path.stat().st_size / 1e6, 1)}


def drawn(folder: SetFolder, configs: Sequence[TrainConfig], most: int, smallest: float | None) -> str:
    """How the masks of a set were drawn, in words."""
    floor = smallest_share(folder, smallest)
    words = [f"at most {most}" if most else "all"]
    if floor:
        words.append(f"over {floor:.3g} of the picture")
    named = any(source.path.name == folder.name for config in configs for source in config.data)
    words.append("pictures no named run trained on" if named else "all pictures")
    return ", ".join(words)
