"""Many annotators at once, who think between two clicks: how long they wait, what fails, and which process worked."""

from __future__ import annotations

import contextlib
import os
import random
import threading
import time
import uuid
from collections import Counter, defaultdict
from pathlib import Path
from typing import Any

import requests

from benchmarks.reliability.annotators import FINE, HEIGHT, WIDTH, Caller
from benchmarks.reliability.installation import Installation
from benchmarks.reliability.trial import Finding, Trial

PROMPTS = 3  # for a mask, all answered by the server
THINK = 2.0  # seconds before each request, on average
TICKS = os.sysconf("SC_CLK_TCK")


class Person(threading.Thread):
    """Next image, its embedding, three prompts, one mask saved, submit; and again."""

    def __init__(self, url: str, token: str, dataset: int, seed: str, until: float) -> None:
        super().__init__(daemon=True)
        self.caller, self.dataset, self.until = Caller(url, token), dataset, until
        self.dice = random.Random(seed)
        self.took: dict[str, list[float]] = defaultdict(list)
        self.errors: Counter[str] = Counter()

    def run(self) -> None:
        """Until the end of the day; an image that is begun is finished."""
        time.sleep(self.dice.uniform(0, THINK * 4))
        while time.monotonic() < self.until:
            task = self._timed("next", "POST", f"/api/datasets/{self.dataset}/tasks/next/", {})
            if task:
                self._label(task)

    def _label(self, task: dict[str, Any]) -> None:
        image = task["image"]["id"]
        known = self._timed("embedding", "GET", f"/api/images/{image}/embedding/")
        if known:
            self._timed("embedding's file", "GET", known["url"])
        answer: Any = None
        for _ in range(PROMPTS):
            point = [self.dice.uniform(5, WIDTH - 5), self.dice.uniform(5, HEIGHT - 5)]
            answer = self._timed("predict", "POST", f"/api/images/{image}/predict/", {"points": [point], "labels": [1]})
        drawn = max(answer["candidates"], key=lambda one: one["area"]) if answer else None
        if drawn and drawn["area"]:
            body = {"image": image, "segmentation": drawn["segmentation"], "source": "model", "task": task["id"]}
            self._timed("save", "PUT", f"/api/masks/{uuid.uuid4()}/", body)
        body = {"lease": task["lease"], "seconds": 10.0, "answer": "done"}
        self._timed("submit", "POST", f"/api/tasks/{task['id']}/submit/", body)

    def _timed(self, step: str, method: str, path: str, body: Any = None) -> Any:
        time.sleep(self.dice.expovariate(1 / THINK))
        started = time.perf_counter()
        try:
            answer = self.caller.ask(method, path, body)
        except requests.RequestException as problem:
            self.errors[f"{step}: {type(problem).__name__}"] += 1
            return None
        self.took[step].append((time.perf_counter() - started) * 1000)
        if answer.status_code not in FINE:
            self.errors[f"{step}: {answer.status_code}"] += 1
            return None
        return (
            answer.json() if answer.headers.get("Content-Type", "").startswith("application/json") else answer.content
        )


def many_annotators(trial: Trial) -> Finding:
    """LOAD: 20 people on the embedded stack, 100 on the other."""
    people = 20 if trial.stack == "embedded" else 100
    seconds = trial.size(60, 300)
    with trial.installation() as one:
        one.manage("prepare")
        made = one.inside("make", images=people * 40, people=people)
        one.inside("encode_all", dataset=made["dataset"])
        one.start("web", "interactive", "beat")
        one.wait_ready()
        until, before = time.monotonic() + seconds, _processor(one)
        crew = [
            Person(one.url, token, made["dataset"], f"{trial.seed} {number}", until)
            for number, token in enumerate(made["tokens"])
        ]
        for person in crew:
            person.start()
        for person in crew:
            person.join()
        worked = {role: used - before.get(role, 0.0) for role, used in _processor(one).items()}
    took: dict[str, list[float]] = defaultdict(list)
    errors: Counter[str] = Counter()
    for person in crew:
        errors += person.errors
        for step, times in person.took.items():
            took[step] += times
    tried = sum(map(len, took.values()))
    steps = "; ".join(f"{step} {_told(times)}" for step, times in took.items())
    used = ", ".join(f"{role} {cpu:.0f} s" for role, cpu in sorted(worked.items(), key=lambda item: -item[1]))
    note = f"N={people} who think {THINK:.0f} s before each request, {seconds} s, {tried / seconds:.0f} requests/s, "
    note += (
        f"p50/p95/p99 ms: all {_told([one for times in took.values() for one in times])}; {steps}; processor: {used}; "
    )
    note += f"load average {os.getloadavg()[0]:.0f}" + (f"; {dict(errors)}" if errors else "")
    return Finding(sum(errors.values()), tried, "requests failed", note)


def _told(times: list[float]) -> str:
    ordered = sorted(times)
    return "/".join(f"{ordered[min(len(ordered) - 1, int(len(ordered) * share))]:.0f}" for share in (0.5, 0.95, 0.99))


def _processor(one: Installation) -> dict[str, float]:
    """Processor seconds by role so far, of its living processes."""
    roles = {role: one.victims(role) for role in one.running}
    roles |= {
        server.name: [server.process.pid, *_children(server.process.pid)]
        for server in one.servers.values()
        if server.process
    }
    roles["annotators"] = [os.getpid()]
    found: dict[str, float] = defaultdict(float)
    for role, pids in roles.items():
        for pid in pids:
            with contextlib.suppress(OSError):
                fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
                found[role] += (int(fields[11]) + int(fields[12]) + int(fields[13]) + int(fields[14])) / TICKS
    return found


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


SCENARIOS = {"LOAD": many_annotators}
