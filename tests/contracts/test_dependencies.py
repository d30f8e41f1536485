"""What is installed is what was chosen: exact versions everywhere, and the browser's packages by their digest.

An audit against published advisories needs the network (`pip-audit`, `npm audit`); this holds without it.
"""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
EXACT = re.compile(r"[A-Za-z0-9._-]+(\[[a-z0-9,]+\])?==[0-9][0-9A-Za-z.]*(\s*;.*)?")


@pytest.mark.parametrize("name", ["requirements.txt", "requirements-dev.txt"])
def test_python_packages_have_one_version(name):
    lines = [line.split("#")[0].strip() for line in (ROOT / name).read_text().splitlines()]
    wanted = [line for line in lines if line and not line.startswith("-r ")]
    assert wanted
    assert [line for line in wanted if not EXACT.fullmatch(line)] == []


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
