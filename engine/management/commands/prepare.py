"""`manage.py prepare`: bring files into a new object store, register the shipped model, encode the first images."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation import storage
from annotation.models import Dataset, Image
from annotation.services.tasks import tasks_upcoming
from engine.embeddings import image_embed
from engine.serving import base_model_register, decoders_complete, serving_version


class Command(BaseCommand):
    """Safe to repeat: what is done already is passed over."""

    help = "Bring files into a new object store, register the shipped model, and encode the first images."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Options."""
        parser.add_argument("--checkpoint", type=Path, help="weights to use instead of the shipped ones")
        parser.add_argument("--name", default="", help="name that people see (default: the file's)")
        parser.add_argument("--encode", type=int, default=0, metavar="N", help="encode the next N images per dataset")

    def handle(self, *args: Any, **options: Any) -> None:
        """Move, register, encode."""
        try:
            storage.moved_into_store(self._moved)
            version = base_model_register(checkpoint=options["checkpoint"], name=options["name"])
            decoders_complete()
        except (OSError, ValueError) as error:
            raise CommandError(str(error)) from error
        self.stdout.write(f"Base model {version.name} ({version.variant}, {version.short_digest}) is registered.")
        if not options["encode"]:
            return
        for dataset in Dataset.objects.all():
            upcoming = tasks_upcoming(dataset=dataset, limit=options["encode"])
            serving = serving_version(dataset.pk)
            images = Image.objects.in_bulk(upcoming)
            for place, pk in enumerate(upcoming, start=1):
                image_embed(image=images[pk], version=serving)
                self.stdout.write(f"{dataset.name}: encoded {images[pk].file_name} ({place} of {len(upcoming)})")
                self.stdout.flush()

    def _moved(self, count: int) -> None:
        if count % 100 == 0:
            self.stdout.write(f"{count} files are in the object store")
            self.stdout.flush()
