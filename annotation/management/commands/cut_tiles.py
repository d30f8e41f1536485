"""python manage.py cut_tiles: large pictures that came before tiles did are cut now, without a worker."""

from __future__ import annotations

from typing import Any

from django.core.management.base import BaseCommand

from annotation.services import tiles


class Command(BaseCommand):
    """The clock has workers do the same within the hour; running both does no harm."""

    help = "Cut large pictures that are still shown whole into tiles."

    def handle(self, *args: Any, **options: Any) -> None:
        """One after another; how many."""
        cut = sum(bool(tiles.image_tile(image=image)) for image in tiles.images_whole().iterator(chunk_size=100))
        self.stdout.write(f"{cut} pictures cut into tiles")
