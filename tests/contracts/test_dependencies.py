"""What is installed is what was chosen: exact versions everywhere, and every package by its digest.

An audit against published advisories needs the network (`pip-audit`, `npm audit`); this holds without it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXACT = re.compile(r"[A-Za-z0-9._-]+(\[[a-z0-9,]+\])?==[0-9][0-9A-Za-z.]*(\s*;.*)?")
SOURCES = sorted(path.name for path in ROOT.glob("requirements*.txt"))
WITHOUT_DIGEST = re.compile(r"torch|triton|(cuda|nvidia)-.*")  # other builds on other machines: see Makefile


def wanted(name: str) -> list[str]:
    """Lines that name a package, those of included files too."""
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    included = [one for line in lines if line.startswith("-r ") for one in wanted(line[3:].strip())]
    return included + [line for line in lines if line and not line.startswith("-r ")]


def locked(name: str) -> dict[str, list[str]]:
    """{"package==version ; marker": its digests} of a lock."""
    lines = (ROOT / name).read_text().replace("\\\n", " ").splitlines()
    split = [line.split(" --hash=") for line in lines if line.strip() and not line.strip().startswith("#")]
    return {package.strip(): [digest.strip() for digest in digests] for package, *digests in split}


def pinned(line: str) -> tuple[str, str]:
    """Name, as indexes spell it, and version."""
    name, version = line.split(";")[0].split("==")
    return re.sub(r"[-_.]+", "-", name.split("[")[0]).lower(), version.strip()


@pytest.mark.parametrize("name", SOURCES)
def test_python_packages_have_one_version(name):
    assert wanted(name)
    assert [line for line in wanted(name) if not EXACT.fullmatch(line)] == []


@pytest.mark.parametrize("name", SOURCES)
def test_the_lock_pins_what_is_asked_for(name):
    lock = {pinned(line) for line in locked(name.replace(".txt", ".lock"))}
    asked = {pinned(line) for line in wanted(name)}
    assert {one for one in asked - lock if not WITHOUT_DIGEST.fullmatch(one[0])} == set(), "run `make lock`"
    # What is no longer asked for must not stay either: its name would stand in no other line's "via".
    text = (ROOT / name.replace(".txt", ".lock")).read_text()
    direct = set(re.findall(rf"^([a-z0-9-]+)==[^#]+# via [^\n]*-r {re.escape(name)}", text, re.MULTILINE))
    assert direct <= {package for package, _ in asked}, "run `make lock`"


@pytest.mark.parametrize("name", SOURCES)
def test_every_locked_package_has_a_digest(name):
    lock = locked(name.replace(".txt", ".lock"))
    assert lock
    bad = {line: digests for line, digests in lock.items() if not EXACT.fullmatch(line) or not digests}
    assert bad == {}
    digests = {digest for all_of_one in lock.values() for digest in all_of_one}
    assert [digest for digest in digests if not re.fullmatch(r"sha256:[0-9a-f]{64}", digest)] == []
    assert [line for line in lock if WITHOUT_DIGEST.fullmatch(pinned(line)[0])] == []


def test_what_is_tested_is_what_runs():
    assert set(locked("requirements.lock")) <= set(locked("requirements-dev.lock"))


def test_browser_packages_have_one_version_and_a_digest():
    asked = json.loads((ROOT / "frontend" / "package.json").read_text())
    versions = [version for kind in ("dependencies", "devDependencies") for version in asked.get(kind, {}).values()]
    assert versions
    assert [version for version in versions if not version[0].isdigit()] == []
    locked = json.loads((ROOT / "frontend" / "package-lock.json").read_text())["packages"]
    unknown = {
        name: about for name, about in locked.items() if name and not about.get("integrity", "").startswith("sha512-")
    }
    # Those of other systems, which the machine that wrote the list could not fetch; npm takes them by version.
    assert [name for name, about in unknown.items() if not (about.get("optional") and about.get("os"))] == []
    assert len(unknown) < len(locked) / 10
