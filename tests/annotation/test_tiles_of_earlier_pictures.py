"""Large pictures from before there were tiles get theirs: by the clock's job, by a command, and once."""

from __future__ import annotations

import pytest
from django.core.management import call_command

from annotation import jobkit, storage
from annotation import jobs as _jobs  # noqa: F401  binds the functions, as a worker does
from annotation.models import Image, Job
from annotation.services import tiles
from tests.cast import add_image

pytestmark = pytest.mark.django_db


@pytest.fixture
def earlier(cast, settings):
    """A picture that was taken in whole; by today's limit it is a large one."""
    image = add_image(cast.dataset)
    assert image.tile_levels == 0
    settings.ANYMASK_TILE_PIXELS = image.pixels - 1
    return image


def tile_of(image) -> bytes:
    return storage.full(image.tile_path(image.tile_levels - 1, 0, 0)).read_bytes()


def test_the_clock_has_them_cut_once(earlier, as_, cast):
    assert tiles.tiles_tend() == 1
    assert tiles.tiles_tend() == 1, "it still waits"
    assert Job.objects.filter(kind="cut_tiles").count() == 1
    jobkit.run_pending()
    earlier.refresh_from_db()
    assert earlier.tile_levels > 0
    told = as_(cast.ben).get(f"/api/images/{earlier.pk}/").json()
    address = told["tiles_url"].format(z=told["tile_levels"] - 1, x=0, y=0)
    answer = as_(cast.ben).get(address)
    assert b"".join(answer.streaming_content) == tile_of(earlier)
    assert tiles.tiles_tend() == 0


def test_the_command_does_the_same_at_once(earlier, capsys):
    for expected in ("1 pictures", "0 pictures"):
        call_command("cut_tiles")
        assert capsys.readouterr().out.startswith(expected)
    earlier.refresh_from_db()
    assert tile_of(earlier)


def test_what_failed_is_left_alone(earlier):
    storage.full(earlier.display_path).write_bytes(b"damaged")
    tiles.tiles_tend()
    jobkit.run_pending()
    assert Job.objects.get().state == "failed"
    assert tiles.tiles_tend() == 0


def test_nothing_stays_of_a_picture_that_was_removed_meanwhile(earlier, data_folder, monkeypatch):
    cut = tiles.tiles_cut

    def slow(source, folder, pixels):
        levels = cut(source, folder, pixels)
        Image.objects.all().delete()
        storage.remove(storage.image_folder(earlier.dataset_id, earlier.sha256))
        return levels

    monkeypatch.setattr(tiles, "tiles_cut", slow)
    tiles.image_tile(image=earlier)
    assert [path for path in data_folder.rglob("*") if path.is_file()] == []
