"""Large pictures as tiles of several resolutions, so that a browser loads only what it shows."""

from __future__ import annotations

from pathlib import Path

from django.conf import settings

from annotation.errors import UserError
from annotation.ingest.cage import Cage


class TileCage(Cage):
    """A child that cuts pictures into tiles."""

    module = "annotation.ingest.tile_child"

    def cut(self, source: Path, folder: Path) -> int:
        """Write the tiles of a display file into `folder` (annotation.ingest.tile_child); the number of levels."""
        request = {"source": str(source), "folder": str(folder), "max_pixels": settings.ANYMASK_MAX_IMAGE_PIXELS}
        told = self._ask(request)
        if "code" in told:
            raise UserError(told["code"], told["message"])
        return int(told["levels"])


def tiles_cut(source: Path, folder: Path, pixels: int) -> int:
    """Make `folder` with the tiles of a picture of so many pixels; the number of levels, 0 for one that needs none."""
    if pixels <= settings.ANYMASK_TILE_PIXELS:
        return 0
    folder.mkdir()
    with TileCage() as cage:
        return cage.cut(source, folder)
