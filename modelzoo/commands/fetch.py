"""python -m modelzoo fetch: download published weights and verify them before anything opens them."""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path
from typing import Any

from modelzoo.catalogue import CATALOGUE, weights_folder
from modelzoo.fetching import FetchError, Progress, fetch, wanted


def add(commands: Any) -> None:
    parser = commands.add_parser("fetch", help="download published weights and verify their SHA-256")
    parser.add_argument("what", metavar="NAME_OR_URL", help=f"one of {', '.join(CATALOGUE)}, or an https address")
    parser.add_argument("--sha256", metavar="HEX", help="the file's SHA-256; needed with an address")
    parser.add_argument("--out", type=Path, metavar="FOLDER", help=f"where to put it (default: {weights_folder()})")
    parser.add_argument("--local-http", action="store_true", help="allow http to this machine: a mirror, a tunnel")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> None:
    what = wanted(options.what, options.sha256, options.local_http)
    try:
        path = fetch(what, options.out or weights_folder(), shown_on_stderr())
    except KeyboardInterrupt:
        raise FetchError("\nInterrupted. What came is kept: the same command goes on.") from None
    print(f"{path}  {path.stat().st_size / 1e6:.1f} MB  sha256 {what.sha256} verified")


def shown_on_stderr() -> Progress:
    """Progress as one line that renews itself a few times a second."""
    last = 0.0

    def shown(done: int, total: int | None) -> None:
        nonlocal last
        finished = done == total
        if finished or time.monotonic() - last > 0.2:
            last = time.monotonic()
            share = f" of {total / 1e6:.1f} MB ({done / total:.0%})" if total else " MB"
            print(f"\r{done / 1e6:.1f}{share}", end="\n" if finished else "", file=sys.stderr, flush=True)

    return shown
