"""Every installation has a secret of its own, and none starts with a weak one."""

from __future__ import annotations

import stat
import subprocess
import sys
import threading

import pytest
from django.core.exceptions import ImproperlyConfigured

from config.environment import secret_key


def test_two_installations_have_two_keys_which_stay(tmp_path):
    first, second = secret_key(tmp_path / "a" / "secret-key"), secret_key(tmp_path / "b" / "secret-key")
    assert first != second
    assert secret_key(tmp_path / "a" / "secret-key") == first
    assert len(first) >= 50


def test_only_its_owner_may_read_it(tmp_path):
    secret_key(tmp_path / "secret-key")
    assert stat.S_IMODE((tmp_path / "secret-key").stat().st_mode) == 0o600


def test_processes_that_start_at_once_agree(tmp_path):
    found: list[str] = []
    place = tmp_path / "new" / "secret-key"
    threads = [threading.Thread(target=lambda: found.append(secret_key(place))) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 16
    assert len(set(found)) == 1
    assert list(place.parent.iterdir()) == [place], "no half key stays behind"


@pytest.mark.parametrize("content", ["", "short", "x" * 49])
def test_a_weak_one_is_refused(tmp_path, content):
    (tmp_path / "secret-key").write_text(content)
    with pytest.raises(ImproperlyConfigured, match="too short"):
        secret_key(tmp_path / "secret-key")


def test_without_a_place_for_it_nothing_starts(tmp_path):
    (tmp_path / "data").write_text("a file where the folder should be")
    environment = {"ANYMASK_DATA": str(tmp_path / "data"), "PATH": "/usr/bin:/bin"}
    command = [sys.executable, "-c", "import config.settings"]
    done = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert done.returncode != 0
