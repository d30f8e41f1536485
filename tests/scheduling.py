"""Which process of pytest-xdist gets which tests, and in what order.

Browser tests, journeys and retrainings mostly wait; thousands of others keep a core busy. Those that wait begin, so
that the others fill the cores beside and behind them and no long one is left for the end. Files that share an
installation go to one process, for starting it takes a minute.
"""

from __future__ import annotations

import pytest
from xdist.scheduler import LoadFileScheduling

SITES = 2  # installations that the browser tests share
OWN_INSTALLATION = "tests/journeys/test_reliability.py"


def share_of(file: str) -> str:
    """What is given to one process in one piece: a file, or several."""
    if file.startswith("tests/journeys/") and file != OWN_INSTALLATION:
        return "tests/journeys"
    if file.startswith("tests/browser/"):
        return f"tests/browser, site {sum(file.encode()) % SITES}"
    return file


def first_those_that_wait(items: list[pytest.Item]) -> None:
    """Journeys, browser, then files with slow tests, then the rest; within these the order stays."""
    slow = {item.path for item in items if item.get_closest_marker("slow")}

    def place(item: pytest.Item) -> int:
        folders = ("tests/journeys/", "tests/browser/")
        by_folder = [item.nodeid.startswith(folder) for folder in folders]
        return by_folder.index(True) if any(by_folder) else 2 if item.path in slow else 3

    items.sort(key=place)


class Scheduling(LoadFileScheduling):
    """By file, or by several that share an installation."""

    def _split_scope(self, nodeid: str) -> str:
        return share_of(nodeid.split("::", 1)[0])
