"""The web process never loads torch: not at start, not for any route of the engine, not for a prediction."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]

PROGRAM = """
import os, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "config.settings"
import config.wsgi
from django.urls import get_resolver
get_resolver().url_patterns
import engine.api, engine.segmenter, engine.receivers, modelzoo.onnx_decoder
heavy = sorted(name for name in sys.modules if name.split(".")[0] in ("torch", "torchvision"))
assert not heavy, heavy
assert "engine.jobs" not in sys.modules and "engine.pipeline" not in sys.modules
from annotation import ports
assert type(ports.segmenter()).__name__ == "OnnxSegmenter"
print("light")
"""


def test_the_web_process_has_no_torch(tmp_path):
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM],
        cwd=ROOT,
        env={"PATH": "/usr/bin:/bin", "ANYMASK_DATA": str(tmp_path)},
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.stdout.strip() == "light", done.stderr
