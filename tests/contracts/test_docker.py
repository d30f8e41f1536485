"""The images: their files are valid, the web image lacks only what the web process does without."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
DOCKERFILE = (ROOT / "docker" / "Dockerfile").read_text("utf-8")
LEFT_OUT = re.search(r"!/\^\(([a-z|]+)\)==/", DOCKERFILE)

WITHOUT = """
import sys
class Absent:
    def find_spec(self, name, path=None, target=None):
        if name.split(".")[0] in {absent!r}:
            raise ModuleNotFoundError(name)
sys.meta_path.insert(0, Absent())
import config.wsgi
from django.urls import get_resolver
get_resolver().url_patterns
import engine.segmenter, modelzoo.onnx_decoder, annotation.ingest.decode, annotation.formats.registry
from django.test import Client
assert Client().get("/readyz", headers={{"host": "localhost"}}).status_code in (200, 503)
"""


def test_the_web_image_lacks_only_what_the_web_process_never_loads(tmp_path):
    assert LEFT_OUT
    absent = LEFT_OUT[1].split("|")
    assert "torch" in absent
    pinned = {line.split("==")[0] for line in (ROOT / "requirements.txt").read_text("utf-8").splitlines()}
    assert set(absent) <= pinned
    program = WITHOUT.format(absent=set(absent))
    environment = {"PATH": "/usr/bin:/bin", "ANYMASK_DATA": str(tmp_path), "DJANGO_SETTINGS_MODULE": "config.settings"}
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr[-2000:]


@pytest.mark.parametrize("target", ["web", "workers"])
def test_every_package_of_ours_is_in_the_images_and_nobody_is_root(target):
    stage = DOCKERFILE.split(f" AS {target}\n")[1].split("\nFROM ")[0]
    for part in ("manage.py", "config", "annotation", "engine", "modelzoo", "docker/start"):
        assert f"COPY {part} " in stage
    assert "USER 10001" in stage
    assert "HEALTHCHECK" in stage
    script = re.search(r'CMD \["(docker/start/\w+\.sh)"\]$', stage, re.MULTILINE)
    assert script
    assert (ROOT / script[1]).stat().st_mode & 0o111


def test_what_the_images_copy_is_not_ignored():
    rules = (ROOT / ".dockerignore").read_text("utf-8").splitlines()
    for source in re.findall(r"^COPY (?!--from)(.+) \S+$", DOCKERFILE, re.MULTILINE):
        for part in source.split():
            assert f"!{part.split('/')[0]}" in rules, part
