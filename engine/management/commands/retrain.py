"""`manage.py retrain NAME`: one training run, from the snapshot to the decision."""

from __future__ import annotations

from argparse import ArgumentParser
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.errors import UserError
from annotation.models import Dataset
from engine.management.follow import job_finish
from engine.models import TrainingRun
from engine.retraining import run_start


class Command(BaseCommand):
    """With workers or without: a worker that is quicker does the work, and this command follows it."""

    help = "Retrain the model of a dataset on its accepted masks, judge it, and promote it if it is better."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Arguments."""
        parser.add_argument("name", help="name of the dataset")
        parser.add_argument("--queue", action="store_true", help="leave it to a worker and return at once")

    def handle(self, *args: Any, **options: Any) -> None:
        """Start a run and follow it."""
        dataset = Dataset.objects.filter(name=options["name"]).first()
        if dataset is None:
            raise CommandError(f"There is no dataset {options['name']!r}.")
        try:
            run = run_start(dataset=dataset, trigger=TrainingRun.Trigger.PERSON)
        except UserError as error:
            raise CommandError(error.message) from error
        if run.job is None or options["queue"]:
            self.stdout.write(f"Training run {run.pk} is queued.")
            return
        job_finish(run.job, self.stdout)
        run.refresh_from_db()
        self.stdout.write(run.message)
