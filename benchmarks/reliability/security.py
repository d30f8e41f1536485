"""Requirements 27 to 30: who may do what, and what is never run."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

from benchmarks.reliability.trial import Finding, Trial

CHECKS = "not_a_server_error,response_schema_conformance,status_code_conformance,content_type_conformance"
STREAMS = "events|stream"
# The server in front refuses such addresses; an image that is not encoded (any more) is answered by 503 as documented.
NOT_OURS = ("[414] URI Too Long", '"code":"embedding_pending"')


def permission_table(trial: Trial) -> Finding:
    """R27: every route and method x every role, from the URL list; a route without a row fails."""
    return trial.by_tests("tests/annotation/test_permissions.py")


def no_script_runs(trial: Trial) -> Finding:
    """R28: the policy on every page, text that is served as it is, and hostile names on the pages of a real browser."""
    if trial.stack != "embedded":
        return Finding(0, 0, "", "the pages are the same")
    policy, text = "tests/annotation/test_pages_and_health.py", "tests/annotation/test_hostile_requests.py"
    return trial.by_tests(policy, text, "tests/browser/test_hostile_names.py")


def no_stray_access(trial: Trial) -> Finding:
    """R29: foreign origins, changes by GET, addresses inside, names that are paths."""
    names = (
        "test_foreign_origins.py",
        "test_url_lists.py",
        "test_webhooks.py",
        "test_server_folders.py",
        "test_archives.py",
    )
    return trial.by_tests(*(f"tests/annotation/{name}" for name in names))


def no_foreign_code(trial: Trial) -> Finding:
    """R30: hostile weights, the key of an installation, hostile requests."""
    names = ["tests/modelzoo/test_hostile_weights.py", "tests/annotation/test_hostile_requests.py"]
    return trial.by_tests(*names, "tests/contracts/test_secret_key.py", "tests/annotation/test_session.py")


def whole_schema(trial: Trial) -> Finding:
    """API: requests made from the schema (schemathesis), signed in as lead, annotator and viewer; answers fit it."""
    program = shutil.which("schemathesis", path=str(Path(sys.executable).parent))
    if program is None:
        return Finding(0, 0, "", "schemathesis is not installed")
    broken, requests, notes = 0, 0, []
    with trial.installation(ANYMASK_SIGN_IN_RATE="100000/min") as one:
        one.manage("prepare")
        one.start("web", "interactive")
        one.wait_ready()
        for role in ("lead", "annotator", "viewer"):
            made = one.inside("make", images=3, people=1, role=role)
            one.inside("encode_all", dataset=made["dataset"])  # else the documented 503 is an answer
            token = made["tokens"][0]
            command = [program, "run", f"{one.url}/api/schema/", "-H", f"Authorization: Token {token}"]
            command += ["-n", str(trial.size(1, 50)), "--no-color", "--seed", str(trial.seed), "--checks", CHECKS]
            command += ["--exclude-path-regex", STREAMS, "--exclude-deprecated", "--phases", "examples,fuzzing"]
            done = subprocess.run(command, cwd=one.folder, capture_output=True, text=True, check=False)
            asked, failures = _counted(done.stdout)
            requests, broken = requests + asked, broken + len(failures)
            notes.append("; ".join([f"{role}: {asked} requests", *failures]))
    return Finding(broken, requests, "answers that break the schema or are 5xx", ", ".join(notes))


def _counted(text: str) -> tuple[int, list[str]]:
    """Requests of a report, and its failures: the route and what the answer was."""
    made = re.search(r"([\d,]+) generated", text)
    if made is None:
        raise RuntimeError(text[-1500:])
    told = text.partition("= FAILURES =")[2].partition("\n====")[0]
    parts = re.split(r"^_+ ((?:GET|HEAD|POST|PUT|PATCH|DELETE) \S+) _+$", told, flags=re.MULTILINE)
    found = [
        f"{route}: {', '.join(re.findall(r'^- (.+)$', case, flags=re.MULTILINE))}"
        for route, about in zip(parts[1::2], parts[2::2], strict=True)
        for case in re.split(r"^\d+\. Test Case ID", about, flags=re.MULTILINE)[1:]
        if not any(one in case for one in NOT_OURS)
    ]
    return int(made[1].replace(",", "")), found


SCENARIOS = {
    "R27": permission_table,
    "R28": no_script_runs,
    "R29": no_stray_access,
    "R30": no_foreign_code,
    "API": whole_schema,
}
