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
        whole = tiles.images_whole()
        cut = 0
        for pk in list(whole.values_list("pk", flat=True)):
            image = whole.filter(pk=pk).first()
            cut += image is not None and bool(tiles.image_tile(image=image))
        self.stdout.write(f"{cut} pictures cut into tiles")
