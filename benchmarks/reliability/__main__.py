"""Run the trials and print one line for each requirement.

    python -m benchmarks.reliability [--short | --long | --share X] [--seed N] [--stack NAME ...] [R1 R2 ...]

Short: minutes, small numbers; long: the figures of the requirements, hours. A line begins with MISSED where a figure is
not met. What was found is kept in benchmarks/results/.
"""

from __future__ import annotations

import argparse
import json
import signal
import sys
import time
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from benchmarks.measure import machine
from benchmarks.reliability import data, jobs, load, security, transfers, uploads
from benchmarks.reliability.installation import STACKS
from benchmarks.reliability.servers import why_not_production, why_not_rabbit
from benchmarks.reliability.trial import Finding, Scenario, Trial

RESULTS = Path(__file__).parents[1] / "results"
SCENARIOS: dict[str, Scenario] = {
    **data.SCENARIOS,
    **jobs.SCENARIOS,
    **transfers.SCENARIOS,
    **uploads.SCENARIOS,
    **security.SCENARIOS,
    **load.SCENARIOS,
}


def main() -> int:
    """0 where every figure that was tried is met."""
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # and on the way out everything that was started ends
    stacks = [name for name in asked.stack or ["embedded", "production"] if _can(name)]
    wanted = [name.upper() for name in asked.requirements] or list(SCENARIOS)
    if unknown := set(wanted) - set(SCENARIOS):
        print(f"No such requirement: {', '.join(sorted(unknown))}.", file=sys.stderr)
        return 2
    stamp = datetime.now(UTC)
    rows = []
    for name in wanted:
        row = _row(name, stacks, asked)
        rows.append(row)
        print(row["line"], flush=True)
        _keep(rows, stamp, asked)  # after each: a long run that is broken off keeps what it found
    return 0 if all(row["met"] for row in rows) else 1


def _keep(rows: list[dict[str, Any]], stamp: datetime, asked: argparse.Namespace) -> None:
    RESULTS.mkdir(exist_ok=True)
    target = RESULTS / f"reliability-{stamp:%Y-%m-%d-%H%M%S}.json"
    about = {"machine": machine(), "at": stamp.isoformat(timespec="seconds"), "seed": asked.seed, "share": asked.share}
    target.write_text(json.dumps({**about, "rows": rows}, indent=1) + "\n", encoding="utf-8")


def _row(name: str, stacks: list[str], asked: argparse.Namespace) -> dict[str, Any]:
    """One requirement on every stack."""
    started = time.monotonic()
    findings = {stack: _tried(SCENARIOS[name], Trial(stack, asked.share, asked.seed, asked.sets)) for stack in stacks}
    parts = [f"{finding}, {STACKS[stack]}" for stack, finding in findings.items()]
    answers = [finding.answers for finding in findings.values() if finding.answers]
    met = all(finding.met is not False for finding in findings.values())
    if len(answers) > 1:
        differing = sorted(key for key in answers[0] if len({one.get(key) for one in answers}) > 1)
        parts.append(f"{len(differing)}/{len(answers[0])} codes differ {differing[:5] or ''}".rstrip())
        met = met and not differing
    line = f"{name} {' | '.join(parts)}, seed {asked.seed}, {time.monotonic() - started:.0f} s"
    return {"name": name, "met": met, "line": line, "at": datetime.now(UTC).isoformat(timespec="seconds")}


def _tried(scenario: Scenario, trial: Trial) -> Finding:
    try:
        return scenario(trial)
    except Exception as problem:
        traceback.print_exc(limit=4)
        return Finding(1, 1, "trials broke off", f"{type(problem).__name__}: {problem}"[-300:].replace("\n", " "))


def _can(stack: str) -> bool:
    reason = None if stack == "embedded" else why_not_production()
    if stack == "rabbitmq":
        reason = reason or why_not_rabbit()
    if reason:
        print(f"{STACKS[stack]}: not tried, {reason}", file=sys.stderr)
    return reason is None


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.reliability", description=__doc__)
    size = parser.add_mutually_exclusive_group()
    size.add_argument("--short", action="store_const", dest="share", const=0.0, help="small numbers (the default)")
    size.add_argument("--long", action="store_const", dest="share", const=1.0, help="those of the requirements, hours")
    size.add_argument("--share", type=float, help="so much of the long numbers, e.g. 0.2")
    parser.set_defaults(share=0.0)
    parser.add_argument("--seed", type=int, default=17)
    parser.add_argument("--stack", action="append", choices=list(STACKS))
    parser.add_argument(
        "--sets", type=Path, metavar="DIR", help="public sets for R26: folders with images/ and annotations.json"
    )
    parser.add_argument("requirements", nargs="*", metavar="R1")
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
