"""Pictures that this server fetches by itself: from its folders, an object store, or addresses on the web.

What became of each item is a line of a file beside the job, so that an attempt that is cut off goes on where it was.
A few items are fetched ahead while one is decoded.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotYet
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

from annotation import storage
from annotation.errors import UserError
from annotation.ingest.cage import Cage
from annotation.jobkit import JobContext
from annotation.models import Dataset, Image
from annotation.room import need_room
from annotation.services.images import Incoming, Rights
from annotation.services.intake import file_take
from annotation.services.uploads import Tally
from annotation.services.videos import DEFAULT_RATE

AHEAD = 4
LISTED = 1000  # refusals in the result of a job
LEDGER = "ledger.jsonl"


@dataclass(frozen=True)
class Item:
    """One file to come. `fetch` puts its bytes at a path, from any thread, or raises UserError or OSError.

    `name` is what the picture is called, `label` what a refusal calls it, `source` where it comes from unless somebody
    says otherwise, `stays_at` where the original is kept and need not be copied.
    """

    name: str
    label: str
    fetch: Callable[[Path], None]
    source: str = ""
    stays_at: str = ""


def gather(
    *, ctx: JobContext, dataset: Dataset, items: Iterable[Item], total: int, rights: Rights, user: Any
) -> dict[str, Any]:
    """Take `items` in, in their order, which must be the same in every attempt; the job's result."""
    place = storage.path_for("imports", str(ctx.job.pk), LEDGER)
    with storage.work_folder() as work, Cage() as cage, _Ledger(storage.full(place)) as ledger:
        for item, path, problem in _fetched(islice(items, ledger.done, None), work, ctx):
            ctx.progress(ledger.done / max(total, 1), f"{ledger.done + 1} of {total}")
            need_room()  # else the job fails here and goes on from here: what has come is written down
            ledger.item = item
            if problem is not None:
                ledger.refused(item.name, problem)
            else:
                named = replace(rights, source=rights.source or item.source)
                incoming = Incoming(item.name, path, item.stays_at)
                file_take(
                    dataset=dataset,
                    incoming=incoming,
                    user=user,
                    rights=named,
                    cage=cage,
                    report=ledger,
                    progress=lambda _share: ctx.check_cancelled(),
                    frame_rate=DEFAULT_RATE,
                )
            path.unlink(missing_ok=True)
            ledger.close_item()
        report = ledger.as_json()
        result = {
            "files": ledger.done,
            **{name: report[name] for name in ("added", "known", "refused")},
            "refusals": report["refusals"][:LISTED],
        }
    folder = storage.path_for("imports", str(ctx.job.pk))
    ctx.afterwards(partial(storage.remove, folder))  # an attempt that is lost at its very end goes on from the ledger
    return result


def _fetched(items: Iterable[Item], work: Path, ctx: JobContext) -> Iterator[tuple[Item, Path, UserError | None]]:
    """Each item with its bytes or the reason why they could not be had, a few of them ahead."""
    pool = ThreadPoolExecutor(AHEAD, thread_name_prefix="fetch")
    waiting: deque[tuple[Item, Path, Future[None]]] = deque()

    def first() -> tuple[Item, Path, UserError | None]:
        item, path, future = waiting.popleft()
        while True:
            try:
                future.result(timeout=1)
            except NotYet:
                if future.done():
                    raise
                ctx.check_cancelled()
            except UserError as problem:
                return item, path, problem
            except OSError:
                return item, path, UserError("file_unreadable", "This file cannot be read.")
            else:
                return item, path, None

    try:
        for number, item in enumerate(items):
            path = work / f"item-{number}"
            waiting.append((item, path, pool.submit(item.fetch, path)))
            if len(waiting) > AHEAD:
                yield first()
        while waiting:
            yield first()
    finally:
        pool.shutdown(wait=False, cancel_futures=True)  # a slow download must not hold up a job that was cancelled


class _Ledger(Tally):
    """A tally that outlives its process: one line for each item that was dealt with."""

    def __init__(self, path: Path) -> None:
        super().__init__()
        self.done = 0
        self.item: Item | None = None
        self._line: list[dict[str, Any]] = []
        path.parent.mkdir(parents=True, exist_ok=True)
        kept = path.read_bytes() if path.exists() else b""
        kept = kept[: kept.rfind(b"\n") + 1]  # without a line that was being written
        for line in kept.splitlines():
            self._again(json.loads(line))
        self._file = path.open("r+b" if path.exists() else "w+b")
        self._file.truncate(len(kept))
        self._file.seek(len(kept))

    def __enter__(self) -> _Ledger:
        return self

    def __exit__(self, *_problem: object) -> None:
        self._file.close()

    def _again(self, outcomes: list[dict[str, Any]]) -> None:
        self.done += 1
        for outcome in outcomes:
            if "code" in outcome:
                self.refusals.append(outcome)
            elif "name" in outcome:
                self.duplicates.append(outcome)
            else:
                self.new += 1

    def added(self, image: Image) -> None:
        """A new image."""
        super().added(image)
        self._line.append({"image": image.pk})

    def known(self, name: str, image: Image) -> None:
        """One that is there already."""
        super().known(name, image)
        self._line.append(self.duplicates[-1])

    def refused(self, name: str, problem: UserError) -> None:
        """One that cannot be used; what is not inside an archive is called by its label."""
        super().refused(self.item.label if self.item is not None and name == self.item.name else name, problem)
        self._line.append(self.refusals[-1])

    def close_item(self) -> None:
        """Write down what became of the item."""
        self._file.write(json.dumps(self._line).encode() + b"\n")
        self._file.flush()
        self.done += 1
        self._line = []
