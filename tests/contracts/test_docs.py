"""The documents say what is there."""

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def test_every_setting_is_documented():
    source = (ROOT / "config" / "settings.py").read_text()
    names = set(re.findall(r'env\.(?:text|number|flag|words)\(\s*"([A-Z_]+)"', source))
    documented = set(re.findall(r"`([A-Z_]{4,})`", (ROOT / "docs" / "settings.md").read_text()))
    assert names - documented == set()


@pytest.mark.parametrize("document", sorted(ROOT.glob("*.md")) + sorted((ROOT / "docs").rglob("*.md")), ids=str)
def test_documents_point_at_files_that_exist(document):
    text = document.read_text()
    for link in re.findall(r"\]\(([^)#]+)\)", text):
        if "://" not in link:
            assert (document.parent / link).exists(), f"{document.name} links to {link}"
    for path in re.findall(
        r"`((?:modelzoo|annotation|engine|config|frontend|docker|tests|docs|benchmarks)/[\w./-]+)`", text
    ):
        assert (ROOT / path).exists(), f"{document.name} names {path}"


def test_every_command_of_the_readme_is_a_target():
    targets = set(re.findall(r"^([a-z-]+):.*## ", (ROOT / "Makefile").read_text(), re.MULTILINE))
    named = set(re.findall(r"`make ([a-z-]+)`", (ROOT / "README.md").read_text()))
    assert named <= targets
    assert {"setup", "run", "test", "lint", "bench"} <= targets


def test_ci_runs_the_test_command_of_the_readme():
    assert (ROOT / ".ci" / "run").read_text().rstrip().endswith("exec make test")
    assert "`make test`" in (ROOT / "README.md").read_text()
