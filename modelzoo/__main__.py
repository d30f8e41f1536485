"""Command line: python -m modelzoo list | fetch | segment | evaluate | train | train-proposals | export.

Each is a file of modelzoo/commands.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from modelzoo.checkpoint import CheckpointError
from modelzoo.commands import evaluate, export, fetch, list_models, quantise, segment, train, train_proposals
from modelzoo.comparison.baselines import MissingLibrary
from modelzoo.fetching import FetchError
from modelzoo.training.config import ConfigError
from modelzoo.training.data import DataError

COMMANDS = (list_models, fetch, segment, evaluate, train, train_proposals, export, quantise)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; 2 and a sentence on standard error for a mistake of the user."""
    parser = argparse.ArgumentParser(prog="python -m modelzoo", description=__doc__)
    commands = parser.add_subparsers(dest="command", required=True)
    for command in COMMANDS:
        command.add(commands)
    options = parser.parse_args(arguments)
    try:
        options.run(options)
    except FileNotFoundError as error:
        print(f"There is no file {error.filename}.", file=sys.stderr)
        return 2
    except (CheckpointError, FetchError, ConfigError, DataError, MissingLibrary) as error:
        # A process that makes views sends its traceback along; what it says stands at the end.
        print(str(error).rpartition("DataError: ")[2].strip(), file=sys.stderr)
        return 2
    return 0


if __name__ == "__main__":
    sys.exit(main())
