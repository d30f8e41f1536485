"""`manage.py run_stage NAME STAGE`: put a dataset into a stage and do the machine's part of it."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.errors import UserError
from annotation.models import Dataset
from engine.management.follow import job_finish
from engine.stages import STAGES
from engine.stages.moves import stage_start


class Command(BaseCommand):
    """Resumable: images that are done already with the same model and settings are passed over."""

    help = (
        "Put a dataset into a stage (assisted, semi_automatic, fully_automatic) and do the machine's part of it. "
        "Masks of images that somebody works on, or that an audit has not measured yet, are left as they are."
    )

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Arguments."""
        parser.add_argument("name", help="name of the dataset")
        parser.add_argument("stage", choices=list(STAGES))
        parser.add_argument("--queue", action="store_true", help="leave it to a worker and return at once")

    def handle(self, *args: Any, **options: Any) -> None:
        """Queue the stage and follow it."""
        dataset = Dataset.objects.filter(name=options["name"]).first()
        if dataset is None:
            raise CommandError(f"There is no dataset {options['name']!r}.")
        try:
            job = stage_start(dataset=dataset, stage=options["stage"])
        except UserError as error:
            raise CommandError(error.message) from error
        if options["queue"]:
            self.stdout.write(f"Job {job.pk} is queued.")
            return
        result = job_finish(job, self.stdout).result
        self.stdout.write(f"{result['images']} images, {result['masks']} new masks, {len(result['failed'])} failed.")
        if result["left"]:
            self.stdout.write(f"{result['left']} images left alone: people work on them, or they are under audit.")
        for failure in result["failed"]:
            self.stdout.write(f"  image {failure['image']}: {failure['message']}")
