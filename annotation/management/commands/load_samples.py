"""python manage.py load_samples: the demo account and a dataset of real photographs, once."""

from __future__ import annotations

from typing import Any

from django.contrib.auth import get_user_model
from django.core.management.base import BaseCommand, CommandParser

from annotation import demo, samples, storage
from annotation.errors import UserError
from annotation.ingest.cage import Cage
from annotation.models import Dataset, Member
from annotation.services import datasets
from annotation.services.images import Incoming, Rights, image_add


class Command(BaseCommand):
    """Does nothing the second time: who deletes the samples is not given them again."""

    help = "Make the demo account and the dataset of sample pictures."

    def add_arguments(self, parser: CommandParser) -> None:
        """--force."""
        parser.add_argument("--force", action="store_true", help="Load them although they were loaded before.")

    def handle(self, *args: Any, **options: Any) -> None:
        """Idempotent; what was interrupted goes on."""
        marker = storage.root() / "samples-loaded"
        account = demo.ensure()
        if marker.exists() and not options["force"]:
            self.stdout.write("The sample pictures were loaded before.")
            return
        user = get_user_model().objects.get(username=account["username"])
        dataset = Dataset.objects.filter(name=samples.NAME).first()
        if dataset is None:
            dataset = datasets.dataset_create(
                user=user,
                name=samples.NAME,
                description="Real photographs that come with scikit-image, to try things out.",
                source=samples.SOURCE,
            )
        Member.objects.get_or_create(dataset=dataset, user=user, defaults={"role": Member.Role.LEAD})
        added = self._add(dataset, user)
        marker.touch()
        self.stdout.write(f"{dataset.name}: {added} pictures added, {dataset.images.count()} in all.")

    def _add(self, dataset: Dataset, user: Any) -> int:
        found = samples.present()
        added = 0
        with Cage() as cage:
            for place, (sample, path) in enumerate(found):
                rights = Rights(sample.licence, samples.SOURCE, sample.credit)
                try:
                    _image, created = image_add(
                        dataset=dataset,
                        incoming=Incoming(sample.name, path),
                        user=user,
                        cage=cage,
                        rights=rights,
                        priority=len(found) - place,
                    )
                except UserError as problem:
                    self.stderr.write(f"{sample.name}: {problem.message}")
                else:
                    added += created
        return added
