"""What a trial is given and what it finds."""

from __future__ import annotations

import random
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.reliability.installation import ROOT, Installation


@dataclass(frozen=True)
class Finding:
    """`found` faults of `tried`. `holds` is whether the requirement's figure is met; None where nothing was tried."""

    found: int
    tried: int
    what: str
    note: str = ""
    holds: bool | None = None
    answers: dict[str, int] = field(default_factory=dict)  # to compare between stacks

    @property
    def met(self) -> bool | None:
        """Nothing found among something tried, unless the trial says otherwise."""
        return self.holds if self.holds is not None else (self.found == 0 if self.tried else None)

    def __str__(self) -> str:
        if not self.tried:
            return f"not tried: {self.note}"
        missed = "" if self.met else "MISSED "
        return f"{missed}{self.found}/{self.tried} {self.what}" + (f", {self.note}" if self.note else "")


@dataclass(frozen=True)
class Trial:
    """The stack, the size and the dice of one run."""

    stack: str
    share: float  # of the numbers that the requirements ask for; 0: the least that shows anything
    seed: int
    sets: Path | None = None  # a folder of public sets

    @property
    def long(self) -> bool:
        """Whether the requirements' own numbers are tried."""
        return self.share >= 1

    @property
    def dice(self) -> random.Random:
        """The same numbers in every run with this seed."""
        return random.Random(f"{self.seed} {self.stack}")

    def size(self, short: int, long: int) -> int:
        """How much of it."""
        return max(short, round(long * self.share))

    @contextmanager
    def installation(self, **environment: str) -> Iterator[Installation]:
        """Prepared, nothing started yet; stopped and removed at the end. Its logs stay where the trial fails."""
        folder = Path(tempfile.mkdtemp(prefix="anymask-trial-"))
        folder.chmod(0o755)
        one = Installation(folder, self.stack, **environment)
        try:
            one.prepare()
            yield one
        except BaseException:
            one.stop()
            print(f"  the logs of a trial that failed are kept in {folder}", file=sys.stderr)
            raise
        one.stop()
        shutil.rmtree(folder, ignore_errors=True)

    def by_tests(self, *names: str, note: str = "", times: int = 1) -> Finding:
        """A requirement that existing tests prove: the same functions on this stack; found are those that fail."""
        folder = Path(tempfile.mkdtemp(prefix="anymask-trial-"))
        folder.chmod(0o755)
        one = Installation(folder, self.stack)
        try:
            if self.stack != "embedded":
                one.prepare()
            found = [_tested(one, folder / f"report-{number}.xml", names, note) for number in range(times)]
            last = next((one for one in found if one.found), found[-1])
            return replace(last, found=sum(one.found for one in found), tried=sum(one.tried for one in found))
        finally:
            one.stop()
            shutil.rmtree(folder, ignore_errors=True)


def _tested(one: Installation, report: Path, names: tuple[str, ...], note: str) -> Finding:
    environment = {**one.environment, "DJANGO_SETTINGS_MODULE": "config.settings"}
    environment |= {"ANYMASK_DATA": str(one.folder / "tests")}
    (one.folder / "tests").mkdir(exist_ok=True)
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", f"--junit-xml={report}", *names]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, check=False)
    if not report.exists():
        raise RuntimeError(done.stdout[-2000:] + done.stderr[-2000:])
    [suite] = ElementTree.parse(report).getroot().iter("testsuite")
    counts = {name: int(suite.get(name, 0)) for name in ("tests", "failures", "errors", "skipped")}
    failed = [
        case.get("name", "")
        for case in suite.iter("testcase")
        if case.find("failure") is not None or case.find("error") is not None
    ]
    told = [note] if note else []
    told += [f"{counts['skipped']} skipped"] if counts["skipped"] else []
    told += ["failed: " + ", ".join(failed[:5])] if failed else []
    tried = counts["tests"] - counts["skipped"]
    return Finding(len(failed), tried, "tests failed", "; ".join(told))


Scenario = Callable[[Trial], Finding]
