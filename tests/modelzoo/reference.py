"""The recorded reference data, and the table that says how close we come to it (see tests/golden/README.md)."""

import json
from pathlib import Path

import pytest

GOLDEN = Path(__file__).parent.parent / "golden"
PRINTED = pytest.StashKey[bool]()


def golden_json(name):
    return json.loads((GOLDEN / f"{name}.json").read_text())


def pytest_terminal_summary(terminalreporter, config):
    """A small table: per quantity the largest difference from the reference that any test saw."""
    if config.stash.get(PRINTED, False):
        return
    config.stash[PRINTED] = True
    rows = {}
    for reports in terminalreporter.stats.values():
        for report in reports:
            if getattr(report, "when", None) != "call":
                continue
            for name, value in report.user_properties:
                if name == "parity":
                    quantity, difference, tolerance = value
                    worst, _, checks = rows.get(quantity, (0.0, 0.0, 0))
                    rows[quantity] = (max(worst, difference), tolerance, checks + 1)
    if not rows:
        return
    terminalreporter.section("parity with the reference")
    terminalreporter.write_line(f"{'quantity':<44}{'largest difference':>20}{'tolerance':>12}{'checks':>8}")
    for quantity, (worst, tolerance, checks) in sorted(rows.items()):
        terminalreporter.write_line(f"{quantity:<44}{worst:>20.2g}{tolerance:>12.2g}{checks:>8}")
