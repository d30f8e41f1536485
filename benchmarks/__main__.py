"""Run every benchmark, each suite in a process of its own, print a table, keep the figures in benchmarks/results/.

    python -m benchmarks [SUITE ...]

Each figure stands beside its anchor, measured in the same run, with the peak memory of its process, and beside the
newest earlier figure of the same machine: what became worse by more than a fifth is marked.
"""

from __future__ import annotations

import importlib
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.history import Change, change, earlier_figures
from benchmarks.measure import Row, machine, peak_mib

RESULTS = Path(__file__).parent / "results"
SUITES = ("masks", "transfers", "pages", "models", "encoders", "segment", "quality", "exemplars", "video", "browser")
ONE = "--suite"  # then a name: run it here and print its rows as JSON, a line each


def main() -> int:
    """All suites, or those named on the command line."""
    wanted = sys.argv[1:] or list(SUITES)
    if wanted[0] == ONE:
        return suite_here(wanted[1])
    unknown = set(wanted) - set(SUITES)
    if unknown:
        print(f"No such benchmark: {', '.join(sorted(unknown))}. Known: {', '.join(SUITES)}.", file=sys.stderr)
        return 2
    began, about, load = datetime.now(UTC), machine(), os.getloadavg()[0]
    print(
        f"{about['cpu']}, {about['cores']} cores, torch {about['torch']}, {about['threads']} threads, load {load:.1f}"
    )
    earlier = earlier_figures(RESULTS, about)
    kept: list[dict[str, Any]] = []
    suites: dict[str, Any] = {}
    for name in wanted:
        print(f"\n{name}")
        for told in suite_apart(name):
            if "row" in told:
                row = Row(**told["row"])
                since = change(row, earlier)
                print(line(row, since), flush=True)
                kept.append({**row.as_dict(), "since": since.as_dict() if since else None})
            else:
                suites[name] = told
                print(ending(told))
        if kept:  # after each suite: a run of an hour that is cut off leaves what it has
            where = keep(began, {"machine": about, "load": load, "suites": suites, "rows": kept})
            print(f"kept in {where}")
    worse = [row["name"] for row in kept if row["since"] and row["since"]["regression"]]
    print(f"{len(worse)} of {len(kept)} figures are worse than before by more than a fifth", *worse, sep="\n  ")
    return 1 if any("failed" in told for told in suites.values()) else 0


def suite_here(name: str) -> int:
    """One suite in this process: a line of JSON for each row, and one for the whole."""
    started = time.perf_counter()
    for row in importlib.import_module(f"benchmarks.{name}").rows():
        print(json.dumps({"row": row.as_dict()}), flush=True)
    print(json.dumps({"peak_mib": round(peak_mib()), "seconds": round(time.perf_counter() - started, 1)}), flush=True)
    return 0


def suite_apart(name: str) -> Iterator[dict[str, Any]]:
    """The same from a process of its own, so that its peak memory is its own; a last {"failed": status} if it fails."""
    command = [sys.executable, "-m", "benchmarks", ONE, name]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        for text in process.stdout:
            if text.startswith("{"):
                yield json.loads(text)
            else:
                print(text, end="", file=sys.stderr)
    if process.returncode:
        yield {"failed": process.returncode}


def line(row: Row, since: Change | None) -> str:
    """One row of the table: figure, best, times its anchor, memory, note, beside the earlier figure."""
    ratio = f"{row.ratio:>8.1f} x" if row.ratio else " " * 10
    memory = f"{row.memory:>6.0f} MiB" if row.memory else " " * 10
    words = since.words(os.getloadavg()[0]) if since else ""
    told = f"{row.name:58} {row.value:>10} {row.unit:8} (best {row.lowest}){ratio}{memory}"
    return "  ".join(part for part in (told, row.note, words and f"[{words}]") if part)


def ending(told: dict[str, Any]) -> str:
    """What is said under a suite."""
    if "failed" in told:
        return f"  FAILED with status {told['failed']}: figures after this one are missing"
    return f"  peak memory {told['peak_mib']} MiB, {told['seconds']:.0f} s"


def keep(began: datetime, document: dict[str, Any]) -> Path:
    """Write what there is of a run, named by the time it began, and say where."""
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{began:%Y-%m-%d-%H%M}.json"
    document = {"at": began.isoformat(timespec="seconds"), **document}
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    return target.relative_to(Path.cwd()) if target.is_relative_to(Path.cwd()) else target


if __name__ == "__main__":
    sys.exit(main())
