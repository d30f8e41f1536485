"""`manage.py add_model NAME_OR_FILE`: weights made elsewhere, ready to be put into service."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.errors import Conflict, UserError
from annotation.models import Dataset
from engine.models import ModelVersion
from engine.promotion import version_restore
from engine.serving import outside_model_register
from modelzoo.catalogue import ENCODE_SECONDS


class Command(BaseCommand):
    """Safe to repeat: a file that is registered already is known by its digest."""

    help = "Register weights made elsewhere (`python -m modelzoo list` names the published ones)."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Arguments."""
        parser.add_argument("source", metavar="NAME_OR_FILE", help="a fetched model of the catalogue, or a weight file")
        parser.add_argument("--sha256", default="", metavar="HEX", help="what the file's SHA-256 must be")
        parser.add_argument("--name", default="", help="name that people see")
        parser.add_argument("--licence", default="", help="licence of the weights, where the catalogue has none")
        parser.add_argument("--dataset", default="", metavar="NAME", help="put it into service for this dataset")

    def handle(self, *args: Any, **options: Any) -> None:
        """Register, and switch if asked to."""
        dataset = None
        if options["dataset"]:
            dataset = Dataset.objects.filter(name=options["dataset"]).first()
            if dataset is None:
                raise CommandError(f"There is no dataset {options['dataset']!r}.")
        given = {name: options[name] for name in ("source", "sha256", "name", "licence")}
        try:
            version = outside_model_register(**given)
        except (UserError, OSError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(told(version))
        if dataset is None:
            self.stdout.write("A lead puts it into service on the Model tab of a dataset, or: --dataset NAME.")
            return
        try:
            version_restore(dataset_id=dataset.pk, digest=version.digest, by=None)
        except Conflict as conflict:
            self.stdout.write(conflict.message)
        except UserError as error:
            raise CommandError(error.message) from error
        else:
            self.stdout.write(f"It serves {dataset.name} now. Its open pictures are being prepared for it.")


def told(version: ModelVersion) -> str:
    """One line about a version that was registered."""
    licence = version.origin.get("licence") or "not stated"
    seconds = ENCODE_SECONDS.get(version.variant)
    speed = f" About {seconds:g} s a picture on two CPU cores." if seconds else ""
    return f"{version.name} ({version.variant}, {version.short_digest}) is registered. Licence: {licence}.{speed}"
