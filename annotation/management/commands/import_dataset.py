"""python manage.py import_dataset NAME PATH: pictures with or without masks from a folder, a zip or a tar archive."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from django.conf import settings
from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandError, CommandParser

from annotation.errors import UserError
from annotation.models import Dataset, Member
from annotation.services import datasets, imports


class Command(BaseCommand):
    """The same service as the page, without a worker. Importing again adds nothing twice."""

    help = "Import pictures with or without masks into a dataset (made if it is not there)."

    def add_arguments(self, parser: CommandParser) -> None:
        """NAME, PATH, --format, --lead."""
        parser.add_argument("name", help="Name of the dataset.")
        parser.add_argument("path", type=Path, help="A folder, a zip or a tar archive.")
        parser.add_argument("--format", choices=imports.FORMATS, default="auto", dest="import_format")
        parser.add_argument("--lead", default=settings.ANYMASK_DEMO_USER, help="Who leads a new dataset.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Import, and say what became of everything."""
        path: Path = options["path"].expanduser().resolve()
        lead = get_user_model().objects.filter(username=options["lead"]).first()
        dataset = Dataset.objects.filter(name=options["name"]).first()
        if dataset is None:
            dataset = datasets.dataset_create(user=lead, name=options["name"])
        elif lead is not None and not dataset.members.exists():
            Member.objects.create(dataset=dataset, user=lead, role=Member.Role.LEAD)
        asked = {
            "dataset": dataset,
            "import_format": options["import_format"],
            "user": lead,
            "progress": self._progress,
        }
        try:
            if path.is_dir():
                report = imports.import_folder(folder=path, **asked)
            elif path.is_file():
                report = imports.import_archive(archive=path, **asked)
            else:
                raise CommandError(f"There is no file or folder {path}.")
        except UserError as problem:
            raise CommandError(problem.message) from None
        for refusal in report.refusals.listed:
            self.stderr.write(f"refused: {refusal['item']}: {refusal['message']} ({refusal['code']})")
        self.stdout.write(
            f"{dataset.name}, read as {report.format}: {report.images_new} new pictures, {report.images_known} known; "
            f"{report.masks_new} new masks, {report.masks_known} known; {report.boxes_new} new boxes; "
            f"{report.refusals.count} refused"
        )

    def _progress(self, fraction: float, message: str) -> None:
        if self.stderr.isatty():
            self.stderr.write(f"\r{fraction:4.0%} {message}   ", ending="")
