"""The web process never loads torch, and neither the jobs that only workers run."""

from __future__ import annotations

import subprocess
import sys

PROBE = """
import sys
import config.wsgi
from django.test import Client
from django.urls import get_resolver
get_resolver().url_patterns
heavy = sorted({"torch", "scipy", "skimage", "pyarrow", "av"} & set(sys.modules))
jobs = sorted(name for name in sys.modules if name in ("annotation.jobs", "engine.jobs"))
assert not heavy, f"loaded in the web process: {heavy}"
assert not jobs, f"loaded in the web process: {jobs}"
"""


def test_the_web_process_has_no_torch():
    result = subprocess.run([sys.executable, "-c", PROBE], capture_output=True, text=True, timeout=120)
    assert result.returncode == 0, result.stderr[-2000:]
