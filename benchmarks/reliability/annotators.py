"""Simulated annotators who do as the browser's journal does: every save and submit is repeated until it is answered."""

from __future__ import annotations

import random
import threading
import time
import uuid
from collections import Counter
from typing import Any

import numpy as np
import requests

from modelzoo import rle

HEIGHT, WIDTH = 40, 60  # of every picture of a trial
PAUSE = 0.3  # seconds before the next try
FINE = (200, 201, 204)


def disc(dice: random.Random) -> dict[str, Any]:
    """A mask of a round thing somewhere, as RLE."""
    x, y, radius = dice.uniform(5, WIDTH - 5), dice.uniform(5, HEIGHT - 5), dice.uniform(2, 12)
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    return dict(rle.encode((rows - y) ** 2 + (columns - x) ** 2 <= radius**2))


class Caller:
    """One person's token and one connection."""

    def __init__(self, url: str, token: str, timeout: float = 60) -> None:
        self.url, self.timeout = url, timeout
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Authorization"] = f"Token {token}"

    def ask(self, method: str, path: str, body: Any = None) -> requests.Response:
        """One request; raises requests.RequestException where nobody answers."""
        return self.session.request(method, self.url + path, json=body, timeout=self.timeout)


class Annotator(threading.Thread):
    """Labels image after image until told to stop. `saved` and `submitted` are what the server has acknowledged."""

    def __init__(self, url: str, token: str, dataset: int, seed: str, masks: int = 3) -> None:
        super().__init__(daemon=True)
        self.caller, self.dataset, self.masks = Caller(url, token), dataset, masks
        self.dice = random.Random(seed)
        self.done = threading.Event()
        self.saved: dict[str, str] = {}
        self.submitted: list[int] = []
        self.answers: Counter[str] = Counter()
        self.slowest = 0.0  # seconds of one acknowledged request, retries included

    @property
    def acknowledged(self) -> int:
        """Saves and submits that were answered with success."""
        return len(self.saved) + len(self.submitted)

    def run(self) -> None:
        """The whole day."""
        while not self.done.is_set():
            task = self._insist("POST", f"/api/datasets/{self.dataset}/tasks/next/", {})
            if task is None:
                return
            self._label(task)

    def _label(self, task: dict[str, Any]) -> None:
        for _ in range(self.masks):
            key, segmentation = str(uuid.UUID(int=self.dice.getrandbits(128), version=4)), disc(self.dice)
            body = {"image": task["image"]["id"], "segmentation": segmentation, "source": "hand", "task": task["id"]}
            if self._insist("PUT", f"/api/masks/{key}/", body) is not None:
                self.saved[key] = segmentation["counts"]
        body = {"lease": task["lease"], "seconds": 2.0, "answer": "done"}
        if self._insist("POST", f"/api/tasks/{task['id']}/submit/", body) is not None:
            self.submitted.append(task["id"])

    def _insist(self, method: str, path: str, body: Any) -> Any:
        """The answer, however often it takes; None for a refusal, or at the end of the day."""
        started = time.monotonic()
        while not self.done.is_set():
            try:
                answer = self.caller.ask(method, path, body)
            except requests.RequestException as problem:
                self.answers[type(problem).__name__] += 1
            else:
                self.answers[str(answer.status_code)] += 1
                if answer.status_code in FINE:
                    self.slowest = max(self.slowest, time.monotonic() - started)
                    return answer.json() if answer.content else None
                if 400 <= answer.status_code < 500 and answer.status_code != 429:
                    return None
            self.done.wait(PAUSE)
        return None


def crew(url: str, made: dict[str, Any], seed: object, masks: int = 3) -> list[Annotator]:
    """An annotator for each token, at work."""
    people = [
        Annotator(url, token, made["dataset"], f"{seed} {number}", masks) for number, token in enumerate(made["tokens"])
    ]
    for one in people:
        one.start()
    return people


def end(people: list[Annotator]) -> Counter[str]:
    """Everybody goes home; all answers that they had."""
    total: Counter[str] = Counter()
    for one in people:
        one.done.set()
    for one in people:
        one.join(120)
        total += one.answers
    return total
