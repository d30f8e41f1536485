"""Results that were kept in benchmarks/results/, and how a new figure stands beside the newest earlier one.

A run may hold some suites only, so every figure is looked up by its name in the newest result that has it, among those
of the same machine. Two runs are compared by their best values, which a busy machine moves least; how busy it was is
kept with every result and said with every comparison.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.measure import Row

REGRESSION = 1.2  # times worse from which a figure is marked
SMALLER_IS_BETTER = {"ms", "s", "MB", "MiB", "clicks"}
LARGER_IS_BETTER = {"IoU"}  # and whatever is per second
SAME_MACHINE = ("cpu", "cores", "system")


@dataclass(frozen=True)
class Earlier:
    """A figure of an earlier run: the run's name, the row as it was kept, the load of the machine then (if known)."""

    run: str
    row: Mapping[str, Any]
    load: float | None


@dataclass(frozen=True)
class Change:
    """How many times worse a figure and its peak memory have become (below 1: better); None where that has no sense."""

    since: Earlier
    value: float | None
    memory: float | None

    @property
    def regression(self) -> bool:
        """Whether either is worse by more than a fifth."""
        return any(times is not None and times > REGRESSION for times in (self.value, self.memory))

    def words(self, load: float) -> str:
        """One phrase for the table; empty where nothing can be compared. `load`: of the machine now."""
        parts = [
            f"{what}{times:.2f} x {self.since.run}" if times >= 1 else f"{what}1/{1 / times:.2f} x {self.since.run}"
            for what, times in (("", self.value), ("memory ", self.memory))
            if times is not None
        ]
        if not parts:
            return ""
        then = "" if self.since.load is None else f"{self.since.load:.1f} then, "
        loads = f", load {then}{load:.1f} now"
        return ("REGRESSION: " if self.regression else "") + ", ".join(parts) + loads

    def as_dict(self) -> dict[str, Any]:
        """For the result file."""
        return {"run": self.since.run, "worse": self.value, "memory_worse": self.memory, "regression": self.regression}


def earlier_figures(folder: Path, machine: Mapping[str, Any]) -> dict[str, Earlier]:
    """Row name -> its newest figure among the results in `folder` of the same machine. Unreadable files are passed."""
    found: dict[str, Earlier] = {}
    for path in sorted(folder.glob("[0-9]*.json"), reverse=True):  # a result is named by its time
        try:
            document = json.loads(path.read_text(encoding="utf-8"))
            same = all(document["machine"].get(key) == machine.get(key) for key in SAME_MACHINE)
            rows = [row for row in document["rows"] if "name" in row] if same else []
        except (ValueError, KeyError, TypeError, AttributeError):
            continue
        for row in rows:
            found.setdefault(row["name"], Earlier(path.stem, row, document.get("load")))
    return found


def change(row: Row, earlier: Mapping[str, Earlier]) -> Change | None:
    """How `row` stands beside the figure of its name; None where there is none in the same unit."""
    since = earlier.get(row.name)
    if since is None or since.row.get("unit") != row.unit:
        return None
    return Change(
        since,
        _worse(row.lowest, since.row.get("lowest"), row.unit),
        None if row.unit == "MiB" else _worse(row.memory, since.row.get("memory"), "MiB"),
    )


def _worse(now: float | None, before: float | None, unit: str) -> float | None:
    """How many times worse `now` is than `before`."""
    if not now or not before or min(now, before) <= 0:
        return None
    if unit in SMALLER_IS_BETTER:
        return round(now / before, 3)
    return round(before / now, 3) if unit in LARGER_IS_BETTER or unit.endswith("/s") else None
