"""`manage.py simulate`: the whole loop with simulated people on pictures whose objects are known."""

from __future__ import annotations

from argparse import ArgumentParser
from pathlib import Path
from typing import Any

from django.core.management.base import BaseCommand, CommandError

from annotation.errors import UserError
from annotation.models import Dataset
from engine.stages import STAGES


class Command(BaseCommand):
    """Everything but the hands is real: routes, leases, jobs, prefilled masks, retraining, gate, audit."""

    help = "Label pictures with simulated people, retrain, judge and promote, round after round; write what it brought."

    def add_arguments(self, parser: ArgumentParser) -> None:
        """Arguments."""
        parser.add_argument("--images", required=True, type=Path, metavar="DIR", help="the pictures")
        parser.add_argument("--coco", required=True, type=Path, metavar="ANN.json", help="what is really in them")
        parser.add_argument("--rounds", type=int, default=3, metavar="N", help="retrainings (default 3)")
        parser.add_argument("--report", required=True, type=Path, metavar="OUT.json", help="a plot goes beside it")
        parser.add_argument("--stages", default="assisted", help="stage of each round, by commas; the last one repeats")
        parser.add_argument("--dataset", default="", metavar="NAME", help="name of the dataset that is made")
        parser.add_argument(
            "--weights", type=Path, metavar="FILE", help="begin with these instead of the default model"
        )
        parser.add_argument("--people", type=int, default=2, help="annotators who take turns (default 2)")
        parser.add_argument("--most-images", type=int, default=0, metavar="N", help="take only so many pictures")
        parser.add_argument("--most-objects", type=int, default=0, metavar="N", help="only the N largest of a picture")
        parser.add_argument("--crowded", type=int, default=0, metavar="N", help="leave out pictures with more objects")
        parser.add_argument("--smallest", type=float, default=0.0, metavar="SHARE", help="of the picture, to count")
        parser.add_argument(
            "--judged", type=int, default=100, metavar="N", help="held-out objects to measure on; 0: all"
        )
        parser.add_argument(
            "--audited", type=int, default=10, metavar="N", help="pictures audited in an automatic round"
        )
        parser.add_argument("--poison", type=int, metavar="ROUND", help="people save nonsense in this round (from 0)")
        parser.add_argument("--brush", action="store_true", help="people paint what 20 clicks did not bring")
        parser.add_argument("--seed", type=int, default=0, help="draws the order of the pictures")

    def handle(self, *args: Any, **options: Any) -> None:
        """Read, simulate, write."""
        from engine.simulation.people import Refused
        from engine.simulation.report import write_report
        from engine.simulation.rounds import Simulation
        from modelzoo.training.data import DataError

        try:
            plan = self._plan(options)
            report = Simulation(plan, self._tell).run()
        except (DataError, Refused, OSError) as error:
            raise CommandError(str(error)) from error
        except UserError as error:
            raise CommandError(error.message) from error
        plot = write_report(report, options["report"])
        self.stdout.write(f"Report: {options['report']}, {plot.name}")

    def _plan(self, options: dict[str, Any]) -> Any:
        from engine.simulation.rounds import Plan
        from engine.simulation.truth import deal, read_truth

        stages = [name.strip() for name in options["stages"].split(",")]
        unknown = [name for name in stages if name not in STAGES]
        if unknown:
            raise CommandError(f"There is no stage {unknown[0]!r}. Stages: {', '.join(STAGES)}.")
        if options["rounds"] < 1 or options["people"] < 1:
            raise CommandError("At least one round and one person are needed.")
        if not options["report"].resolve().parent.is_dir():
            raise CommandError(f"There is no folder {options['report'].parent} for the report.")
        name = options["dataset"] or f"Simulation {options['images'].resolve().parent.name}"
        if Dataset.objects.filter(name=name).exists():
            raise CommandError(f"There is a dataset {name!r} already. Give another name with --dataset.")
        limits = {name: options[name] for name in ("most_images", "most_objects", "smallest", "crowded", "seed")}
        pictures = read_truth(options["images"], options["coco"], **limits)
        return Plan(
            name=name,
            rounds=deal(pictures, options["rounds"] + 1),
            stages=stages,
            people=options["people"],
            weights=options["weights"],
            poisoned=options["poison"],
            judged=options["judged"],
            audited=options["audited"],
            brush=options["brush"],
        )

    def _tell(self, line: str) -> None:
        self.stdout.write(line)
        self.stdout.flush()
