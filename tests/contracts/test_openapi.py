"""The API document and the types made from it are those of the code (`make types` renews both)."""

import io
import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest
from django.core.management import call_command

ROOT = Path(__file__).parents[2]


def test_the_stored_document_is_the_one_the_code_makes():
    made = io.StringIO()
    call_command("spectacular", "--format", "openapi-json", "--validate", "--fail-on-warn", stdout=made)
    assert json.loads(made.getvalue()) == json.loads((ROOT / "docs" / "openapi.json").read_text()), "run `make types`"


def test_the_types_are_those_of_the_document(tmp_path):
    tool = ROOT / "frontend" / "node_modules" / ".bin" / "openapi-typescript"
    if not tool.exists():
        message = "needs the browser packages: make frontend"
        pytest.fail(message) if os.environ.get("CI") == "true" else pytest.skip(message)
    target = tmp_path / "schema.d.ts"
    path = f"{ROOT / '.venv' / 'bin'}{os.pathsep}{os.environ['PATH']}"
    node = shutil.which("node", path=path)
    command = [str(node), str(tool), str(ROOT / "docs" / "openapi.json"), "--output", str(target)]
    subprocess.run(command, check=True, capture_output=True, cwd=ROOT / "frontend", env=os.environ | {"PATH": path})
    stored = (ROOT / "frontend" / "src" / "api" / "schema.d.ts").read_text()
    assert target.read_text() == stored, "run `make types`"
