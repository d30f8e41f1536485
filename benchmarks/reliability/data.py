"""Requirements 1 to 10: what people save."""

from __future__ import annotations

import random
import shutil
import time
import uuid
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from threading import Barrier
from typing import Any

from benchmarks.reliability.annotators import Annotator, Caller, crew, disc, end
from benchmarks.reliability.installation import Installation, answer_of
from benchmarks.reliability.servers import Postgres, wait_for
from benchmarks.reliability.trial import Finding, Trial

ANNOTATORS = 8


def no_lost_submit(trial: Trial) -> Finding:
    """R1: everything that can be killed is, at random, under eight annotators."""
    kills, dice = trial.size(4, 100), trial.dice
    with trial.installation() as one:
        made = one.inside("make", images=trial.size(200, 4000), people=ANNOTATORS)
        one.start("web", "interactive", "io", "beat")
        one.wait_ready()
        people = crew(one.url, made, trial.seed)
        killed = _kill_at_random(one, people, kills, dice)
        one.wait_ready()
        answers = end(people)
        stored = one.inside("saved")
        lost = sum(
            stored["masks"].get(key, [""])[0] != counts for person in people for key, counts in person.saved.items()
        )
        lost += len({task for person in people for task in person.submitted} - set(stored["submitted"]))
        acknowledged = sum(person.acknowledged for person in people)
    refused = sum(number for status, number in answers.items() if status.isdigit() and 400 <= int(status) < 600)
    note = f"K={kills} kills ({killed}), N={ANNOTATORS} annotators, integrity {stored['integrity']}, "
    note += f"{refused} answers 4xx/5xx, longest wait {max(person.slowest for person in people):.0f} s"
    whole = lost == 0 and stored["integrity"] == "ok"
    return Finding(lost, acknowledged, "lost", note, holds=whole)


def _kill_at_random(one: Installation, people: list[Annotator], kills: int, dice: random.Random) -> str:
    """Each kill comes after a random share of work since the last; what was killed, by role."""
    roles = ["web", "web", "a process of web", "io", "interactive", "beat", *one.servers]
    times: dict[str, int] = {}
    for _ in range(kills):
        goal = sum(person.acknowledged for person in people) + dice.randrange(10, 40)
        wait_for("work", lambda goal=goal: sum(person.acknowledged for person in people) >= goal, 300)
        role = dice.choice(roles)
        one.kill(role.rpartition(" ")[2], whole=not role.startswith("a "), dice=dice)
        times[role] = times.get(role, 0) + 1
    return ", ".join(f"{number} {role}" for role, number in sorted(times.items()))


def idempotent_submit(trial: Trial) -> Finding:
    """R2: the same save 2 to 16 times at once, then another one under the same id."""
    keys, dice = trial.size(20, 1000), trial.dice
    doubles = refused = sent = 0
    with trial.installation() as one, ThreadPoolExecutor(16) as pool:
        made = one.inside("make", images=8, people=1)
        one.start("web")
        one.wait_ready()
        callers = [Caller(one.url, made["tokens"][0]) for _ in range(16)]
        for number in range(keys):
            path = f"/api/masks/{uuid.UUID(int=dice.getrandbits(128), version=4)}/"
            body = {"image": made["images"][number % 8], "segmentation": disc(dice), "source": "hand"}
            times = dice.randrange(2, 17)
            answers = list(pool.map(Caller.ask, callers[:times], ["PUT"] * times, [path] * times, [body] * times))
            sent += times
            created = [answer.status_code for answer in answers].count(201)
            same = len({answer.json().get("id") for answer in answers}) == 1 and len({a.content for a in answers}) == 1
            doubles += not (created == 1 and same and all(answer.status_code in (200, 201) for answer in answers))
            refused += callers[0].ask("PUT", path, {**body, "segmentation": disc(dice)}).status_code in (409, 422)
        rows = len(one.inside("saved")["masks"])
    doubles += abs(rows - keys)
    note = f"{sent} requests, {refused}/{keys} other bodies refused by 409"
    return Finding(doubles, keys, "doubles", note, holds=doubles == 0 and refused == keys)


def one_live_lease(trial: Trial) -> Finding:
    """R3: four processes of many threads take work until none is left."""
    items, threads = trial.size(100, 2000), trial.size(4, 32)
    with trial.installation() as one:
        made = one.inside("make", images=items, people=4 * threads)
        asked = [
            one.inside_later("leases", dataset=made["dataset"], first=number * threads, threads=threads)
            for number in range(4)
        ]
        answers = [answer_of(process) for process in asked]
    held = [task for answer in answers for task, _ in answer["held"]]
    troubles = [text for answer in answers for text in answer["troubles"]]
    doubles = len(held) - len(set(held))
    note = f"{threads} threads x 4 processes" + (f", troubles {troubles[:3]}" if troubles else "")
    return Finding(
        doubles, len(held), "double leases", note, holds=not doubles and len(set(held)) == items and not troubles
    )


def late_leases_are_fenced(trial: Trial) -> Finding:
    """R4: people go away and others get their images: a late submit is refused, what was drawn is kept."""
    lease, batch, dice = 5, 20, trial.dice
    overwritten = tried = kept = 0
    returned = [0.0]
    with trial.installation(ANYMASK_TASK_LEASE_SECONDS=str(lease)) as one, ThreadPoolExecutor(8) as pool:
        made = one.inside("make", images=trial.size(40, 500) + 40, people=2 * batch)
        one.start("web", "interactive", "beat")
        one.wait_ready()
        callers = [Caller(one.url, token) for token in made["tokens"]]
        for _ in range(trial.size(2, 25)):
            old = list(pool.map(lambda caller: _next(caller, made["dataset"]), callers[:batch]))
            ends = max(datetime.fromisoformat(task["lease_expires_at"]).timestamp() for task in old)
            time.sleep(max(0.0, ends - time.time()) + 0.05)
            new = list(pool.map(lambda caller: _next(caller, made["dataset"]), callers[batch:]))
            returned.append(time.time() - ends)
            again = {task["id"] for task in new} & {task["id"] for task in old}
            for caller, task in zip(callers, old, strict=False):
                answer = caller.ask("POST", f"/api/tasks/{task['id']}/submit/", _finish(task))
                overwritten += answer.status_code != 409
                body = {"image": task["image"]["id"], "segmentation": disc(dice), "source": "hand", "task": task["id"]}
                kept += caller.ask("PUT", f"/api/masks/{uuid.uuid4()}/", body).status_code == 201
                tried += 1
            for caller, task in zip(callers[batch:], new, strict=False):
                caller.ask("POST", f"/api/tasks/{task['id']}/submit/", _finish(task))
            if not again:
                returned.append(float("inf"))
    note = f"{kept} masks of late people kept, images back within {max(returned):.1f} s of the lease's end"
    holds = not overwritten and kept == tried and max(returned) <= 10 + lease
    return Finding(overwritten, tried, "stale overwrites", note, holds=holds)


def _next(caller: Caller, dataset: int) -> dict[str, Any]:
    return dict(caller.ask("POST", f"/api/datasets/{dataset}/tasks/next/", {}).json())


def _finish(task: dict[str, Any]) -> dict[str, Any]:
    return {"lease": task["lease"], "seconds": 1.0, "answer": "done"}


def no_lost_update(trial: Trial) -> Finding:
    """R5: two editors correct the same mask at the same moment, again and again."""
    rounds, dice = trial.size(20, 500), trial.dice
    overwritten = told = 0
    with trial.installation() as one, ThreadPoolExecutor(2) as pool:
        made = one.inside("make", images=1, people=2)
        one.start("web")
        one.wait_ready()
        callers = [Caller(one.url, token) for token in made["tokens"]]
        current = str(uuid.uuid4())
        body = {"image": made["images"][0], "source": "hand"}
        callers[0].ask("PUT", f"/api/masks/{current}/", {**body, "segmentation": disc(dice)}).raise_for_status()
        for _ in range(rounds):
            keys = [str(uuid.uuid4()) for _ in callers]
            bodies = [{**body, "segmentation": disc(dice), "parent": current} for _ in callers]
            gate = Barrier(2)

            def correct(place: int, keys: list[str] = keys, bodies: list[Any] = bodies, gate: Barrier = gate) -> Any:
                gate.wait()
                return callers[place].ask("PUT", f"/api/masks/{keys[place]}/", bodies[place])

            answers = list(pool.map(correct, range(2)))
            statuses = [answer.status_code for answer in answers]
            if sorted(statuses) != [201, 409]:
                overwritten += 1
                break
            current = keys[statuses.index(201)]
            stands = answers[statuses.index(409)].json()["details"].get("current") or {}
            told += stands.get("id") == current
    note = f"{told} refusals came with the version that stands"
    return Finding(overwritten, rounds, "silent overwrites", note, holds=not overwritten and told == rounds)


def drafts_survive(trial: Trial) -> Finding:
    """R6: the browser's part, which is the same on every stack."""
    if trial.stack != "embedded":
        return Finding(0, 0, "", "the browser's part is the same")
    times = trial.size(1, 20)
    note = f"reload, page killed, session expired, server dead and restarted, offline; {times} times each"
    return trial.by_tests("tests/browser/test_nothing_lost.py", note=note, times=times)


def nothing_vanishes(trial: Trial) -> Finding:
    """R7: what was deleted comes back; what was corrected is in the history, byte for byte."""
    number, dice = trial.size(10, 100), trial.dice
    gone = 0
    with trial.installation() as one:
        made = one.inside("make", images=4, people=1)
        one.start("web")
        one.wait_ready()
        caller = Caller(one.url, made["tokens"][0])
        for place in range(number):
            body = {"image": made["images"][place % 4], "source": "hand"}
            first, second, drawn = str(uuid.uuid4()), str(uuid.uuid4()), disc(dice)
            caller.ask("PUT", f"/api/masks/{first}/", {**body, "segmentation": drawn}).raise_for_status()
            caller.ask("DELETE", f"/api/masks/{first}/").raise_for_status()
            back = caller.ask("POST", f"/api/masks/{first}/restore/")
            gone += not (back.status_code == 200 and back.json()["segmentation"] == drawn)
            over = {**body, "segmentation": disc(dice), "parent": first}
            caller.ask("PUT", f"/api/masks/{second}/", over).raise_for_status()
            history = caller.ask("GET", f"/api/masks/{second}/history/").json()
            rows = history["results"] if isinstance(history, dict) else history
            gone += drawn not in [row["segmentation"] for row in rows]
    return Finding(gone, 2 * number, "not restorable", f"{number} deletes and {number} corrections")


def database_is_configured(trial: Trial) -> Finding:
    """R8: ten thousand saves by 8 and by 32 threads through the service that the API calls."""
    found, tried, notes = 0, 0, []
    with trial.installation() as one:
        made = one.inside("make", images=32, people=0)
        for threads in (8, 32):
            told = one.inside("writes", dataset=made["dataset"], threads=threads, count=trial.size(320, 10_000))
            found += sum(told["troubles"].values())
            tried += told["writes"]
            notes.append(f"{threads} threads p50 {told['p50']:.0f}, p99 {told['p99']:.0f} ms")
            if held := told["held"]:
                notes.append(f"the write lock held p99 {held['p99']:.0f}, longest {held['longest']:.0f} ms")
    return Finding(found, tried, "locked", "; ".join(notes))


def one_behaviour(trial: Trial) -> Finding:
    """R9: the hostile requests of the tests over HTTP; the runner compares the answers of the stacks."""
    with trial.installation() as one:
        made = one.inside("make", images=1, people=1)
        one.start("web")
        one.wait_ready()
        told = one.inside("hostile", url=one.url, token=made["lead"], dataset=made["dataset"], image=made["images"][0])
    broken = sum(status >= 500 for status in told.values())
    return Finding(broken, len(told), "answers 5xx", "codes compared below", answers=told)


def backup_and_restore(trial: Trial) -> Finding:
    """R10: a backup while eight annotators work, put back elsewhere."""
    with trial.installation() as one:
        made = one.inside("make", images=trial.size(100, 2000), people=ANNOTATORS)
        one.start("web", "interactive", "beat")
        one.wait_ready()
        people = crew(one.url, made, trial.seed)
        goal = trial.size(50, 500)
        wait_for("work", lambda: sum(person.acknowledged for person in people) > goal, 600)
        before = {key: counts for person in people for key, counts in list(person.saved.items())}
        started = time.monotonic()
        one.manage("backup", str(one.folder / "kept"))
        took = time.monotonic() - started
        end(people)
        here = one.inside("digests")
        place = dict(one.environment)
        one.environment["ANYMASK_DATA"] = str(one.folder / "elsewhere")
        if isinstance(server := one.servers.get("database"), Postgres):
            one.environment["DATABASE_URL"] = server.create("restored")
        if one.store is not None:
            one.environment["ANYMASK_STORE"] = "s3://anymask/restored"
        started = time.monotonic()
        one.manage("restore", str(one.folder / "kept"))
        back_took = time.monotonic() - started
        there = one.inside("digests")
        one.environment = place
        shutil.rmtree(one.folder / "elsewhere")
    differing = sum(there["masks"].get(key, [""])[0] != counts for key, counts in before.items())
    differing += sum(here["masks"].get(key) != row for key, row in there["masks"].items())
    differing += (there["images"] != here["images"]) + sum(here["files"].get(k) != v for k, v in there["files"].items())
    differing += len(here["files"]) - len(there["files"])
    tried = len(there["masks"]) + len(there["images"]) + len(there["files"])
    note = f"{len(there['masks'])} masks, N={ANNOTATORS} annotators, backup {took:.1f} s, restore {back_took:.1f} s"
    return Finding(differing, tried, "rows and files differ", note)


SCENARIOS = {
    "R1": no_lost_submit,
    "R2": idempotent_submit,
    "R3": one_live_lease,
    "R4": late_leases_are_fenced,
    "R5": no_lost_update,
    "R6": drafts_survive,
    "R7": nothing_vanishes,
    "R8": database_is_configured,
    "R9": one_behaviour,
    "R10": backup_and_restore,
}
