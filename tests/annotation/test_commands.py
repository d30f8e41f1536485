"""The commands that scripts rely on."""

from __future__ import annotations

import json
import time

import pytest
from django.contrib.auth import get_user_model
from django.core.management import CommandError, call_command

from annotation import samples
from annotation.models import Dataset, Image, Task
from tests.cast import add_image, add_mask, picture


def test_import_and_export(cast, tmp_path, capsys):
    add_mask(add_image(cast.dataset))
    out = tmp_path / "out"
    call_command("export_dataset", "Fruit", "--format", "coco", "--out", str(out))
    assert "1 images, 1 masks" in capsys.readouterr().out
    assert json.loads((out / "manifest.json").read_text())["counts"]["masks"] == 1
    call_command("import_dataset", "Copy", str(out), "--lead", "ana")
    assert "1 new pictures, 0 known; 1 new masks" in capsys.readouterr().out
    assert Dataset.objects.get(name="Copy").members.get().user == cast.ana
    call_command("import_dataset", "Copy", str(out))
    assert "0 new pictures, 1 known; 0 new masks, 1 known" in capsys.readouterr().out


def test_a_folder_of_pictures(cast, tmp_path, capsys):
    folder = tmp_path / "pictures"
    folder.mkdir()
    (folder / "a.jpg").write_bytes(picture(seed=1))
    (folder / "b.jpg").write_bytes(b"no picture")
    (folder / "link.jpg").symlink_to("/etc/passwd")
    call_command("import_dataset", "Pictures", str(folder))
    told = capsys.readouterr()
    assert "1 new pictures" in told.out
    assert "b.jpg" in told.err
    assert "link.jpg" not in told.err


@pytest.mark.parametrize(
    "command",
    [
        ("import_dataset", "X", "/nowhere/at/all"),
        ("export_dataset", "X", "--format", "coco", "--out", "/tmp/x"),
        ("token", "nobody"),
    ],
)
def test_mistakes_are_sentences(db, command):
    with pytest.raises(CommandError):
        call_command(*command)


def test_an_export_never_overwrites(cast, image, tmp_path):
    (tmp_path / "full").mkdir()
    (tmp_path / "full" / "mine.txt").write_text("mine")
    with pytest.raises(CommandError):
        call_command("export_dataset", "Fruit", "--format", "sa1b", "--out", str(tmp_path / "full"))
    assert [path.name for path in (tmp_path / "full").iterdir()] == ["mine.txt"]


def test_the_samples_are_loaded_once_with_their_credits(db, capsys):
    call_command("load_samples")
    dataset = Dataset.objects.get(name=samples.NAME)
    images = list(Image.objects.filter(dataset=dataset))
    assert len(images) == len(samples.SAMPLES)
    assert all(image.licence and image.credit and image.source for image in images)
    assert dataset.members.get().user == get_user_model().objects.get(username="demo")
    first = Task.objects.order_by("-priority", "id").values_list("image__split", flat=True)[:2]
    assert list(first) == ["train", "held_out"], "something to judge a first model on comes early"
    started = time.monotonic()
    call_command("load_samples")
    assert time.monotonic() - started < 1
    dataset.delete()
    call_command("load_samples")
    assert not Dataset.objects.exists(), "who deleted the samples is not given them again"
