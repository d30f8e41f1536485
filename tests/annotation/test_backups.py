"""A backup is made while people work, and what comes back elsewhere is what was there."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import uuid
from pathlib import Path

import pytest
from django.core.management import CommandError, call_command
from django.db import connection

from annotation import storage
from annotation.errors import Conflict, Missing, UserError
from annotation.models import Dataset, Image, Mask
from annotation.services import backups
from annotation.services.backups import backup_check, backup_make, backup_restore, points
from tests import cast as people

ROOT = Path(__file__).resolve().parents[2]
ASKED = """
import django, hashlib, json
django.setup()
from annotation import storage
from annotation.models import Image, Mask
files = {str(p.relative_to(storage.root())): storage.sha256_of(p) for p in storage.root().glob("images/**/*.*")}
masks = {str(m.pk): [m.area, m.segmentation] for m in Mask.objects.all()}
print(json.dumps({"images": sorted(Image.objects.values_list("sha256", flat=True)), "masks": masks, "files": files}))
"""

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.fixture(name="elsewhere")
def elsewhere_folder(tmp_path):
    """`elsewhere("manage.py", ...)` runs Python in an installation of its own, with an empty database of this kind."""
    environment = {
        **os.environ,
        "ANYMASK_DATA": str(tmp_path / "elsewhere"),
        "DJANGO_SETTINGS_MODULE": "config.settings",
    }
    name = f"restored_{uuid.uuid4().hex[:12]}"
    on_server = connection.vendor == "postgresql"
    if on_server:
        with connection.cursor() as cursor:
            cursor.execute(f"CREATE DATABASE {name}")
        environment["DATABASE_URL"] = os.environ["DATABASE_URL"].rpartition("/")[0] + f"/{name}"

    def python(*arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, check=False
        )

    yield python
    if on_server:
        with connection.cursor() as cursor:
            cursor.execute(f"DROP DATABASE {name}")


@pytest.fixture
def kept(tmp_path):
    """The folder of the backups."""
    return tmp_path / "backups"


def test_what_was_saved_before_comes_back_elsewhere_and_nobody_had_to_wait(cast, kept, elsewhere):
    image, other = people.add_image(cast.dataset), people.add_image(cast.dataset, seed=1)
    before = {str(people.add_mask(image, created_by=cast.ben).pk) for _ in range(20)}
    stop, busy, made = threading.Event(), threading.Event(), []

    def annotate() -> None:
        try:
            while not stop.is_set():
                made.append(str(people.add_mask(other, created_by=cast.ben).pk))
                busy.set()
        finally:
            connection.close()

    thread = threading.Thread(target=annotate)
    thread.start()
    assert busy.wait(30)
    try:
        told = backup_make(folder=kept)
    finally:
        stop.set()
        thread.join()
    assert backup_check(folder=kept)["files"] == told["files"] == 6

    done = elsewhere("manage.py", "restore", str(kept))
    assert done.returncode == 0, done.stderr
    found = json.loads(elsewhere("-c", ASKED).stdout)
    assert found["images"] == sorted([image.sha256, other.sha256])
    assert before <= set(found["masks"]) <= before | set(made)
    for mask in Mask.objects.filter(pk__in=found["masks"]):
        assert found["masks"][str(mask.pk)] == [mask.area, mask.segmentation]
    here = {str(p.relative_to(storage.root())): storage.sha256_of(p) for p in storage.root().glob("images/**/*.*")}
    assert found["files"] == here


def test_the_next_backup_copies_only_what_is_new_and_each_can_be_restored(cast, kept, elsewhere):
    people.add_image(cast.dataset)
    first = backup_make(folder=kept)
    people.add_image(cast.dataset, seed=1)
    second = backup_make(folder=kept)
    assert points(kept) == [first["point"], second["point"]]
    old, new = (Image.objects.get(file_name=f"picture-{number}.jpg").byte_size for number in (0, 1))
    assert first["bytes"] == 3 * old
    # The picture's three files hold the same bytes, so they are kept once; the rest is the database.
    database = (kept / "blobs").glob("*/*")
    assert second["copied"] - new in {blob.stat().st_size for blob in database}
    assert elsewhere("manage.py", "restore", str(kept), "--point", first["point"]).returncode == 0
    assert len(json.loads(elsewhere("-c", ASKED).stdout)["images"]) == 1


def test_an_older_backup_goes_where_the_tables_of_today_are_already(cast, kept, elsewhere):
    """As after `docker/start/prepare.sh`, which migrates: there are tables, and keys between tables, that it lacks."""
    before = elsewhere("manage.py", "migrate", "annotation", "0022", "--verbosity", "0")
    assert before.returncode == 0, before.stderr[-2000:]
    assert elsewhere("manage.py", "backup", str(kept)).returncode == 0
    assert elsewhere("manage.py", "migrate", "--verbosity", "0").returncode == 0
    done = elsewhere("manage.py", "restore", str(kept))
    assert done.returncode == 0, done.stderr[-2000:]
    assert elsewhere("manage.py", "migrate", "--check").returncode == 0
    found = elsewhere("-c", ASKED)
    assert found.returncode == 0, found.stderr[-2000:]


def test_only_as_many_as_wanted_are_kept(cast, kept):
    image = people.add_image(cast.dataset)
    backup_make(folder=kept)
    storage.remove(storage.image_folder(cast.dataset.pk, image.sha256))
    image.delete()
    last = backup_make(folder=kept, keep=1)
    assert points(kept) == [last["point"]]
    assert len(list((kept / "blobs").glob("*/*"))) == 1, "the database alone"
    assert backup_check(folder=kept) == {"point": last["point"], "files": 0, "bytes": 0}


def test_an_interrupted_backup_leaves_the_earlier_one_whole(cast, kept, monkeypatch):
    people.add_image(cast.dataset)
    first = backup_make(folder=kept)
    people.add_image(cast.dataset, seed=1)

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(backups, "_files_kept", full)
    with pytest.raises(UserError) as caught:
        backup_make(folder=kept)
    assert (caught.value.code, "No space left" in caught.value.message) == ("backup_failed", True)
    assert points(kept) == [first["point"]]
    assert backup_check(folder=kept)["files"] == 3
    assert not list(kept.glob(".*.partial"))


def test_one_backup_at_a_time_writes_into_a_folder(cast, kept, monkeypatch):
    people.add_image(cast.dataset)
    backup_make(folder=kept)
    list_files = backups._files_kept

    def overtaken(*arguments):
        """Another one begins while this one's database has no point yet, and would forget it."""
        with pytest.raises(Conflict) as caught:
            backup_make(folder=kept, keep=1)
        assert caught.value.code == "backup_running"
        return list_files(*arguments)

    people.add_image(cast.dataset, seed=1)
    with monkeypatch.context() as patch:
        patch.setattr(backups, "_files_kept", overtaken)
        told = backup_make(folder=kept)
    assert backup_check(folder=kept)["point"] == told["point"]
    assert backup_make(folder=kept)["files"] == 6, "the folder is free again"


def test_what_a_killed_backup_left_goes_with_the_next_one(cast, kept):
    kept.mkdir()
    (kept / ".0123.partial").write_bytes(b"half a database")
    backup_make(folder=kept)
    assert not list(kept.glob(".*.partial"))


def test_points_that_stay_are_not_read_when_none_goes(cast, kept):
    """Nothing is to be forgotten, so that an earlier list is nobody's business, be it of millions of lines."""
    for seed in range(2):
        people.add_image(cast.dataset, seed=seed)
        backup_make(folder=kept)
    (kept / "points" / f"{points(kept)[0]}.jsonl").write_text("damaged")
    assert backup_make(folder=kept, keep=5)["files"] == 6
    assert len(points(kept)) == 3


def test_damage_is_found_before_anything_is_put_back(cast, kept, elsewhere):
    image = people.add_image(cast.dataset)
    backup_make(folder=kept)
    (blob,) = (kept / "blobs").glob(f"*/{image.sha256}")
    blob.write_bytes(blob.read_bytes()[:-1] + b"?")
    with pytest.raises(CommandError, match="damaged"):
        call_command("backup", str(kept), "--check")
    done = elsewhere("manage.py", "restore", str(kept))
    assert done.returncode == 1
    assert "missing from the backup or damaged" in done.stderr
    assert elsewhere("manage.py", "migrate", "-v", "0").returncode == 0
    assert json.loads(elsewhere("-c", ASKED).stdout) == {"images": [], "masks": {}, "files": {}}


def test_an_installation_in_use_is_not_overwritten(cast, kept):
    backup_make(folder=kept)
    with pytest.raises(Conflict) as caught:
        backup_restore(folder=kept)
    assert caught.value.code == "not_empty"
    assert Dataset.objects.get() == cast.dataset


@pytest.mark.parametrize(
    "change",
    [
        {"path": "../../outside"},
        {"path": "/etc/cron.d/x"},
        {"path": "secret-key"},
        {"path": "nowhere/file"},
        {"sha256": "../../../etc/passwd"},
        {"bytes": "many"},
        {"more": 1},
    ],
)
def test_a_list_that_somebody_changed_is_refused(cast, kept, change):
    people.add_image(cast.dataset)
    told = backup_make(folder=kept)
    listed = kept / "points" / f"{told['point']}.jsonl"
    head, first, *rest = listed.read_text().splitlines()
    listed.write_text("\n".join([head, json.dumps(json.loads(first) | change), *rest]))
    with pytest.raises(UserError) as caught:
        backup_check(folder=kept)
    assert caught.value.code == "backup_damaged"


def test_a_folder_without_backups_says_so(db, tmp_path):
    with pytest.raises(Missing):
        backup_check(folder=tmp_path)
    with pytest.raises(CommandError, match="no such backup"):
        call_command("backup", str(tmp_path), "--check")


def test_nobody_else_may_read_it(cast, kept):
    backup_make(folder=kept)
    assert oct((kept / "blobs").stat().st_mode)[-3:] == "700"
