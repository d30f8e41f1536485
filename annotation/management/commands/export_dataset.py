"""python manage.py export_dataset NAME --format coco|sa1b --out DIR: a verified export as a folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.errors import UserError
from annotation.models import Dataset
from annotation.services import exports


class Command(BaseCommand):
    """The same service as the page, without a worker. The folder appears whole or not at all."""

    help = "Export a dataset; everything is read again before the folder appears."

    def add_arguments(self, parser: CommandParser) -> None:
        """NAME, --format, --out."""
        parser.add_argument("name", help="Name of the dataset.")
        parser.add_argument("--format", choices=exports.FORMATS, required=True, dest="export_format")
        parser.add_argument("--out", type=Path, required=True, help="A folder that is not there yet, or empty.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Export, and say what was written."""
        dataset = Dataset.objects.filter(name=options["name"]).first()
        if dataset is None:
            raise CommandError(f"There is no dataset {options['name']!r}.")
        out: Path = options["out"].expanduser().resolve()
        try:
            counts = exports.export_folder(
                dataset=dataset, export_format=options["export_format"], out=out, progress=self._progress
            )
        except UserError as problem:
            raise CommandError(problem.message) from None
        self.stdout.write(f"{out}: {counts.images} images, {counts.masks} masks, {counts.files} files, verified")

    def _progress(self, fraction: float, message: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{fraction:4.0%} {message}   ", ending="")
