"""Run every benchmark, print a table, keep the figures in benchmarks/results/."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime
from pathlib import Path

import torch

from benchmarks import browser, masks, models, pages, quality, transfers
from benchmarks.measure import Row, machine

RESULTS = Path(__file__).parent / "results"
SUITES = {
    "masks": masks.rows,
    "transfers": transfers.rows,
    "pages": pages.rows,
    "models": models.rows,
    "quality": quality.rows,
    "browser": browser.rows,
}


def main() -> int:
    """All suites, or those named on the command line."""
    wanted = sys.argv[1:] or list(SUITES)
    unknown = set(wanted) - set(SUITES)
    if unknown:
        print(f"No such benchmark: {', '.join(sorted(unknown))}. Known: {', '.join(SUITES)}.", file=sys.stderr)
        return 2
    about = machine() | {"torch": torch.__version__, "threads": torch.get_num_threads()}
    print(f"{about['cpu']}, {about['cores']} cores, torch {about['torch']}, {about['threads']} threads\n")
    found: list[Row] = []
    for name in wanted:
        for row in SUITES[name]():
            ratio = f"{row.ratio:>8.1f} x" if row.ratio else ""
            print(f"{row.name:50} {row.value:>10} {row.unit:8} (best {row.lowest}){ratio}  {row.note}", flush=True)
            found.append(row)
    stamp = datetime.now(UTC)
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"{stamp:%Y-%m-%d-%H%M}.json"
    document = {"machine": about, "at": stamp.isoformat(timespec="seconds"), "rows": [row.as_dict() for row in found]}
    target.write_text(json.dumps(document, indent=1) + "\n", encoding="utf-8")
    print(f"\nkept in {target.relative_to(Path.cwd()) if target.is_relative_to(Path.cwd()) else target}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
