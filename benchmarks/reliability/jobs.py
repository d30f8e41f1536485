"""Requirements 11 to 19: what the machine does."""

from __future__ import annotations

import os
import random
import signal
import statistics
import threading
import time
import uuid
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, nullcontext
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

from benchmarks.reliability.annotators import FINE, Caller, disc
from benchmarks.reliability.installation import Installation, answer_of
from benchmarks.reliability.servers import wait_for
from benchmarks.reliability.trial import Finding, Trial

PATIENCE = 1800  # seconds for a backlog on a machine that does other work


def ledger_is_the_record(trial: Trial) -> Finding:
    """R11: 15 % of the messages are never sent, and workers, clock and broker are killed."""
    kills, dice = trial.size(3, 50), trial.dice
    keys = [f"k{number}" for number in range(trial.size(20, 400))]
    with trial.installation(PROBE_DROP="0.15") as one:
        one.start("interactive", "batch", "batch:2", "beat")
        producer = one.inside_later("enqueue", kind="probe_work", keys=keys, seconds=1.0, pause=0.05)
        answer_of(producer)
        roles = ["batch", "batch:2", "batch", "batch:2", "interactive", "beat", *(["broker"] if one.servers else [])]
        for _ in range(kills):
            time.sleep(dice.uniform(0.5, 3.0))
            role = dice.choice(roles)
            wait_for(f"a process of {role}", lambda role=role: role in one.servers or one.victims(role), 120)
            one.kill(role)
        wait_for("the end of every job", lambda: not one.inside("ledger", kind="probe_work")["open"], PATIENCE)
        told = one.inside("ledger", kind="probe_work")
    lost = len(keys) - told["states"].get("succeeded", 0) + sum(key not in told["effects"] for key in keys)
    doubles = sum(number - 1 for number in told["effects"].values())
    note = f"{doubles} double effects, K={kills} kills, 15 % of sends dropped, at most {told['attempts']} attempts"
    return Finding(lost, len(keys), "jobs lost", note, holds=not lost and not doubles)


def fast_recovery(trial: Trial) -> Finding:
    """R12: from the kill of a worker to the next start of its job, with another worker idle."""
    waits = []
    with trial.installation() as one:
        one.start("interactive", "batch", "batch:2", "beat")
        for number in range(trial.size(2, 20)):
            key = f"k{number}"
            wait_for("two workers", lambda: one.inside("alive")["batch"] >= 2, 300)
            one.inside("enqueue", kind="probe_work", keys=[key], seconds=600)
            wait_for("the start", lambda key=key: _started(one, key) and one.inside("holder", key=key)["pid"], 300)
            os.kill(one.inside("holder", key=key)["pid"], signal.SIGKILL)
            killed = time.time()
            wait_for("the second start", lambda key=key: len(_started(one, key)) > 1, 300)
            waits.append(_started(one, key)[1] - killed)
            one.inside("withdraw", key=key)
    late = sum(wait > 20 for wait in waits)
    p95 = sorted(waits)[int(len(waits) * 0.95)]
    note = f"median {statistics.median(waits):.1f}, p95 {p95:.1f}, worst {max(waits):.1f} s"
    return Finding(late, len(waits), "later than 20 s", note)


def zombies_write_nothing(trial: Trial) -> Finding:
    """R13: four workers are frozen past their leases, a fifth does their jobs, then they wake; until enough were."""
    sleepers = ["batch", "batch:2", "batch:3", "batch:4"]
    with trial.installation() as one:
        one.start("interactive", "beat", "batch:5", *sleepers)
        wait_for("five workers", lambda: one.inside("alive")["batch"] >= 5, 600)
        for turn in range(trial.size(2, 50)):
            if _taken_over(one.inside("ledger", kind="probe_quick_lease")) >= trial.size(1, 50):
                break
            keys = [f"{turn}-{number}" for number in range(4)]
            one.signal("batch:5", signal.SIGSTOP)
            one.inside("enqueue", kind="probe_quick_lease", keys=keys, seconds=4.0)
            wait_for("four starts", lambda keys=keys: all(_started(one, key) for key in keys), 300)
            for role in sleepers:
                one.signal(role, signal.SIGSTOP)
            one.signal("batch:5", signal.SIGCONT)
            _until_done_or_stuck(one, keys)
            for role in sleepers:
                one.signal(role, signal.SIGCONT)
            wait_for("every job", lambda: not one.inside("ledger", kind="probe_quick_lease")["open"], PATIENCE)
            time.sleep(6)  # the sleepers are through by now
        told = one.inside("ledger", kind="probe_quick_lease")
        rows = one.inside("effects")
    tried = _taken_over(told)
    last = {key: max(attempt for name, attempt, _ in told["starts"] if name == key) for key, _, _ in told["starts"]}
    old = sum(attempt < last[key] for key, attempt in rows)
    doubles = sum(number - 1 for number in told["effects"].values())
    lost = len(last) - len(told["effects"])
    return Finding(
        old, tried, "rows of old attempts", f"{doubles} double, {lost} lost", holds=not (old or doubles or lost)
    )


def _taken_over(ledger: dict[str, Any]) -> int:
    """Jobs that were started a second time, since who began them was away."""
    starts = Counter(key for key, _, _ in ledger["starts"])
    return sum(number > 1 for number in starts.values())


def _until_done_or_stuck(one: Installation, keys: list[str], seconds: float = 90) -> None:
    """Until others did the work of the frozen; or they hold a lock of SQLite, and nobody can."""
    try:
        wait_for("the work of the frozen", lambda: set(keys) <= set(one.inside("ledger", kind="x")["effects"]), seconds)
    except (TimeoutError, RuntimeError):
        return


def poison_is_set_aside(trial: Trial) -> Finding:
    """R14: jobs that kill their process; others go on."""
    number = trial.size(1, 5)
    with trial.installation() as one:
        one.start("interactive", "batch", "beat")
        bad, good = [f"bad{place}" for place in range(number)], [f"good{place}" for place in range(5)]
        one.inside("enqueue", kind="probe_poison", keys=bad)
        started = time.time()
        one.inside("enqueue", kind="probe_work", keys=good, seconds=0.2)
        wait_for("the good ones", lambda: not one.inside("ledger", kind="probe_work")["open"], PATIENCE)
        behind = time.time() - started
        wait_for("the bad ones", lambda: not one.inside("ledger", kind="probe_poison")["open"], PATIENCE)
        told = one.inside("ledger", kind="probe_poison")
        fine = one.inside("ledger", kind="probe_work")
    wrong = number - told["errors"].get("worker_lost", 0) + (told["attempts"] > 3)
    wrong += len(good) - fine["states"].get("succeeded", 0)
    note = f"{told['attempts']} attempts each, with the reason; 5 other jobs through after {behind:.1f} s"
    return Finding(wrong, number + len(good), "not as it should be", note)


def broker_cannot_stop_it(trial: Trial) -> Finding:
    """R15: four producers, four workers, and in the folder of messages files that are none."""
    each, dice = trial.size(20, 400), trial.dice
    workers = ["batch", "batch:2", "batch:3", "batch:4"]
    thrown = 0
    down: dict[str, float] = {}
    worst = 0.0
    with trial.installation() as one:
        one.start("interactive", "beat", *workers)
        wait_for("four workers", lambda: one.inside("alive")["batch"] >= 4, 600)
        lists = [[f"{producer}-{number}" for number in range(each)] for producer in range(4)]
        producers = [one.inside_later("enqueue", kind="probe_work", keys=keys, seconds=0) for keys in lists]
        asked = 0.0
        while True:
            if one.stack == "embedded":
                thrown += _throw(one, dice)
            for role in workers:
                down[role] = 0.0 if one.victims(role) else down.get(role, 0.0) + 0.5
                worst = max(worst, down[role])
            time.sleep(0.5)
            if all(process.poll() is not None for process in producers) and time.monotonic() - asked > 10:
                asked = time.monotonic()
                if not one.inside("ledger", kind="probe_work")["open"]:
                    break
        for process in producers:
            answer_of(process)
        told = one.inside("ledger", kind="probe_work")
    undone = 4 * each - told["states"].get("succeeded", 0)
    doubles = sum(number - 1 for number in told["effects"].values())
    note = f"{doubles} double effects, {thrown} garbage files, a worker was away for {worst:.0f} s at the most"
    return Finding(undone, 4 * each, "jobs undone", note, holds=not undone and not doubles and worst <= 5)


def _throw(one: Installation, dice: random.Random) -> int:
    content = dice.choice([b"", b"{", b"null", bytes(dice.randrange(256) for _ in range(40)), b'{"body": 1}'])
    folder = one.folder / "data" / "broker" / "messages"
    (folder / f"{time.time_ns():020d}_{uuid.uuid4()}.batch.msg").write_bytes(content)
    return 1


def long_work_runs_once(trial: Trial) -> Finding:
    """R16: longer than the broker's patience (Redis) and than our own (files), with a second worker idle."""
    seconds = 45 if trial.stack == "embedded" or not trial.share else 150
    with trial.installation(PROBE_VISIBILITY="8") as one:
        one.start("interactive", "beat", "batch", "batch:2")
        wait_for("two workers", lambda: one.inside("alive")["batch"] >= 2, 600)
        keys = ["long"]
        one.inside("enqueue", kind="probe_work", keys=keys, seconds=seconds)
        wait_for("its end", lambda: not one.inside("ledger", kind="probe_work")["open"], PATIENCE)
        told = one.inside("ledger", kind="probe_work")
    starts, effects = len(told["starts"]), told["effects"].get("long", 0)
    patience = {"production": "visibility_timeout 8 s", "embedded": "messages sent again after 15 s"}.get(
        trial.stack, ""
    )
    return Finding(
        starts - 1 + abs(effects - 1), 1, "runs too many", f"a job of {seconds} s, {patience}, {starts} start"
    )


def clock_is_single(trial: Trial) -> Finding:
    """R17: two clocks after an hour's outage; and of many starts of a retraining one comes through."""
    rows = trial.size(2, 5)
    with trial.installation() as one:
        for number in range(rows):
            one.inside("overdue", name=f"tick {number}", minutes=60, every=10)
        one.start("interactive", "beat", "beat:2")
        wait_for("ticks", lambda: len(one.inside("ledger", kind="x")["effects"]) == rows, 300)
        time.sleep(trial.size(10, 60))
        ticks = one.inside("ledger", kind="x")["effects"]
        one.inside("clock_moved", minutes=60)  # the clock is set back an hour: every row was last run in the future
        time.sleep(trial.size(10, 60))
        moved = sum(one.inside("ledger", kind="x")["effects"].values()) - sum(ticks.values())
    tests = trial.by_tests("tests/engine/test_one_open_run.py", "tests/engine/test_retraining_plan.py")
    extra = sum(max(0, number - 1) for number in ticks.values()) + moved + tests.found
    note = f"an hour of ticks every 10 minutes: {sum(ticks.values())} runs for {rows} rows by two clocks"
    return Finding(
        extra, rows + tests.tried, "repeated", f"{note}, {moved} after the clock was set back an hour; {tests}"
    )


def broker_down_loses_nothing(trial: Trial) -> Finding:
    """R18: saves while the broker is gone, and while it takes connections and says nothing."""
    seconds, failed, tried, notes = trial.size(8, 30), 0, 0, []
    worst: dict[str, float] = {}
    with trial.installation(ANYMASK_URL_NETWORKS="127.0.0.0/8") as one, _listener() as address:
        made = one.inside("make", images=200, people=8, webhook=address)
        one.start("web", "interactive", "io", "webhooks", "beat")
        one.wait_ready()
        for name, away in {"as usual": nullcontext, **_outages(one)}.items():
            with away():
                took, bad = _save_for(one, made, seconds, trial.dice)
            failed += bad
            tried += len(took)
            took.sort()
            worst[name] = took[int(len(took) * 0.99)]
            notes.append(f"{name}: p50 {took[len(took) // 2]:.2f}, p99 {worst[name]:.2f} s")
        wait_for("the messages", lambda: not one.inside("deliveries")["waiting"], PATIENCE)
        told = one.inside("deliveries")["delivered"]
    notes.append(f"{told} messages of webhooks for them arrived in the end")
    # The short trial runs beside tests: a busy machine is slow by itself.
    slow = max(worst.values()) > (1 if trial.long else 1 + worst["as usual"])
    return Finding(failed, tried, "saves failed", "; ".join(notes), holds=not failed and not slow and told > 0)


@contextmanager
def _listener() -> Iterator[str]:
    """The address of somebody who takes every message."""

    class Taker(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            self.send_response(200)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *_: Any) -> None:
            """Nobody reads it."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Taker) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}/"
        server.shutdown()


def _outages(one: Installation) -> dict[str, Callable[[], Any]]:
    @contextmanager
    def folder_away() -> Iterator[None]:
        folder = one.folder / "data" / "broker" / "messages"
        folder.rename(folder.with_name("away"))
        folder.write_text("a file where the folder was")
        yield
        folder.unlink()
        folder.with_name("away").rename(folder)

    @contextmanager
    def killed() -> Iterator[None]:
        one.servers["broker"].kill()
        yield
        one.servers["broker"].start()

    @contextmanager
    def frozen() -> Iterator[None]:
        one.servers["broker"].freeze()
        yield
        one.servers["broker"].freeze(False)

    return {"folder gone": folder_away} if one.stack == "embedded" else {"killed": killed, "frozen": frozen}


def _save_for(one: Installation, made: dict[str, Any], seconds: float, dice: random.Random) -> tuple[list[float], int]:
    """Seconds of every save of eight people, and how many failed. Every save queues a message to a webhook."""
    until = time.monotonic() + seconds

    def work(token: str, image: int) -> tuple[list[float], int]:
        caller, took, bad = Caller(one.url, token), [], 0
        while time.monotonic() < until:
            body = {"image": image, "segmentation": disc(dice), "source": "hand"}
            started = time.monotonic()
            try:
                bad += caller.ask("PUT", f"/api/masks/{uuid.uuid4()}/", body).status_code not in FINE
            except OSError:
                bad += 1
            took.append(time.monotonic() - started)
        return took, bad

    with ThreadPoolExecutor(8) as pool:
        found = list(pool.map(work, made["tokens"], made["images"]))
    return [one for took, _ in found for one in took], sum(bad for _, bad in found)


def models_switch_whole(trial: Trial) -> Finding:
    """R19: kill -9 of who writes a checkpoint, at random; and what the tests of promotion show."""
    with trial.installation() as one:
        told = one.inside("checkpoints", kills=trial.size(5, 20), seed=trial.seed)
    names = ["tests/engine/test_promotion.py", "tests/engine/test_version_kept.py"]
    if trial.long and trial.stack == "embedded":
        names.append("tests/engine/test_killed_retraining.py")
    tests = trial.by_tests(*names)
    note = f"{told['kills']} kills of the writer; {tests}"
    return Finding(told["half"] + tests.found, told["kills"] + tests.tried, "half models", note)


def _started(one: Installation, key: str) -> list[float]:
    return sorted(at for name, _, at in one.inside("ledger", kind="probe_work")["starts"] if name == key)


SCENARIOS = {
    "R11": ledger_is_the_record,
    "R12": fast_recovery,
    "R13": zombies_write_nothing,
    "R14": poison_is_set_aside,
    "R15": broker_cannot_stop_it,
    "R16": long_work_runs_once,
    "R17": clock_is_single,
    "R18": broker_down_loses_nothing,
    "R19": models_switch_whole,
}
