"""python manage.py backup FOLDER: everything this installation holds, while people work."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.errors import UserError
from annotation.services.backups import backup_check, backup_make, points


class Command(BaseCommand):
    """Makes a point in time in a folder that shares unchanged files between them; or looks whether one is whole."""

    help = "Copy the database and all files; only what is new since the last time in the same folder is copied."

    def add_arguments(self, parser: CommandParser) -> None:
        """FOLDER, and what to do with it."""
        parser.add_argument("folder", type=Path, help="On another disk; only you should be able to read it.")
        parser.add_argument("--keep", type=int, default=0, metavar="N", help="remove all but the N latest points")
        parser.add_argument("--list", action="store_true", help="name the points in time that are there")
        parser.add_argument("--check", action="store_true", help="read the latest one and compare every digest")

    def handle(self, *args: Any, **options: Any) -> None:
        """Do it and say what was done."""
        folder: Path = options["folder"].expanduser().resolve()
        try:
            if options["list"]:
                self.stdout.write("\n".join(points(folder)) or "No backup in this folder.")
            elif options["check"]:
                told = backup_check(folder=folder)
                self.stdout.write(f"{told['point']} is whole: {told['files']} files, {told['bytes']:,} bytes.")
            else:
                told = backup_make(folder=folder, keep=max(0, options["keep"]), told=self._tell)
                self.stdout.write(
                    f"{told['point']}: {told['datasets']} datasets, {told['images']} images, {told['masks']} masks, "
                    f"{told['files']} files, {told['bytes']:,} bytes, of which {told['copied']:,} were new."
                )
        except UserError as error:
            raise CommandError(error.message) from error

    def _tell(self, line: str) -> None:
        self.stderr.write(line)
