"""Requirements 27 to 30: who may do what, and what is never run."""

from __future__ import annotations

from benchmarks.reliability.trial import Finding, Trial


def permission_table(trial: Trial) -> Finding:
    """R27: every route and method x every role, from the URL list; a route without a row fails."""
    return trial.by_tests("tests/annotation/test_permissions.py")


def no_script_runs(trial: Trial) -> Finding:
    """R28: hostile names on every page in a real browser."""
    if trial.stack != "embedded":
        return Finding(0, 0, "", "the pages are the same")
    names = ("tests/browser/test_hostile_names.py", "tests/annotation/test_pages_and_health.py")
    return trial.by_tests(*names)


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


SCENARIOS = {"R27": permission_table, "R28": no_script_runs, "R29": no_stray_access, "R30": no_foreign_code}
