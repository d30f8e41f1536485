"""python manage.py restore FOLDER: a backup into an empty installation."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.errors import UserError
from annotation.services.backups import backup_restore


class Command(BaseCommand):
    """Reads the whole backup first: a damaged one changes nothing. Works before the first `migrate`."""

    help = "Restore what `backup` made into an installation that holds no dataset."
    requires_system_checks: list[str] = []

    def add_arguments(self, parser: CommandParser) -> None:
        """FOLDER and which of its points."""
        parser.add_argument("folder", type=Path)
        parser.add_argument("--point", default="", help="one that `backup FOLDER --list` names; default: the latest")

    def handle(self, *args: Any, **options: Any) -> None:
        """Restore, and say what came back."""
        folder: Path = options["folder"].expanduser().resolve()
        try:
            told = backup_restore(folder=folder, point=options["point"], told=self.stderr.write)
        except UserError as error:
            raise CommandError(error.message) from error
        self.stdout.write(f"{told['point']} restored: {told['files']} files, {told['bytes']:,} bytes.")
